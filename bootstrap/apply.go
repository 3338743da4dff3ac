package bootstrap

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"

	"github.com/klmcwhirter/ocisi/internal/disk"
)

// Apply writes what the plan says and returns the changes as they turned out:
// a file that was edited, deleted or created since the plan was made is left
// alone. It ends at the first error, and before the next file when ctx does;
// the changes are then those that were made.
//
// The Record is the one to keep from now on, after an error too.
func (p Plan) Apply(ctx context.Context, to disk.Disk) ([]Change, Record, error) {
	record := Record{maps.Clone(p.record.files)}
	if record.files == nil {
		record.files = map[string]string{}
	}
	var done []Change
	for _, change := range p.Changes {
		if ctx.Err() != nil {
			return done, record, context.Cause(ctx)
		}
		change, err := change.apply(to)
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
func (c Change) apply(to disk.Disk) (Change, error) {
	if c.Action != Create && c.Action != Update {
		return c, nil
	}
	err := to.Write(c.Target, c.shipped, c.mode(), c.unchanged)
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
