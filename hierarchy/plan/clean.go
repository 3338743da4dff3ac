package plan

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/klmcwhirter/ocisi/hierarchy"
)

// CleanOptions configure Clean.
type CleanOptions struct {
	Ownership   hierarchy.Ownership // of the run: nothing else is removed
	Boxless     bool                // also images that no box is made from
	Foreign     map[string]bool     // as in Options
	Generations bool                // also those of boxes that stay, which a rollback would need
}

// Clean plans the removal of what ocisi made and the config does not want: boxes
// and images that are no longer in it or disabled, with their generations.
func Clean(g *hierarchy.Graph, stores Stores, o CleanOptions) Plan {
	wanted := map[Target]string{}
	for _, im := range g.Images {
		for _, m := range im.Also {
			wanted[Target{Image, m, im.Ref()}] = "kept"
		}
		t := Target{Image, im.Manager, im.Ref()}
		wanted[t] = "kept"
		if o.Boxless && im.Box == nil {
			wanted[t] = "boxless"
		}
		for _, one := range im.Boxes() {
			wanted[Target{Box, im.Manager, one.Box.Name}] = "kept"
		}
	}
	var p Plan
	for _, m := range slices.Sorted(maps.Keys(stores)) {
		boxes := cleanBoxes(stores[m], wanted, o)
		p.Steps = append(p.Steps, boxes...)
		p.Steps = append(p.Steps, cleanImages(stores[m], wanted, o, boxes)...)
		p.Steps = append(p.Steps, cleanUntagged(stores[m], o.Ownership)...)
	}
	return p
}

// cleanUntagged removes the images that runs left which were killed.
func cleanUntagged(store hierarchy.Store, o hierarchy.Ownership) []Step {
	var steps []Step
	for _, im := range store.Untagged {
		if o.Image(im) == hierarchy.Owned {
			steps = append(steps, Step{
				Target: Target{Image, store.Manager, short(im.ID)}, ID: im.ID, Untagged: true, Action: Remove, Bytes: im.Size,
				Reason: "untagged image of " + im.Labels[hierarchy.LabelImage] + ", not in use",
			})
		}
	}
	return steps
}

func cleanBoxes(store hierarchy.Store, wanted map[Target]string, o CleanOptions) []Step {
	var steps []Step
	remove := func(b hierarchy.StoredBox, reason string) {
		steps = append(steps, Step{Target: Target{Box, store.Manager, b.Name}, ID: b.ID, Action: Remove, Reason: reason})
	}
	for _, b := range store.Boxes {
		name, role, _ := b.Role()
		t := Target{Box, store.Manager, name}
		switch {
		case !o.Ownership.OwnsBox(b):
		case wanted[t] == "" && role == hierarchy.Kept:
			remove(b, "generation of a box that is not in the config or disabled")
		case wanted[t] == "":
			remove(b, "box is not in the config or disabled")
		case role == hierarchy.Kept && o.Generations:
			remove(b, "generation of "+name+", for a rollback")
		}
	}
	return steps
}

// unwanted says why the config does not want an image.
func unwanted(im hierarchy.StoredImage, t Target, wanted map[Target]string) string {
	made, ok := hierarchy.ReadInputs(im.Labels, t.Name)
	if source := (Target{Image, made.Manager, t.Name}); ok && made.Manager != t.Manager && wanted[source] != "" {
		return fmt.Sprintf("a copy; the config has it in %s only (manager: [%[1]s, %s] keeps it)", made.Manager, t.Manager)
	}
	return "image is not in the config or disabled"
}

// cleanImages removes children before their parents: an engine keeps an image
// that another is built on.
func cleanImages(store hierarchy.Store, wanted map[Target]string, o CleanOptions, boxes []Step) []Step {
	var steps []Step
	children := map[string][]Target{} // by their parent's reference
	for _, im := range store.Images {
		ref := im.Labels[hierarchy.LabelImage]
		if ref == "" || !o.Ownership.FromConfig(im.Labels) || o.Foreign[im.ID] {
			continue
		}
		// A label is inherited by every image built on this one; the name tells
		// whose it is.
		if !slices.Contains(im.Refs, store.Manager.StoreRef(ref)) {
			continue
		}
		t := Target{Image, store.Manager, ref}
		s := Step{Target: t, ID: im.ID, Action: Remove, Bytes: im.Size}
		switch wanted[t] {
		case "kept":
			continue
		case "boxless":
			s.Reason = "no box is made from it; its layers stay while an image uses them"
		default:
			s.Reason = unwanted(im, t, wanted)
		}
		s.Needs = usersOf(im, store, boxes)
		steps = append(steps, s)
		parent := im.Labels[hierarchy.LabelParent]
		children[parent] = append(children[parent], t)
	}
	slices.SortStableFunc(steps, func(a, b Step) int { return cmp.Compare(b.Bytes, a.Bytes) })
	needChildren(steps, children)
	return steps
}

// usersOf returns those of the boxes to remove that run an image.
func usersOf(im hierarchy.StoredImage, store hierarchy.Store, boxes []Step) []Target {
	var users []Target
	for _, b := range boxes {
		if box, _ := store.Box(b.Name); box.ImageID == im.ID {
			users = append(users, b.Target)
		}
	}
	return users
}

// needChildren makes each step wait for those of its children, but only for steps
// before it: the labels that name a parent may be inherited from a base.
func needChildren(steps []Step, children map[string][]Target) {
	before := map[Target]bool{}
	for i, s := range steps {
		for _, child := range children[s.Name] {
			if before[child] {
				steps[i].Needs = append(steps[i].Needs, child)
			}
		}
		before[s.Target] = true
	}
}
