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
	Ownership   hierarchy.Ownership // only owned objects are removed
	Boxless     bool                // also remove images without a box
	Foreign     map[string]bool     // as in Options
	Generations bool                // also remove the generations of declared boxes
}

// Clean plans the removal of orphans: boxes with their generations and images that ocisi
// made, and that the config no longer declares or has disabled.
func Clean(g *hierarchy.Graph, stores Stores, o CleanOptions) Plan {
	declared := map[Target]string{}
	for _, im := range g.Images {
		for _, m := range im.Also {
			declared[Target{Image, m, im.Ref()}] = "kept"
		}
		t := Target{Image, im.Manager, im.Ref()}
		declared[t] = "kept"
		if o.Boxless && im.Box == nil {
			declared[t] = "boxless"
		}
		for _, one := range im.Boxes() {
			declared[Target{Box, im.Manager, one.Box.Name}] = "kept"
		}
	}
	var p Plan
	for _, m := range slices.Sorted(maps.Keys(stores)) {
		boxes := cleanBoxes(stores[m], declared, o)
		p.Steps = append(p.Steps, boxes...)
		p.Steps = append(p.Steps, cleanImages(stores[m], declared, o, boxes)...)
		p.Steps = append(p.Steps, cleanUntagged(stores[m], o.Ownership)...)
	}
	return p
}

// cleanUntagged removes the untagged images of killed runs.
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

func cleanBoxes(store hierarchy.Store, declared map[Target]string, o CleanOptions) []Step {
	var steps []Step
	remove := func(b hierarchy.StoredBox, reason string) {
		steps = append(steps, Step{Target: Target{Box, store.Manager, b.Name}, ID: b.ID, Action: Remove, Reason: reason})
	}
	for _, b := range store.Boxes {
		name, role, _ := b.Role()
		t := Target{Box, store.Manager, name}
		switch {
		case !o.Ownership.OwnsBox(b):
		case declared[t] == "" && role == hierarchy.Kept:
			remove(b, "generation of a box that is not in the config or disabled")
		case declared[t] == "":
			remove(b, "box is not in the config or disabled")
		case role == hierarchy.Kept && o.Generations:
			remove(b, "generation of "+name+", for a rollback")
		}
	}
	return steps
}

// orphanReason returns why an image is an orphan.
func orphanReason(im hierarchy.StoredImage, t Target, declared map[Target]string) string {
	made, ok := hierarchy.ReadInputs(im.Labels, t.Name)
	if source := (Target{Image, made.Manager, t.Name}); ok && made.Manager != t.Manager && declared[source] != "" {
		return fmt.Sprintf("a copy; the config has it in %s only (manager: [%[1]s, %s] keeps it)", made.Manager, t.Manager)
	}
	return "image is not in the config or disabled"
}

// cleanImages removes children before their parents, because an engine does not remove
// an image that another is built on.
func cleanImages(store hierarchy.Store, declared map[Target]string, o CleanOptions, boxes []Step) []Step {
	var steps []Step
	children := map[string][]Target{} // by their parent's reference
	for _, im := range store.Images {
		ref := im.Labels[hierarchy.LabelImage]
		if ref == "" || !o.Ownership.FromConfig(im.Labels) || o.Foreign[im.ID] {
			continue
		}
		// Images that are built on this one inherit the label, but not the name.
		if !slices.Contains(im.Refs, store.Manager.StoreRef(ref)) {
			continue
		}
		t := Target{Image, store.Manager, ref}
		s := Step{Target: t, ID: im.ID, Action: Remove, Bytes: im.Size}
		switch declared[t] {
		case "kept":
			continue
		case "boxless":
			s.Reason = "no box is made from it; its layers stay while an image uses them"
		default:
			s.Reason = orphanReason(im, t, declared)
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

// usersOf returns the boxes to remove that run an image.
func usersOf(im hierarchy.StoredImage, store hierarchy.Store, boxes []Step) []Target {
	var users []Target
	for _, b := range boxes {
		if box, _ := store.Box(b.Name); box.ImageID == im.ID {
			users = append(users, b.Target)
		}
	}
	return users
}

// needChildren makes each step need those of its children that precede it. Others are
// ignored, because the label of the parent may be inherited from a base image.
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
