package main

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// editedWorld is a world in which ocisi has both boxes to replace.
func editedWorld(t *testing.T) *world {
	t.Helper()
	registry, err := startRegistry()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(registry.server.Close)
	w := newWorld(t, filepath.Join(worldsRoot(t), "fw00000"), nil)
	t.Cleanup(w.close)
	edited(t, w, registry)
	return w
}

// plain is ocisi as a process of its own that no fault befalls.
func (w *world) plain(args ...string) *exec.Cmd {
	return w.command(fate{Patience: longPatience}, args...)
}

// A command does all its work and has the same exit status when the reader of its
// output has ended.
func TestClosedPipe(t *testing.T) {
	t.Parallel()
	w := editedWorld(t)
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = writer.Close() }()
	_ = reader.Close()
	for _, args := range [][]string{{"list"}, {"list", "--layers", "--json"}, {"process"}, {"--help"}} {
		cmd := w.plain(args...)
		cmd.Stdout, cmd.Stderr = writer, writer
		if err := cmd.Run(); err != nil {
			t.Errorf("%v: %v", args, err)
		}
	}
	w.must(t, "plan", "--detailed-exitcode")
}

// Ctrl-C ends "ocisi process | tee" as well: ocisi cleans up although its
// output has no reader.
func TestInterruptedPipe(t *testing.T) {
	t.Parallel()
	defaultSignals(t)
	w := editedWorld(t)
	block := filepath.Join(w.dir, "docker-build.block")
	if err := os.WriteFile(block, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := w.plain("process")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(out); lines.Scan() && !strings.Contains(lines.Text(), "start"); {
	}
	_ = out.Close()
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if status := cmd.ProcessState.ExitCode(); status != 1 {
		t.Errorf("status %d (%v), not 1", status, cmd.ProcessState)
	}
	for p := range w.now() {
		if waits(p) {
			t.Errorf("left: %v", p)
		}
	}
	if err := os.Remove(block); err != nil {
		t.Fatal(err)
	}
	w.must(t, "process")
	w.must(t, "plan", "--detailed-exitcode")
}
