package cli

import (
	"context"

	"golang.org/x/sync/errgroup"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/apply"
	"github.com/klmcwhirter/ocisi/hierarchy/engine"
	"github.com/klmcwhirter/ocisi/hierarchy/plan"
)

// sealQueries is how many images an engine is asked about at the same time.
const sealQueries = 8

// proved returns what create plans. An image with ocisi's labels may have been built
// from one of ocisi's by somebody else. So the images that steps replace, or build
// on, are queried, and if one of them is not ocisi's, the plan is made again without
// it: create is given the IDs of such images. A plan without changes costs nothing.
func (s *session) proved(ctx context.Context, stores plan.Stores, create func(foreign map[string]bool) plan.Plan) (plan.Plan, error) {
	p := create(nil)
	foreign, err := s.foreign(ctx, touched(stores, p.Steps))
	if err != nil || len(foreign) == 0 {
		return p, err
	}
	return create(foreign), nil
}

// orphans plans the removal of what ocisi made and a graph does not want.
func (s *session) orphans(ctx context.Context, g *hierarchy.Graph, stores plan.Stores, o plan.CleanOptions) (plan.Plan, error) {
	o.Ownership = s.env.ownership(s.config)
	return s.proved(ctx, stores, func(foreign map[string]bool) plan.Plan {
		o.Foreign = foreign
		return plan.Clean(g, stores, o)
	})
}

// touched returns the images of stores that bear the label of a step which would
// change them, or needs them, by store and ID.
func touched(stores plan.Stores, steps []plan.Step) map[storedID]hierarchy.StoredImage {
	found := map[storedID]hierarchy.StoredImage{}
	for _, st := range steps {
		if !st.Action.Changes() {
			continue
		}
		for _, t := range append([]plan.Target{st.Target}, st.Needs...) {
			im, ok := stores[t.Manager].Image(t.Manager.StoreRef(t.Name))
			if ok && t.Kind == plan.Image && im.Labels[hierarchy.LabelImage] == t.Name {
				found[storedID{t.Manager, im.ID}] = im
			}
		}
	}
	return found
}

// foreign returns the IDs of those images that ocisi did not build, whatever their
// labels are.
func (s *session) foreign(ctx context.Context, images map[storedID]hierarchy.StoredImage) (map[string]bool, error) {
	type answer struct {
		hierarchy.StoredImage
		err error
	}
	var eg errgroup.Group
	eg.SetLimit(sealQueries)
	answers := make(chan answer, len(images))
	for key, im := range images {
		eg.Go(func() error {
			im, err := s.engines[key.manager].Sealed(ctx, im)
			answers <- answer{im, err}
			return err
		})
	}
	err := eg.Wait()
	close(answers)
	ids := map[string]bool{}
	for a := range answers {
		if a.err == nil && (hierarchy.Ownership{UID: -1}).Image(a.StoredImage) == hierarchy.Unowned {
			ids[a.ID] = true
		}
	}
	return ids, err
}

// refusedFor returns the error of a step on an image, as what the step was refused for
// if the name is taken.
func refusedFor(st plan.Step, err error) error {
	if is[*engine.ForeignError](err) {
		return &apply.RefusedError{Target: st.Target, Reason: plan.Taken}
	}
	return err
}
