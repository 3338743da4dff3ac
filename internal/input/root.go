// Package input limits what ocisi reads from outside: which files are opened, how
// large they are and how deep they nest. Parsers recurse and allocate, so the
// limits are checked before one runs.
package input

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// ErrNotRegular is the error of a file that is a named pipe, a socket or a
// device.
var ErrNotRegular = errors.New("not a regular file")

// Root returns the file system below a directory, like [os.DirFS]. It opens
// regular files and directories only, and never waits: opening anything else is
// [ErrNotRegular], even if it took the place of a regular file just before.
func Root(dir string) fs.FS { return root{os.DirFS(dir), dir} }

type root struct {
	fs.FS
	dir string
}

// Open implements fs.FS.
func (r root) Open(name string) (fs.File, error) {
	info, err := fs.Stat(r.FS, name)
	if err != nil {
		return nil, err
	}
	refused := &fs.PathError{Op: "open", Path: name, Err: ErrNotRegular}
	if !opens(info) {
		return nil, refused
	}
	f, err := os.OpenFile(filepath.Join(r.dir, filepath.FromSlash(name)), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		if pe, ok := errors.AsType[*fs.PathError](err); ok {
			pe.Path = name
		}
		return nil, err
	}
	if info, err = f.Stat(); err != nil || !opens(info) {
		_ = f.Close()
		return nil, errors.Join(err, refused)
	}
	return f, nil
}

func opens(info fs.FileInfo) bool { return info.Mode().IsRegular() || info.IsDir() }

// Stat implements fs.StatFS.
func (r root) Stat(name string) (fs.FileInfo, error) { return fs.Stat(r.FS, name) }

// ReadDir implements fs.ReadDirFS.
func (r root) ReadDir(name string) ([]fs.DirEntry, error) { return fs.ReadDir(r.FS, name) }

// ReadLink implements fs.ReadLinkFS.
func (r root) ReadLink(name string) (string, error) { return fs.ReadLink(r.FS, name) }

// Lstat implements fs.ReadLinkFS.
func (r root) Lstat(name string) (fs.FileInfo, error) { return fs.Lstat(r.FS, name) }
