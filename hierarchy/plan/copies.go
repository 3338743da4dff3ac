package plan

import (
	"slices"

	"github.com/klmcwhirter/ocisi/hierarchy"
)

// Copies plans the copies of the images of a graph (Image.Also) as the stores have them
// now, even if the config has changed since.
func Copies(g *hierarchy.Graph, stores Stores, o Options) Plan {
	return Plan{Steps: newDecider(g, stores, o).copySteps()}
}

// copySteps returns the steps of copies. All copies from one store to another need the
// union of their needs, because they are one stream that contains shared layers once.
func (d *decider) copySteps() []Step {
	type route struct{ from, to hierarchy.Manager }
	needs := map[route][]Target{}
	var steps []Step
	for i := range d.images {
		im := &d.images[i]
		for _, m := range im.Also {
			s := d.copyStep(im, m)
			if s.Action == Copy {
				r := route{im.Manager, m}
				needs[r] = append(needs[r], Target{Image, im.Manager, im.Ref()})
			}
			steps = append(steps, s)
		}
	}
	for i, s := range steps {
		if s.Action == Copy {
			steps[i].Needs = slices.Clone(needs[route{s.From, s.Manager}])
		}
	}
	return steps
}

func (d *decider) copyStep(im *decision, m hierarchy.Manager) Step {
	s := Step{Target: Target{Image, m, im.Ref()}, From: im.Manager, Image: im.Image}
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

// compareCopy decides whether an image is copied to a store. Labels are copied with the
// image, so those of a copy identify its source.
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
		return Copy, from + " rebuilds it"
	case !im.present:
		return Keep, "already there"
	case there.Labels[hierarchy.LabelInputs] == im.stored.Labels[hierarchy.LabelInputs] && sameLayers(there, im.stored):
		return Keep, "already there"
	case im.stored.Created < there.Created:
		return Copy, from + " has another one"
	}
	return Copy, from + "'s is newer"
}

// sameLayers reports whether two images have the same layers, or their layers are
// unknown. Equal inputs usually have equal layers, but a step may download other files.
func sameLayers(a, b hierarchy.StoredImage) bool {
	return a.DiffIDs == nil || b.DiffIDs == nil || slices.Equal(a.DiffIDs, b.DiffIDs)
}

// lacksCopy reports whether a declared copy of an image does not exist.
func (d *decider) lacksCopy(im *decision) bool {
	return slices.ContainsFunc(im.Also, func(m hierarchy.Manager) bool {
		_, present := d.stores[m].image(m.StoreRef(im.Ref()))
		return !present
	})
}
