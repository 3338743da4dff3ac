// Package own writes files that are ocisi's into folders that are their user's.
// A line in each of them says whose it is: a file without that line is somebody
// else's, and is neither replaced nor removed.
package own

import (
	"bytes"
	"errors"
	"io/fs"
	"os"

	"github.com/klmcwhirter/ocisi/internal/disk"
	"github.com/klmcwhirter/ocisi/internal/input"
)

// File is a file of ocisi's.
type File struct {
	Path string // absolute
	Mark string // a line that says whose it is; the first of Text, or the second below a #! line
	Text []byte // nil: the file is not to be there
	Mode fs.FileMode
}

// ForeignError says that there is a file that ocisi did not write.
type ForeignError struct{ Path string }

func (e *ForeignError) Error() string { return e.Path + " is there, and ocisi did not write it" }

// Write brings all files to what they are to be. With a file of somebody else's
// among them it is a *ForeignError, and nothing is done; after any other error
// everything is as it was. With undo, it is so later, too.
func Write(to disk.Disk, files []File) (undo func() error, err error) {
	var before []found
	for _, f := range files {
		there, err := f.look()
		if err != nil {
			return nil, err
		}
		if there.is && !there.ours {
			return nil, &ForeignError{f.Path}
		}
		before = append(before, there)
	}
	undo = func() error {
		var errs []error
		for i, f := range files {
			errs = append(errs, put(to, f.Path, before[i].text, f.Mode))
		}
		return errors.Join(errs...)
	}
	for _, f := range files {
		if err := put(to, f.Path, f.Text, f.Mode); err != nil {
			return nil, errors.Join(err, undo())
		}
	}
	return undo, nil
}

// Remove removes those of the files that are ocisi's, and returns their paths.
func Remove(to disk.Disk, files []File) ([]string, error) {
	var removed []string
	for _, f := range files {
		there, err := f.look()
		if err != nil {
			return removed, err
		}
		if !there.ours {
			continue
		}
		if err := to.Remove(f.Path); err != nil {
			return removed, err
		}
		removed = append(removed, f.Path)
	}
	return removed, nil
}

// State says what is at the path of a file: nothing, a file of ocisi's, and
// whether that one is as it is to be.
func (f File) State() (ours, current bool, err error) {
	there, err := f.look()
	return there.ours, there.ours && bytes.Equal(there.text, f.Text), err
}

// found is what is at a path.
type found struct {
	is, ours bool
	text     []byte
}

// look takes what is no regular file for somebody else's: a link of a unit to
// /dev/null, for instance, says something.
func (f File) look() (found, error) {
	info, err := os.Lstat(f.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return found{}, nil
	}
	if err != nil || !info.Mode().IsRegular() {
		return found{is: true}, err
	}
	text, err := input.ReadPath(f.Path, input.MaxSize)
	rest := text
	if bytes.HasPrefix(text, []byte("#!")) {
		_, rest, _ = bytes.Cut(text, []byte("\n"))
	}
	return found{is: true, ours: bytes.HasPrefix(rest, []byte(f.Mark+"\n")), text: text}, err
}

func put(to disk.Disk, path string, text []byte, mode fs.FileMode) error {
	if text == nil {
		return to.Remove(path)
	}
	return to.Write(path, text, mode, nil)
}
