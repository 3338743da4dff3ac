package engine

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/client"

	"github.com/klmcwhirter/ocisi/internal/process"
)

const (
	// serviceStart is how long a podman service may take to answer: the first
	// one of a session also sets up the user's namespace.
	serviceStart = 20 * time.Second
	// serviceIdle is the default of Options.ServiceIdle.
	serviceIdle = 30 * time.Second
	// holdPause is how long to wait until a service is held again.
	holdPause   = 10 * time.Second
	servicePoll = 2 * time.Millisecond
	// socketPathMax is what Linux takes as the path of a socket, sun_path less
	// its closing zero.
	socketPathMax = 107
)

// openPodman connects to the service that CONTAINER_HOST names, to the user's
// own when it runs, or to one that lives as long as the Engine.
func (e *Engine) openPodman(ctx context.Context) error {
	if host := e.opts.Getenv("CONTAINER_HOST"); host != "" {
		if strings.HasPrefix(host, "ssh://") {
			return &UnreachableError{e.manager, host, errors.New("podman over ssh is not supported: forward its socket and name that as unix://")}
		}
		return e.connect(ctx, host, client.WithHost(host))
	}
	if dir := e.opts.Getenv("XDG_RUNTIME_DIR"); dir != "" {
		socket := filepath.Join(dir, "podman", "podman.sock")
		if answers(ctx, socket) && e.connect(ctx, "unix://"+socket, client.WithHost("unix://"+socket)) == nil {
			return nil
		}
	}
	return e.startService(ctx)
}

// answers reports whether something listens on a socket. A socket that nobody
// serves any more stays behind as a file.
func answers(ctx context.Context, socket string) bool {
	conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "unix", socket)
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}

// startService starts a podman service on a socket of its own and waits until
// it answers.
func (e *Engine) startService(ctx context.Context) error {
	dir, err := os.MkdirTemp(e.opts.TempDir, "ocisi-podman-")
	if err != nil {
		return fmt.Errorf("making a directory for podman's socket: %w", err)
	}
	socket := filepath.Join(dir, "podman.sock")
	if len(socket) > socketPathMax {
		_ = os.Remove(dir)
		return fmt.Errorf("the path of podman's socket, %s, is longer than %d bytes", socket, socketPathMax)
	}
	// The service outlives the caller's context: what Ctrl-C leaves behind is
	// cleaned up through it.
	running, end := context.WithCancelCause(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() {
		ended <- e.opts.Runner.Run(running, process.Cmd{Name: "podman", Args: []string{"system", "service", "--time=" + strconv.Itoa(int(e.opts.ServiceIdle.Seconds())), "unix://" + socket}})
	}()
	if err := e.await(ctx, socket, ended); err != nil {
		end(errClosed)
		_ = os.RemoveAll(dir)
		return err
	}
	letGo := e.hold(running)
	e.stop = func() error {
		letGo()
		end(errClosed)
		err := <-ended
		if errors.Is(err, errClosed) {
			err = nil
		}
		return errors.Join(err, os.RemoveAll(dir))
	}
	return nil
}

// hold keeps the service from ending by itself until it is let go: podman counts
// a request that has no answer yet, and no connection. That for events of a kind
// there is none of stays so, also while this process is stopped. Should podman
// have no events to tell, each try is at least a sign of life.
func (e *Engine) hold(ctx context.Context) (letGo func()) {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			_, errs := e.api.Events(ctx, events.ListOptions{Filters: filters.NewArgs(filters.Arg("event", "ocisi-holds"))})
			err := <-errs
			e.log.DebugContext(ctx, "podman's service is not held any more", "err", err)
			select {
			case <-time.After(holdPause):
			case <-ctx.Done():
			}
		}
	}()
	return func() {
		cancel()
		<-ended
	}
}

var errClosed = errors.New("engine closed")

// await connects to a service that is starting.
func (e *Engine) await(ctx context.Context, socket string, ended <-chan error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, serviceStart, fmt.Errorf("no answer after %s", serviceStart))
	defer cancel()
	tick := time.NewTicker(servicePoll)
	defer tick.Stop()
	for !answers(ctx, socket) {
		select {
		case err := <-ended:
			if missing, ok := errors.AsType[*process.NotFoundError](err); ok {
				return missing
			}
			if err == nil {
				err = errors.New("the service ended at once")
			}
			return &UnreachableError{e.manager, "unix://" + socket, inWords(ctx, err)}
		case <-ctx.Done():
			return &UnreachableError{e.manager, "unix://" + socket, context.Cause(ctx)}
		case <-tick.C:
		}
	}
	return e.connect(ctx, "unix://"+socket, client.WithHost("unix://"+socket))
}
