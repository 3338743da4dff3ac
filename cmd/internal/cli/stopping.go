package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// stoppedError is the error of a question that a signal ended.
type stoppedError struct{ cause error }

func (e *stoppedError) Error() string { return "stopped: " + e.cause.Error() }
func (e *stoppedError) Unwrap() error { return e.cause }

// stdin reads standard input. Its Read ends with a *stoppedError when ctx does.
type stdin struct {
	ctx  context.Context //nolint:containedctx // an io.Reader cannot be given one
	from io.Reader
}

// Read implements io.Reader. What arrives after ctx has ended is lost.
func (in stdin) Read(p []byte) (int, error) {
	type result struct {
		data []byte
		err  error
	}
	done := make(chan result, 1)
	buf := make([]byte, len(p)) // of its own: the read may outlive this call
	go func() {
		n, err := in.from.Read(buf)
		done <- result{buf[:n], err}
	}()
	select {
	case r := <-done:
		return copy(p, r.data), r.err
	case <-in.ctx.Done():
		return 0, &stoppedError{context.Cause(in.ctx)}
	}
}

// announceStop prints a line when ctx ends. The returned function ends that, and
// is called at the end of the run.
func (env Env) announceStop(ctx context.Context) (end func()) {
	printed := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(printed)
		if env.Terminal {
			fmt.Fprintln(env.Stderr) // ends the line of the ^C
		}
		fmt.Fprintln(env.Stderr, "ocisi: stopping; a second signal (Ctrl-C) quits at once")
	})
	return func() {
		if !stop() {
			<-printed
		}
	}
}

// wasStopped reports whether err is only due to the end of ctx.
func wasStopped(ctx context.Context, err error) bool {
	return ctx.Err() != nil && (errors.Is(err, errFailed) || errors.Is(err, context.Canceled) || errors.Is(err, context.Cause(ctx)))
}
