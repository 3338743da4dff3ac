package bootstrap

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
)

// Apply writes what the plan says and returns the changes as they turned out:
// a file that was edited, deleted or created since the plan was made is left
// alone. It ends at the first error, and before the next file when ctx does;
// the changes are then those that were made.
//
// The Record is the one to keep from now on, after an error too.
func (p Plan) Apply(ctx context.Context) ([]Change, Record, error) {
	record := Record{maps.Clone(p.record.files)}
	if record.files == nil {
		record.files = map[string]string{}
	}
	var done []Change
	for _, change := range p.Changes {
		if ctx.Err() != nil {
			return done, record, context.Cause(ctx)
		}
		change, err := change.apply()
		if err != nil {
			return done, record, fmt.Errorf("writing %s: %w", change.Target, err)
		}
		if change.Action == Create || change.Action == Update || change.Action == Keep {
			record.files[change.key] = hash(change.shipped)
		}
		done = append(done, change)
	}
	return done, record, nil
}

// apply returns the change with the action that was taken in the end.
func (c Change) apply() (Change, error) {
	if c.Action != Create && c.Action != Update {
		return c, nil
	}
	if err := os.MkdirAll(filepath.Dir(c.Target), 0o755); err != nil {
		return c, err
	}
	err := replace(c.Target, c.shipped, c.mode(), func() error { return c.unchanged() })
	if errors.Is(err, errChanged) {
		return c.again()
	}
	return c, err
}

// errChanged says that a file is no longer what the plan was made from.
var errChanged = errors.New("changed since it was looked at")

func (c Change) unchanged() error {
	now, err := look(c.Target)
	if err != nil {
		return err
	}
	if now.there != (c.Action == Update) || !bytes.Equal(now.data, c.disk) {
		return errChanged
	}
	return nil
}

// again names what happened to a file between the plan and now.
func (c Change) again() (Change, error) {
	now, err := look(c.Target)
	if err != nil {
		return c, err
	}
	c.disk = now.data
	switch {
	case !now.there:
		c.Action = Removed
	case bytes.Equal(now.data, c.shipped):
		c.Action = Keep
	default:
		c.Action = Edited
	}
	return c, nil
}

// mode is what a new file gets, before the umask. Embedded files have lost
// their executable bit; a first line #! tells who had one.
func (c Change) mode() fs.FileMode {
	if bytes.HasPrefix(c.shipped, []byte("#!")) {
		return 0o755
	}
	return 0o644
}

// WriteFile writes a file as a whole: whoever reads it at the same time, and
// whatever happens meanwhile, it is the old one or the new one. A symlink stays
// one, and its target is written.
func WriteFile(path string, data []byte) error { return replace(path, data, 0o644, nil) }

// replace puts data at path in one step: a reader sees the old file or the new
// one, and so does a power cut. A symlink stays one, and the file it leads to
// is replaced; an existing file keeps its permissions. Right before that step,
// ready may object.
func replace(path string, data []byte, mode fs.FileMode, ready func() error) (err error) {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	temp := filepath.Join(filepath.Dir(path), fmt.Sprintf(".%s.ocisi-%d", filepath.Base(path), os.Getpid()))
	_ = os.Remove(temp) // of an earlier process with our number
	file, err := os.OpenFile(temp, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(temp) }()
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
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	if ready != nil {
		if err := ready(); err != nil {
			return err
		}
	}
	return rename(temp, path)
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
