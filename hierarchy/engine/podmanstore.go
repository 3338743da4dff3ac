package engine

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/containerd/errdefs"
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
		for _, folder := range p.folders {
			n, ok := e.taken.Load(folder)
			if !ok {
				n = int64(-1)
			}
			ps[i].taken = append(ps[i].taken, n.(int64)) //nolint:forcetypeassert // nothing else is stored
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

// Copies returns the bytes of each copy that rootless podman's store keeps of an
// image for another map of users than the store's own, by the image's ID: one for
// each map that a container of it has ever had, until the image goes. An image
// without one is not in the answer, and neither is any where a copy takes nothing
// (Info.Copies) and of docker, which makes none. The store does not record what a
// copy takes: it is what the image's files take on disk, without those that an
// upper layer has replaced or removed, as that is what is copied. It returns
// ErrUnknown where the store's files cannot be read.
func (e *Engine) Copies(ctx context.Context, imageIDs []string) (map[string][]int64, error) {
	if !e.differs.ownStore {
		return map[string][]int64{}, nil
	}
	ctx, cancel := e.ask(ctx)
	defer cancel()
	folders, err := e.foldersOf(ctx, imageIDs)
	if err != nil {
		return nil, fmt.Errorf("asking %s for copies: %w", e.manager, inWords(ctx, err))
	}
	copied, err := copies(folders)
	if err != nil {
		return nil, err
	}
	if len(copied) == 0 {
		return copied, nil
	}
	info, err := e.Info(ctx) // which takes podman a third of a second
	if err != nil {
		return nil, err
	}
	if !info.Copies {
		return map[string][]int64{}, nil
	}
	for id, sizes := range copied {
		n, err := merged(ctx, folders[id])
		if err != nil {
			e.log.DebugContext(ctx, "reading what is in a layer", "err", err)
			return nil, ErrUnknown
		}
		for i := range sizes {
			sizes[i] = n
		}
	}
	return copied, nil
}

// copies returns the copies that there are of images, without their bytes.
func copies(folders map[string][]string) (map[string][]int64, error) {
	copied := make(map[string][]int64)
	counts := make(map[string]map[string]int) // by the store's directory; usually there is one
	for id, fs := range folders {
		if len(fs) == 0 {
			return nil, ErrUnknown
		}
		root := storeRoot(fs[len(fs)-1])
		if counts[root] == nil {
			var err error
			if counts[root], err = countCopies(root); err != nil {
				return nil, err
			}
		}
		if n := counts[root][id]; n > 0 {
			copied[id] = make([]int64, n)
		}
	}
	return copied, nil
}

// foldersOf returns where the layers of images are, by ID, of those that are
// there.
func (e *Engine) foldersOf(ctx context.Context, ids []string) (map[string][]string, error) {
	found := make([][]string, len(ids))
	gone := make([]bool, len(ids))
	eg, ctx := errgroup.WithContext(ctx)
	eg.SetLimit(parallel)
	for i, id := range ids {
		eg.Go(func() error {
			in, err := e.api.ImageInspect(ctx, id)
			if errdefs.IsNotFound(err) {
				gone[i] = true
				return nil
			}
			if err == nil {
				found[i] = layerFolders(in.GraphDriver.Data, len(in.RootFS.Layers))
			}
			return err
		})
	}
	err := eg.Wait()
	folders := make(map[string][]string)
	for i, id := range ids {
		if !gone[i] {
			folders[id] = found[i]
		}
	}
	return folders, err
}

// merged returns the bytes that a copy of layers takes, which are given from the
// base up.
func merged(ctx context.Context, folders []string) (int64, error) {
	all := &tree{space: block}
	for _, folder := range folders {
		var layer []member
		if err := members(ctx, tarSplit(folder), func(m member) { layer = append(layer, m) }); err != nil {
			return 0, err
		}
		all.add(layer)
	}
	n, err := besides(folders[len(folders)-1]) // a copy has the top layer's record
	return n + all.total(), err
}
