package engine

import (
	"context"
	"fmt"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"

	"github.com/klmcwhirter/ocisi/hierarchy"
)

// Container returns the container of exactly this name, or false when there is
// none.
func (e *Engine) Container(ctx context.Context, name string) (hierarchy.StoredBox, bool, error) {
	ctx, cancel := e.ask(ctx)
	defer cancel()
	in, err := e.api.ContainerInspect(ctx, name)
	if errdefs.IsNotFound(err) {
		return hierarchy.StoredBox{}, false, nil
	}
	if err != nil {
		return hierarchy.StoredBox{}, false, fmt.Errorf("inspecting container %s: %w", briefly(name), inWords(ctx, err))
	}
	found := containerName(container.Summary{ID: in.ID, Names: []string{in.Name}})
	if found != name { // the engine also finds a container by a part of its ID
		return hierarchy.StoredBox{}, false, nil
	}
	b := hierarchy.StoredBox{
		ID: in.ID, Name: name, ImageID: fullID(in.Image),
		Running: in.State != nil && in.State.Running,
	}
	if in.State != nil {
		b.Started = in.State.StartedAt
	}
	if t, err := time.Parse(time.RFC3339Nano, in.Created); err == nil {
		b.Created = t.Unix()
	}
	if in.Config != nil {
		b.Labels, b.Image = hierarchy.PlainLabels(in.Config.Labels), in.Config.Image
	}
	return b, true, nil
}

// RenameContainer gives the container of an ID, running or not, another name.
func (e *Engine) RenameContainer(ctx context.Context, id, name string) error {
	ctx, cancel := e.ask(ctx)
	defer cancel()
	if err := e.api.ContainerRename(ctx, id, name); err != nil {
		return fmt.Errorf("renaming container %s to %s: %w", briefly(id), name, inWords(ctx, err))
	}
	return nil
}

// RemoveContainer stops the container of an ID at once and removes it with its anonymous
// volumes. A container that is not there is fine.
func (e *Engine) RemoveContainer(ctx context.Context, id string) error {
	ctx, cancel := e.ask(ctx)
	defer cancel()
	// Podman gives a container ten seconds to end even when it is removed by
	// force. One that does not run cannot be killed, and need not be.
	_ = e.api.ContainerKill(ctx, id, "KILL")
	err := e.api.ContainerRemove(ctx, id, container.RemoveOptions{Force: true, RemoveVolumes: true})
	if err != nil && !errdefs.IsNotFound(err) {
		return fmt.Errorf("removing container %s: %w", briefly(id), inWords(ctx, err))
	}
	return nil
}

// RemoveSuperseded removes an image of ocisi's that has lost its name to a newer
// one and that no container uses any more. Anything else is left alone.
func (e *Engine) RemoveSuperseded(ctx context.Context, id string) {
	old, found, err := e.Inspect(ctx, id)
	if err != nil || !found {
		return
	}
	e.removeReplaced(ctx, old, hierarchy.Recipe{Ref: id, Labels: old.Labels})
}

// briefly returns a container's name as it is, and its ID as engines print it in lists.
func briefly(nameOrID string) string {
	if len(nameOrID) == 64 {
		return nameOrID[:12]
	}
	return nameOrID
}
