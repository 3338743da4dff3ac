package cli

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// lockedError says that another ocisi is at work.
type lockedError struct {
	pid  int    // 0: unknown
	what string // "ocisi process, since 05:53"; "": unknown
}

func (e *lockedError) Error() string {
	switch {
	case e.pid == 0:
		return "another ocisi is at work"
	case e.what == "":
		return fmt.Sprintf("another ocisi is at work (process %d)", e.pid)
	}
	return fmt.Sprintf("another ocisi is at work (process %d: %s)", e.pid, e.what)
}

// lock keeps two runs of a user from changing the same stores at once. It locks
// the home directory, and the file lock of the state directory, where somebody
// may remove the latter meanwhile. The kernel releases both when the process
// ends, however it ends; the file stays and holds the ID of the process and what
// it does since when. docs/decisions/0031-lock.md gives the reasons.
func (env Env) lock(verb string) (release func(), err error) {
	home := env.lockHome()
	if is[*lockedError](home.err) {
		return nil, home.err
	}
	f, err := env.lockFile()
	if err != nil {
		home.release()
		return nil, err
	}
	// The text is for messages: on a full disk the lock is as good without.
	_ = f.Truncate(0)
	fmt.Fprintf(f, "%d ocisi %s, since %s\n", os.Getpid(), verb, env.Now().Format("15:04"))
	return func() { f.Close(); home.release() }, nil
}

// homeLock is a lock of the home directory, or why there is none.
type homeLock struct {
	dir *os.File
	err error
}

func (l homeLock) release() {
	if l.dir != nil {
		l.dir.Close()
	}
}

// lockHome locks the home directory. One that is missing, or whose file system
// has no locks for directories, leaves the file to do it alone.
func (env Env) lockHome() homeLock {
	dir, err := os.Open(cmp.Or(env.Home, filepath.Dir(env.StateDir)))
	if err != nil {
		return homeLock{err: err}
	}
	if err := flock(dir); err != nil {
		dir.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = env.holder()
		}
		return homeLock{err: err}
	}
	return homeLock{dir: dir}
}

// lockFile makes the file lock of the state directory and locks it.
func (env Env) lockFile() (*os.File, error) {
	if err := env.Disk.MkdirAll(env.StateDir, 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(env.lockPath(), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := flock(f); err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, env.holder()
		}
		return nil, fmt.Errorf("lock %s: %w", f.Name(), err)
	}
	return f, nil
}

func (env Env) lockPath() string { return filepath.Join(env.StateDir, "lock") }

func flock(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) }

// holder returns the error that names the run which holds the lock, as far as
// the lock file does.
func (env Env) holder() error {
	text, _ := os.ReadFile(env.lockPath()) // missing where the state directory was removed
	number, what, _ := strings.Cut(strings.TrimSpace(string(text)), " ")
	pid, _ := strconv.Atoi(number)
	return &lockedError{pid: pid, what: what}
}
