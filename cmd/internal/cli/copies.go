package cli

import (
	"context"
	"slices"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/engine"
	"github.com/klmcwhirter/ocisi/hierarchy/layers"
	"github.com/klmcwhirter/ocisi/hierarchy/plan"
)

// Copy implements apply.Copier.
func (s *session) Copy(ctx context.Context, steps []plan.Step, emit func(hierarchy.Progress)) map[plan.Target]error {
	var refs []string
	for _, st := range steps {
		refs = append(refs, st.Name)
	}
	errs := s.engines[steps[0].From].CopyTo(ctx, s.engines[steps[0].Manager], refs, emit)
	failed := map[plan.Target]error{}
	for _, st := range steps {
		if err := errs[st.Name]; err != nil {
			failed[st.Target] = refusedFor(st, err)
		}
	}
	return failed
}

// lookAtCopies adds the layers of images that are in two stores, where a list does
// not tell them.
func (s *session) lookAtCopies(ctx context.Context, store *hierarchy.Store, g *hierarchy.Graph) error {
	for _, im := range g.Images {
		if len(im.Also) == 0 || !im.In(store.Manager) {
			continue
		}
		full := store.Manager.StoreRef(im.Ref())
		i := slices.IndexFunc(store.Images, func(x hierarchy.StoredImage) bool { return slices.Contains(x.Refs, full) })
		if i < 0 || store.Images[i].DiffIDs != nil {
			continue
		}
		found, _, err := s.engines[store.Manager].Inspect(ctx, store.Images[i].ID)
		if err != nil {
			return err
		}
		store.Images[i].DiffIDs = found.DiffIDs
	}
	return nil
}

// weighCopies sets how many bytes copies will add: of the layers that the image
// has now, those that the other store has not, each once for all copies.
func (s *session) weighCopies(ctx context.Context, stores plan.Stores, steps []plan.Step) error {
	known := map[hierarchy.Manager]map[string]bool{}
	times := map[hierarchy.Manager]int64{}
	for i := range steps {
		st := &steps[i]
		if st.Action != plan.Copy {
			continue
		}
		if known[st.Manager] == nil {
			has, err := s.chains(ctx, stores[st.Manager])
			if err != nil {
				return err
			}
			known[st.Manager] = has
			times[st.Manager] = 1
			if info, err := s.engines[st.Manager].Info(ctx); err == nil && info.Store == engine.ContainerdStore {
				times[st.Manager] = 2 // the store keeps a layer compressed and unpacked
			}
		}
		full := st.From.StoreRef(st.Name)
		if _, there := stores[st.From].Image(full); !there {
			continue // it is yet to be built
		}
		images, err := s.engines[st.From].Layers(ctx, []string{full})
		if err != nil {
			return err
		}
		for _, l := range layers.Analyze(images).Images[0].Layers {
			if !known[st.Manager][l.ChainID] {
				known[st.Manager][l.ChainID] = true
				st.Adds += times[st.Manager] * l.Unpacked()
			}
		}
	}
	return nil
}

// chains returns the chains of the layers that a store was seen to have.
func (s *session) chains(ctx context.Context, store hierarchy.Store) (map[string]bool, error) {
	var names []string
	for _, im := range store.Images {
		names = append(names, slices.Concat(im.Refs, []string{im.ID})[0])
	}
	images, err := s.engines[store.Manager].Layers(ctx, names)
	if err != nil {
		return nil, err
	}
	has := map[string]bool{}
	for _, im := range layers.Analyze(images).Images {
		for _, l := range im.Layers {
			has[l.ChainID] = true
		}
	}
	return has, nil
}
