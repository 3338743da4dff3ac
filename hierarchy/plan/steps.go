package plan

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/klmcwhirter/ocisi/hierarchy"
)

// step returns the step of a base image.
func (b *base) step(t Target) Step {
	s := Step{Target: t}
	switch {
	case !b.present && !b.pulled:
		s.Action, s.Reason = Skip, "base is not pulled, and not needed now"
	case !b.present && b.pin != "":
		s.Action, s.Pin = Pull, b.pin
		s.Reason = "base is not in the store; locked to " + short(b.pin)
	case b.asked && b.remote.Moved && b.pin == "":
		s.Action, s.Newer, s.Reason = Pull, true, b.movedTo()
	case !b.present:
		s.Action, s.Reason, s.Digest = Pull, "base is not in the store", b.last.Digest
		if s.Digest != "" {
			s.Reason += "; the same one again, " + short(s.Digest)
		}
	default:
		s.Action, s.Reason = Keep, b.kept()
	}
	return s
}

func (b *base) movedTo() string {
	from := b.now
	if !b.present {
		from = b.last
	}
	return change(from, hierarchy.Base{Digest: b.remote.Digest})
}

func (b *base) kept() string {
	switch {
	case b.asked && b.remote.Err != nil:
		return "unknown, kept: " + b.remote.Err.Error()
	case b.pin != "" && b.asked && b.remote.Moved:
		return "locked to " + short(b.pin) + "; its registry has " + short(b.remote.Digest)
	case b.pin != "":
		return "locked to " + short(b.pin)
	case b.asked:
		return "its registry has the same one"
	case b.local:
		return "base was built here, so no registry is asked"
	}
	return "base is in the store"
}

func (d *decider) imageStep(im *decision, needs []Target) Step {
	s := Step{Target: Target{Image, im.Manager, im.Ref()}, ID: im.stored.ID, Needs: needs, Image: im.Image}
	switch {
	case im.owner != "":
		s.Action, s.Reason, s.Owner = Refuse, "an image of "+im.owner+" holds this name", im.owner
	case im.foreign:
		s.Action, s.Reason = Refuse, Taken
	case im.build:
		s.Action = Rebuild
		if !im.present {
			s.Action = Build
		}
		s.Reason = strings.Join(im.why(), "; ")
		s.NoCache = im.noCache
		if im.known && !im.noCache {
			s.Fresh = im.made.Fresh
		}
	case !im.present:
		s.Action, s.Reason = Skip, "tag is missing, and not missed: "+d.presentDescendant(im).Name+" has its layers"
	default:
		s.Action, s.Reason = Keep, "nothing changed"
	}
	return s
}

// presentDescendant returns a descendant of an absent image that is present. There is
// one, because an absent image without children is built.
func (d *decider) presentDescendant(im *decision) *decision {
	for !im.present {
		im = &d.images[im.children[0]]
	}
	return im
}

// why returns the reasons of a build. A changed base image of its parents is a reason
// only if the parents are not built as well.
func (im *decision) why() []string {
	if len(im.reasons) > 0 {
		return im.reasons
	}
	var out []string
	for _, base := range slices.Sorted(maps.Keys(im.below)) {
		out = append(out, "base "+base+" "+im.below[base])
	}
	return append(out, im.late...)
}

// Taken is the reason of a refused image whose name belongs to another image.
const Taken = "name taken by an image that ocisi did not build"

// NoBox is the reason of a refused box whose name belongs to an ordinary container.
const NoBox = "a container of this name is no box"

// boxStep returns the step of a box of an image.
func (d *decider) boxStep(im *decision, boxed hierarchy.Image) Step {
	name := boxed.Box.Name
	s := Step{
		Target: Target{Box, im.Manager, name},
		Needs:  []Target{{Image, im.Manager, im.Ref()}},
		Image:  boxed,
	}
	x := d.stores[im.Manager]
	boxes, root := x.boxes, boxed.Box.Root && im.Manager == hierarchy.Podman
	if root {
		boxes = x.root
	}
	if root && x.store.RootUnknown {
		s.Action, s.Reason = Recreate, "a box of root's podman, which sudo would not show; kept if nothing changed"
		return s
	}
	s.ID = boxes.named[name].ID
	s.Action, s.Reason, s.Owner = d.decideBox(im, boxed.Box, x, boxes)
	generations := hierarchy.Generations(boxes.kept[name], name)
	if s.Action == Create && len(generations) > 0 {
		s.Reason += "; a former one is there for a rollback, " + generations[0].Name
	}
	if excess := surplus(d.owned(generations), boxed.Keep); s.Action == Keep && len(excess) > 0 {
		s.Action, s.Reason = Trim, fmt.Sprintf("keep is %d, so these go: %s", boxed.Keep, strings.Join(excess, ", "))
	}
	if held := drifted(d.owned(generations), boxed.Keep); s.Action == Keep && len(held) > 0 {
		s.Reason += "; more generations than keep, which hold drift and stay until 'ocisi clean': " + strings.Join(held, ", ")
	}
	return s
}

