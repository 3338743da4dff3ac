// Package plan turns what is wanted and what was observed into steps, each with
// a reason. It decides; it does nothing.
package plan

import (
	"cmp"
	"maps"
	"slices"

	"github.com/klmcwhirter/ocisi/hierarchy"
)

// Action is what a step does.
type Action string

// The actions.
const (
	Pull     Action = "pull"     // a base from its registry
	Build    Action = "build"    // an image that is not there
	Rebuild  Action = "rebuild"  // an image that is there
	Create   Action = "create"   // a box that is not there
	Recreate Action = "recreate" // a box whose image or spec changed; decided when the image is built
	Keep     Action = "keep"     // nothing to do
	Remove   Action = "remove"   // an image's name, or a box
	Refuse   Action = "refuse"   // somebody else's
)

// Kind is what a step is about.
type Kind string

// The kinds.
const (
	Base  Kind = "base"
	Image Kind = "image"
	Box   Kind = "box"
)

// Target identifies what a step is about. A plan has one step for each.
type Target struct {
	Kind    Kind              `json:"kind"`
	Manager hierarchy.Manager `json:"manager"`
	Name    string            `json:"name"` // reference of an image or base, name of a box
}

// Step is one thing to do.
type Step struct {
	Target
	Action Action   `json:"action"`
	Reason string   `json:"reason"`          // in words a person understands
	Needs  []Target `json:"needs,omitempty"` // steps that must have been done
	Bytes  int64    `json:"bytes,omitempty"` // of a removal: what the engine counts for it; layers that others use stay

	Wanted hierarchy.Image `json:"-"` // the image to build, or to make the box from
}

// Plan is steps, each after those it needs.
type Plan struct {
	Steps []Step `json:"steps"`
}

// Stores are what the engines were seen to hold.
type Stores map[hierarchy.Manager]hierarchy.Store

// New plans a hierarchy: bases that are not there are pulled, images built and
// boxes made.
func New(g *hierarchy.Graph, stores Stores) Plan {
	p := Plan{Steps: []Step{}} // in JSON a list, however short
	seen := map[Target]bool{}
	indexes := map[hierarchy.Manager]index{}
	for m, store := range stores {
		indexes[m] = newIndex(store)
	}
	for _, im := range g.Images {
		store := indexes[im.Manager]
		var needs []Target
		for _, b := range im.Bases {
			t := Target{Base, im.Manager, b.As}
			if !seen[t] {
				seen[t] = true
				p.Steps = append(p.Steps, baseStep(t, store))
			}
			needs = append(needs, t)
		}
		for _, parent := range im.Parents {
			needs = append(needs, Target{Image, im.Manager, parent.As})
		}
		p.Steps = append(p.Steps, imageStep(im, store, needs))
		if im.Box != nil {
			p.Steps = append(p.Steps, boxStep(im, store))
		}
	}
	return p
}

// index is a store, looked up by name: a store may hold thousands of images.
type index struct {
	images map[string]bool // by full name
	boxes  map[string]hierarchy.StoredBox
}

func newIndex(store hierarchy.Store) index {
	x := index{images: map[string]bool{}, boxes: map[string]hierarchy.StoredBox{}}
	for _, im := range store.Images {
		for _, ref := range im.Refs {
			x.images[ref] = true
		}
	}
	for _, b := range store.Boxes {
		x.boxes[b.Name] = b
	}
	return x
}

func baseStep(t Target, store index) Step {
	for _, full := range []string{hierarchy.FullRef(t.Name), t.Manager.StoreRef(t.Name)} {
		if store.images[full] {
			return Step{Target: t, Action: Keep, Reason: "base is in the store"}
		}
	}
	return Step{Target: t, Action: Pull, Reason: "base is not in the store"}
}

func imageStep(im hierarchy.Image, store index, needs []Target) Step {
	s := Step{Target: Target{Image, im.Manager, im.Ref()}, Needs: needs, Wanted: im}
	if store.images[im.Manager.StoreRef(im.Ref())] {
		s.Action, s.Reason = Rebuild, "the engine's cache keeps the steps that did not change"
	} else {
		s.Action, s.Reason = Build, "image is not in the store"
	}
	return s
}

