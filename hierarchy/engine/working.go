package engine

import (
	"bytes"
	"context"
	"crypto/rand"
	"io/fs"
	"os"
	"path"
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

// removeWorking removes the working containers that a cancelled build left
// behind. The build was ended in the way that leaves none, but it may have had to
// be killed. Containers without the mark are the user's, whenever they were created.
func (e *Engine) removeWorking(ctx context.Context, mark buildMark) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), removeTime)
	defer cancel()
	list, err := e.external(ctx)
	if err != nil {
		e.log.DebugContext(ctx, "looking for what a cancelled build left", "err", err)
		return
	}
	ids := workingContainers(list)
	if len(ids) == 0 {
		return
	}
	info, err := e.libpodInfo(ctx)
	if err != nil {
		e.log.DebugContext(ctx, "looking for what a cancelled build left", "err", err)
		return
	}
	for _, id := range ids {
		if !mark.on(info.Store.GraphRoot, id) {
			continue
		}
		err := e.opts.Runner.Run(ctx, process.Cmd{Name: "podman", Args: []string{"rm", "--force", id}})
		e.log.DebugContext(ctx, "removed a working container of a cancelled build", "id", id, "err", err)
	}
}

// on reports whether the record of a working container in a store has the mark. It
// is false where the record cannot be read.
func (m buildMark) on(store, id string) bool {
	files := os.DirFS(store)
	records, err := fs.Glob(files, path.Join("*-containers", id, "userdata", "buildah.json"))
	if err != nil || len(records) != 1 {
		return false
	}
	text, err := fs.ReadFile(files, records[0])
	return err == nil && bytes.Contains(text, []byte(`"`+m+`"`))
}

// workingContainers returns the IDs of the working containers of buildah.
func workingContainers(list []externalContainer) []string {
	var ids []string
	for _, c := range list {
		// What podman itself has made is in no state "storage".
		if c.State == "storage" && len(c.Names) > 0 && strings.Contains(c.Names[0], "-working-container") {
			ids = append(ids, c.ID)
		}
	}
	return ids
}
