package box

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/internal/process"
)

// rootBox is what podman says about a container when it is asked for one.
type rootBox struct {
	ID, Name, Image string
	ImageName       string
	Created         time.Time
	ExecIDs         []string
	State           struct {
		Running   bool
		StartedAt string
	}
	Config struct{ Labels map[string]string }
}

// Container implements Engine.
func (r rootStore) Container(ctx context.Context, name string) (hierarchy.StoredBox, bool, error) {
	c, found, err := r.container(ctx, name)
	if !found || err != nil || c.Name != name { // podman takes the start of an ID for a name, too
		return hierarchy.StoredBox{}, false, err
	}
	return hierarchy.StoredBox{
		ID: c.ID, Name: c.Name, ImageID: digest(c.Image), Image: c.ImageName, Created: c.Created.Unix(),
		Labels: hierarchy.PlainLabels(c.Config.Labels), Running: c.State.Running, Started: c.State.StartedAt,
	}, true, nil
}

// container returns the container of a name or an ID.
func (r rootStore) container(ctx context.Context, name string) (rootBox, bool, error) {
	var found []rootBox
	ok, err := r.inspect(ctx, "container", name, &found)
	if !ok || err != nil || len(found) == 0 {
		return rootBox{}, false, err
	}
	return found[0], true, nil
}

// Boxes implements Engine, for the boxes that ocisi made.
func (r rootStore) Boxes(ctx context.Context) ([]hierarchy.StoredBox, error) {
	out, err := r.output(ctx, "container", "ls", "--all", "--format", "json", "--filter", "label="+hierarchy.LabelBox)
	if err != nil {
		return nil, fmt.Errorf("asking root's podman for its boxes: %w", err)
	}
	var found []struct {
		ID, ImageID, State string
		Image              string
		Names              []string
		Created            int64
		Labels             map[string]string
	}
	if err := json.Unmarshal(out, &found); err != nil {
		return nil, fmt.Errorf("asking root's podman for its boxes: %w", err)
	}
	var boxes []hierarchy.StoredBox
	for _, c := range found {
		if len(c.Names) == 0 {
			continue
		}
		boxes = append(boxes, hierarchy.StoredBox{
			ID: c.ID, Name: c.Names[0], ImageID: digest(c.ImageID), Image: c.Image, Created: c.Created,
			Labels: hierarchy.PlainLabels(c.Labels), Running: c.State == "running",
		})
	}
	return boxes, nil
}

// RenameContainer implements Engine.
func (r rootStore) RenameContainer(ctx context.Context, id, name string) error {
	return r.run(ctx, "container", "rename", id, name)
}

// Starts implements Engine.
func (r rootStore) Starts(ctx context.Context, id string) (bool, error) {
	err := r.run(ctx, "container", "start", id)
	if pe, failed := errors.AsType[*process.Error](err); failed && pe.Exit >= 125 { // podman's own, not sudo's
		return false, nil
	}
	return err == nil, err
}

// StopContainer implements Engine.
func (r rootStore) StopContainer(ctx context.Context, id string, grace time.Duration) error {
	return r.run(ctx, "container", "stop", "--time", strconv.Itoa(int(grace/time.Second)), id)
}

// RemoveContainer implements Engine.
func (r rootStore) RemoveContainer(ctx context.Context, id string) error {
	return r.run(ctx, "container", "rm", "--force", "--time", "0", "--volumes", id)
}

// Sessions implements Engine. Podman's program does not tell sessions that have
// ended from others where their client was killed; a start of the box does away
// with them.
func (r rootStore) Sessions(ctx context.Context, id string) (int, error) {
	c, found, err := r.container(ctx, id)
	if err != nil || !found || !c.State.Running {
		return 0, err
	}
	return len(c.ExecIDs), nil
}

// Logs implements Engine.
func (r rootStore) Logs(ctx context.Context, id string, lines int) (string, error) {
	c := r.cmd(string(hierarchy.Podman), "container", "logs", "--tail", strconv.Itoa(lines), id)
	var both bytes.Buffer
	c.Stdout, c.Stderr = &both, &both
	err := r.d.Runner.Run(ctx, c)
	return strings.TrimSpace(both.String()), err
}

// Exec implements Engine.
func (r rootStore) Exec(ctx context.Context, id string, argv ...string) (string, error) {
	out, err := r.output(ctx, append([]string{"container", "exec", "--user", "root", id}, argv...)...)
	return string(out), err
}

// Exists implements Engine.
func (r rootStore) Exists(ctx context.Context, id, path string) (bool, error) {
	err := r.run(ctx, "container", "cp", id+":"+path, "-")
	if pe, failed := errors.AsType[*process.Error](err); failed && strings.Contains(pe.Stderr, "no such file") {
		return false, nil
	}
	return err == nil, err
}

// output returns what podman writes to standard output.
func (r rootStore) output(ctx context.Context, args ...string) ([]byte, error) {
	var out bytes.Buffer
	c := r.cmd(string(hierarchy.Podman), args...)
	c.Stdout = &out
	err := r.d.Runner.Run(ctx, c)
	return out.Bytes(), err
}

// RootBoxes returns the boxes that ocisi has made in root's podman, former ones
// among them.
func (d *Distrobox) RootBoxes(ctx context.Context) ([]hierarchy.StoredBox, error) {
	return rootStore{d}.Boxes(ctx)
}
