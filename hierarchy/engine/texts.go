package engine

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"time"

	"github.com/tonistiigi/fsutil"
	fstypes "github.com/tonistiigi/fsutil/types"
)

// texts are files in memory, by name, as BuildKit's sessions read them. It is
// the contents that are sent, not the file that they came from: the names in
// the Containerfile have been replaced.
type texts struct {
	files map[string][]byte
	time  int64 // Unix nanoseconds
}

// newTexts returns files that are newer than all before them: the daemon asks
// for a file again when its size or time has changed, and texts of one size are
// not rare, when a version moves from 1.2 to 1.3.
func newTexts() texts { return texts{make(map[string][]byte), time.Now().UnixNano()} }

// Walk implements fsutil.FS.
func (t texts) Walk(_ context.Context, target string, f fs.WalkDirFunc) error {
	for _, name := range slices.Sorted(maps.Keys(t.files)) {
		if target != "" && target != "/" && target != name {
			continue
		}
		stat := &fstypes.Stat{Path: name, Mode: 0o644, Size: int64(len(t.files[name])), ModTime: t.time}
		if err := f(name, &fsutil.DirEntryInfo{Stat: stat}, nil); err != nil {
			return err
		}
	}
	return nil
}

// Open implements fsutil.FS.
func (t texts) Open(name string) (io.ReadCloser, error) {
	data, ok := t.files[name]
	if !ok {
		return nil, fmt.Errorf("open %s: %w", name, fs.ErrNotExist)
	}
	return io.NopCloser(bytes.NewReader(data)), nil
}
