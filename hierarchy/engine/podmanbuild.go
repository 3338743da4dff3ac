package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/moby/patternmatcher/ignorefile"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/internal/process"
)

// buildByProgram builds by the podman program. It is given no name for the
// image: a name that the program sets could move although the build is being
// cancelled.
func (e *Engine) buildByProgram(ctx context.Context, r hierarchy.Recipe, emit func(hierarchy.Progress)) (string, error) {
	select {
	case e.turn <- struct{}{}:
		defer func() { <-e.turn }()
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
	dir, err := os.MkdirTemp(e.opts.TempDir, "ocisi-build-")
	if err != nil {
		return "", fmt.Errorf("making a directory for the build: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	mark := newBuildMark()
	args, err := podmanArgs(r, dir, mark)
	if err != nil {
		return "", err
	}
	p := newPodmanProgress(emit)
	err = e.opts.Runner.Run(ctx, process.Cmd{
		Name: "podman", Args: args, Env: []string{"LC_ALL=C"}, Stdout: p.stdout, Stderr: p.stderr, Cancel: process.CancelBuildah,
	})
	p.end()
	if ctx.Err() != nil { // whatever status it left with: 4.3 says 0
		e.removeWorking(ctx, mark)
		return "", context.Cause(ctx)
	}
	if err != nil {
		return "", p.failure(r.Ref, inWords(ctx, err))
	}
	id, err := os.ReadFile(filepath.Join(dir, "iid"))
	if err != nil {
		return "", fmt.Errorf("reading the ID of what podman built: %w", err)
	}
	image := fullID(strings.TrimSpace(string(id)))
	return image, e.Tag(ctx, image, r.Ref)
}

// podmanArgs returns the command line of a build. The files that it names are
// written to dir.
func podmanArgs(r hierarchy.Recipe, dir string, mark buildMark) ([]string, error) {
	file := filepath.Join(dir, filepath.Base(r.Containerfile))
	err := errors.Join(os.WriteFile(file, r.Text, 0o600), os.WriteFile(filepath.Join(dir, "ignore"), ignoring(r.Ignore), 0o600))
	if err != nil {
		return nil, fmt.Errorf("writing the Containerfile for podman: %w", err)
	}
	args := []string{
		"build", "--layers", "--pull=never",
		"--iidfile", filepath.Join(dir, "iid"), "--file", file, "--ignorefile", filepath.Join(dir, "ignore"), "--secret", string(mark),
	}
	if r.NoCache {
		args = append(args, "--no-cache")
	}
	// In order: one recipe is one command line.
	for _, k := range slices.Sorted(maps.Keys(r.Args)) {
		args = append(args, "--build-arg", k+"="+r.Args[k])
	}
	for _, k := range labelOrder(r.Labels) {
		args = append(args, "--label", k+"="+r.Labels[k])
	}
	return append(args, r.Context), nil
}

// labelOrder returns the keys of labels in order, the one that seals the image last:
// podman 4.3 makes an instruction of each, podman 5 one of all (hierarchy.IsSeal).
func labelOrder(labels map[string]string) []string {
	keys := slices.Sorted(maps.Keys(labels))
	if i := slices.Index(keys, hierarchy.LabelImage); i >= 0 {
		keys = append(slices.Delete(keys, i, i+1), hierarchy.LabelImage)
	}
	return keys
}

// ignoring returns what podman is to read as the ignore file. Podman takes one
// without a pattern for none at all, and looks for another in the context.
func ignoring(text []byte) []byte {
	if patterns, err := ignorefile.ReadAll(bytes.NewReader(text)); err != nil || len(patterns) > 0 {
		return text
	}
	return []byte("!nothing\n") // an exception to no rule
}
