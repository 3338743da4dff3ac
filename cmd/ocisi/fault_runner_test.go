package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/klmcwhirter/ocisi/hierarchy/engine/enginetest"
	"github.com/klmcwhirter/ocisi/internal/process"
)

// player is a Runner whose fake programs are not processes, which is quicker.
type player struct{ env []string }

// Run implements process.Runner.
func (p player) Run(ctx context.Context, c process.Cmd) error {
	name := filepath.Base(c.Name)
	if !slices.Contains([]string{"docker", "podman", "distrobox"}, name) {
		return process.System{}.Run(ctx, c)
	}
	if c.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, c.Timeout, fmt.Errorf("%s: no answer after %s", c.Name, c.Timeout))
		defer cancel()
	}
	var said bytes.Buffer
	out, errs := io.Discard, io.Writer(&said)
	if c.Stdout != nil {
		out = c.Stdout
	}
	if c.Stderr != nil {
		errs = io.MultiWriter(c.Stderr, &said)
	}
	status := enginetest.Play(ctx, name, c.Args, append(slices.Clip(p.env), c.Env...), out, errs)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case status != 0:
		return &process.Error{Cmd: c, Exit: status, Stderr: strings.TrimSpace(said.String()), Err: fmt.Errorf("exit status %d", status)}
	}
	return nil
}

// faultyRunner runs programs through an injector.
type faultyRunner struct {
	next process.Runner
	*injector
}

// Run implements process.Runner.
func (r faultyRunner) Run(ctx context.Context, c process.Cmd) error {
	op := "exec " + brief(c)
	if err := r.fail(ctx, c, r.reach(op, before)); err != nil {
		return err
	}
	r.mu.Lock()
	m := moment{Op: r.name(op), When: during}
	r.seen[m]++
	m.Nth = r.seen[moment{Op: m.Op, When: during}]
	due := m == r.At && r.Mishap != nothing
	r.note(m, due)
	r.mu.Unlock()
	run := r.start
	if r.crash != nil {
		run = r.simulate
	}
	err := run(ctx, c, due)
	if failed := r.fail(ctx, c, r.reach(op, after)); failed != nil {
		return failed
	}
	return err
}

// start runs a program. When the kill is due, it is a real one.
func (r faultyRunner) start(ctx context.Context, c process.Cmd, due bool) error {
	if !due {
		return r.next.Run(ctx, c)
	}
	go r.dieAfterStart(len(children()))
	err := process.System{}.Run(ctx, c) // which has children
	if r.Mishap != command {
		r.die() // it was quicker
	}
	return err
}

// simulate plays a program of a run that may crash. When the crash is due, it
// happens as the program asks an engine for the first time, before or after the
// engine has done it, or else at the end of the program.
func (r faultyRunner) simulate(ctx context.Context, c process.Cmd, due bool) error {
	if !r.crash.begin() {
		return errCrashed
	}
	if due {
		done := r.Delay%2 == 1
		r.watchPrograms(func(point string, d bool) enginetest.Verdict {
			if d == done && strings.Contains(point, " /enginetest/") {
				r.crash.happen()
			}
			return enginetest.Pass
		})
	}
	var err error
	if due && r.Mishap == orphaned {
		r.crash.orphans.Go(func() {
			_ = r.next.Run(context.WithoutCancel(ctx), c)
			r.crash.happen()
		})
		<-r.crash.stopped
	} else {
		bound, cancel := r.crash.bind(ctx)
		defer cancel()
		err = r.next.Run(bound, c)
		if due {
			r.crash.happen()
		}
	}
	if !r.crash.end() {
		return errCrashed
	}
	return err
}

// errCrashed is the error of what a crashed run does once it is released.
var errCrashed = errors.New("crashed")

// dieAfterStart waits for one more child.
func (r faultyRunner) dieAfterStart(had int) {
	for len(children()) <= had {
		time.Sleep(500 * time.Microsecond)
	}
	time.Sleep(r.Delay)
	if r.Mishap == command {
		r.command()
		return
	}
	r.die()
}

// fail is how a program fails.
func (r faultyRunner) fail(ctx context.Context, c process.Cmd, m mishap) error {
	switch {
	case m == nothing:
		return nil
	case m == silent && c.Timeout > 0:
		return fmt.Errorf("%s: no answer after %s", c.Name, c.Timeout)
	case m == silent:
		<-ctx.Done()
		return context.Cause(ctx)
	}
	return &process.Error{Cmd: c, Exit: 1, Stderr: "a mishap", Err: errors.New("exit status 1")}
}

// brief is a command without what is long in it: its name, its verb, what it
// is about, and what is run in a box.
func brief(c process.Cmd) string {
	words := []string{filepath.Base(c.Name)}
	for i, arg := range c.Args {
		switch {
		case i == 0, i > 0 && c.Args[i-1] == "--name", i == 1 && !strings.HasPrefix(arg, "-"):
			words = append(words, arg)
		case arg == "--":
			return strings.Join(append(words, c.Args[i:]...), " ")
		case strings.HasPrefix(arg, "ocisi.image="):
			words = append(words, strings.TrimPrefix(arg, "ocisi.image="))
		}
	}
	return strings.Join(words, " ")
}
