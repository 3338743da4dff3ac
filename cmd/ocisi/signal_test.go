package main

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// until reads to the end of text, and fails the test when it does not come.
func until(t *testing.T, r *bufio.Reader, text string) {
	t.Helper()
	var seen []byte
	for !bytes.HasSuffix(seen, []byte(text)) {
		c, err := r.ReadByte()
		if err != nil {
			t.Fatalf("no %q after %q: %v", text, seen, err)
		}
		seen = append(seen, c)
	}
}

// started is a process whose standard input stays open.
type started struct {
	*exec.Cmd
	in       io.WriteCloser
	out, err *bufio.Reader
}

func startOpen(t *testing.T, cmd *exec.Cmd) started {
	t.Helper()
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	errs, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	return started{cmd, in, bufio.NewReader(out), bufio.NewReader(errs)}
}

// defaultSignals makes programs that the test starts get the default of SIGHUP and
// SIGINT, also where nohup or a shell has the test ignore them.
func defaultSignals(t *testing.T) {
	t.Helper()
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGHUP, syscall.SIGINT) // a signal with a handler has its default after exec
	t.Cleanup(func() { signal.Stop(c) })
}

// A question ends at the first signal, and the lock with it.
func TestSignalAtQuestion(t *testing.T) {
	t.Parallel()
	defaultSignals(t)
	registry, err := startRegistry()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(registry.server.Close)
	w := newWorld(t, filepath.Join(worldsRoot(t), "fw00000"), nil)
	t.Cleanup(w.close)
	disabled(t, w, registry)
	for _, signal := range []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		cmd := w.plain("clean")
		cmd.Env = append(cmd.Env, "TEST_TERMINAL=1")
		p := startOpen(t, cmd)
		until(t, p.out, " [y/N] ")
		if err := p.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		rest, _ := io.ReadAll(p.err)
		_ = p.Wait()
		if status := p.ProcessState.ExitCode(); status != 1 || !strings.Contains(string(rest), "ocisi: stopped; ") {
			t.Errorf("%v: %v, %s", signal, p.ProcessState, rest)
		}
	}
	w.must(t, "clean", "--yes")
}

// A second signal ends ocisi at once, whatever it waits for: here for an editor,
// which is not stopped by the first one.
func TestSecondSignal(t *testing.T) {
	t.Parallel()
	defaultSignals(t)
	w := newWorld(t, filepath.Join(worldsRoot(t), "fw00000"), nil)
	t.Cleanup(w.close)
	w.write(t, map[string]string{".config/ocisi/ocisi.yaml": "[]\n", "editor": "#!/bin/sh\necho ready\nread line\nexit 0\n"})
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		cmd := w.plain("config", "edit")
		cmd.Env = append(cmd.Env, "VISUAL="+filepath.Join(w.home(), "editor"))
		p := startOpen(t, cmd)
		until(t, p.out, "ready\n")
		for _, text := range []string{"a second signal", ""} {
			if err := p.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			until(t, p.err, text)
		}
		state, err := p.Process.Wait()
		if ws, ok := state.Sys().(syscall.WaitStatus); err != nil || !ok || ws.Signal() != signal {
			t.Errorf("%v: %v, %v", signal, state, err)
		}
		_ = p.in.Close() // ends the editor
	}
}

// A program that nohup started goes on when its terminal is closed.
func TestNohup(t *testing.T) {
	t.Parallel()
	w := newWorld(t, filepath.Join(worldsRoot(t), "fw00000"), nil)
	t.Cleanup(w.close)
	w.write(t, map[string]string{".config/ocisi/ocisi.yaml": "[]\n", "editor": "#!/bin/sh\necho ready\nread line\nexit 0\n"})
	inner := w.plain("config", "edit")
	cmd := exec.Command("sh", "-c", `trap "" HUP; exec ocisi config edit`)
	cmd.Dir, cmd.Env = inner.Dir, append(inner.Env, "VISUAL="+filepath.Join(w.home(), "editor"))
	p := startOpen(t, cmd)
	until(t, p.out, "ready\n")
	if err := p.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	_ = p.in.Close()
	rest, _ := io.ReadAll(p.err)
	if err := p.Wait(); err != nil || len(rest) > 0 {
		t.Errorf("%v, %s", err, rest)
	}
}
