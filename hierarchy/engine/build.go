package engine

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/klmcwhirter/ocisi/hierarchy"
)

// Build builds an image and returns its ID. The name moves to the image when
// it is complete and not before; what the name stood for until then is removed
// if it was built from the same recipe (its ocisi.image label) and nothing uses
// it.
//
// A managed image that the recipe needs and the store has not is a
// *MissingError, before an engine could look for it in a registry. If ocisi did not
// build the image that has the name, it keeps the name: a *ForeignError. A step that
// fails is a *hierarchy.BuildError. When ctx ends, the running
// step is ended, and nothing of the build stays but the engine's cache.
//
// emit is told of every step and line; it is called by one goroutine at a time
// and not after Build has returned. It may be nil.
func (e *Engine) Build(ctx context.Context, r hierarchy.Recipe, emit func(hierarchy.Progress)) (id string, err error) {
	if emit == nil {
		emit = func(hierarchy.Progress) {}
	}
	build := e.buildByProgram
	if e.differs.buildKit {
		build = e.buildByDaemon
	}
	var old hierarchy.StoredImage
	var replaces bool
	var eg errgroup.Group
	eg.Go(func() error { return e.has(ctx, r) })
	eg.Go(func() (err error) {
		old, replaces, err = e.replaceable(ctx, r.Ref, r.Labels[hierarchy.LabelImage])
		return err
	})
	if err := eg.Wait(); err != nil {
		return "", err
	}
	stored := r
	stored.Labels = storedLabels(r.Labels)
	id, err = build(ctx, stored, emit)
	if err != nil {
		return "", err
	}
	if replaces && old.ID != id {
		e.removeReplaced(ctx, old, r)
	}
	return id, nil
}

// replaceable returns the image that has a name in the store, or false if there is
// none. It is a *ForeignError if ocisi did not build it as the image own; own is ""
// for what is not built as an image of ocisi's, which replaces any.
func (e *Engine) replaceable(ctx context.Context, ref, own string) (hierarchy.StoredImage, bool, error) {
	old, found, err := e.Inspect(ctx, e.manager.StoreRef(ref))
	if err != nil || !found || own == "" {
		return old, found, err
	}
	built, err := e.built(ctx, old)
	if err == nil && (!built || old.Labels[hierarchy.LabelImage] != own) {
		err = &ForeignError{Manager: e.manager, Ref: ref}
	}
	return old, true, err
}

// storedLabels returns labels as they are in a store. One without a value is
// left out.
func storedLabels(plain map[string]string) map[string]string {
	labels := map[string]string{}
	for key, value := range plain {
		if hierarchy.IsOwnLabel(key) {
			value = hierarchy.LabelValue(value)
		}
		if value != "" {
			labels[key] = value
		}
	}
	return labels
}

// MissingError says that a managed image which a build needs is not in the
// store.
type MissingError struct {
	Ref  string // of the image to build
	Need string // full name
}

func (e *MissingError) Error() string {
	return fmt.Sprintf("%s is built from %s, which is not there", e.Ref, hierarchy.FamiliarRef(e.Need))
}

func (e *Engine) has(ctx context.Context, r hierarchy.Recipe) error {
	for _, need := range r.Needs {
		_, found, err := e.Inspect(ctx, need)
		if err != nil {
			return err
		}
		if !found {
			return &MissingError{Ref: r.Ref, Need: need}
		}
	}
	return nil
}
