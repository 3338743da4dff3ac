package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/image"
	"golang.org/x/sync/errgroup"

	"github.com/klmcwhirter/ocisi/hierarchy/layers"
)

// Freed returns what the removal of images, given by full name or ID, sets free,
// in bytes as the engine counts layers: own is what no other image of the store
// has, by what the image was given by; total is what all of them together have
// and no image that stays; both with the copies that podman's store keeps of the
// images for other maps of users, as far as that is known. An image that keeps
// another name stays, and so does one that is not there. Layers that docker's
// build cache holds, too, are only gone with it.
func (e *Engine) Freed(ctx context.Context, refs []string) (own map[string]int64, total int64, err error) {
	ctx, cancel := e.ask(ctx)
	defer cancel()
	list, err := e.api.ImageList(ctx, image.ListOptions{})
	if err != nil {
		return nil, 0, fmt.Errorf("asking %s what it holds: %w", e.manager, inWords(ctx, err))
	}
	going, stay := leaving(list, refs)
	names := make([]string, len(going))
	gone := make(map[string]bool)
	for i, im := range going {
		gone[fullID(im.ID)] = true
		names[i] = fullID(im.ID)
		if tags := fullRefs(im.RepoTags); len(tags) > 0 {
			names[i] = tags[0] // the sizes of layers are told better by name
		}
	}
	stored, err := e.Layers(ctx, names)
	if err != nil {
		return nil, 0, err
	}
	for i, im := range going {
		stored[i].Ref = fullID(im.ID)
	}
	others, err := e.diffIDs(ctx, stay)
	if err != nil {
		return nil, 0, fmt.Errorf("asking %s for layers: %w", e.manager, inWords(ctx, err))
	}
	stored = append(stored, others...)
	copied, err := e.copied(ctx, gone)
	if err != nil {
		return nil, 0, err
	}
	return ownOf(layers.Analyze(stored), copied, going, refs), freedBy(stored, gone) + sum(copied, gone), nil
}

// copied returns what the copies of images take in all, by ID; none where that
// cannot be told.
func (e *Engine) copied(ctx context.Context, ids map[string]bool) (map[string]int64, error) {
	copies, err := e.Copies(ctx, slices.Collect(maps.Keys(ids)))
	if err != nil && !errors.Is(err, ErrUnknown) {
		return nil, err
	}
	bytes := make(map[string]int64)
	for id, sizes := range copies {
		for _, size := range sizes {
			bytes[id] += size
		}
	}
	return bytes, nil
}

// sum adds up the bytes of some images.
func sum(bytes map[string]int64, ids map[string]bool) (n int64) {
	for id := range ids {
		n += bytes[id]
	}
	return n
}

// leaving parts the images that are gone when all refs are removed from those
// that stay.
func leaving(list []image.Summary, refs []string) (gone, stay []image.Summary) {
	for _, im := range list {
		names := fullRefs(im.RepoTags)
		kept := slices.ContainsFunc(names, func(name string) bool { return !slices.Contains(refs, name) })
		if slices.Contains(refs, fullID(im.ID)) || len(names) > 0 && !kept {
			gone = append(gone, im)
		} else {
			stay = append(stay, im)
		}
	}
	return gone, stay
}

// diffIDs returns the layers of images without their sizes, which take another
// question each.
func (e *Engine) diffIDs(ctx context.Context, list []image.Summary) ([]layers.Image, error) {
	images := make([]layers.Image, len(list))
	eg, ctx := errgroup.WithContext(ctx)
	eg.SetLimit(parallel)
	for i, im := range list {
		eg.Go(func() error {
			in, err := e.api.ImageInspect(ctx, im.ID)
			if errdefs.IsNotFound(err) { // removed in between
				return nil
			}
			if err != nil {
				return err
			}
			images[i].Ref = fullID(im.ID)
			for _, id := range in.RootFS.Layers {
				images[i].Layers = append(images[i].Layers, layers.Layer{DiffID: id})
			}
			return nil
		})
	}
	return images, eg.Wait()
}

// ownOf returns the bytes of what only one image has, for the names and IDs
// that images were given by.
func ownOf(report layers.Report, copied map[string]int64, gone []image.Summary, refs []string) map[string]int64 {
	own := make(map[string]int64)
	for i, im := range gone {
		for _, name := range append(fullRefs(im.RepoTags), fullID(im.ID)) {
			if slices.Contains(refs, name) {
				own[name] = report.Images[i].Own + copied[fullID(im.ID)]
			}
		}
	}
	return own
}

// freedBy returns how many bytes only images that go have, by ID.
func freedBy(stored []layers.Image, gone map[string]bool) int64 {
	report := layers.Analyze(stored)
	kept := make(map[string]bool)
	for _, im := range report.Images {
		for _, l := range im.Layers {
			kept[l.ChainID] = kept[l.ChainID] || !gone[im.Ref]
		}
	}
	var freed int64
	for _, im := range report.Images {
		for _, l := range im.Layers {
			if !kept[l.ChainID] {
				kept[l.ChainID] = true // counted
				freed += l.Size
			}
		}
	}
	return freed
}
