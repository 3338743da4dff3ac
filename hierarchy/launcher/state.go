package launcher

import (
	"bytes"
	"cmp"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/klmcwhirter/ocisi/hierarchy"
)

// Host is what the state of launchers depends on.
type Host struct {
	Files   fs.FS                          // the root of the file system
	Path    []string                       // the folders of PATH
	Boxes   map[hierarchy.Manager][]string // names of boxes, of every manager that could be asked; one that waits aside counts by its own name
	Default hierarchy.Manager              // where distrobox looks when nobody names a manager
	Replace bool                           // also launchers that were edited
	Dropped func(Owner) bool               // boxes that their config no longer wants, though they may be there; nil: none
}

// State is what is to be said about a launcher.
type State string

// The states. Of those that apply, the first one is told.
const (
	Edited   State = "edited"          // changed by its user, or a copy: ocisi neither replaces nor removes it
	Stale    State = "stale box"       // its box is gone
	Foreign  State = "foreign manager" // its box is not where it, or distrobox in its place, looks
	Outdated State = "outdated"        // not as it would be written now, or it calls a program that is gone
	Shadowed State = "shadowed"        // its name starts something else in a terminal, or nothing
	Missing  State = "missing"         // wanted, and not there
	OK       State = "ok"
)

// Status is a launcher and its state.
type Status struct {
	Found
	State State
	Why   string // "" for OK
}

// States returns the state of all that was found, and of what is wanted and
// missing, sorted by path. Wanted may leave out what only a look into a box
// tells.
func (h Host) States(found []Found, wanted []File) []Status {
	missing := slices.Clone(wanted)
	var all []Status
	for _, f := range found {
		s := Status{Found: f}
		i := slices.IndexFunc(wanted, func(w File) bool { return f.at(w.Path) })
		switch {
		case i < 0:
			s.State, s.Why = h.state(f, nil)
		case !f.Owner.Is(wanted[i].Owner):
			// One box's is not mended by another's.
			if s.State, s.Why = h.state(f, nil); s.State == OK {
				s.Why = wanted[i].Owner.name() + " wants it, too"
			}
		default:
			s.State, s.Why = h.state(f, &wanted[i])
		}
		all = append(all, s)
		missing = slices.DeleteFunc(missing, func(w File) bool { return f.at(w.Path) })
	}
	for _, w := range missing {
		all = append(all, Status{Found: Found{File: w, By: Ocisi}, State: Missing, Why: "box " + w.Owner.Box + " wants it"})
	}
	slices.SortFunc(all, func(a, b Status) int { return cmp.Compare(a.Path, b.Path) })
	return all
}

// state returns the state of a launcher, and of what is wanted in its place, if
// it is.
func (h Host) state(f Found, want *File) (State, string) {
	if f.Kind == Leftover {
		return Outdated, "an earlier run was killed while it wrote this file"
	}
	if why := f.kept(); why != "" {
		if state, reason := h.boxState(f.Owner); state != OK && f.Owner.Box != "" {
			why += "; " + reason
		}
		return Edited, why
	}
	if f.Kind == Icon && f.Owner.Box == "" {
		return Stale, "no application uses it"
	}
	if state, why := h.boxState(f.Owner); state != OK {
		return state, why
	}
	if why := f.outdated(want); why != "" {
		return Outdated, why
	}
	if f.Kind == Program {
		if why := h.shadow(f.Path); why != "" {
			return Shadowed, why
		}
	}
	return OK, ""
}

// kept returns why a launcher is neither replaced nor removed, or "".
func (f Found) kept() string {
	switch {
	case f.CopyOf != "":
		return "a copy of, or a link to, " + f.CopyOf
	case f.Edited:
		return "not what ocisi wrote"
	}
	return ""
}

// outdated returns why a launcher is not as it would be written now, or "".
func (f Found) outdated(want *File) string {
	switch {
	case f.Gone:
		return "calls " + f.Calls + ", which is gone"
	case want != nil && f.By != Ocisi:
		return "written by " + string(f.By)
	case f.old, want != nil && f.Data != nil && !bytes.Equal(f.Data, want.Data):
		return "not what ocisi would write now"
	case f.Data != nil && f.Kind != App && f.Mode&0o100 == 0:
		return "not executable"
	}
	return ""
}

// boxState tells whether the box of a launcher is where it looks for it. Root's
// boxes, and those of managers that could not be asked, are given credit.
func (h Host) boxState(o Owner) (State, string) {
	manager := cmp.Or(o.Manager, h.Default)
	names, asked := h.Boxes[manager]
	if o.Root || !asked || slices.Contains(names, o.Box) {
		return OK, ""
	}
	for _, m := range slices.Sorted(maps.Keys(h.Boxes)) {
		if slices.Contains(h.Boxes[m], o.Box) {
			if o.Manager == "" {
				return Foreign, "names no manager, so distrobox looks in " + string(manager) + "; box " + o.Box + " is in " + string(m)
			}
			return Foreign, "looks in " + string(manager) + "; box " + o.Box + " is in " + string(m)
		}
	}
	if o.Manager == "" {
		return Stale, "there is no box " + o.Box
	}
	return Stale, string(manager) + " has no box " + o.Box
}

// shadow returns why the name of a script does not start it, or "".
func (h Host) shadow(at string) string {
	i := slices.IndexFunc(h.Path, func(dir string) bool { return same(h.Files, dir, filepath.Dir(at)) })
	if i < 0 {
		return filepath.Dir(at) + " is not in PATH"
	}
	if other := h.search(h.Path[:i], at); other != "" {
		return other + " comes first in PATH"
	}
	return ""
}

// search returns the first program in some folders that has the name of another
// one and is not that one, or "".
func (h Host) search(folders []string, at string) string {
	for _, dir := range folders {
		other := filepath.Join(dir, path.Base(at))
		info, err := fs.Stat(h.Files, inFS(other))
		if err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 && !same(h.Files, other, at) {
			return other
		}
	}
	return ""
}

// Lacking returns what a box should have on the host and has not, or not as it
// should be: paths of scripts, names of applications as the config has them.
// What its user edited is not lacking.
func Lacking(found []Found, o Owner, b hierarchy.Box, d Dirs) []string {
	var lacking []string
	for _, want := range Known(o, b, d) {
		if !slices.ContainsFunc(found, func(f Found) bool {
			return f.at(want.Path) && (f.editedFor(o) || bytes.Equal(f.Data, want.Data) && f.Mode&0o100 != 0)
		}) {
			lacking = append(lacking, want.Path)
		}
	}
	for _, app := range b.ExportedApps {
		if !slices.ContainsFunc(found, func(f Found) bool { return f.exports(app, o, d) }) {
			lacking = append(lacking, app)
		}
	}
	return lacking
}

// exports reports whether a launcher is the one of an application of a box.
func (f Found) exports(app string, o Owner, d Dirs) bool {
	current := f.Ours() && !f.old && f.Owner == o || f.editedFor(o)
	return current && f.Kind == App && f.What == app && strings.HasPrefix(f.Path, d.Apps()+"/")
}

// editedFor reports whether a launcher of a box was edited in its place.
func (f Found) editedFor(o Owner) bool {
	return f.By == Ocisi && f.Edited && f.CopyOf == "" && f.Owner.Is(o)
}
