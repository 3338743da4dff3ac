// Package disk writes files so that nobody ever finds half of one: not another
// program, not after a power cut, not on a full disk.
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
	// Watch, when set, is told before and after everything that changes a file or
	// a folder; an error that it returns before is the operation's, which is then
	// not done. Tests interrupt a run there.
	Watch func(op Op, path string, done bool) error
}

// Op is what is done to a path.
type Op string

// The operations.
const (
	Folder Op = "mkdir"
	Create Op = "create" // of the file that is renamed later
	Rename Op = "rename" // to the path
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

// Write puts data at path in one step, and makes the folders above it: whoever
// reads it at the same time, and whatever happens meanwhile, it is the old file
// or the new one. A symlink stays one, and the file it leads to is replaced, or
// created, as Target says; a file that exists keeps its permissions, and is
// executable for its readers when mode is. Right before that step, ready may
// object; nil never does.
func (d Disk) Write(path string, data []byte, mode fs.FileMode, ready func() error) error {
	path, err := Target(path)
	if err != nil {
		return err
	}
	if err := d.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	temp := tempOf(path) + strconv.Itoa(os.Getpid())
	_ = os.Remove(temp) // of an earlier process with our number
	clearAside(path)
	defer func() { _ = os.Remove(temp) }()
	if err := d.do(Create, temp, func() error { return create(temp, path, data, mode) }); err != nil {
		return err
	}
	if ready != nil {
		if err := ready(); err != nil {
			return err
		}
	}
	return d.do(Rename, path, func() error { return rename(temp, path) })
}

// A LinkError says that nothing can be written through a symlink: the folder that
// it leads into does not exist, for example. The symlink is not replaced.
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

// Target returns the path of the file that Write writes: path itself, or, where
// that is a symlink, what it leads to. The file need not exist, but the folder that
// a symlink leads into must, or it is a *LinkError.
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
			to = filepath.Dir(at) + "/" + to // not cleaned: a folder before .. may be a symlink
		}
		dir, err := filepath.EvalSymlinks(dirOf(to))
		if err != nil {
			return "", &LinkError{Path: path, To: filepath.Clean(to), Err: err}
		}
		at = filepath.Join(dir, filepath.Base(to))
	}
	return "", &LinkError{Path: path, To: at, Err: syscall.ELOOP}
}

// isLink reports whether a path is a symlink. An error of Lstat is the error of a
// write, too.
func isLink(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.Mode()&fs.ModeSymlink != 0
}

// dirOf returns the folder of a path, not cleaned.
func dirOf(path string) string {
	return path[:strings.LastIndexByte(strings.TrimRight(path, "/"), '/')+1]
}

// tempOf is what a file is called until it is complete, but for the number of
// the process.
func tempOf(path string) string {
	return filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".ocisi-")
}

// clearAside removes what processes that were killed while they wrote a file left
// beside it.
func clearAside(path string) {
	prefix := tempOf(path)
	beside, _ := os.ReadDir(filepath.Dir(path)) // as far as it can be read
	for _, f := range beside {
		number, ok := strings.CutPrefix(filepath.Join(filepath.Dir(path), f.Name()), prefix)
		pid, err := strconv.Atoi(number)
		if ok && err == nil && errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			_ = os.Remove(prefix + number)
		}
	}
}

// create writes the file that is to become path.
func create(temp, path string, data []byte, mode fs.FileMode) error {
	file, err := os.OpenFile(temp, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	if old, statErr := os.Stat(path); statErr == nil {
		executable := mode & 0o111 & (old.Mode().Perm() >> 2) // for those who may read it
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

// rename also makes the new name survive a power cut.
func rename(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(to))
	if err != nil {
		return err
	}
	_ = dir.Sync() // not every file system has it; the file itself is safe
	return dir.Close()
}

// MkdirAll makes a folder and those above it, as far as they are not there.
func (d Disk) MkdirAll(path string, mode fs.FileMode) error {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return nil
	}
	return d.do(Folder, path, func() error { return os.MkdirAll(path, mode) })
}

// Remove removes a file. One that is not there is fine.
func (d Disk) Remove(path string) error {
	clearAside(path)
	return d.do(Remove, path, func() error {
		if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	})
}

// Chmod sets the permissions of a file, or of what a symlink leads to.
func (d Disk) Chmod(path string, mode fs.FileMode) error {
	return d.do(Chmod, path, func() error { return os.Chmod(path, mode) })
}
