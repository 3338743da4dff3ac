package launcher

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"slices"

	"github.com/klmcwhirter/ocisi/internal/input"
)

// Reason is why a launcher must not be written.
type Reason string

// The reasons.
const (
	OtherBox Reason = "other box" // a launcher of another box is there
	NotOurs  Reason = "not ours"  // something else is there
	Problem  Reason = "problem"   // it would hide a program that the host itself calls
	Twice    Reason = "twice"     // two entries of the box want the same file
	Copy     Reason = "copy"      // a copy of another launcher, or a link to it, is there
	Changed  Reason = "edited"    // an edited launcher of a box that is gone is there
)

// ConflictError says that a launcher is not written, because of what is there.
type ConflictError struct {
	File   File // that was to be written
	Reason Reason
	Other  string // OtherBox: "box" and its name, and its manager where that is known; Problem: the program that it would hide; Twice: the other entry; Copy: the path of the other launcher; Changed: as OtherBox
}

func (e *ConflictError) Error() string {
	to := fmt.Sprintf("box %s: export %s to %s: ", e.File.Owner.Box, e.File.What, e.File.Path)
	switch e.Reason {
	case OtherBox:
		return to + e.Other + " has a launcher there"
	case Problem:
		return to + "it would hide " + e.Other + ", which the host's own shell set-up calls"
	case Twice:
		return to + e.Other + " is exported to the same file"
	case Copy:
		return to + "there is a copy of, or a link to, launcher " + e.Other
	case Changed:
		return to + "there is an edited launcher of " + e.Other
	default:
		return to + "there is a file that is no launcher"
	}
}

// problems are the programs that Bluefin's shell set-up, and what Homebrew puts
// into it, call on the host. In a box they fail, or start the box with each
// terminal.
func problems() []string {
	return []string{"fastfetch", "fzf", "jq", "node", "npm", "npx", "pnpm", "pnpx", "uv", "uvx", "zoxide"}
}

// Conflicts returns, joined, a *ConflictError for each file that must not be
// written. A launcher of the same box may be replaced, unless it is a copy of
// another one, and so may that of a box that is gone or dropped, unless it was
// edited. One of the same box that was edited is for Keep.
func (h Host) Conflicts(files []File) error {
	var all []error
	at := map[string]File{}
	for _, f := range files {
		var reason Reason
		var other string
		if earlier, dup := at[f.Path]; dup && f.Kind != Icon && !bytes.Equal(f.Data, earlier.Data) {
			reason, other = Twice, earlier.What
		} else if reason, other = h.taken(f); reason == "" && f.Kind == Program && slices.Contains(problems(), path.Base(f.Path)) {
			reason, other = h.hides(f)
		}
		at[f.Path] = f
		if reason != "" {
			all = append(all, &ConflictError{File: f, Reason: reason, Other: other})
		}
	}
	return errors.Join(all...)
}

// taken tells whether something that must stay is where a file is to be. Names
// of icons and entrances are ocisi's own.
func (h Host) taken(f File) (Reason, string) {
	_, err := fs.Lstat(h.Files, inFS(f.Path))
	if errors.Is(err, fs.ErrNotExist) || f.Kind == Icon {
		return "", ""
	}
	there, launcher := readAt(h.Files, f.Path, maxDesktop)
	switch {
	case !launcher && f.Kind == Entrance:
		return "", ""
	case !launcher:
		return NotOurs, ""
	case !there.Owner.Is(f.Owner):
		return h.takenByOther(there)
	case there.CopyOf != "" && !there.moved(f):
		return Copy, there.CopyOf
	}
	return "", ""
}

// takenByOther returns why the launcher of another box stays, or "".
func (h Host) takenByOther(there Found) (Reason, string) {
	switch {
	case !h.gone(there.Owner) && (h.Dropped == nil || !h.Dropped(there.Owner)):
		return OtherBox, there.Owner.name()
	case there.By == Ocisi && there.CopyOf != "":
		return Copy, there.CopyOf
	case there.By == Ocisi && there.Edited:
		return Changed, there.Owner.name()
	}
	return "", ""
}

// moved reports whether a launcher that was written for another path is what
// ocisi wrote for the same export: the home or the folder has a new name.
func (f Found) moved(want File) bool {
	return !f.Edited && f.Kind == want.Kind && f.What == want.What && path.Base(f.CopyOf) == path.Base(want.Path)
}

// Keep returns those of files that may be written, and the launchers in the place
// of the others: their user edited them. It is for files without Conflicts.
func (h Host) Keep(files []File) (write []File, kept []Found) {
	if h.Replace {
		return files, nil
	}
	sealed := map[string]bool{} // by application
	for _, f := range files {
		if f.Kind == App {
			there, _ := readAt(h.Files, f.Path, maxDesktop)
			sealed[f.What] = sealed[f.What] || there.sealed
		}
	}
	for _, f := range files {
		there, ok := h.editedAt(f, sealed[f.What])
		if !ok {
			write = append(write, f)
		} else if !slices.ContainsFunc(kept, func(k Found) bool { return k.Path == f.Path }) {
			kept = append(kept, there)
		}
	}
	return write, kept
}

// editedAt returns what its user edited in the place of a file.
func (h Host) editedAt(f File, sealed bool) (Found, bool) {
	if f.Kind != Icon {
		there, ok := readAt(h.Files, f.Path, maxDesktop)
		return there, ok && there.editedFor(f.Owner)
	}
	if _, err := fs.Lstat(h.Files, inFS(f.Path)); err != nil {
		return Found{}, false
	}
	there := readIcon(h.Files, f.Path, sealed)
	there.What, there.Owner = f.What, f.Owner
	data, err := input.ReadFile(h.Files, inFS(f.Path), maxIcon)
	return there, !there.Ours() && (err != nil || !bytes.Equal(data, f.Data))
}

// gone reports whether no manager has a box. One that could not be asked may
// have it.
func (h Host) gone(o Owner) bool {
	state, _ := h.boxState(o)
	return state == Stale || state == Foreign && o.Manager != ""
}

// hides tells whether the host has a program of a script's name in another
// folder of PATH, if the script's is one too.
func (h Host) hides(f File) (Reason, string) {
	dir := filepath.Dir(f.Path)
	if !slices.ContainsFunc(h.Path, func(p string) bool { return same(h.Files, p, dir) }) {
		return "", ""
	}
	for _, p := range h.Path {
		other := h.search([]string{p}, f.Path)
		if other == "" {
			continue
		}
		if _, launcher := readAt(h.Files, other, maxScript); !launcher {
			return Problem, other
		}
	}
	return "", ""
}
