package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Two runs at once would do each other harm: the second one leaves, and says who
// is at work. A lock that nobody holds keeps nobody out.
func TestTwoAtOnce(t *testing.T) {
	t.Parallel()
	registry, err := startRegistry()
	if err != nil {
		t.Fatal(err)
	}
	defer registry.server.Close()
	w := newWorld(t, filepath.Join(worldsRoot(t), "fw00000"), nil)
	defer w.close()
	disabled(t, w, registry) // has something to do for every verb
	w.write(t, map[string]string{".config/ocisi/img/Containerfile.go": "FROM ghcr.io/x/foreign:1\nRUN install go\n"})

	first := w.command(fate{Mishap: silent, At: moment{Op: "docker Solve", When: before, Nth: 1}, Patience: time.Hour}, "process")
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- first.Wait() }()
	waitForFault(t, filepath.Join(w.dir, "trace"), ended)
	w.takeDown()
	who := fmt.Sprintf("ocisi: another ocisi is at work (process %d: ocisi process, since ", first.Process.Pid)
	for _, args := range [][]string{{"process"}, {"setup", "--yes"}, {"recreate"}, {"rollback", "--yes"}, {"clean", "--yes"}} {
		if r := w.run(fate{}, args...); r.status != 77 || !strings.Contains(r.out, who) {
			t.Errorf("%s: status %d\n%s", args[0], r.status, r.out)
		}
	}
	for _, args := range [][]string{{"list"}, {"plan"}, {"process", "--dry-run"}} {
		if r := w.run(fate{}, args...); r.status != 0 {
			t.Errorf("%s: status %d\n%s", args[0], r.status, r.out)
		}
	}
	state := filepath.Join(w.home(), ".local/state/ocisi")
	if err := os.Rename(state, state+".away"); err != nil { // as good as removed
		t.Fatal(err)
	}
	if r := w.run(fate{}, "process"); r.status != 77 || !strings.Contains(r.out, "ocisi: another ocisi is at work\n") {
		t.Errorf("without the state directory: status %d\n%s", r.status, r.out)
	}
	if err := os.Rename(state+".away", state); err != nil {
		t.Fatal(err)
	}
	if before, now := fmt.Sprint(w.start0()), fmt.Sprint(w.now()); before != now {
		t.Errorf("they have changed what is there:\n%s\n%s", before, now)
	}
	if err := first.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-ended
	lock := filepath.Join(state, "lock")
	if data, err := os.ReadFile(lock); err != nil || !strings.HasPrefix(string(data), fmt.Sprint(first.Process.Pid, " ")) {
		t.Errorf("the lock is %q, %v", data, err)
	}
	w.must(t, "process")
	if err := os.WriteFile(lock, fmt.Appendln(nil, os.Getppid(), "ocisi process, since 00:00"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.must(t, "clean", "--yes")
}

// waitForFault waits until a run has come to its fault, or has ended without: as
// long as the machine takes.
func waitForFault(t *testing.T, trace string, ended <-chan error) {
	t.Helper()
	for {
		if _, there, _ := readTrace(trace); there {
			return
		}
		select {
		case err := <-ended:
			t.Fatalf("the first run does not build: %v", err)
		case <-time.After(5 * time.Millisecond):
		}
	}
}
