package engine

import (
	"context"
	"fmt"

	"github.com/containerd/errdefs"
)

// Exists reports whether a path is there in a container, running or not. A
// symbolic link is, wherever it leads. A container that is not there is an error.
// In a box that runs, docker 20.10 doubles what the box has mounted with each
// question, until none can be answered: ask before it is started.
func (e *Engine) Exists(ctx context.Context, name, path string) (bool, error) {
	ctx, cancel := e.ask(ctx)
	defer cancel()
	_, err := e.api.ContainerStatPath(ctx, name, path)
	switch {
	case err == nil:
		return true, nil
	case errdefs.IsNotFound(err):
		return false, e.there(ctx, name)
	}
	return false, fmt.Errorf("looking for %s in container %s: %w", path, briefly(name), inWords(ctx, err))
}

// there returns an error when a container is not: engines answer alike when it is
// the path that they do not find.
func (e *Engine) there(ctx context.Context, name string) error {
	if _, err := e.api.ContainerInspect(ctx, name); err != nil {
		return fmt.Errorf("looking for container %s: %w", briefly(name), inWords(ctx, err))
	}
	return nil
}