// drifted returns the names of the generations in excess of keep that are not removed
// because of their drift.
func drifted(generations []hierarchy.StoredBox, keep int) []string {
	var names []string
	for i, b := range generations {
		if i >= keep && b.Drifted {
			names = append(names, b.Name)
		}
	}
	return names
}

// owned returns the boxes that the run may change.
func (d *decider) owned(boxes []hierarchy.StoredBox) []hierarchy.StoredBox {
	return slices.DeleteFunc(slices.Clone(boxes), func(b hierarchy.StoredBox) bool {
		return d.options.ownership().Box(b) != hierarchy.Owned
	})
}

// surplus returns the names of the generations in excess of keep that can be removed.
// A running one is in use, and one with drift is only removed by clean, after a
// confirmation.
func surplus(generations []hierarchy.StoredBox, keep int) []string {
	var names []string
	for i, b := range generations {
		if i >= keep && !b.Running && !b.Drifted {
			names = append(names, b.Name)
		}
	}
	return names
}

func (d *decider) decideBox(im *decision, want *hierarchy.Box, x index, boxes boxIndex) (action Action, reason, owner string) {
	name := want.Name
	old, found := boxes.named[name]
	if found {
		action, reason = compareBox(im, want, old, d.options)
	} else {
		action, reason = Create, "box does not exist"
	}
	left, stopped := boxes.waiting[name]
	if !found && slices.Contains(x.store.Others, name) {
		return Refuse, NoBox, ""
	}
	if reason, owner := d.othersBox(action, old, left); reason != "" {
		return Refuse, reason, owner
	}
	switch {
	case stopped && (action == Keep || action == Create):
		// The run recovers from one that was killed.
		return Recreate, "an earlier run was stopped: " + left.Name + " is left of it", ""
	case d.mayBeRolledBack(action, old) && !im.build:
		if later, ok := rolledBack(im, want, old, hierarchy.Generations(boxes.kept[name], name)); ok {
			return Keep, "rolled back from " + later + ", until its image or its spec changes", ""
		}
	}
	return action, reason, ""
}

// othersBox returns why a box of another config or user is not changed or created: the
// box belongs to another config, or the box that was set aside to another run. The owner
// is the path of a config.
func (d *decider) othersBox(action Action, now, left hierarchy.StoredBox) (reason, owner string) {
	switch {
	case action == Recreate && d.options.ownership().OtherConfig(now.Labels) != "":
		owner = d.options.ownership().OtherConfig(now.Labels)
		return "a box of " + owner + " has this name", owner
	case action == Create && left.Name != "" && d.options.ownership().Box(left) != hierarchy.Owned:
		return left.Name + ": " + d.options.ownership().Refusal(left), d.options.ownership().OtherConfig(left.Labels)
	}
	return "", ""
}

// mayBeRolledBack reports whether a box may differ from the config because of a
// rollback. One that distrobox migrate has recreated may, unless it is taken back.
func (d *decider) mayBeRolledBack(action Action, old hierarchy.StoredBox) bool {
	if d.options.ownership().TakeBack(old) == hierarchy.Owned {
		return !d.options.TakeBack
	}
	return action == Recreate
}

// rolledBack returns the generation that a box was rolled back from, if it is what the
// config declares: a replacement would undo the rollback. A generation is newer than its
// box only after a rollback.
func rolledBack(im *decision, want *hierarchy.Box, now hierarchy.StoredBox, kept []hierarchy.StoredBox) (string, bool) {
	if len(kept) == 0 {
		return "", false
	}
	last := kept[0]
	return last.Name, last.Created > now.Created && last.Labels[hierarchy.LabelSpec] == want.Spec() && im.sameContent(last)
}

// sameContent reports whether a box runs the current image or one with the same
// content.
func (im *decision) sameContent(b hierarchy.StoredBox) bool {
	return b.ImageID == im.stored.ID || b.Content != "" && b.Content == im.stored.Content
}

// compareBox compares a box with the config. It refuses one that ocisi did not make for
// this user.
func compareBox(im *decision, want *hierarchy.Box, old hierarchy.StoredBox, o Options) (Action, string) {
	owner := o.ownership()
	switch claim := owner.Box(old); {
	case o.TakeBack && owner.TakeBack(old) == hierarchy.Owned:
		return Recreate, hierarchy.ByMigrate + "; it stays as a generation"
	case claim == hierarchy.Unowned, claim == hierarchy.OtherUser:
		return Refuse, owner.Refusal(old)
	}
	var reasons []string
	keys, ok := hierarchy.SpecChanges(old.Labels[hierarchy.LabelSpec], want.Spec())
	switch {
	case !ok:
		reasons = append(reasons, "its labels do not contain its spec")
	case len(keys) > 0:
		reasons = append(reasons, "box spec changed: "+strings.Join(keys, ", "))
	}
	switch {
	case im.build:
		reasons = append(reasons, "image "+im.Name+" is rebuilt; box kept if its layers do not change")
	case im.foreign:
	case !im.sameContent(old):
		reasons = append(reasons, "box runs an older image")
	}
	switch {
	case len(reasons) > 0:
		return Recreate, strings.Join(reasons, "; ")
	case len(old.Lacks) > 0:
		return Export, "missing: " + strings.Join(old.Lacks, ", ")
	}
	return Keep, "nothing changed"
}
