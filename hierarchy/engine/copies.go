package engine

import (
	"context"
	"fmt"

	"github.com/containerd/errdefs"
)

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
	var store podmanStore
	var err error
	for _, id := range imageIDs {
		if store, err = e.store(ctx, id); !errdefs.IsNotFound(err) {
			break
		}
	}
	switch {
	case errdefs.IsNotFound(err):
		return map[string][]int64{}, nil
	case err != nil:
		return nil, fmt.Errorf("asking %s for copies: %w", e.manager, inWords(ctx, err))
	}
	copied := store.copies(imageIDs)
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
		n, err := store.merged(ctx, id)
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
func (s podmanStore) copies(imageIDs []string) map[string][]int64 {
	copied := make(map[string][]int64)
	for _, id := range imageIDs {
		n := 0
		for _, layer := range s.images[id].Mapped {
			if _, ok := s.layers[layer]; ok {
				n++
			}
		}
		if n > 0 {
			copied[id] = make([]int64, n)
		}
	}
	return copied
}

// merged returns the bytes that a copy of an image takes.
func (s podmanStore) merged(ctx context.Context, imageID string) (bytes int64, err error) {
	all := &tree{space: block}
	chain := s.chain(imageID)
	if chain == nil {
		return 0, ErrUnknown
	}
	for _, l := range chain {
		var layer []member
		if err := members(ctx, tarSplit(s.folder(l)), func(m member) { layer = append(layer, m) }); err != nil {
			return 0, err
		}
		all.add(layer)
		bytes, err = besides(s.folder(l)) // a copy has the top layer's record
	}
	return bytes + all.total(), err
}
