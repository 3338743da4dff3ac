package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// lockedError says that another ocisi is at work.
type lockedError struct {
	pid  int
	what string // "ocisi process, since 05:53"; "" when it does not say
}

func (e *lockedError) Error() string {
	if e.what == "" {
		return fmt.Sprintf("another ocisi is at work (process %d)", e.pid)
	}
	return fmt.Sprintf("another ocisi is at work (process %d: %s)", e.pid, e.what)
}

// lock keeps two runs from changing the same stores at once. The kernel gives
// the lock back when the process ends, however it ends; the file stays, and
// tells who has it: the process's number, and what it does since when.
func (env Env) lock(verb string) (release func(), err error) {
	path := filepath.Join(env.StateDir, "lock")
	if err := env.Disk.MkdirAll(env.StateDir, 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		defer f.Close()
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		text, _ := io.ReadAll(f)
		number, what, _ := strings.Cut(strings.TrimSpace(string(text)), " ")
		pid, _ := strconv.Atoi(number)
		return nil, &lockedError{pid: pid, what: what}
	}
	// What is in there is for people: on a full disk the lock is as good without.
	_ = f.Truncate(0)
	fmt.Fprintf(f, "%d ocisi %s, since %s\n", os.Getpid(), verb, env.Now().Format("15:04"))
	return func() { f.Close() }, nil
}
