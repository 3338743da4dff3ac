package engine

import (
	"context"
	"fmt"
	"slices"
)

// Mapped reports whether the store has its copy of an image (Info.Copies) for
// containers whose user is the caller, as boxes are (--userns keep-id, with or
// without a size): then another such container costs none. Podman tells nobody; it
// is read from the store's own files (podmanStore), and is ErrUnknown where they
// cannot be: the engine is docker, or not on this machine.
func (e *Engine) Mapped(ctx context.Context, imageID string) (bool, error) {
	ctx, cancel := e.ask(ctx)
	defer cancel()
	if !e.differs.serial { // docker
		return false, ErrUnknown
	}
	own, err := e.libpodInfo(ctx)
	if err != nil {
		return false, fmt.Errorf("asking podman about its store: %w", inWords(ctx, err))
	}
	return mapped(own, imageID)
}

// mapped looks for an image's copy in the files of a store.
func mapped(own libpodInfo, imageID string) (bool, error) {
	want := keepID(own.Host.IDMappings.UIDMap)
	store, err := readStore(own.Store.GraphRoot)
	if err != nil || want == nil {
		return false, ErrUnknown
	}
	return slices.ContainsFunc(store.images[imageID].Mapped, func(id string) bool {
		return sameUser(store.layers[id].UIDMap, want)
	}), nil
}

// sameUser reports whether two maps give the user the same id, however many ids
// they have in all.
func sameUser(a, b []idRange) bool {
	if len(a) != len(b) || len(a) == 0 {
		return false
	}
	a, b = slices.Clone(a), slices.Clone(b)
	a[len(a)-1].Size, b[len(b)-1].Size = 0, 0
	return slices.Equal(a, b)
}

// keepID returns the map of --userns keep-id in a user namespace of this map,
// whose id 0 is the user: all others move to make room for the user's own id. It
// is nil where there are too few ids.
func keepID(of []idRange) []idRange {
	if len(of) == 0 {
		return nil
	}
	var all int64
	for _, r := range of {
		all += r.Size
	}
	user := of[0].Host
	if of[0].Container != 0 || user+1 >= all {
		return nil
	}
	return []idRange{{0, 1, user}, {user, 0, 1}, {user + 1, user + 1, all - user - 1}}
}
