// Package bootstrap writes shipped files into a folder that belongs to its
// user. It compares three things for every file: what is shipped, what is on
// disk, and what was last written here. So a file that nobody touched is
// brought up to date, and one that its user edited or deleted is left alone.
//
// The record of what was last written is the only state. Losing it loses no
// file and no edit: a file that differs from what is shipped then counts as
// edited.
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

// Action says what is done with a file.
type Action string

// The actions. Only Create and Update write.
const (
	Create  Action = "create"  // it is not there and never was
	Keep    Action = "keep"    // it is as shipped
	Update  Action = "update"  // it is as last written, and another one is shipped
	Edited  Action = "edited"  // its user changed it: left alone
	Removed Action = "removed" // its user deleted it: left alone
)

// Change is one file of a plan.
type Change struct {
	Path   string `json:"path"`   // in the shipped files
	Target string `json:"target"` // on disk
	Action Action `json:"action"`

	key     string // in the record
	shipped []byte
	disk    []byte // what the plan was made from; nil when there is no file
}

// Diff returns what would turn the file on disk into the shipped one, as a
// unified diff. It is empty when they are the same.
func (c Change) Diff() []byte {
	return diff.Diff(c.Target, c.disk, c.Target+" (shipped)", c.shipped)
}

// Plan is what is to be done with every shipped file, in the order of their
// names.
type Plan struct {
	Changes []Change
	record  Record
}

// Compare plans how to bring the files of shipped into dir, an absolute path.
// It writes nothing, and neither dir nor its parents need to exist.
//
// A file that was written here before and is gone counts as removed, unless
// none of the files is there: then the folder is new, whatever the record says.
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
		state, err := look(change.Target)
		if err != nil {
			return err
		}
		present = present || state.there
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

// decide compares the three versions of a file; written is "" when it was
// never written here.
func decide(shipped []byte, disk state, written string) Action {
	switch {
	case !disk.there && written == "":
		return Create
	case !disk.there:
		return Removed
	case disk.dangling:
		return Edited // its user put the link there
	case bytes.Equal(disk.data, shipped):
		return Keep
	case hash(disk.data) == written:
		return Update
	default:
		return Edited
	}
}

// state is what was found at a path.
type state struct {
	there    bool
	dangling bool // a symlink to nowhere
	data     []byte
}

// look reads a file through symlinks, without which folders shared by a
// dotfiles manager would not be seen.
func look(path string) (state, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		_, err = os.Lstat(path)
		if errors.Is(err, fs.ErrNotExist) {
			return state{}, nil
		}
		return state{there: true, dangling: true}, err
	}
	if err != nil {
		return state{}, err
	}
	if !info.Mode().IsRegular() {
		return state{}, &fs.PathError{Op: "read", Path: path, Err: errors.New("not a regular file")}
	}
	data, err := input.ReadPath(path, input.MaxSize)
	return state{there: true, data: data}, err
}

// resolve follows the symlinks in a path as far as it exists: /home/me and
// /var/home/me are one folder, and must have one entry in the record.
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
