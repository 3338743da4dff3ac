package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/mount"
)

// Entrypoint returns what an image starts whatever it is told to run; nil when
// it starts nothing of its own, or is not there.
func (e *Engine) Entrypoint(ctx context.Context, ref string) ([]string, error) {
	ctx, cancel := e.ask(ctx)
	defer cancel()
	in, err := e.api.ImageInspect(ctx, ref)
	switch {
	case errdefs.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("inspecting %s: %w", ref, inWords(ctx, err))
	case in.Config == nil:
		return nil, nil
	}
	return in.Config.Entrypoint, nil
}

// Bind is a file or folder of the host that a container sees.
type Bind struct{ Source, Target string }

// Binds returns what a container was told to see of the host, whether it is still
// there or not. Volumes are left out.
func (e *Engine) Binds(ctx context.Context, name string) ([]Bind, error) {
	ctx, cancel := e.ask(ctx)
	defer cancel()
	in, err := e.api.ContainerInspect(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("inspecting container %s: %w", name, inWords(ctx, err))
	}
	var binds []Bind
	if in.HostConfig != nil {
		for _, b := range in.HostConfig.Binds {
			// Neither engine takes a path with a colon in it this way.
			if parts := strings.SplitN(b, ":", 3); len(parts) > 1 && strings.HasPrefix(parts[0], "/") {
				binds = append(binds, Bind{parts[0], parts[1]})
			}
		}
	}
	for _, m := range in.Mounts { // those that were asked for by --mount, too
		if b := (Bind{m.Source, m.Destination}); m.Type == mount.TypeBind && !slices.Contains(binds, b) {
			binds = append(binds, b)
		}
	}
	return binds, nil
}
