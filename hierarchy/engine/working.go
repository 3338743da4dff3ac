package engine

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/klmcwhirter/ocisi/internal/process"
)

// removeTime bounds the removal of what a cancelled build left.
const removeTime = 20 * time.Second

// removeWorking removes the working containers that a cancelled build left
// behind: those of buildah that were made since it started. The build was ended
// in the way that leaves none, but it may have had to be killed.
func (e *Engine) removeWorking(ctx context.Context, since time.Time) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), removeTime)
	defer cancel()
	out, err := process.Output(ctx, e.opts.Runner, process.Cmd{Name: "podman", Args: []string{"ps", "--all", "--external", "--format", "json"}})
	if err != nil {
		e.log.DebugContext(ctx, "looking for what a cancelled build left", "err", err)
		return
	}
	for _, id := range workingSince(out, since) {
		err := e.opts.Runner.Run(ctx, process.Cmd{Name: "podman", Args: []string{"rm", "--force", id}})
		e.log.DebugContext(ctx, "removed a working container of a cancelled build", "id", id, "err", err)
	}
}

// workingSince returns the IDs of buildah's containers in the output of podman
// ps, made at or after a time. Podman counts in whole seconds.
func workingSince(ps string, since time.Time) []string {
	var list []struct {
		ID      string `json:"Id"`
		Names   []string
		State   string
		Created int64
	}
	if json.Unmarshal([]byte(ps), &list) != nil {
		return nil
	}
	var ids []string
	for _, c := range list {
		// What podman itself has made is in no state "storage".
		if c.State == "storage" && len(c.Names) > 0 && strings.Contains(c.Names[0], "-working-container") && c.Created >= since.Unix() {
			ids = append(ids, c.ID)
		}
	}
	return ids
}
