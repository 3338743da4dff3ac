package plan

import (
	"slices"

	"github.com/klmcwhirter/ocisi/hierarchy"
)

// Copies plans the copies that the images of a graph are to have (Image.Also), of
// what the stores have now, whatever the config says of it.
func Copies(g *hierarchy.Graph, stores Stores, o Options) Plan {
	return Plan{Steps: newDecider(g, stores, o).copySteps()}
}

// copySteps returns what is to be done about copies. All from one store to another
// need what any of them needs: they go in one stream, in which the layers that
// they share come once.
func (d *decider) copySteps() []Step {
	type way struct{ from, to hierarchy.Manager }
	needs := map[way][]Target{}
	var steps []Step
	for i := range d.images {
		im := &d.images[i]
		for _, m := range im.Also {
			s := d.copyStep(im, m)
			if s.Action == Copy {
				w := way{im.Manager, m}
				needs[w] = append(needs[w], Target{Image, im.Manager, im.Ref()})
			}
			steps = append(steps, s)
		}
	}
	for i, s := range steps {
		if s.Action == Copy {
			steps[i].Needs = slices.Clone(needs[way{s.From, s.Manager}])
		}
	}
	return steps
}

func (d *decider) copyStep(im *decision, m hierarchy.Manager) Step {
	s := Step{Target: Target{Image, m, im.Ref()}, From: im.Manager, Wanted: im.Image}
	there, present := d.stores[m].image(m.StoreRef(im.Ref()))
	s.ID = there.ID
	s.Action, s.Reason = compareCopy(im, m, there, present)
	if s.Action != Copy || !present {
		return s
	}
	if d.foreign(there, im.Ref()) {
		s.Action, s.Reason = Refuse, Taken
	} else if owner := d.options.ownership().OtherConfig(there.Labels); owner != "" {
		s.Action, s.Reason, s.Owner = Refuse, "an image of "+owner+" holds this name", owner
	}
	return s
}

// compareCopy tells whether a store is to get a copy of an image. Labels come
// with it, so those of a copy say what it is a copy of.
func compareCopy(im *decision, m hierarchy.Manager, there hierarchy.StoredImage, present bool) (Action, string) {
	from := string(im.Manager)
	switch {
	case im.foreign && present:
		return Keep, from + " has another image of this name, so the copy stays as it is"
	case im.foreign:
		return Skip, from + " has another image of this name"
	case !present:
		return Copy, string(m) + " does not have it"
	case im.build:
		return Copy, from + " builds it anew"
	case !im.present:
		return Keep, "already there"
	case there.Labels[hierarchy.LabelInputs] == im.stored.Labels[hierarchy.LabelInputs] && sameLayers(there, im.stored):
		return Keep, "already there"
	case im.stored.Created < there.Created:
		return Copy, from + " has another one"
	}
	return Copy, from + "'s is newer"
}

// sameLayers reports whether two images have the same layers, as far as anybody
// asked: with equal inputs they mostly do, but for what their steps fetched.
func sameLayers(a, b hierarchy.StoredImage) bool {
	return a.DiffIDs == nil || b.DiffIDs == nil || slices.Equal(a.DiffIDs, b.DiffIDs)
}

// lacksCopy reports whether a store is to have a copy of an image and has none.
func (d *decider) lacksCopy(im *decision) bool {
	return slices.ContainsFunc(im.Also, func(m hierarchy.Manager) bool {
		_, present := d.stores[m].image(m.StoreRef(im.Ref()))
		return !present
	})
}
