package launcher

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/klmcwhirter/ocisi/internal/disk"
	"github.com/klmcwhirter/ocisi/internal/input"
)

// before is what was at a path.
type before struct {
	path string // without symlinks
	data []byte
	mode fs.FileMode
	none bool // nothing was
}

// Switch writes all files, or none: when one cannot be written, everything is as
// it was. All of them are on the disk beside their places before the first gets
// its name, so that a full disk changes nothing. Undo takes it back later. Files
// that are as they should be are left alone.
func Switch(d disk.Disk, files []File) (undo func() error, err error) {
	var todo []File
	var was []before
	for i, f := range files {
		if slices.ContainsFunc(files[i+1:], func(later File) bool { return place(later.Path) == place(f.Path) }) {
			continue // the last one counts
		}
		b, err := look(f.Path)
		if err != nil {
			return nil, fmt.Errorf("looking at launcher %s: %w", f.Path, err)
		}
		if b.none || !bytes.Equal(b.data, f.Data) || f.Mode&^b.mode&0o100 != 0 {
			todo, was = append(todo, f), append(was, b)
		}
	}
	undo = func() error { return restore(d, was) }
	if err := write(d, todo); err != nil {
		return nil, errors.Join(err, undo())
	}
	return undo, nil
}

// place returns a path by which a file that is to be in a folder can be told from
// others.
func place(path string) string {
	if dir, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
		return filepath.Join(dir, filepath.Base(path))
	}
	return filepath.Clean(path)
}

func look(path string) (before, error) {
	path, err := disk.Target(path)
	if err != nil {
		return before{}, err
	}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return before{path: path, none: true}, nil
	}
	if err != nil {
		return before{}, err
	}
	data, err := input.ReadPath(path, maxIcon)
	if err != nil {
		return before{}, err
	}
	return before{path: path, data: data, mode: info.Mode().Perm()}, nil
}

// write writes the first file and, before that gets its name, the others.
func write(d disk.Disk, files []File) error {
	if len(files) == 0 {
		return nil
	}
	inner := false
	err := d.Write(files[0].Path, files[0].Data, files[0].Mode, func() error {
		err := write(d, files[1:])
		inner = err != nil
		return err
	})
	if err != nil && !inner {
		return fmt.Errorf("writing launcher %s: %w", files[0].Path, err)
	}
	return err
}

// restore puts back what was there, and goes on after an error.
func restore(d disk.Disk, was []before) error {
	var failed []error
	for _, b := range was {
		now, err := look(b.path)
		switch {
		case err == nil && now.none == b.none && bytes.Equal(now.data, b.data) && now.mode == b.mode:
			continue
		case b.none:
			err = d.Remove(b.path)
		default:
			err = d.Write(b.path, b.data, b.mode, nil)
			if err == nil {
				err = d.Chmod(b.path, b.mode)
			}
		}
		if err != nil {
			failed = append(failed, fmt.Errorf("putting back launcher %s: %w", b.path, err))
		}
	}
	return errors.Join(failed...)
}

// Obsolete returns the paths of ocisi's launchers of a box that are not among
// those it should have, and of what killed runs left: half-written files, and
// icons that no application uses. Edited ones, copies, and launchers that
// distrobox wrote are not among them.
func Obsolete(found []Found, o Owner, files []File) []string {
	var paths []string
	for _, f := range found {
		ours := f.Ours() && f.Owner.Is(o)
		if f.Kind == Icon && f.Owner.Box == "" {
			ours = f.Ours() && strings.HasPrefix(filepath.Base(f.Path), ourPrefix+plainName(o.Box)+"-")
		}
		if (ours || f.Kind == Leftover) && !slices.ContainsFunc(files, func(w File) bool { return f.at(w.Path) }) {
			paths = append(paths, f.Path)
		}
	}
	return paths
}

// Remove removes launchers, all that can be. Those that are not there are fine.
func Remove(d disk.Disk, paths []string) error {
	var failed []error
	for _, path := range paths {
		if err := d.Remove(path); err != nil {
			failed = append(failed, fmt.Errorf("removing launcher %s: %w", path, err))
		}
	}
	return errors.Join(failed...)
}
