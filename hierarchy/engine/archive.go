package engine

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/containerd/errdefs"
)

// Archive returns a file or a folder of a container, running or not, as a tar
// stream whose names begin with the last element of path; those of folders end
// with a slash, but for older versions of podman. What is not there is
// an fs.ErrNotExist, a container that is not there is none. The stream must be
// closed. Options.Timeout bounds each wait for more of it.
func (e *Engine) Archive(ctx context.Context, name, path string) (io.ReadCloser, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	a := &archive{explain: func(err error) error { return inWords(ctx, err) }, cancel: cancel, patience: e.opts.Timeout}
	a.late = time.AfterFunc(a.patience, func() { cancel(fmt.Errorf("no answer after %s", a.patience)) })
	r, _, err := e.api.CopyFromContainer(ctx, name, path)
	if err == nil {
		a.late.Stop() // the reader may take its time
		a.stream = r
		return a, nil
	}
	defer a.end()
	if errdefs.IsNotFound(err) {
		if err := e.there(ctx, name); err != nil {
			return nil, err
		}
		return nil, &fs.PathError{Op: "read", Path: path, Err: fs.ErrNotExist}
	}
	return nil, fmt.Errorf("reading %s of container %s: %w", path, name, inWords(ctx, err))
}

// archive is a stream that ends when the engine keeps its reader waiting.
type archive struct {
	explain  func(error) error // why the stream ended
	cancel   context.CancelCauseFunc
	patience time.Duration
	late     *time.Timer
	stream   io.ReadCloser
}

// Read implements io.Reader.
func (a *archive) Read(p []byte) (int, error) {
	a.late.Reset(a.patience)
	defer a.late.Stop()
	n, err := a.stream.Read(p)
	if err != nil && err != io.EOF { //nolint:errorlint // as io.Reader has it
		err = a.explain(err)
	}
	return n, err
}

// Close implements io.Closer.
func (a *archive) Close() error {
	a.end()
	return a.stream.Close()
}

func (a *archive) end() {
	a.late.Stop()
	a.cancel(nil)
}

// Exists reports whether a path is there in a container, running or not. A
// symbolic link is, wherever it leads. A container that is not there is an error.
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
	return false, fmt.Errorf("looking for %s in container %s: %w", path, name, inWords(ctx, err))
}

// there returns an error when a container is not: engines answer alike when it is
// the path that they do not find.
func (e *Engine) there(ctx context.Context, name string) error {
	if _, err := e.api.ContainerInspect(ctx, name); err != nil {
		return fmt.Errorf("looking for container %s: %w", name, inWords(ctx, err))
	}
	return nil
}
