// Package process runs other programs. It is the only package that imports
// os/exec, so a test that replaces the [Runner] replaces every program.
package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// grace is the time between the cancellation of a program and SIGKILL.
const grace = 2 * time.Second

// Cmd is a program to run. No shell is involved: the program receives Args
// unchanged.
type Cmd struct {
	Name    string        // looked up in PATH unless it contains a slash
	Args    []string      // without the program name
	Env     []string      // KEY=VALUE, added to the caller's environment
	Dir     string        // working directory; "" is the caller's
	Stdin   io.Reader     // nil: /dev/null
	Stdout  io.Writer     // nil: discarded
	Stderr  io.Writer     // nil: discarded, except for the end that an [Error] keeps
	Timeout time.Duration // 0: only the context limits the program

	// Terminal gives the terminal to the program, for example to an editor. The
	// program stays in ocisi's process group, because only the foreground group can
	// read from a terminal. An [Error] of it has no Stderr.
	Terminal bool

	// Cancel ends the program when the context ends. Its argument is the PID, which
	// is also the ID of the program's process group. Nil sends SIGTERM to the group.
	// Two seconds later, the rest of the group is killed.
	Cancel func(pid int) error
}

// String returns the command quoted for a shell, for logs and messages.
func (c Cmd) String() string {
	words := make([]string, 0, len(c.Env)+1+len(c.Args))
	words = append(words, c.Env...)
	words = append(words, c.Name)
	words = append(words, c.Args...)
	for i, w := range words {
		words[i] = quote(w)
	}
	return strings.Join(words, " ")
}

func quote(w string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@%+=:,./_-"
	if w != "" && strings.Trim(w, plain) == "" {
		return w
	}
	return "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
}

// A Runner runs programs.
type Runner interface {
	// Run runs a program and waits for its exit. The error is a [*NotFoundError] if
	// there is no such program, an [*Error] if it fails, and a [*TimeoutError] after
	// its Timeout. If ctx ends first, the error wraps the cause of ctx, whatever the
	// exit status.
	Run(ctx context.Context, c Cmd) error
}

// NotFoundError reports that a program is not installed.
type NotFoundError struct{ Name string }

func (e *NotFoundError) Error() string { return e.Name + ": program not found" }

// TimeoutError reports that a program was ended after its timeout.
type TimeoutError struct {
	Name  string
	After time.Duration
}

func (e *TimeoutError) Error() string { return fmt.Sprintf("%s: no answer after %s", e.Name, e.After) }

// Error reports that a program failed.
type Error struct {
	Cmd    Cmd
	Exit   int    // exit status; -1 after a signal
	Stderr string // the last 4 KiB of standard error, trimmed
	Err    error
}

func (e *Error) Error() string {
	msg := fmt.Sprintf("%s: %v", e.Cmd, e.Err)
	if e.Stderr != "" {
		msg += ": " + e.Stderr
	}
	return msg
}

func (e *Error) Unwrap() error { return e.Err }

// System is the [Runner] that starts real processes.
type System struct{}

// Run implements Runner.
func (System) Run(ctx context.Context, c Cmd) error {
	if c.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, c.Timeout, &TimeoutError{Name: c.Name, After: c.Timeout})
		defer cancel()
	}
	last := Tail{Max: tailSize}
	cmd := exec.CommandContext(ctx, c.Name, c.Args...)
	cmd.Dir, cmd.Stdin, cmd.Stdout = c.Dir, c.Stdin, c.Stdout
	cmd.Env = append(os.Environ(), c.Env...)
	cmd.Stderr = &last
	if c.Stderr != nil {
		cmd.Stderr = io.MultiWriter(c.Stderr, &last)
	}
	// With its own process group, the program does not receive the terminal's
	// Ctrl-C. ocisi does, and cancels the program in an orderly way.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if c.Terminal {
		return runOnTerminal(ctx, cmd, c)
	}
	cmd.WaitDelay = grace
	cmd.Cancel = func() error {
		if c.Cancel != nil {
			return c.Cancel(cmd.Process.Pid)
		}
		return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
	}
	err := cmd.Run()
	if ctx.Err() != nil {
		if cmd.Process != nil {
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // the rest of the group
		}
		return context.Cause(ctx)
	}
	return typedError(cmd, c, err, strings.TrimSpace(last.String()))
}

// runOnTerminal runs a program in the foreground of the terminal.
func runOnTerminal(ctx context.Context, cmd *exec.Cmd, c Cmd) error {
	cmd.SysProcAttr = nil
	cmd.Stderr = c.Stderr
	err := cmd.Run()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return typedError(cmd, c, err, "")
}

// typedError returns the error of a program as a type of this package.
func typedError(cmd *exec.Cmd, c Cmd, err error, stderr string) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, exec.ErrNotFound) || (cmd.Process == nil && errors.Is(err, os.ErrNotExist)) {
		return &NotFoundError{Name: c.Name}
	}
	exit := -1
	if ee, ok := errors.AsType[*exec.ExitError](err); ok {
		exit = ee.ExitCode()
	}
	return &Error{Cmd: c, Exit: exit, Stderr: stderr, Err: err}
}

// Output runs a program and returns its standard output without the final newlines.
func Output(ctx context.Context, r Runner, c Cmd) (string, error) {
	var out bytes.Buffer
	c.Stdout = &out
	err := r.Run(ctx, c)
	return strings.TrimRight(out.String(), "\n"), err
}

// Logged is a [Runner] that logs each command, its duration and its error at debug
// level.
type Logged struct {
	Runner Runner
	Log    *slog.Logger
}

// Run implements Runner.
func (l Logged) Run(ctx context.Context, c Cmd) error {
	start := time.Now()
	err := l.Runner.Run(ctx, c)
	l.Log.DebugContext(ctx, "ran", "cmd", c.String(), "took", time.Since(start).Round(time.Millisecond), "err", err)
	return err
}

// tailSize is the number of bytes of standard error that an [Error] keeps.
const tailSize = 4096

// LookPath returns the path of a program in PATH, or a [*NotFoundError].
func LookPath(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		return "", &NotFoundError{Name: name}
	}
	return path, nil
}
