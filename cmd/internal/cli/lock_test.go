package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// A run keeps its lock when the state directory is removed, or replaced: a second
// run, which finds none of its files, is refused all the same.
func TestLockWithoutState(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	env := Env{Home: home, StateDir: filepath.Join(home, ".local/state/ocisi"), Now: time.Now}
	release, err := env.lock("process")
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("another ocisi is at work (process %d: ocisi process, since ", os.Getpid())
	if err := refusal(t, env); err.Error()[:len(want)] != want {
		t.Errorf("%v", err)
	}
	if err := os.RemoveAll(filepath.Join(home, ".local")); err != nil {
		t.Fatal(err)
	}
	if err := refusal(t, env); err.Error() != "another ocisi is at work" || hint(err, "ocisi") == "" {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(env.StateDir); err == nil {
		t.Error("a run that is refused makes the state directory")
	}
	release()
	for err = error(&lockedError{}); is[*lockedError](err); { // a process that another test starts has the file until its exec
		release, err = env.lock("process")
	}
	if err != nil {
		t.Fatal(err)
	}
	release()
}

// A home that cannot be locked, here because there is none, leaves the file.
func TestLockWithoutHome(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	env := Env{Home: filepath.Join(dir, "none"), StateDir: filepath.Join(dir, "state"), Now: time.Now}
	release, err := env.lock("process")
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	refusal(t, env)
}

func refusal(t *testing.T, env Env) *lockedError {
	t.Helper()
	release, err := env.lock("clean")
	locked, ok := errors.AsType[*lockedError](err)
	if !ok {
		if release != nil {
			release()
		}
		t.Fatalf("a second run was not refused: %v", err)
	}
	return locked
}
