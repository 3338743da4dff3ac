package engine

import (
	"context"
	"fmt"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"

	"github.com/klmcwhirter/ocisi/hierarchy"
)

// InUseError says that an image was not removed because containers use it.
type InUseError struct {
	Manager    hierarchy.Manager
	Ref        string
	Containers []string // their names
	Err        error    // in the engine's words
}

func (e *InUseError) Error() string {
	return fmt.Sprintf("%s is in use by %s: %v", e.Ref, strings.Join(e.Containers, ", "), e.Err)
}

func (e *InUseError) Unwrap() error { return e.Err }

// Tag gives an image a name, which moves there from the image that had it.
func (e *Engine) Tag(ctx context.Context, id, ref string) error {
	ctx, cancel := e.ask(ctx)
	defer cancel()
	if err := e.api.ImageTag(ctx, id, e.manager.StoreRef(ref)); err != nil {
		return fmt.Errorf("tagging %s: %w", ref, inWords(ctx, err))
	}
	return nil
}

// RemoveImage takes a name away, and the image with it when it was the last
// one; layers that other images stand on stay. It returns an *InUseError when
// the engine refuses because of containers. A name that is not there is fine.
func (e *Engine) RemoveImage(ctx context.Context, ref string) error {
	return e.remove(ctx, e.manager.StoreRef(ref))
}

// remove removes what name means to the engine: a full name or an ID.
func (e *Engine) remove(ctx context.Context, name string) error {
	ctx, cancel := e.ask(ctx)
	defer cancel()
	_, err := e.api.ImageRemove(ctx, name, image.RemoveOptions{PruneChildren: true})
	if err == nil || errdefs.IsNotFound(err) {
		return nil
	}
	err = inWords(ctx, err)
	// Not every version tells this refusal by its status; the containers do.
	if users := e.usersOf(ctx, name); len(users) > 0 {
		return &InUseError{Manager: e.manager, Ref: name, Containers: users, Err: err}
	}
	return fmt.Errorf("removing %s: %w", name, err)
}

// usersOf returns the names of the containers of an image; none when that
// cannot be told.
func (e *Engine) usersOf(ctx context.Context, name string) []string {
	im, found, err := e.Inspect(ctx, name)
	if err != nil || !found {
		return nil
	}
	list, err := e.api.ContainerList(ctx, container.ListOptions{All: true})
	if err != nil {
		return nil
	}
	var names []string
	for _, c := range list {
		if fullID(c.ImageID) == im.ID {
			names = append(names, containerName(c))
		}
	}
	return names
}

// removeReplaced removes the image that a build took the name from, so that
// builds do not pile up images without a name. It must be provably ocisi's own
// image of the same recipe; the engine refuses when something still needs it, and that
// is fine.
func (e *Engine) removeReplaced(ctx context.Context, old hierarchy.StoredImage, r hierarchy.Recipe) {
	own := r.Labels[hierarchy.LabelImage]
	now, found, err := e.Inspect(ctx, old.ID)
	if err != nil || !found || len(now.Refs) > 0 || own == "" || now.Labels[hierarchy.LabelImage] != own {
		return
	}
	if built, err := e.built(ctx, now); err != nil || !built {
		e.log.DebugContext(ctx, "kept an image that ocisi did not build", "ref", r.Ref, "id", old.ID, "err", err)
		return
	}
	if len(e.usersOf(ctx, old.ID)) > 0 {
		return
	}
	err = e.remove(ctx, old.ID)
	e.log.DebugContext(ctx, "removed the image that was replaced", "ref", r.Ref, "id", old.ID, "err", err)
}
