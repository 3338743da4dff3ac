package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/distribution/reference"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
	"golang.org/x/sync/errgroup"

	"github.com/klmcwhirter/ocisi/hierarchy"
)

// boxLabel is the label by which distrobox, and what builds on it, marks its
// containers.
const boxLabel = "manager"

// Observe returns what the store holds: images that have a name, every container
// that distrobox or ocisi made, and the names of the others. Of images, it looks for those that
// hold a wanted name, which is a full one with a tag or a digest; nil wants them
// all, and the untagged ones of ocisi, which takes an engine with many images long. Names in the answer are full
// ones.
func (e *Engine) Observe(ctx context.Context, wanted []string) (hierarchy.Store, error) {
	ctx, cancel := e.ask(ctx)
	defer cancel()
	s := hierarchy.Store{Manager: e.manager}
	eg, ctx := errgroup.WithContext(ctx)
	eg.Go(func() (err error) {
		if wanted == nil {
			s.Images, s.Untagged, err = e.everything(ctx)
		} else {
			s.Images, err = e.images(ctx, wanted)
		}
		return err
	})
	eg.Go(func() (err error) {
		s.Boxes, s.Others, err = e.containers(ctx)
		return err
	})
	if err := eg.Wait(); err != nil {
		return hierarchy.Store{}, fmt.Errorf("asking %s what it holds: %w", e.manager, err)
	}
	return s, nil
}

// few is how many images are asked for one by one at most: a list of many is
// faster, however large the store.
const few = 40

// images asks as the engine answers fastest (docs/decisions/0013).
func (e *Engine) images(ctx context.Context, wanted []string) ([]hierarchy.StoredImage, error) {
	switch {
	case len(wanted) == 0:
		return nil, nil
	case e.differs.slowList && len(wanted) <= few:
		return e.inspectAll(ctx, wanted)
	case e.differs.slowList:
		return only(wanted)(e.list(ctx, nil))
	case len(wanted) <= few:
		return e.quickest(ctx, wanted)
	}
	return only(wanted)(e.list(ctx, wanted))
}

// quickest returns what a list tells. In a store where that takes longer than a
// moment it also asks for one image after the other, and whoever is first is
// believed.
func (e *Engine) quickest(ctx context.Context, wanted []string) ([]hierarchy.StoredImage, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // the other one
	type answer struct {
		images []hierarchy.StoredImage
		err    error
	}
	answers := make(chan answer, 2)
	ask := func(question func() ([]hierarchy.StoredImage, error)) {
		images, err := question()
		answers <- answer{images, err}
	}
	go ask(func() ([]hierarchy.StoredImage, error) { return only(wanted)(e.list(ctx, wanted)) })
	select {
	case a := <-answers:
		return a.images, a.err
	case <-time.After(e.opts.Patience):
	}
	go ask(func() ([]hierarchy.StoredImage, error) { return e.inspectAll(ctx, wanted) })
	a := <-answers
	if a.err != nil {
		a = <-answers
	}
	return a.images, a.err
}

// only returns what takes the images that hold a wanted name out of an answer.
func only(wanted []string) func([]hierarchy.StoredImage, error) ([]hierarchy.StoredImage, error) {
	names := make(map[string]bool, len(wanted))
	for _, name := range wanted {
		names[name] = true
	}
	holds := func(name string) bool { return names[name] }
	return func(images []hierarchy.StoredImage, err error) ([]hierarchy.StoredImage, error) {
		return slices.DeleteFunc(images, func(im hierarchy.StoredImage) bool {
			return !slices.ContainsFunc(im.Refs, holds) && !slices.ContainsFunc(im.Digests, holds)
		}), err
	}
}

// list returns the images that have a name; with names, those of their
// repositories, as docker takes only a repository for tags and digests both.
func (e *Engine) list(ctx context.Context, names []string) ([]hierarchy.StoredImage, error) {
	filter := filters.NewArgs()
	for _, name := range names {
		filter.Add("reference", repository(name))
	}
	list, err := e.api.ImageList(ctx, image.ListOptions{Filters: filter})
	return named(list), inWords(ctx, err)
}

// everything returns the images that have a name, and those of ocisi that have none.
func (e *Engine) everything(ctx context.Context) (images, untagged []hierarchy.StoredImage, err error) {
	list, err := e.api.ImageList(ctx, image.ListOptions{})
	if err != nil {
		return nil, nil, inWords(ctx, err)
	}
	if slices.ContainsFunc(list, isUntagged) {
		untagged, err = e.Untagged(ctx)
	}
	return named(list), untagged, err
}

// isUntagged reports whether an image has labels of ocisi's and no name.
func isUntagged(im image.Summary) bool {
	return im.Labels[hierarchy.LabelImage] != "" && len(fullRefs(im.RepoTags)) == 0
}

