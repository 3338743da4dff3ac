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
type lockedError struct{ pid int }

func (e *lockedError) Error() string {
	return fmt.Sprintf("another ocisi is at work (process %d)", e.pid)
}

// lock keeps two runs from changing the same stores at once. The kernel gives
// the lock back when the process ends, however it ends; the file stays.
func (env Env) lock() (release func(), err error) {
	path := filepath.Join(env.StateDir, "lock")
	if err := os.MkdirAll(env.StateDir, 0o700); err != nil {
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
		pid, _ := strconv.Atoi(strings.TrimSpace(string(text)))
		return nil, &lockedError{pid: pid}
	}
	if err := errors.Join(f.Truncate(0), writePID(f)); err != nil {
		f.Close()
		return nil, err
	}
	return func() { f.Close() }, nil
}

func writePID(w io.Writer) error {
	_, err := fmt.Fprintln(w, os.Getpid())
	return err
}
