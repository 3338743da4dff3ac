package engine

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"unicode/utf8"

	bkclient "github.com/moby/buildkit/client"
	"github.com/moby/buildkit/util/bklog"
	"github.com/sirupsen/logrus"
	"github.com/tonistiigi/fsutil"
	fstypes "github.com/tonistiigi/fsutil/types"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/internal/process"
)

func (e *Engine) buildByDaemon(ctx context.Context, r hierarchy.Recipe, emit func(hierarchy.Progress)) (string, error) {
	opt, err := e.solveOpt(r)
	if err != nil {
		return "", err
	}
	// With containerd's store, BuildKit takes a name away from an image without
	// keeping that image, also if containers use it. Docker's own tag keeps it.
	tag, err := e.usesContainerd(ctx)
	if err != nil {
		return "", err
	}
	if tag {
		delete(opt.Exports[0].Attrs, "name")
	}
	bk, err := e.buildKit(ctx)
	if err != nil {
		return "", fmt.Errorf("connecting to docker's BuildKit: %w", err)
	}
	ctx = e.quiet(ctx)

	status := make(chan *bkclient.SolveStatus) // Solve closes it
	told := make(chan *solveProgress)
	go func() {
		p := newSolveProgress(emit)
		for s := range status {
			p.add(s)
		}
		told <- p
	}()
	res, err := bk.Solve(ctx, nil, opt, status)
	p := <-told
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	if err != nil {
		return "", p.failure(r.Ref, inWords(ctx, err))
	}
	id, err := e.builtID(ctx, r, res)
	if err != nil || !tag {
		return id, err
	}
	return id, e.Tag(ctx, id, r.Ref)
}

// quiet gives BuildKit's client a logger that writes where ours does. Its own
// writes on standard error, in the midst of what people read.
func (e *Engine) quiet(ctx context.Context) context.Context {
	log := logrus.New()
	log.SetOutput(process.NewLines(func(line string) { e.log.DebugContext(ctx, "buildkit", "says", line) }))
	return bklog.WithLogger(ctx, logrus.NewEntry(log))
}

// builtID returns the ID of what was built. The answer has it; versions whose
// answer has not have moved the name by now.
func (e *Engine) builtID(ctx context.Context, r hierarchy.Recipe, res *bkclient.SolveResponse) (string, error) {
	if id := res.ExporterResponse["containerimage.digest"]; id != "" {
		return id, nil
	}
	im, found, err := e.Inspect(ctx, e.manager.StoreRef(r.Ref))
	if err == nil && !found {
		err = fmt.Errorf("docker built %s and does not have it", r.Ref)
	}
	return im.ID, err
}

// newContextFS returns a build context without the names that are not UTF-8: one
// fails the whole transfer. What a build would see of them is an error before
// (hierarchy.ContextNameError), so that they are ignored ones.
func newContextFS(dir string) (fsutil.FS, error) {
	all, err := fsutil.NewFS(dir)
	if err != nil {
		return nil, err
	}
	return fsutil.NewFilterFS(all, &fsutil.FilterOpt{Map: func(path string, stat *fstypes.Stat) fsutil.MapResult {
		switch {
		case utf8.ValidString(path):
			return fsutil.MapResultKeep
		case stat.IsDir():
			return fsutil.MapResultSkipDir
		}
		return fsutil.MapResultExclude
	}})
}

// solveOpt is a recipe in the words of BuildKit's Dockerfile frontend.
func (e *Engine) solveOpt(r hierarchy.Recipe) (bkclient.SolveOpt, error) {
	dir, err := newContextFS(r.Context)
	if err != nil {
		return bkclient.SolveOpt{}, fmt.Errorf("opening the build context: %w", err)
	}
	name := filepath.Base(r.Containerfile)
	text := newTexts()
	text.files[name] = r.SealedText()
	if r.Ignore != nil {
		text.files[name+".dockerignore"] = append(slices.Clip(r.Ignore), '\n') // an empty one would not count
	}
	attrs := map[string]string{
		"filename":           name,
		"image-resolve-mode": "local", // what is in the store; a registry only for what is not
	}
	for k, v := range r.Args {
		attrs["build-arg:"+k] = v
	}
	for k, v := range r.Labels {
		attrs["label:"+k] = v
	}
	if r.NoCache {
		attrs["no-cache"] = ""
	}
	return bkclient.SolveOpt{
		Frontend:      "dockerfile.v0",
		FrontendAttrs: attrs,
		LocalMounts:   map[string]fsutil.FS{"context": dir, "dockerfile": text},
		SharedKey:     e.sharedKey(r.Context),
		Exports:       []bkclient.ExportEntry{{Type: "moby", Attrs: map[string]string{"name": e.manager.StoreRef(r.Ref)}}},
	}, nil
}
