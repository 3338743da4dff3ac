package box

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
)

// distroboxCreate runs distrobox create. Distrobox 1.4 makes a menu entry for
// the box whatever it is told; it goes again, unless there was one before.
func (j *job) distroboxCreate(ctx context.Context) (string, error) {
	entry := filepath.Join(j.d.dirs().Apps(), j.spec.Box.Name+".desktop")
	before := j.d.hasFile(entry)
	log, err := j.distrobox(ctx, createTimeout, nil, j.args...)
	if !before && j.d.hasFile(entry) {
		// It is no reason to fail: it starts the box, as long as there is one.
		_ = j.d.Disk.Remove(entry)
	}
	return log, err
}

func (d *Distrobox) hasFile(path string) bool {
	if d.Host.Files == nil {
		return false
	}
	_, err := fs.Stat(d.Host.Files, strings.TrimPrefix(path, "/"))
	return !errors.Is(err, fs.ErrNotExist)
}
