// Package bootstrap writes shipped files to a directory of the user. For each file it
// compares three versions: the shipped one, the one on disk, and the one that was last
// written. It updates an unchanged file, and keeps one that the user has edited or
// deleted.
//
// The only state is the [Record] of the files that were last written. If it is lost, a
// file that differs from the shipped one counts as edited.
package bootstrap

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/rogpeppe/go-internal/diff"

	"github.com/klmcwhirter/ocisi/internal/input"
)

// Action is the action on a file.
type Action string

// The actions. Only Create and Update write.
const (
	Create  Action = "create"  // it does not exist and was never written
	Keep    Action = "keep"    // it is equal to the shipped file
	Update  Action = "update"  // it is as last written, and the shipped file is another one
	Edited  Action = "edited"  // the user has changed it, so it is kept
	Removed Action = "removed" // the user has deleted it, so it is not written
)

// Change is one file of a plan.
type Change struct {
	Path   string `json:"path"`   // in the shipped files
	Target string `json:"target"` // on disk
	Action Action `json:"action"`

	key     string // in the record
	shipped []byte
	disk    []byte // content when the plan was made; nil: no file
}

// Diff returns a unified diff from the file on disk to the shipped one. It is empty if
// they are equal.
func (c Change) Diff() []byte {
	return diff.Diff(c.Target, c.disk, c.Target+" (shipped)", c.shipped)
}

// Plan has a change for each shipped file, in the order of their names.
type Plan struct {
	Changes []Change
	record  Record
}

// Compare plans to write the files of shipped to dir, an absolute path. It writes
// nothing, and dir need not exist.
//
// A file in the record that does not exist counts as removed, unless none of the files
// exists: then the directory is new, whatever the record contains.
func Compare(shipped fs.FS, dir string, record Record) (Plan, error) {
	plan := Plan{record: record}
	home := resolve(dir)
	present := false
	err := fs.WalkDir(shipped, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		change := Change{
			Path:   path,
			Target: filepath.Join(dir, filepath.FromSlash(path)),
			key:    filepath.Join(home, filepath.FromSlash(path)),
		}
		if change.shipped, err = fs.ReadFile(shipped, path); err != nil {
			return fmt.Errorf("reading shipped %s: %w", path, err)
		}
		state, err := read(change.Target)
		if err != nil {
			return err
		}
		present = present || state.exists
		change.disk = state.data
		change.Action = decide(change.shipped, state, record.files[change.key])
		plan.Changes = append(plan.Changes, change)
		return nil
	})
	if err != nil {
		return Plan{}, fmt.Errorf("comparing with %s: %w", dir, err)
	}
	for i := range plan.Changes {
		if plan.Changes[i].Action == Removed && !present {
			plan.Changes[i].Action = Create
		}
	}
	return plan, nil
}

// decide compares the three versions of a file. The hash written is "" if the file was
// never written.
func decide(shipped []byte, disk state, written string) Action {
	switch {
	case !disk.exists && written == "":
		return Create
	case !disk.exists:
		return Removed
	case disk.dangling:
		return Edited // the user has created the link
	case bytes.Equal(disk.data, shipped):
		return Keep
	case hash(disk.data) == written:
		return Update
	default:
		return Edited
	}
}

// state is the state of a path.
type state struct {
	exists   bool
	dangling bool // a symlink to a path that does not exist
	data     []byte
}

// read reads a file and follows symlinks, because dotfiles managers link files and
// directories.
func read(path string) (state, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		_, err = os.Lstat(path)
		if errors.Is(err, fs.ErrNotExist) {
			return state{}, nil
		}
		return state{exists: true, dangling: true}, err
	}
	if err != nil {
		return state{}, err
	}
	if !info.Mode().IsRegular() {
		return state{}, &fs.PathError{Op: "read", Path: path, Err: errors.New("not a regular file")}
	}
	data, err := input.ReadPath(path, input.MaxSize)
	return state{exists: true, data: data}, err
}

// resolve resolves the symlinks in the existing part of a path: /home/me and
// /var/home/me are the same directory, and must have the same key in the record.
func resolve(path string) string {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		return target
	}
	parent := filepath.Dir(path)
	if parent == path {
		return path
	}
	return filepath.Join(resolve(parent), filepath.Base(path))
}

func hash(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
