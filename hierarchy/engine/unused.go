package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/build"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
	bkclient "github.com/moby/buildkit/client"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/layers"
)

// Unused is what nobody uses: what --prune offers to remove.
type Unused struct {
	Containers []Item // that do not run and are neither distroboxes nor ocisi's
	Images     []Item // that no container uses, but for containers that are listed here
	Cache      int64  // bytes of docker's build cache that no image holds, too
	Bytes      int64  // that the removal of all of it sets free, at most, with podman's copies of images

	keep   map[string]bool
	copied map[string]int64 // bytes of copies of images, by ID
	cached map[string]int64 // bytes of the records of the build cache that Cache counts, by ID
}

// Item is a container or an image that nobody uses.
type Item struct {
	ID   string
	Name string // of an image: the full name; its short ID when it has none
	Size int64  // bytes: what a container has written; all layers of an image, shared ones too
}

// Empty reports whether there is nothing to remove.
func (u Unused) Empty() bool { return len(u.Containers) == 0 && len(u.Images) == 0 && u.Cache == 0 }

// Unused finds what nobody uses. keep holds the full names of images that stay
// in any case, together with the images that they are built on.
func (e *Engine) Unused(ctx context.Context, keep map[string]bool) (Unused, error) {
	u, _, err := e.unused(ctx, keep)
	if err != nil {
		return Unused{}, fmt.Errorf("asking %s what nobody uses: %w", e.manager, err)
	}
	return u, nil
}

// unused also returns the layers of all images, by ID.
func (e *Engine) unused(ctx context.Context, keep map[string]bool) (Unused, []layers.Image, error) {
	ctx, cancel := e.ask(ctx)
	defer cancel()
	u := Unused{keep: keep}
	list, err := e.api.ContainerList(ctx, container.ListOptions{All: true, Size: true})
	if err != nil {
		return u, nil, inWords(ctx, err)
	}
	used := make(map[string]bool)
	for _, c := range list {
		if isLeft(c) {
			u.Containers = append(u.Containers, Item{ID: c.ID, Name: containerName(c), Size: c.SizeRw})
			u.Bytes += c.SizeRw
		} else {
			used[fullID(c.ImageID)] = true
		}
	}
	images, err := e.api.ImageList(ctx, image.ListOptions{})
	if err != nil {
		return u, nil, inWords(ctx, err)
	}
	ids := make([]string, len(images))
	for i, im := range images {
		ids[i] = fullID(im.ID)
	}
	stored, err := e.Layers(ctx, ids)
	if err != nil {
		return u, nil, err
	}
	gone := spare(images, stored, used, keep)
	u.Images = items(images, gone)
	if u.copied, err = e.copied(ctx, gone); err != nil {
		return u, nil, err
	}
	u.Bytes += layers.Freed(stored, layers.Analyze(stored), gone) + sum(u.copied, gone)
	u.cached, err = e.cache(ctx)
	for _, size := range u.cached {
		u.Cache += size
	}
	u.Bytes += u.Cache
	return u, stored, err
}

// isLeft reports whether a container has ended and is nobody's pet: distrobox,
// what builds on it, and toolbox label theirs.
func isLeft(c container.Summary) bool {
	_, box := c.Labels[boxLabel]
	_, toolbox := c.Labels["com.github.containers.toolbox"]
	ended := c.State == "exited" || c.State == "created" || c.State == "dead" || c.State == "stopped" || c.State == "configured"
	return ended && !box && !toolbox && !isOwn(c.Labels)
}

// spare returns the IDs of the images that are not used, not kept, not ocisi's
// (another config may want them), and not what a kept one is built on: an image
// whose layers begin with the other's.
func spare(images []image.Summary, stored []layers.Image, used, keep map[string]bool) map[string]bool {
	var kept [][]layers.Layer
	gone := make(map[string]bool)
	for i, im := range images {
		id := stored[i].Ref
		switch {
		case im.Labels[hierarchy.LabelImage] != "",
			slices.ContainsFunc(fullRefs(im.RepoTags), func(ref string) bool { return keep[ref] }):
			kept = append(kept, stored[i].Layers)
		case !used[id]:
			gone[id] = true
		}
	}
	for _, im := range stored {
		if slices.ContainsFunc(kept, func(k []layers.Layer) bool { return begins(k, im.Layers) }) {
			delete(gone, im.Ref)
		}
	}
	return gone
}