// named returns the images that have a name.
func named(list []image.Summary) []hierarchy.StoredImage {
	var images []hierarchy.StoredImage
	for _, im := range list {
		refs, digests := parted(im.RepoTags, im.RepoDigests)
		if len(refs)+len(digests) > 0 {
			images = append(images, hierarchy.StoredImage{
				ID: fullID(im.ID), Refs: refs, Digests: digests, Labels: hierarchy.PlainLabels(im.Labels), Created: im.Created, Size: im.Size,
			})
		}
	}
	return images
}

// repository returns a name without its tag or digest, and without docker.io,
// as docker matches it.
func repository(name string) string {
	named, err := reference.ParseNormalizedNamed(name)
	if err != nil {
		return name
	}
	return reference.FamiliarName(named)
}

// inspectAll asks for one image after the other, several at a time, and returns
// each once.
func (e *Engine) inspectAll(ctx context.Context, names []string) ([]hierarchy.StoredImage, error) {
	found := make([]hierarchy.StoredImage, len(names))
	eg, ctx := errgroup.WithContext(ctx)
	eg.SetLimit(parallel)
	for i, name := range names {
		eg.Go(func() (err error) {
			found[i], _, err = e.Inspect(ctx, name)
			return err
		})
	}
	if err := eg.Wait(); err != nil {
		return nil, err
	}
	seen := map[string]bool{"": true} // the ID of what was not found
	return slices.DeleteFunc(found, func(im hierarchy.StoredImage) bool {
		again := seen[im.ID]
		seen[im.ID] = true
		return again
	}), nil
}

// fullRefs returns full names, sorted. An image without a name is listed with
// none by some versions and with <none>:<none> by others.
func fullRefs(tags []string) []string {
	var refs []string
	for _, t := range tags {
		if !strings.HasPrefix(t, "<none>") {
			refs = append(refs, hierarchy.FullRef(t))
		}
	}
	slices.Sort(refs)
	return slices.Compact(refs)
}

// parted returns full names with a tag and full names with a digest. Podman
// lists a digest that an image was pulled by among the tags, too.
func parted(tags, digests []string) (refs, byDigest []string) {
	refs = fullRefs(tags)
	byDigest = fullRefs(append(slices.Clone(refs), digests...))
	hasDigest := func(name string) bool { return strings.Contains(name, "@") }
	return slices.DeleteFunc(refs, hasDigest), slices.DeleteFunc(byDigest, func(name string) bool { return !hasDigest(name) })
}

// fullID returns an ID with its algorithm, which podman leaves out in places.
func fullID(id string) string {
	if id == "" || strings.Contains(id, ":") {
		return id
	}
	return "sha256:" + id
}

// containers returns the boxes, and the names of all other containers.
func (e *Engine) containers(ctx context.Context) (boxes []hierarchy.StoredBox, others []string, err error) {
	list, err := e.api.ContainerList(ctx, container.ListOptions{All: true})
	if err != nil {
		return nil, nil, inWords(ctx, err)
	}
	for _, c := range list {
		if c.Labels[boxLabel] == "distrobox" || isOwn(c.Labels) {
			boxes = append(boxes, hierarchy.StoredBox{
				ID: c.ID, Name: containerName(c), ImageID: fullID(c.ImageID), Image: c.Image, Labels: hierarchy.PlainLabels(c.Labels), Running: c.State == "running", Created: c.Created,
			})
		} else {
			others = append(others, containerName(c))
		}
	}
	return boxes, others, nil
}

// isOwn reports whether ocisi made a container. Only the labels of boxes tell:
// a container has those of its image too, whoever made it.
func isOwn(labels map[string]string) bool {
	return labels[hierarchy.LabelBox] != ""
}

func containerName(c container.Summary) string {
	if len(c.Names) == 0 {
		return c.ID
	}
	return strings.TrimPrefix(c.Names[0], "/")
}

// Inspect returns the image that the engine finds under a name or an ID, or
// false when it has none.
func (e *Engine) Inspect(ctx context.Context, ref string) (hierarchy.StoredImage, bool, error) {
	ctx, cancel := e.ask(ctx)
	defer cancel()
	in, err := e.api.ImageInspect(ctx, ref)
	if errdefs.IsNotFound(err) {
		return hierarchy.StoredImage{}, false, nil
	}
	if err != nil {
		return hierarchy.StoredImage{}, false, fmt.Errorf("inspecting %s: %w", ref, inWords(ctx, err))
	}
	im := hierarchy.StoredImage{ID: fullID(in.ID), Size: in.Size, DiffIDs: in.RootFS.Layers}
	im.Refs, im.Digests = parted(in.RepoTags, in.RepoDigests)
	if in.Config != nil {
		im.Labels = hierarchy.PlainLabels(in.Config.Labels)
	}
	if t, err := time.Parse(time.RFC3339Nano, in.Created); err == nil {
		im.Created = t.Unix()
	}
	return im, true, nil
}
