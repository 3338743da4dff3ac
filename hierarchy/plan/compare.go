package plan

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/klmcwhirter/ocisi/hierarchy"
)

// changes returns the differences between the inputs of an image and those that it was
// built from.
func (d *decider) changes(im *decision) []string {
	want, made := im.Inputs, im.made
	var out []string
	if made.Manager != want.Manager {
		out = append(out, "built by "+string(made.Manager))
	}
	if made.File != want.File {
		out = append(out, "Containerfile changed")
	}
	out = append(out, changedArgs(made.Args, want.Args)...)
	if made.Context != want.Context {
		out = append(out, changedFiles(made.Files, want.Files))
	}
	switch {
	case made.Dev == want.Dev:
	case d.options.ownership().OtherConfig(im.stored.Labels) != "":
		// Two configs share the image. The settings of the one that built it stay.
	case made.Dev == "":
		out = append(out, "dev container settings are new")
	default:
		out = append(out, "dev container settings changed")
	}
	for _, ref := range slices.Sorted(maps.Keys(want.Parents)) {
		if reason := d.changedParent(im, ref); reason != "" {
			out = append(out, reason)
		}
	}
	return out
}

func changedArgs(made, want map[string]string) []string {
	all := maps.Clone(want)
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, made)
	var out []string
	for _, k := range slices.Sorted(maps.Keys(all)) {
		was, had := made[k]
		is, has := want[k]
		switch {
		case !had:
			out = append(out, fmt.Sprintf("argument %s is new: %s", k, is))
		case !has:
			out = append(out, fmt.Sprintf("argument %s is gone", k))
		case was != is:
			out = append(out, fmt.Sprintf("argument %s: %s → %s", k, was, is))
		}
	}
	return out
}

// changedFiles describes the changed files, with their names if there are at most three.
func changedFiles(made, want map[string]string) string {
	all := maps.Clone(want)
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, made)
	maps.DeleteFunc(all, func(name, _ string) bool { return made[name] == want[name] })
	names := slices.Sorted(maps.Keys(all))
	// Labels have no list if there were no files or too many.
	listed := len(made) > 0 || len(names) == len(want)
	switch n := len(names); {
	case n == 0 || n > 3 || !listed:
		return "files of the build context changed"
	case n > 1:
		return strings.Join(names[:n-1], ", ") + " and " + names[n-1] + " changed"
	case made[names[0]] == "":
		return names[0] + " is new"
	case want[names[0]] == "":
		return names[0] + " is gone"
	}
	return names[0] + " changed"
}

func (d *decider) changedParent(im *decision, ref string) string {
	want, made := im.Inputs.Parents[ref], im.made.Parents[ref]
	name, _, _ := strings.Cut(ref, ":")
	if made == (hierarchy.Parent{}) {
		return "parent " + ref + " is new"
	}
	at, ok := d.byKey[hierarchy.Key{Manager: im.Manager, Ref: ref}]
	if ok && d.images[at].foreign {
		return "" // the parent's step is refused, and blocks this one
	}
	if ok && d.images[at].present && d.images[at].stored.ID != made.ID {
		return "parent " + name + " was rebuilt"
	}
	if ok && !d.images[at].present && want.Fingerprint != made.Fingerprint {
		d.mark(at, "it or its parents changed since "+im.Name+" was built")
		return "parent " + name + " has changed"
	}
	return ""
}

// changed describes how the base image differs from the one that an image was built
// from; "" if it does not.
func (b *base) changed(made hierarchy.Base) string {
	switch {
	case made == (hierarchy.Base{}):
		return "is new"
	case b.asked && b.remote.Moved && b.pin == "":
		return change(made, hierarchy.Base{Digest: b.remote.Digest})
	case b.present && b.now.ID != made.ID:
		return change(made, b.now)
	case !b.present && b.pin != "" && b.pin != made.Digest:
		return change(made, hierarchy.Base{Digest: b.pin})
	}
	return ""
}

func change(from, to hierarchy.Base) string {
	if from.Digest != "" && to.Digest != "" && from.Digest != to.Digest {
		return fmt.Sprintf("moved: %s → %s", short(from.Digest), short(to.Digest))
	}
	if from.ID != "" && to.ID != "" {
		return fmt.Sprintf("changed: %s → %s", short(from.ID), short(to.ID))
	}
	return "changed"
}

// short returns the first 12 characters of a digest, without the algorithm.
func short(digest string) string {
	hex := digest[strings.IndexByte(digest, ':')+1:]
	return hex[:min(len(hex), 12)]
}

// age formats a duration in days, if it is a whole number of them.
func age(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d%day != 0:
		return d.String()
	case d == day:
		return "1 day"
	}
	return fmt.Sprintf("%d days", d/day)
}
