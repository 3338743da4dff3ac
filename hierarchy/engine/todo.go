package engine

import (
	"context"
	"errors"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/layers"
)

var errTODO = errors.New("not there yet")

func (e *Engine) openPodman(context.Context) error { return errTODO }

// Observe returns the tagged images and the boxes of the store.
func (e *Engine) Observe(ctx context.Context) (hierarchy.Store, error) {
	return hierarchy.Store{}, errTODO
}

// Inspect returns the image that the engine finds under a name or an ID, or
// false.
func (e *Engine) Inspect(ctx context.Context, ref string) (hierarchy.StoredImage, bool, error) {
	return hierarchy.StoredImage{}, false, errTODO
}

// Pull fetches an image from its registry, whether or not it is there.
func (e *Engine) Pull(ctx context.Context, ref string, emit func(hierarchy.Progress)) error {
	return errTODO
}

// Build builds an image.
func (e *Engine) Build(ctx context.Context, r hierarchy.Recipe, emit func(hierarchy.Progress)) (id string, err error) {
	return "", errTODO
}

// Tag gives an image a name.
func (e *Engine) Tag(ctx context.Context, id, ref string) error { return errTODO }

// InUseError says that an image cannot be removed because containers use it.
type InUseError struct {
	Ref        string
	Containers []string // names
	Err        error    // what the engine said
}

func (e *InUseError) Error() string { return "" }

// RemoveImage removes a name, and the image with it when it was the last one.
func (e *Engine) RemoveImage(ctx context.Context, ref string) error { return errTODO }

// Unused is what nobody uses.
type Unused struct {
	Containers, Images []Item
	Cache              int64
	Bytes              int64
}

// Item is a container or an image.
type Item struct {
	ID, Name string
	Size     int64
}

// Unused finds what nobody uses.
func (e *Engine) Unused(ctx context.Context, keep map[string]bool) (Unused, error) {
	return Unused{}, errTODO
}

// Prune removes what Unused found.
func (e *Engine) Prune(ctx context.Context, u Unused) (freed int64, err error) { return 0, errTODO }

// Layers returns the layers of images.
func (e *Engine) Layers(ctx context.Context, refs []string) ([]layers.Image, error) {
	return nil, errTODO
}
