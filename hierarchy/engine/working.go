package engine

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/klmcwhirter/ocisi/internal/process"
)

// removeTime bounds the removal of what a cancelled build left.
const removeTime = 20 * time.Second

// buildMark is an argument of podman build that marks the working containers of
// one build: an empty secret of a random name. Podman (4.3 and 5.8) writes it to
// the record of each container, and neither to the image nor to its cache.
type buildMark string

func newBuildMark() buildMark {
	return buildMark("id=ocisi-build-" + rand.Text() + ",src=/dev/null")
}

var recordedMark = regexp.MustCompile(`"(id=ocisi-build-[A-Za-z0-9]+,src=/dev/null)"`)

// removeWorking removes the working containers that a cancelled build left
// behind. The build was ended in the way that leaves none, but it may have had to
// be killed. Containers without the mark are the user's, whenever they were created.
func (e *Engine) removeWorking(ctx context.Context, mark buildMark) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), removeTime)
	defer cancel()
	var marked map[string]buildMark
	list, err := e.external(ctx)
	if err == nil {
		marked, err = e.workingContainers(ctx, list)
	}
	if err != nil {
		e.log.DebugContext(ctx, "looking for what a cancelled build left", "err", err)
	}
	for id, m := range marked {
		if m == mark {
			_ = e.removeContainer(ctx, id)
		}
	}
}

// Interrupted returns the IDs of the working containers of builds of ocisi that
// were killed, in no order. Podman neither lists nor removes them, and each keeps
// its layer and the image below it. A build that still runs has none.
func (e *Engine) Interrupted(ctx context.Context) ([]string, error) {
	if !e.differs.external {
		return nil, nil
	}
	list, err := e.external(ctx)
	if err != nil {
		return nil, err
	}
	return e.interrupted(ctx, list)
}

func (e *Engine) interrupted(ctx context.Context, list []externalContainer) ([]string, error) {
	marked, err := e.workingContainers(ctx, list)
	if err != nil || len(marked) == 0 {
		return nil, err
	}
	running := commandLines(e.processes())
	var ids []string
	for id, mark := range marked {
		if !slices.ContainsFunc(running, func(args []byte) bool { return bytes.Contains(args, []byte(mark)) }) {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// RemoveInterrupted removes the containers of [Engine.Interrupted].
func (e *Engine) RemoveInterrupted(ctx context.Context) error {
	ids, err := e.Interrupted(ctx)
	for _, id := range ids {
		err = errors.Join(err, e.removeContainer(ctx, id))
	}
	return err
}

func (e *Engine) removeContainer(ctx context.Context, id string) error {
	err := e.opts.Runner.Run(ctx, process.Cmd{Name: "podman", Args: []string{"rm", "--force", id}})
	e.log.DebugContext(ctx, "removed a working container of an interrupted build", "id", id, "err", err)
	return err
}

// processes is the file system with a folder for each process of the machine.
func (e *Engine) processes() fs.FS {
	if e.opts.Processes != nil {
		return e.opts.Processes
	}
	return os.DirFS("/proc")
}

// commandLines returns the command lines of all processes, see proc(5).
func commandLines(proc fs.FS) [][]byte {
	var all [][]byte
	files, _ := fs.Glob(proc, "[0-9]*/cmdline") // the pattern is valid
	for _, file := range files {
		if args, err := fs.ReadFile(proc, file); err == nil {
			all = append(all, args)
		}
	}
	return all
}

// workingContainers returns the marks of those containers of a list that builds of
// ocisi created, by ID.
func (e *Engine) workingContainers(ctx context.Context, list []externalContainer) (map[string]buildMark, error) {
	if !slices.ContainsFunc(list, externalContainer.working) {
		return nil, nil
	}
	info, err := e.libpodInfo(ctx)
	if err != nil {
		return nil, err
	}
	marked := map[string]buildMark{}
	for _, c := range slices.DeleteFunc(slices.Clone(list), func(c externalContainer) bool { return !c.working() }) {
		if mark := recordOf(os.DirFS(info.Store.GraphRoot), c.ID); mark != "" {
			marked[c.ID] = mark
		}
	}
	return marked, nil
}

// recordOf returns the mark in the record of a working container in a store, or ""
// if the record has none or cannot be read.
func recordOf(store fs.FS, id string) buildMark {
	records, err := fs.Glob(store, path.Join("*-containers", id, "userdata", "buildah.json"))
	if err != nil || len(records) != 1 {
		return ""
	}
	text, err := fs.ReadFile(store, records[0])
	if err != nil {
		return ""
	}
	if found := recordedMark.FindSubmatch(text); found != nil {
		return buildMark(found[1])
	}
	return ""
}

// working reports whether buildah created the container. One that podman created is
// in no state "storage".
func (c externalContainer) working() bool {
	return c.State == "storage" && len(c.Names) > 0 && strings.Contains(c.Names[0], "-working-container")
}
