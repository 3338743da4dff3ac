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

// Apply writes the files of the plan and returns the changes that it made. It does not
// change a file that was edited, deleted or created after the plan was made. It stops at
// the first error, and before the next file when ctx ends.
//
// The returned Record replaces the previous one, also after an error.
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

// apply performs a change and returns it with the action that was performed.
func (c Change) apply(to disk.Disk) (Change, error) {
	if c.Action != Create && c.Action != Update {
		return c, nil
	}
	err := to.Write(c.Target, c.shipped, c.mode(), c.unchanged)
	if errors.Is(err, errChanged) {
		return c.recompare()
	}
	return c, err
}

// errChanged reports that a file has changed since the plan was made.
var errChanged = errors.New("changed since the plan was made")

func (c Change) unchanged() error {
	now, err := read(c.Target)
	if err != nil {
		return err
	}
	if now.exists != (c.Action == Update) || !bytes.Equal(now.data, c.disk) {
		return errChanged
	}
	return nil
}

// recompare returns the change for a file that has changed since the plan was made.
func (c Change) recompare() (Change, error) {
	now, err := read(c.Target)
	if err != nil {
		return c, err
	}
	c.disk = now.data
	switch {
	case !now.exists:
		c.Action = Removed
	case bytes.Equal(now.data, c.shipped):
		c.Action = Keep
	default:
		c.Action = Edited
	}
	return c, nil
}

// mode returns the mode of a new file, before the umask. Embedded files have no
// executable bit, so a first line with #! makes a file executable.
func (c Change) mode() fs.FileMode {
	if bytes.HasPrefix(c.shipped, []byte("#!")) {
		return 0o755
	}
	return 0o644
}
