package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/pkg/stdcopy"

	"github.com/klmcwhirter/ocisi/hierarchy"
)

// StopContainer ends a container's processes: asks them to, and kills what is
// left after grace, in whole seconds. One that does not run is fine.
func (e *Engine) StopContainer(ctx context.Context, name string, grace time.Duration) error {
	ctx, cancel := context.WithTimeoutCause(ctx, e.opts.Timeout+grace, fmt.Errorf("no answer after %s", e.opts.Timeout+grace))
	defer cancel()
	seconds := int(grace / time.Second)
	if err := e.api.ContainerStop(ctx, name, container.StopOptions{Timeout: &seconds}); err != nil {
		return fmt.Errorf("stopping container %s: %w", name, inWords(ctx, err))
	}
	return nil
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
// shell and program that somebody entered it for.
func (e *Engine) Sessions(ctx context.Context, name string) (int, error) {
	ctx, cancel := e.ask(ctx)
	defer cancel()
	in, err := e.api.ContainerInspect(ctx, name)
	if err != nil {
		return 0, fmt.Errorf("inspecting container %s: %w", name, inWords(ctx, err))
	}
	n := 0
	if in.State == nil || !in.State.Running {
		return 0, nil
	}
	for _, id := range in.ExecIDs {
		// An engine may list those that have ended.
		if x, err := e.api.ContainerExecInspect(ctx, id); err == nil && x.Running {
			n++
		}
	}
	return n, nil
}

// Logs returns the last lines that a container itself has printed.
func (e *Engine) Logs(ctx context.Context, name string, lines int) (string, error) {
	ctx, cancel := e.ask(ctx)
	defer cancel()
	r, err := e.api.ContainerLogs(ctx, name, container.LogsOptions{ShowStdout: true, ShowStderr: true, Tail: strconv.Itoa(lines)})
	if err != nil {
		return "", fmt.Errorf("reading the log of container %s: %w", name, inWords(ctx, err))
	}
	defer func() { _ = r.Close() }()
	var out bytes.Buffer
	if _, err := stdcopy.StdCopy(&out, &out, r); err != nil {
		return "", fmt.Errorf("reading the log of container %s: %w", name, inWords(ctx, err))
	}
	return strings.TrimRight(out.String(), "\n"), nil
}

// ExitError says that a command in a container failed.
type ExitError struct {
	Command string
	Status  int
	Stderr  string
}

func (e *ExitError) Error() string {
	return strings.TrimSuffix(fmt.Sprintf("%s: exit status %d: %s", e.Command, e.Status, strings.TrimSpace(e.Stderr)), ": ")
}

// Exec runs a command as root in a container that runs, and returns what it
// wrote to standard output. One that fails is an *ExitError.
func (e *Engine) Exec(ctx context.Context, name string, argv ...string) (string, error) {
	ctx, cancel := e.ask(ctx)
	defer cancel()
	made, err := e.api.ContainerExecCreate(ctx, name, container.ExecOptions{User: "root", Cmd: argv, AttachStdout: true, AttachStderr: true})
	if err != nil {
		return "", fmt.Errorf("running %s in container %s: %w", argv[0], name, inWords(ctx, err))
	}
	conn, err := e.api.ContainerExecAttach(ctx, made.ID, container.ExecAttachOptions{})
	if err != nil {
		return "", fmt.Errorf("running %s in container %s: %w", argv[0], name, inWords(ctx, err))
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, conn.Close) // a read does not heed the context
	defer stop()
	var out, complaints bytes.Buffer
	_, err = stdcopy.StdCopy(&out, &complaints, conn.Reader)
	if err != nil {
		return "", fmt.Errorf("running %s in container %s: %w", argv[0], name, inWords(ctx, err))
	}
	x, err := e.api.ContainerExecInspect(ctx, made.ID)
	if err != nil {
		return "", fmt.Errorf("running %s in container %s: %w", argv[0], name, inWords(ctx, err))
	}
	if x.ExitCode != 0 {
		return out.String(), &ExitError{Command: argv[0], Status: x.ExitCode, Stderr: complaints.String()}
	}
	return out.String(), nil
}

// Archive returns a file or a folder of a container, running or not, as a tar
// stream whose names begin with the last element of path. What is not there is
// an fs.ErrNotExist. The stream must be closed.
func (e *Engine) Archive(ctx context.Context, name, path string) (io.ReadCloser, error) {
	r, _, err := e.api.CopyFromContainer(ctx, name, path)
	switch {
	case errdefs.IsNotFound(err):
		return nil, &fs.PathError{Op: "read", Path: path, Err: fs.ErrNotExist}
	case err != nil:
		return nil, fmt.Errorf("reading %s of container %s: %w", path, name, inWords(ctx, err))
	}
	return r, nil
}

// Exists reports whether a path is there in a container, running or not.
func (e *Engine) Exists(ctx context.Context, name, path string) (bool, error) {
	ctx, cancel := e.ask(ctx)
	defer cancel()
	_, err := e.api.ContainerStatPath(ctx, name, path)
	switch {
	case err == nil:
		return true, nil
	case errdefs.IsNotFound(err):
		return false, nil
	}
	return false, fmt.Errorf("looking for %s in container %s: %w", path, name, inWords(ctx, err))
}

// Written returns how many bytes a container has written to its own layer.
func (e *Engine) Written(ctx context.Context, name string) (int64, error) {
	ctx, cancel := e.ask(ctx)
	defer cancel()
	in, _, err := e.api.ContainerInspectWithRaw(ctx, name, true)
	if err != nil {
		return 0, fmt.Errorf("measuring container %s: %w", name, inWords(ctx, err))
	}
	if in.SizeRw == nil {
		return 0, errors.New("measuring container " + name + ": " + string(e.manager) + " does not say")
	}
	return *in.SizeRw, nil
}

// Changes returns the paths in which a container differs from its image.
func (e *Engine) Changes(ctx context.Context, name string) ([]hierarchy.Change, error) {
	ctx, cancel := e.ask(ctx)
	defer cancel()
	list, err := e.api.ContainerDiff(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("comparing container %s with its image: %w", name, inWords(ctx, err))
	}
	changes := make([]hierarchy.Change, 0, len(list))
	for _, c := range list {
		changes = append(changes, hierarchy.Change{Path: c.Path, Kind: c.Kind.String()})
	}
	return changes, nil
}
