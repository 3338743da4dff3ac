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

	first := w.command(fate{Mishap: silent, At: moment{Op: "docker Solve", When: before, Nth: 1}, Patience: time.Minute}, "process")
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	trace := filepath.Join(w.dir, "trace")
	for begun := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		if _, there, _ := readTrace(trace); there {
			break
		}
		if time.Since(begun) > time.Minute {
			t.Fatal("the first run does not build")
		}
	}
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
	if before, now := fmt.Sprint(w.start0()), fmt.Sprint(w.now()); before != now {
		t.Errorf("they have changed what is there:\n%s\n%s", before, now)
	}
	if err := first.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = first.Wait()
	lock := filepath.Join(w.home(), ".local/state/ocisi/lock")
	if data, err := os.ReadFile(lock); err != nil || !strings.HasPrefix(string(data), fmt.Sprint(first.Process.Pid, " ")) {
		t.Errorf("the lock is %q, %v", data, err)
	}
	w.must(t, "process")
	if err := os.WriteFile(lock, fmt.Appendln(nil, os.Getppid(), "ocisi process, since 00:00"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.must(t, "clean", "--yes")
}