func begins(ls, prefix []layers.Layer) bool {
	return len(prefix) > 0 && len(prefix) <= len(ls) &&
		slices.EqualFunc(ls[:len(prefix)], prefix, func(a, b layers.Layer) bool { return a.DiffID == b.DiffID })
}

// items lists images, one entry per name.
func items(images []image.Summary, gone map[string]bool) []Item {
	var list []Item
	for _, im := range images {
		id := fullID(im.ID)
		if !gone[id] {
			continue
		}
		refs := fullRefs(im.RepoTags)
		if len(refs) == 0 {
			refs = []string{shortID(id)}
		}
		for _, ref := range refs {
			list = append(list, Item{ID: id, Name: ref, Size: im.Size})
		}
	}
	return list
}

func shortID(id string) string {
	id = strings.TrimPrefix(id, "sha256:")
	return id[:min(len(id), 12)]
}

// cache returns the bytes of the records of docker's build cache that a prune without
// "all" removes, by ID: those that are not in use and that no image holds. The others
// would free nothing, and the next build would run their steps again. Podman's cache
// is images without a name.
func (e *Engine) cache(ctx context.Context) (map[string]int64, error) {
	if !e.differs.buildKit {
		return nil, nil
	}
	// BuildKit is asked itself: docker's answer has other fields from API 1.53 on.
	kit, err := e.buildKit(ctx)
	if err != nil {
		return nil, err
	}
	records, err := kit.DiskUsage(e.quiet(ctx))
	if err != nil {
		return nil, inWords(ctx, err)
	}
	sizes := make(map[string]int64)
	for _, c := range records {
		if !c.InUse && !c.Shared && c.RecordType != bkclient.UsageRecordTypeInternal && c.RecordType != bkclient.UsageRecordTypeFrontend {
			sizes[c.ID] = c.Size
		}
	}
	return sizes, nil
}

// pruneCache removes what cache returns of the build cache, and what the removal of
// images has left to it alone. It returns the bytes of the former: those of the latter
// count as the images'.
func (e *Engine) pruneCache(ctx context.Context, cached map[string]int64) (freed int64, err error) {
	report, err := e.api.BuildCachePrune(ctx, build.CachePruneOptions{})
	if err != nil {
		return 0, fmt.Errorf("removing the build cache: %w", inWords(ctx, err))
	}
	for _, id := range report.CachesDeleted {
		freed += cached[id]
	}
	return freed, nil
}

// Prune removes what u lists, as far as nobody uses it by now, and returns how
// many bytes that set free, as the engine counts. What cannot be removed does
// not keep the rest from being removed. Volumes stay.
func (e *Engine) Prune(ctx context.Context, u Unused) (freed int64, err error) {
	now, stored, err := e.unused(ctx, u.keep)
	if err != nil {
		return 0, fmt.Errorf("asking %s what nobody uses: %w", e.manager, err)
	}
	var errs []error
	for _, c := range common(u.Containers, now.Containers) {
		if err := e.api.ContainerRemove(ctx, c.ID, container.RemoveOptions{}); err != nil && !errdefs.IsNotFound(err) {
			errs = append(errs, fmt.Errorf("removing container %s: %w", c.Name, inWords(ctx, err)))
			continue
		}
		freed += c.Size
	}
	gone, err := e.pruneImages(ctx, common(u.Images, now.Images))
	errs = append(errs, err)
	freed += layers.Freed(stored, layers.Analyze(stored), gone) + sum(now.copied, gone)
	if e.differs.buildKit && (u.Cache > 0 || len(gone) > 0) {
		n, err := e.pruneCache(ctx, now.cached)
		freed += n
		errs = append(errs, err)
	}
	return freed, errors.Join(errs...)
}

// pruneImages removes names of images, and returns the IDs of those images that
// no longer exist.
func (e *Engine) pruneImages(ctx context.Context, images []Item) (map[string]bool, error) {
	gone := make(map[string]bool)
	var errs []error
	for _, im := range images {
		name := im.Name
		if name == shortID(im.ID) {
			name = im.ID
		}
		if err := e.remove(ctx, name); err != nil {
			errs = append(errs, err)
			continue
		}
		if _, found, err := e.Inspect(ctx, im.ID); err == nil && !found {
			gone[im.ID] = true
		}
	}
	return gone, errors.Join(errs...)
}

// common returns the items of a that are also in b, with b's sizes.
func common(a, b []Item) []Item {
	return slices.DeleteFunc(slices.Clone(b), func(x Item) bool {
		return !slices.ContainsFunc(a, func(y Item) bool { return x.ID == y.ID && x.Name == y.Name })
	})
}
