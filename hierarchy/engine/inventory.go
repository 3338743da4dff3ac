package engine

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
	"golang.org/x/sync/errgroup"

	"github.com/klmcwhirter/ocisi/hierarchy"
)

// boxLabel is the label by which distrobox, and what builds on it, marks its
// containers.
const boxLabel = "manager"

// Observe returns what the store holds: every image that has a name, and every
// container that distrobox or ocisi made. Names are full ones.
func (e *Engine) Observe(ctx context.Context) (hierarchy.Store, error) {
	ctx, cancel := ask(ctx)
	defer cancel()
	s := hierarchy.Store{Manager: e.manager}
	eg, ctx := errgroup.WithContext(ctx)
	eg.Go(func() (err error) {
		s.Images, err = e.images(ctx)
		return err
	})
	eg.Go(func() (err error) {
		s.Boxes, err = e.boxes(ctx)
		return err
	})
	if err := eg.Wait(); err != nil {
		return hierarchy.Store{}, fmt.Errorf("asking %s what it holds: %w", e.manager, err)
	}
	return s, nil
}

func (e *Engine) images(ctx context.Context) ([]hierarchy.StoredImage, error) {
	list, err := e.api.ImageList(ctx, image.ListOptions{})
	if err != nil {
		return nil, inWords(ctx, err)
	}
	var images []hierarchy.StoredImage
	for _, im := range list {
		if refs := fullRefs(im.RepoTags); len(refs) > 0 {
			images = append(images, hierarchy.StoredImage{ID: fullID(im.ID), Refs: refs, Labels: im.Labels, Created: im.Created, Size: im.Size})
		}
	}
	return images, nil
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

// fullID returns an ID with its algorithm, which podman leaves out in places.
func fullID(id string) string {
	if id == "" || strings.Contains(id, ":") {
		return id
	}
	return "sha256:" + id
}

func (e *Engine) boxes(ctx context.Context) ([]hierarchy.StoredBox, error) {
	list, err := e.api.ContainerList(ctx, container.ListOptions{All: true})
	if err != nil {
		return nil, inWords(ctx, err)
	}
	list = slices.DeleteFunc(list, func(c container.Summary) bool {
		return c.Labels[boxLabel] != "distrobox" && !isOwn(c.Labels)
	})
	boxes := make([]hierarchy.StoredBox, len(list))
	eg, ctx := errgroup.WithContext(ctx)
	eg.SetLimit(parallel)
	for i, c := range list {
		boxes[i] = hierarchy.StoredBox{
			ID: c.ID, Name: containerName(c), ImageID: fullID(c.ImageID), Labels: decoded(c.Labels), Running: c.State == "running",
		}
		eg.Go(func() (err error) {
			boxes[i].Image, err = e.createdFrom(ctx, c)
			return err
		})
	}
	return boxes, eg.Wait()
}

// decoded returns labels with ocisi's own as they were before they were
// percent-encoded, to pass through distrobox's shell.
func decoded(labels map[string]string) map[string]string {
	out := maps.Clone(labels)
	for key, value := range out {
		if plain, err := url.PathUnescape(value); err == nil && strings.HasPrefix(key, "ocisi.") {
			out[key] = plain
		}
	}
	return out
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

// createdFrom returns the full name of the image that a container was created
// from. A list gives the name only as long as it still means that image, and
// an ID afterwards; the container itself remembers the name.
func (e *Engine) createdFrom(ctx context.Context, c container.Summary) (string, error) {
	name := c.Image
	if isID(name, c.ImageID) {
		in, err := e.api.ContainerInspect(ctx, c.ID)
		if errdefs.IsNotFound(err) { // removed in between
			return "", nil
		}
		if err != nil {
			return "", inWords(ctx, err)
		}
		name = in.Config.Image
	}
	if isID(name, c.ImageID) {
		return "", nil
	}
	return hierarchy.FullRef(name), nil
}

func isID(name, id string) bool {
	return name == "" || strings.HasPrefix(name, "sha256:") || strings.HasPrefix(strings.TrimPrefix(id, "sha256:"), name)
}

// Inspect returns the image that the engine finds under a name or an ID, or
// false when it has none.
func (e *Engine) Inspect(ctx context.Context, ref string) (hierarchy.StoredImage, bool, error) {
	ctx, cancel := ask(ctx)
	defer cancel()
	in, err := e.api.ImageInspect(ctx, ref)
	if errdefs.IsNotFound(err) {
		return hierarchy.StoredImage{}, false, nil
	}
	if err != nil {
		return hierarchy.StoredImage{}, false, fmt.Errorf("inspecting %s: %w", ref, inWords(ctx, err))
	}
	im := hierarchy.StoredImage{ID: fullID(in.ID), Refs: fullRefs(in.RepoTags), Size: in.Size}
	if in.Config != nil {
		im.Labels = in.Config.Labels
	}
	if t, err := time.Parse(time.RFC3339Nano, in.Created); err == nil {
		im.Created = t.Unix()
	}
	return im, true, nil
}
