// Package disk writes files atomically: other programs, and a system that starts
// after a power failure, see either the old content or the new one.
package disk

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// Disk writes files. The zero Disk is ready for use.
type Disk struct {
	// Watch, if set, is called before and after each change to a file or directory.
	// An error that it returns before the change prevents it and is returned. Tests
	// use it to inject faults.
	Watch func(op Op, path string, done bool) error
}

// Op is a change to a path.
type Op string

// The operations.
const (
	Mkdir  Op = "mkdir"
	Create Op = "create" // the temporary file that is renamed later
	Rename Op = "rename" // a temporary file to the path
	Remove Op = "remove"
	Chmod  Op = "chmod"
)

func (d Disk) do(op Op, path string, f func() error) error {
	if d.Watch == nil {
		return f()
	}
	if err := d.Watch(op, path, false); err != nil {
		return err
	}
	if err := f(); err != nil {
		return err
	}
	return d.Watch(op, path, true)
}

// Write replaces or creates the file at path atomically, and creates its parent
// directories. If path is a symlink, the file at its [Target] is written and the
// link stays. An existing file keeps its permissions; if mode is executable, it
// becomes executable for those who may read it. Write calls precondition, if not
// nil, right before the rename, and returns its error without writing.
func (d Disk) Write(path string, data []byte, mode fs.FileMode, precondition func() error) error {
	path, err := Target(path)
	if err != nil {
		return err
	}
	if err := d.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	temp := tempPrefix(path) + strconv.Itoa(os.Getpid())
	_ = os.Remove(temp) // of an earlier process with the same PID
	removeStaleTemps(path)
	defer func() { _ = os.Remove(temp) }()
	if err := d.do(Create, temp, func() error { return create(temp, path, data, mode) }); err != nil {
		return err
	}
	if precondition != nil {
		if err := precondition(); err != nil {
			return err
		}
	}
	return d.do(Rename, path, func() error { return rename(temp, path) })
}

// LinkError reports a symlink through which no file can be written, for example
// because the directory of its target does not exist. The symlink is not replaced.
type LinkError struct {
	Path, To string
	Err      error
}

func (e *LinkError) Error() string {
	return "cannot write through symlink " + e.Path + " to " + e.To + ": " + e.Err.Error()
}

func (e *LinkError) Unwrap() error { return e.Err }

// maxLinks is how many symlinks the kernel follows in a path.
const maxLinks = 40

// Target returns the path of the file that [Disk.Write] writes: path itself, or
// the target of a symlink at path. The file need not exist, but the directory of a
// symlink's target must; otherwise the error is a [*LinkError].
func Target(path string) (string, error) {
	at := path
	for range maxLinks {
		if !isLink(at) {
			return at, nil
		}
		to, err := os.Readlink(at)
		if err != nil {
			return "", err
		}
		if !filepath.IsAbs(to) {
			to = filepath.Dir(at) + "/" + to // not cleaned: a directory before .. may be a symlink
		}
		dir, err := filepath.EvalSymlinks(dirOf(to))
		if err != nil {
			return "", &LinkError{Path: path, To: filepath.Clean(to), Err: err}
		}
		at = filepath.Join(dir, filepath.Base(to))
	}
	return "", &LinkError{Path: path, To: at, Err: syscall.ELOOP}
}

// isLink reports whether path is a symlink. It ignores errors of Lstat, which the
// write returns as well.
func isLink(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.Mode()&fs.ModeSymlink != 0
}

// dirOf returns the directory of path without cleaning it.
func dirOf(path string) string {
	return path[:strings.LastIndexByte(strings.TrimRight(path, "/"), '/')+1]
}

// tempPrefix returns the path of the temporary file for path, without the PID at
// its end.
func tempPrefix(path string) string {
	return filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".ocisi-")
}

// removeStaleTemps removes the temporary files for path of processes that no longer
// exist.
func removeStaleTemps(path string) {
	prefix := tempPrefix(path)
	entries, _ := os.ReadDir(filepath.Dir(path)) // stale files in an unreadable directory stay
	for _, f := range entries {
		suffix, ok := strings.CutPrefix(filepath.Join(filepath.Dir(path), f.Name()), prefix)
		pid, err := strconv.Atoi(suffix)
		if ok && err == nil && errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			_ = os.Remove(prefix + suffix)
		}
	}
}

// create writes and syncs the temporary file for path.
func create(temp, path string, data []byte, mode fs.FileMode) error {
	file, err := os.OpenFile(temp, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	if old, statErr := os.Stat(path); statErr == nil {
		executable := mode & 0o111 & (old.Mode().Perm() >> 2) // only for those who may read it
		err = file.Chmod(old.Mode().Perm() | executable)
	}
	if err == nil {
		_, err = file.Write(data)
	}
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

// rename renames a file and syncs the directory, so that the new name survives a
// power failure.
func rename(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(to))
	if err != nil {
		return err
	}
	_ = dir.Sync() // some file systems do not support it; the file itself is synced
	return dir.Close()
}

// MkdirAll creates a directory and its missing parents.
func (d Disk) MkdirAll(path string, mode fs.FileMode) error {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return nil
	}
	return d.do(Mkdir, path, func() error { return os.MkdirAll(path, mode) })
}

// Remove removes a file. It is no error if the file does not exist.
func (d Disk) Remove(path string) error {
	removeStaleTemps(path)
	return d.do(Remove, path, func() error {
		if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	})
}

// Chmod sets the permissions of a file, or of a symlink's target.
func (d Disk) Chmod(path string, mode fs.FileMode) error {
	return d.do(Chmod, path, func() error { return os.Chmod(path, mode) })
}
