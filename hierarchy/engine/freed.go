package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/image"
	"golang.org/x/sync/errgroup"

	"github.com/klmcwhirter/ocisi/hierarchy/layers"
)

// Reclaimable is what the removal of images sets free, in bytes as the engine counts
// layers, with the copies that podman's store keeps of the images for other maps of
// users, as far as that is known.
type Reclaimable struct {
	Own       map[string]int64 // what no other image of the store has, by what the image was given by
	Total     int64            // what all of them together have, and no image that stays
	Estimated map[string]bool  // the images whose own bytes are estimated, or unknown
}

// Freed returns what the removal of images, given by full name or ID, sets free. An
// image that keeps another name stays, and so does one that the store does not list:
// what it takes is unknown. Layers that docker's build cache holds, too, are only
// gone with it.
func (e *Engine) Freed(ctx context.Context, refs []string) (Reclaimable, error) {
	ctx, cancel := e.ask(ctx)
	defer cancel()
	list, err := e.api.ImageList(ctx, image.ListOptions{})
	if err != nil {
		return Reclaimable{}, fmt.Errorf("asking %s what it holds: %w", e.manager, inWords(ctx, err))
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
		return Reclaimable{}, err
	}
	for i, im := range going {
		stored[i].Ref = fullID(im.ID)
	}
	others, err := e.diffIDs(ctx, stay)
	if err != nil {
		return Reclaimable{}, fmt.Errorf("asking %s for layers: %w", e.manager, inWords(ctx, err))
	}
	stored = append(stored, others...)
	copied, err := e.copied(ctx, gone)
	if err != nil {
		return Reclaimable{}, err
	}
	report := layers.Analyze(stored)
	r := ownOf(report, copied, going, refs)
	r.Total = layers.Freed(stored, report, gone) + sum(copied, gone)
	for _, ref := range refs {
		if strings.HasPrefix(ref, "sha256:") && !slices.ContainsFunc(list, func(im image.Summary) bool { return fullID(im.ID) == ref }) {
			r.Estimated[ref] = true // of a container whose image was removed by force
		}
	}
	return r, nil
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
	containerd, err := e.usesContainerd(ctx)
	if err != nil {
		return nil, err
	}
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
			if containerd {
				e.addBlobs(ctx, in.ID, in.Size, images[i].Layers)
			}
			return nil
		})
	}
	return images, eg.Wait()
}

// ownOf returns what only one image has, for the names and IDs that images were
// given by.
func ownOf(report layers.Report, copied map[string]int64, gone []image.Summary, refs []string) Reclaimable {
	r := Reclaimable{Own: make(map[string]int64), Estimated: make(map[string]bool)}
	for i, im := range gone {
		estimated := slices.ContainsFunc(report.Images[i].Layers, func(l layers.LayerReport) bool { return l.Images == 1 && l.Estimated })
		for _, name := range append(fullRefs(im.RepoTags), fullID(im.ID)) {
			if slices.Contains(refs, name) {
				r.Own[name] = report.Images[i].Own + copied[fullID(im.ID)]
				if estimated {
					r.Estimated[name] = true
				}
			}
		}
	}
	return r
}
