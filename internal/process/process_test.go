package process_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/klmcwhirter/ocisi/internal/process"
)

func sh(script string) process.Cmd { return process.Cmd{Name: "sh", Args: []string{"-c", script}} }

func TestRun(t *testing.T) {
	t.Parallel()
	var stdout, stderr bytes.Buffer
	c := sh(`cat; echo "$A $PWD"; echo oops >&2; exit 3`)
	c.Env, c.Dir, c.Stdin, c.Stdout, c.Stderr = []string{"A=b c"}, "/", strings.NewReader("in\n"), &stdout, &stderr
	err := process.System{}.Run(t.Context(), c)
	pe, ok := errors.AsType[*process.Error](err)
	if !ok || pe.Exit != 3 || pe.Stderr != "oops" {
		t.Fatalf("got %#v", err)
	}
	if got, want := stdout.String(), "in\nb c /\n"; got != want {
		t.Errorf("stdout %q, want %q", got, want)
	}
	if stderr.String() != "oops\n" {
		t.Errorf("stderr %q", &stderr)
	}
	if want := "exit status 3: oops"; !strings.HasSuffix(err.Error(), want) {
		t.Errorf("error %q, want …%s", err, want)
	}
}

// A program that has the terminal is in ocisi's process group, or it could not
// read a key, and writes to the very stream.
func TestTerminal(t *testing.T) {
	t.Parallel()
	out, err := os.Create(t.TempDir() + "/out")
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	c := sh("cut -d' ' -f5 /proc/self/stat; readlink /proc/self/fd/2; exit 3")
	c.Terminal, c.Stdin, c.Stdout, c.Stderr = true, os.Stdin, out, out
	err = process.System{}.Run(t.Context(), c)
	if e, ok := errors.AsType[*process.Error](err); !ok || e.Exit != 3 || e.Stderr != "" {
		t.Errorf("error %#v", err)
	}
	want := fmt.Sprintf("%d\n%s\n", syscall.Getpgrp(), out.Name())
	if got, err := os.ReadFile(out.Name()); err != nil || string(got) != want {
		t.Errorf("wrote %q, %v, want %q", got, err, want)
	}
	err = process.System{}.Run(t.Context(), process.Cmd{Name: "no-such-program", Terminal: true})
	if _, ok := errors.AsType[*process.NotFoundError](err); !ok {
		t.Errorf("a program that is not there: %v", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	reason := errors.New("enough")
	time.AfterFunc(50*time.Millisecond, func() { cancel(reason) })
	if err := (process.System{}).Run(ctx, process.Cmd{Name: "sleep", Args: []string{"60"}, Terminal: true}); !errors.Is(err, reason) {
		t.Errorf("cancelled: %v", err)
	}
}

// A program must not read what its user types for ocisi.
func TestStdinIsClosed(t *testing.T) {
	t.Parallel()
	out, err := process.Output(t.Context(), process.System{}, sh("readlink /proc/self/fd/0; echo; echo"))
	if err != nil || out != "/dev/null" {
		t.Errorf("standard input is %q, %v", out, err)
	}
}

func TestNotFound(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"no-such-program", "/no/such/program"} {
		err := process.System{}.Run(t.Context(), process.Cmd{Name: name})
		if e, ok := errors.AsType[*process.NotFoundError](err); !ok || e.Name != name {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := process.LookPath("no-such-program"); err == nil {
		t.Error("found what is not there")
	}
	if path, err := process.LookPath("sh"); err != nil || !strings.HasSuffix(path, "/sh") {
		t.Errorf("sh: %q, %v", path, err)
	}
}

func TestSignalledProgram(t *testing.T) {
	t.Parallel()
	err := process.System{}.Run(t.Context(), sh("kill -9 $$"))
	if pe, ok := errors.AsType[*process.Error](err); !ok || pe.Exit != -1 {
		t.Errorf("got %v", err)
	}
}

func TestTimeout(t *testing.T) {
	t.Parallel()
	c := sh("exec sleep 60")
	c.Timeout = 50 * time.Millisecond
	err := process.System{}.Run(t.Context(), c)
	if te, ok := errors.AsType[*process.TimeoutError](err); !ok || te.After != c.Timeout || err.Error() != "sh: no answer after 50ms" {
		t.Errorf("got %v", err)
	}
}

// A cancelled program ends with all that it started, whatever status it
// leaves with, and the error is why it was cancelled.
func TestCancelEndsTheGroup(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]string{
		"obeys":  `sleep 60 & echo $!; wait`,
		"is 0":   `trap 'exit 0' TERM; sleep 60 & echo $!; wait`,
		"hangs":  `trap '' TERM; sleep 60 & echo $!; wait; wait`,
		"leaves": `(trap '' TERM; exec sleep 60) & echo $!; exit 0`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			why := errors.New("why")
			ctx, cancel := context.WithCancelCause(t.Context())
			child := make(chan int, 1)
			c := sh(script)
			c.Stdout = writer(func(p []byte) {
				var pid int
				if _, err := fmt.Sscan(string(p), &pid); err == nil {
					child <- pid
					cancel(why)
				}
			})
			begun := time.Now()
			err := process.System{}.Run(ctx, c)
			if took := time.Since(begun); took > 10*time.Second {
				t.Errorf("took %v", took)
			}
			if !errors.Is(err, why) {
				t.Errorf("got %v", err)
			}
			pid := <-child
			for range 200 {
				if gone(pid) {
					return
				}
				time.Sleep(10 * time.Millisecond)
			}
			t.Errorf("its child %d lives on", pid)
		})
	}
}

// gone reports whether a process has ended; a zombie whose parent does not
// care has.
func gone(pid int) bool {
	if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return true
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || strings.Contains(string(stat), ") Z ")
}

func TestOwnCancel(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	asked := 0
	c := sh("echo; exec sleep 60")
	c.Stdout = writer(func([]byte) { cancel() })
	c.Cancel = func(pid int) error {
		asked = pid
		return syscall.Kill(pid, syscall.SIGINT)
	}
	if err := (process.System{}).Run(ctx, c); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if asked <= 0 {
		t.Error("Cancel was not called")
	}
}

func TestStderrKeepsTheEnd(t *testing.T) {
	t.Parallel()
	err := process.System{}.Run(t.Context(), sh("seq 1 5000 >&2; exit 1"))
	pe, ok := errors.AsType[*process.Error](err)
	if !ok || len(pe.Stderr) > 4096 || !strings.HasSuffix(pe.Stderr, "\n5000") {
		t.Errorf("%v", err)
	}
}

func TestString(t *testing.T) {
	t.Parallel()
	c := process.Cmd{Name: "distrobox", Args: []string{"create", "--name", "a b", "", "it's", "$(x)"}, Env: []string{"A=1"}}
	if got, want := c.String(), `A=1 distrobox create --name 'a b' '' 'it'\''s' '$(x)'`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestLogged(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	r := process.Logged{Runner: process.System{}, Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	if err := r.Run(t.Context(), sh("exit 7")); err == nil {
		t.Error("the error is lost")
	}
	for _, want := range []string{"cmd=\"sh -c 'exit 7'\"", "exit status 7"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("no %s in %s", want, &log)
		}
	}
}

type writer func([]byte)

func (w writer) Write(p []byte) (int, error) {
	w(p)
	return len(p), nil
}
