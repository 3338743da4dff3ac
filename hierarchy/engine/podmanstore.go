package engine

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
)

// ownBlocks is what a layer takes besides its files: its folder, two more in
// there, and two small files (podman 5.8).
const ownBlocks = 5

// layerFolders returns the folders of an image's layers in a store of
// containers/storage, from the base up, out of what an inspection says of its
// driver: ROOT/overlay/ID/diff. It is nil when that is not told of every layer.
func layerFolders(driver map[string]string, layers int) []string {
	folders := []string{driver["UpperDir"]}
	if lower := driver["LowerDir"]; lower != "" {
		folders = append(folders, strings.Split(lower, ":")...)
	}
	for _, f := range folders {
		if filepath.Base(f) != "diff" || filepath.Base(filepath.Dir(filepath.Dir(f))) != "overlay" {
			return nil
		}
	}
	if len(folders) != layers {
		return nil
	}
	slices.Reverse(folders)
	return folders
}

// storeRoot returns the directory of the store that a layer's folder is in.
func storeRoot(folder string) string {
	return filepath.Dir(filepath.Dir(filepath.Dir(folder)))
}

// tarSplit returns the file that says what is in a layer.
func tarSplit(folder string) string {
	return filepath.Join(storeRoot(folder), "overlay-layers", filepath.Base(filepath.Dir(folder))+".tar-split.gz")
}

// weigh sets what layers take on disk, as far as their store can be read.
func (e *Engine) weigh(ctx context.Context, ps []pieces) {
	var eg errgroup.Group
	eg.SetLimit(runtime.GOMAXPROCS(0))
	asked := make(map[string]bool)
	for _, p := range ps {
		for _, folder := range p.folders {
			if _, known := e.taken.Load(folder); known || asked[folder] {
				continue
			}
			asked[folder] = true
			eg.Go(func() error {
				n, err := taken(ctx, folder)
				if err != nil { // it is another user's, or another machine's
					e.log.DebugContext(ctx, "reading what is in a layer", "err", err)
					return nil
				}
				e.taken.Store(folder, n)
				return nil
			})
		}
	}
	_ = eg.Wait()
	for i, p := range ps {
		if p.taken == nil && p.folders != nil {
			ps[i].taken = slices.Repeat([]int64{-1}, len(p.folders))
		}
		for j, folder := range p.folders {
			if n, ok := e.taken.Load(folder); ok {
				ps[i].taken[j] = n.(int64) //nolint:forcetypeassert // nothing else is stored
			}
		}
	}
}

// taken returns how many bytes a layer takes on disk, with what the store
// remembers of it.
func taken(ctx context.Context, folder string) (int64, error) {
	n, err := besides(folder)
	if err != nil {
		return 0, err
	}
	top := int64(block) // the layer's own folder, which not every tar has
	err = members(ctx, tarSplit(folder), func(m member) {
		if _, name := split(m.name); name != "" {
			n += m.space()
		}
	})
	return n + top, err
}

// besides returns the bytes that the store takes for a layer, its files apart.
func besides(folder string) (int64, error) {
	record, err := os.Stat(tarSplit(folder))
	if err != nil {
		return 0, err
	}
	return ownBlocks*block + blocks(record.Size()), nil
}