func boxStep(im hierarchy.Image, store index) Step {
	s := Step{
		Target: Target{Box, im.Manager, im.Box.Name},
		Needs:  []Target{{Image, im.Manager, im.Ref()}},
		Wanted: im,
	}
	old, ok := store.boxes[im.Box.Name]
	switch {
	case im.Box.Root && im.Manager == hierarchy.Podman:
		s.Action, s.Reason = Recreate, "root's box: if it is not there, or its image or its spec changed"
	case !ok:
		s.Action, s.Reason = Create, "box does not exist"
	case old.Labels[hierarchy.LabelBox] == "":
		s.Action, s.Reason = Refuse, "a box of this name was not made by ocisi"
	default:
		s.Action, s.Reason = Recreate, "if its image or its spec changed"
	}
	return s
}

// Clean plans the removal of what ocisi made and the config does not want: boxes
// and images that are no longer in it or disabled; with boxless, also images
// that no box is made from. file is the config's path; what other configs made
// stays, and so does what bears no label of ours.
func Clean(g *hierarchy.Graph, stores Stores, file string, boxless bool) Plan {
	wanted := map[Target]string{}
	for _, im := range g.Images {
		t := Target{Image, im.Manager, im.Ref()}
		wanted[t] = "kept"
		if boxless && im.Box == nil {
			wanted[t] = "boxless"
		}
		if im.Box != nil {
			wanted[Target{Box, im.Manager, im.Box.Name}] = "kept"
		}
	}
	var p Plan
	for _, m := range slices.Sorted(maps.Keys(stores)) {
		boxes := cleanBoxes(stores[m], wanted, file)
		p.Steps = append(p.Steps, boxes...)
		p.Steps = append(p.Steps, cleanImages(stores[m], wanted, file, boxes)...)
	}
	return p
}

func cleanBoxes(store hierarchy.Store, wanted map[Target]string, file string) []Step {
	var steps []Step
	for _, b := range store.Boxes {
		// The label has the box's own name, also while it waits aside under another
		// for its successor; a run that was killed leaves it there.
		name := b.Labels[hierarchy.LabelBox]
		if name != "" && b.Labels[hierarchy.LabelConfig] == file && wanted[Target{Box, store.Manager, name}] == "" {
			steps = append(steps, Step{Target: Target{Box, store.Manager, b.Name}, Action: Remove, Reason: "box is not in the config or disabled"})
		}
	}
	return steps
}

// cleanImages removes children before their parents: an engine keeps an image
// that another is built on.
func cleanImages(store hierarchy.Store, wanted map[Target]string, file string, boxes []Step) []Step {
	var steps []Step
	children := map[string][]Target{} // by their parent's reference
	for _, im := range store.Images {
		ref := im.Labels[hierarchy.LabelImage]
		if ref == "" || im.Labels[hierarchy.LabelConfig] != file {
			continue
		}
		// A label is inherited by every image built on this one; the name tells
		// whose it is.
		if !slices.Contains(im.Refs, store.Manager.StoreRef(ref)) {
			continue
		}
		t := Target{Image, store.Manager, ref}
		s := Step{Target: t, Action: Remove, Bytes: im.Size}
		switch wanted[t] {
		case "kept":
			continue
		case "boxless":
			s.Reason = "no box is made from it; its layers stay while an image uses them"
		default:
			s.Reason = "image is not in the config or disabled"
		}
		for _, b := range boxes {
			s.Needs = append(s.Needs, b.Target)
		}
		steps = append(steps, s)
		parent := im.Labels[hierarchy.LabelParent]
		children[parent] = append(children[parent], t)
	}
	slices.SortStableFunc(steps, func(a, b Step) int { return cmp.Compare(b.Bytes, a.Bytes) })
	// A step needs only steps before it, whatever the labels say: they may have
	// been inherited from a base.
	before := map[Target]bool{}
	for i, s := range steps {
		for _, child := range children[s.Name] {
			if before[child] {
				steps[i].Needs = append(steps[i].Needs, child)
			}
		}
		before[s.Target] = true
	}
	return steps
}

// Changes counts the steps that would change something.
func (p Plan) Changes() int {
	n := 0
	for _, s := range p.Steps {
		if s.Action != Keep && s.Action != Refuse {
			n++
		}
	}
	return n
}

// Count counts the steps of a kind.
func (p Plan) Count(k Kind) int {
	n := 0
	for _, s := range p.Steps {
		if s.Kind == k {
			n++
		}
	}
	return n
}
