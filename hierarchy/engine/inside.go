package engine

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/pkg/stdcopy"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/internal/process"
)

// StopContainer ends a container's processes: asks them to, and kills what is
// left after grace, which counts in whole seconds. One that does not run is fine,
// one that is not there is not.
func (e *Engine) StopContainer(ctx context.Context, id string, grace time.Duration) error {
	ctx, cancel := context.WithTimeoutCause(ctx, e.opts.Timeout+grace, fmt.Errorf("no answer after %s", e.opts.Timeout+grace))
	defer cancel()
	seconds := int(grace / time.Second)
	err := e.api.ContainerStop(ctx, id, container.StopOptions{Timeout: &seconds})
	if err == nil {
		return nil
	}
	// Podman 4.3 stops one that somebody is in, and says that it would not.
	if in, lookErr := e.api.ContainerInspect(ctx, id); lookErr == nil && in.State != nil && !in.State.Running {
		return nil
	}
	return fmt.Errorf("stopping container %s: %w", briefly(id), inWords(ctx, err))
}

// Starts starts the container of an ID, and reports whether the engine could: false
// is its answer that it cannot, and an error means that it did not answer.
func (e *Engine) Starts(ctx context.Context, id string) (bool, error) {
	ctx, cancel := e.ask(ctx)
	defer cancel()
	err := e.api.ContainerStart(ctx, id, container.StartOptions{})
	answered := errdefs.IsInternal(err) || errdefs.IsInvalidArgument(err) || errdefs.IsConflict(err)
	if err != nil && !answered {
		return false, fmt.Errorf("starting container %s: %w", briefly(id), inWords(ctx, err))
	}
	return err == nil, nil
}

// Boxes returns every container that distrobox or ocisi made.
func (e *Engine) Boxes(ctx context.Context) ([]hierarchy.StoredBox, error) {
	ctx, cancel := e.ask(ctx)
	defer cancel()
	boxes, _, err := e.containers(ctx)
	if err != nil {
		return nil, fmt.Errorf("asking %s for its boxes: %w", e.manager, err)
	}
	return boxes, nil
}

// Sessions returns how many commands run in a container besides its own: each
// shell and program that somebody entered it for. What such a command has left
// running in the background does not count; a shell whose terminal was closed
// without ending it does.
func (e *Engine) Sessions(ctx context.Context, name string) (int, error) {
	ctx, cancel := e.ask(ctx)
	defer cancel()
	in, err := e.api.ContainerInspect(ctx, name)
	if err != nil {
		return 0, fmt.Errorf("inspecting container %s: %w", briefly(name), inWords(ctx, err))
	}
	n := 0
	if in.State == nil || !in.State.Running {
		return 0, nil
	}
	for _, id := range in.ExecIDs {
		x, err := e.api.ContainerExecInspect(ctx, id)
		switch {
		case err == nil && x.Running && x.Pid > 0: // without a number it was made and not started
			n++
		case err != nil && (ctx.Err() != nil || !hasEnded(err)):
			return 0, fmt.Errorf("asking what runs in container %s: %w", briefly(name), inWords(ctx, err))
		}
	}
	return n, nil
}

// hasEnded tells from the error of an inspection that a command is over. Podman
// lists some of which it has lost the state, and says so with status 500.
func hasEnded(err error) bool {
	return errdefs.IsNotFound(err) || strings.Contains(err.Error(), "exec session")
}

// Logs returns the last lines that a container itself has printed, on both its
// outputs, without the final newline, and at most the last MiB of them. The box's own set-up is a shell's trace for
// the most part.
func (e *Engine) Logs(ctx context.Context, name string, lines int) (string, error) {
	ctx, cancel := e.ask(ctx)
	defer cancel()
	r, err := e.api.ContainerLogs(ctx, name, container.LogsOptions{ShowStdout: true, ShowStderr: true, Tail: strconv.Itoa(lines)})
	if err != nil {
		return "", fmt.Errorf("reading the log of container %s: %w", briefly(name), inWords(ctx, err))
	}
	defer func() { _ = r.Close() }()
	out := process.Tail{Max: logMax}
	if _, err := stdcopy.StdCopy(&out, &out, r); err != nil {
		return "", fmt.Errorf("reading the log of container %s: %w", briefly(name), inWords(ctx, err))
	}
	return strings.TrimRight(out.String(), "\n"), nil
}

// Written returns how many bytes a container has written to its own layer.
func (e *Engine) Written(ctx context.Context, name string) (int64, error) {
	ctx, cancel := e.ask(ctx)
	defer cancel()
	in, _, err := e.api.ContainerInspectWithRaw(ctx, name, true)
	if err != nil {
		return 0, fmt.Errorf("measuring container %s: %w", briefly(name), inWords(ctx, err))
	}
	if in.SizeRw == nil {
		return 0, errors.New("measuring container " + name + ": " + string(e.manager) + " does not say")
	}
	return *in.SizeRw, nil
}

// BoxSizes returns how many bytes each container of the store, running or not,
// has written to its own layer, by name: what Written tells of one, in one
// question.
func (e *Engine) BoxSizes(ctx context.Context) (map[string]int64, error) {
	ctx, cancel := e.ask(ctx)
	defer cancel()
	list, err := e.api.ContainerList(ctx, container.ListOptions{All: true, Size: true})
	if err != nil {
		return nil, fmt.Errorf("measuring containers of %s: %w", e.manager, inWords(ctx, err))
	}
	sizes := make(map[string]int64, len(list))
	for _, c := range list {
		sizes[containerName(c)] = c.SizeRw
	}
	return sizes, nil
}

// Changes returns the paths in which a container differs from its image.
func (e *Engine) Changes(ctx context.Context, name string) ([]hierarchy.Change, error) {
	ctx, cancel := e.ask(ctx)
	defer cancel()
	// Podman takes the name for an image's where there is one (seen with 5.8): a box
	// is often called like its image.
	in, err := e.api.ContainerInspect(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("comparing container %s with its image: %w", briefly(name), inWords(ctx, err))
	}
	list, err := e.api.ContainerDiff(ctx, in.ID)
	if err != nil {
		return nil, fmt.Errorf("comparing container %s with its image: %w", briefly(name), inWords(ctx, err))
	}
	changes := make([]hierarchy.Change, 0, len(list))
	for _, c := range list {
		changes = append(changes, hierarchy.Change{Path: c.Path, Kind: c.Kind.String()})
	}
	return changes, nil
}
