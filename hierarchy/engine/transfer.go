package engine

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/layers"
)

// ForeignError says that a name is held by an image that ocisi did not build.
type ForeignError struct {
	Manager hierarchy.Manager
	Ref     string // name:tag
}

func (e *ForeignError) Error() string {
	return fmt.Sprintf("the name %s of %s is taken by an image that ocisi did not build", e.Ref, e.Manager)
}

// CopyError says that a copy came out other than what it was made from, and was
// not given its name.
type CopyError struct {
	From, To hierarchy.Manager
	Ref      string // name:tag
	Got      string // what is wrong
}

func (e *CopyError) Error() string {
	return fmt.Sprintf("%s's copy of %s is not what %s has: %s", e.To, e.Ref, e.From, e.Got)
}

// CopyTo copies images, given by name:tag, to another engine's store, under the
// names that this store has them by. All of them go in one stream from one engine to
// the other; nothing is written to a file of ocisi's.
//
// A name moves to its copy when that is complete and has the layers of what it
// was made from, and not before; what the name stood for until then is removed if it
// is provably ocisi's image of that name and nothing uses it. Whatever ends this in between,
// in whatever way, leaves at most an image without a name, which the next copy of
// the same name removes. A name that is held by somebody else's image is a
// *ForeignError.
//
// The errors are by name; an image that is not in there was copied. emit is told
// how many bytes were sent; it may be nil.
func (e *Engine) CopyTo(ctx context.Context, to *Engine, refs []string, emit func(hierarchy.Progress)) map[string]error {
	c := &transfer{from: e, to: to, emit: emit, errs: map[string]error{}}
	for _, ref := range refs {
		if err := c.look(ctx, ref); err != nil {
			c.errs[ref] = err
		}
	}
	if len(c.sources) == 0 {
		return c.errs
	}
	defer c.removeLeft(ctx)
	loaded, err := c.stream(ctx, c.bytes(ctx))
	for _, src := range c.sources {
		err := err
		if err == nil {
			err = c.name(ctx, src, loaded)
		}
		if err != nil {
			c.errs[src.ref] = err
		}
	}
	return c.errs
}

// transfer is one stream of images from one store to another.
type transfer struct {
	from, to *Engine
	emit     func(hierarchy.Progress)
	sources  []source
	errs     map[string]error // by name
}

// source is an image that is copied.
type source struct {
	hierarchy.StoredImage
	ref  string
	old  hierarchy.StoredImage // what the name stands for in the other store
	held bool                  // there is such a one
}

// look finds what is to be copied, and what it takes the name from.
func (c *transfer) look(ctx context.Context, ref string) error {
	im, found, err := c.from.Inspect(ctx, c.from.manager.StoreRef(ref))
	if err != nil {
		return err
	}
	if !found {
		return &MissingError{Ref: "the copy of " + ref + " in " + string(c.to.manager), Need: c.from.manager.StoreRef(ref)}
	}
	src := source{StoredImage: im, ref: ref}
	if src.old, src.held, err = c.to.replaceable(ctx, ref, ref); err != nil {
		return err
	}
	c.sources = append(c.sources, src)
	return nil
}

// bytes returns about how many bytes the stream will have; 0 when nobody knows.
func (c *transfer) bytes(ctx context.Context) int64 {
	var names []string
	for _, src := range c.sources {
		names = append(names, c.from.manager.StoreRef(src.ref))
	}
	images, err := c.from.Layers(ctx, names)
	if err != nil {
		c.from.log.DebugContext(ctx, "asking how much is to be copied", "err", err)
		return 0
	}
	r := layers.Analyze(images)
	return cmp.Or(r.Packed, r.Stored) // docker writes out what it has compressed
}

// name finds an image among those that were loaded, makes sure of it, and gives it
// its name.
func (c *transfer) name(ctx context.Context, src source, loaded []string) error {
	id, err := c.find(ctx, src, loaded)
	if err != nil {
		return err
	}
	if err := c.to.Tag(ctx, id, src.ref); err != nil {
		return err
	}
	if src.held && src.old.ID != id {
		c.to.removeReplaced(ctx, src.old, hierarchy.Recipe{Ref: src.ref, Labels: src.old.Labels})
	}
	return nil
}

// find returns the ID that the other store has an image by. That is the same for
// most stores, and another one where images are in containerd's.
func (c *transfer) find(ctx context.Context, src source, loaded []string) (string, error) {
	wrong := fmt.Sprintf("it has not arrived; what has: %d", len(loaded))
	for _, id := range append([]string{src.ID}, loaded...) {
		im, found, err := c.to.Inspect(ctx, id)
		if err != nil {
			return "", err
		}
		if !found || !isCopy(im, src.StoredImage) {
			continue
		}
		if slices.Equal(im.DiffIDs, src.DiffIDs) {
			return im.ID, nil
		}
		wrong = fmt.Sprintf("its layers are others, %d instead of %d", len(im.DiffIDs), len(src.DiffIDs))
	}
	return "", &CopyError{From: c.from.manager, To: c.to.manager, Ref: src.ref, Got: wrong}
}

// isCopy reports whether the labels of two images say that one was made of the
// other.
func isCopy(a, b hierarchy.StoredImage) bool {
	return a.Labels[hierarchy.LabelImage] == b.Labels[hierarchy.LabelImage] && a.Labels[hierarchy.LabelInputs] == b.Labels[hierarchy.LabelInputs]
}

// removeLeft removes copies of these names that have lost theirs, or that a run
// which was stopped never gave any, unless something uses them. The engines'
// own intermediate images are no copies: they bear no label of the other manager.
func (c *transfer) removeLeft(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), removeTime)
	defer cancel()
	list, err := c.to.dangling(ctx)
	if err != nil {
		c.to.log.DebugContext(ctx, "looking for copies without a name", "err", err)
		return
	}
	for _, im := range list {
		labels := hierarchy.PlainLabels(im.Labels)
		ref := labels[hierarchy.LabelImage]
		made, ok := hierarchy.ReadInputs(labels, ref)
		ours := slices.ContainsFunc(c.sources, func(src source) bool { return src.ref == ref })
		if ok && ours && made.Manager == c.from.manager && len(fullRefs(im.RepoTags)) == 0 {
			c.to.RemoveSuperseded(ctx, fullID(im.ID))
		}
	}
}

// dangling lists the images without a name.
func (e *Engine) dangling(ctx context.Context) ([]image.Summary, error) {
	ctx, cancel := e.ask(ctx)
	defer cancel()
	list, err := e.api.ImageList(ctx, image.ListOptions{Filters: filters.NewArgs(filters.Arg("dangling", "true"))})
	return list, inWords(ctx, err)
}

// tellEvery is how often at most the progress of a copy is told.
const tellEvery = time.Second
