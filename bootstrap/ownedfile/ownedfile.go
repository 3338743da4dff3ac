// Package ownedfile writes files of ocisi into directories of the user, such as
// systemd units. Each file contains a marker line. A file without it is not
// ocisi's, and is neither replaced nor removed.
package ownedfile

import (
	"bytes"
	"errors"
	"io/fs"
	"os"

	"github.com/klmcwhirter/ocisi/internal/disk"
	"github.com/klmcwhirter/ocisi/internal/input"
)

// File is a file with a marker line.
type File struct {
	Path string // absolute
	Mark string // the marker: the first line of Text, or the second after a #! line
	Text []byte // nil: the file must not exist
	Mode fs.FileMode
}

// ForeignError reports a file without the marker line.
type ForeignError struct{ Path string }

func (e *ForeignError) Error() string { return e.Path + " is there, and ocisi did not write it" }

// Write writes or removes all files as their Text says. If one of them exists
// without its marker, Write changes nothing and returns a [*ForeignError]; after any
// other error it restores the previous files. The caller can restore them with undo.
func Write(to disk.Disk, files []File) (undo func() error, err error) {
	var before []content
	for _, f := range files {
		c, err := f.read()
		if err != nil {
			return nil, err
		}
		if c.exists && !c.owned {
			return nil, &ForeignError{f.Path}
		}
		before = append(before, c)
	}
	undo = func() error {
		var errs []error
		for i, f := range files {
			errs = append(errs, writeOrRemove(to, f.Path, before[i].text, f.Mode))
		}
		return errors.Join(errs...)
	}
	for _, f := range files {
		if err := writeOrRemove(to, f.Path, f.Text, f.Mode); err != nil {
			return nil, errors.Join(err, undo())
		}
	}
	return undo, nil
}

// Remove removes the files that contain their marker, and returns their paths.
func Remove(to disk.Disk, files []File) ([]string, error) {
	var removed []string
	for _, f := range files {
		c, err := f.read()
		if err != nil {
			return removed, err
		}
		if !c.owned {
			continue
		}
		if err := to.Remove(f.Path); err != nil {
			return removed, err
		}
		removed = append(removed, f.Path)
	}
	return removed, nil
}

// State reports whether the file exists with its marker, and whether its content is
// Text.
func (f File) State() (owned, current bool, err error) {
	c, err := f.read()
	return c.owned, c.owned && bytes.Equal(c.text, f.Text), err
}

// content is the file at a path.
type content struct {
	exists, owned bool
	text          []byte
}

// read reads the file. One that is not regular is not owned: a unit that links to
// /dev/null, for example, is masked by the user.
func (f File) read() (content, error) {
	info, err := os.Lstat(f.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return content{}, nil
	}
	if err != nil || !info.Mode().IsRegular() {
		return content{exists: true}, err
	}
	text, err := input.ReadPath(f.Path, input.MaxSize)
	rest := text
	if bytes.HasPrefix(text, []byte("#!")) {
		_, rest, _ = bytes.Cut(text, []byte("\n"))
	}
	return content{exists: true, owned: bytes.HasPrefix(rest, []byte(f.Mark+"\n")), text: text}, err
}

func writeOrRemove(to disk.Disk, path string, text []byte, mode fs.FileMode) error {
	if text == nil {
		return to.Remove(path)
	}
	return to.Write(path, text, mode, nil)
}
