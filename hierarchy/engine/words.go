package engine

import (
	"context"
	"errors"
	"strings"

	"github.com/klmcwhirter/ocisi/internal/process"
)

// said is an error in the engine's own words.
type said struct {
	msg string
	err error // as it arrived
}

func (s *said) Error() string { return s.msg }
func (s *said) Unwrap() error { return s.err }

// inWords returns an error as the engine meant it: without what the layers of
// the transport put before it, of a program the line that names the error; and
// the reason why a context ended.
func inWords(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	msg := err.Error()
	if pe, ok := errors.AsType[*process.Error](err); ok {
		msg = lastError(pe.Stderr)
	}
	for _, prefix := range []string{"Error response from daemon: ", "failed to solve: ", "rpc error: code = Unknown desc = ",
		"failed to solve with frontend dockerfile.v0: ", "failed to create LLB definition: "} {
		msg = strings.TrimPrefix(msg, prefix)
	}
	if msg == "" || msg == err.Error() {
		return err
	}
	return &said{msg, err}
}

// lastError returns what follows the last "Error: " that begins a line.
func lastError(stderr string) string {
	const mark = "\nError: "
	stderr = "\n" + stderr
	if i := strings.LastIndex(stderr, mark); i >= 0 {
		return strings.TrimSpace(stderr[i+len(mark):])
	}
	return ""
}
