// Package process runs other programs. It is the only package that imports
// os/exec, so a test that swaps its Runner has swapped every program.
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

// grace is how long a cancelled program may take to end by itself before it
// is killed.
const grace = 2 * time.Second

// Cmd is one program to run. No shell is involved: Args reach the program as
// they are. Standard input is closed unless Stdin is set.
type Cmd struct {
	Name    string        // looked up in PATH unless it has a slash
	Args    []string      // without the program's own name
	Env     []string      // KEY=VALUE, added to the caller's environment
	Dir     string        // working directory; "" is the caller's
	Stdin   io.Reader     // nil: /dev/null
	Stdout  io.Writer     // nil: discarded
	Stderr  io.Writer     // nil: discarded, but for the last lines that an Error keeps
	Timeout time.Duration // 0: none but the context's

	// Terminal hands the terminal over, as an editor needs it: the program stays in
	// ocisi's process group, without which it could not read a key, and gets the
	// streams as they are, so that an Error has no Stderr.
	Terminal bool

	// Cancel ends the program when the context does; it is given the pid, which
	// is also the id of the program's process group. Nil sends SIGTERM to the
	// group. Whatever is left two seconds later is killed.
	Cancel func(pid int) error
}

// String returns the command as one would type it, quoted where a shell needs
// it, for logs and messages.
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
	// Run runs a program to its end. A program that cannot be found is a
	// *NotFoundError, one that fails an *Error, one that outlives its Timeout a
	// *TimeoutError. When ctx ends first, the error wraps its cause, whatever status
	// the program left with.
	Run(ctx context.Context, c Cmd) error
}

// NotFoundError says that a program is not installed.
type NotFoundError struct{ Name string }

func (e *NotFoundError) Error() string { return e.Name + ": program not found" }

// TimeoutError says that a program was ended, since its time was up.
type TimeoutError struct {
	Name  string
	After time.Duration
}

func (e *TimeoutError) Error() string { return fmt.Sprintf("%s: no answer after %s", e.Name, e.After) }

// Error says that a program ran and failed.
type Error struct {
	Cmd    Cmd
	Exit   int    // its exit status; -1 when a signal ended it
	Stderr string // the end of what it wrote to standard error, trimmed
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

// System runs programs for real.
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
	// A group of its own: the terminal's Ctrl-C reaches ocisi alone, which then
	// ends the program in the way that leaves nothing behind.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if c.Terminal {
		return handOver(ctx, cmd, c)
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
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // what the grace period left
		}
		return context.Cause(ctx)
	}
	return failure(cmd, c, err, strings.TrimSpace(last.String()))
}

// handOver runs a program that has the terminal.
func handOver(ctx context.Context, cmd *exec.Cmd, c Cmd) error {
	cmd.SysProcAttr = nil
	cmd.Stderr = c.Stderr
	err := cmd.Run()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return failure(cmd, c, err, "")
}

// failure gives the error of a program its type.
func failure(cmd *exec.Cmd, c Cmd, err error, stderr string) error {
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

// Output runs a program and returns what it wrote to standard output, without
// the final newlines.
func Output(ctx context.Context, r Runner, c Cmd) (string, error) {
	var out bytes.Buffer
	c.Stdout = &out
	err := r.Run(ctx, c)
	return strings.TrimRight(out.String(), "\n"), err
}

// Logged logs every program at debug level: the command, its duration and its
// error.
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

// tailSize is how much of what a program writes to standard error is kept.
const tailSize = 4096

// LookPath returns where a program is, as the shell would find it. A program
// that cannot be found is a *NotFoundError.
func LookPath(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		return "", &NotFoundError{Name: name}
	}
	return path, nil
}
