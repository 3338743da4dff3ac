// Package launcher writes the files on the host that start what is in a box:
// scripts for programs, desktop files and icons for applications. It reads what
// it, distrobox 1 and distrobox 2 have written, says what is wrong with it, and
// replaces one set by another, all or nothing.
//
// The scripts need no ocisi and no environment. They name manager, box and
// image, and never let distrobox offer to create a box. They carry the lines by
// which distrobox lists and removes what it exported.
package launcher

import (
	"io/fs"
	"path/filepath"

	"github.com/klmcwhirter/ocisi/hierarchy"
)

// Owner is whose a launcher is: a box, and the config that wants it.
type Owner struct {
	Manager hierarchy.Manager // "" in what distrobox wrote: it does not say
	Box     string
	Image   string // name:tag, as the config has it
	Config  string // absolute path of the config
	Root    bool   // a box of root's podman
}

// Is reports whether both are the same box. A launcher that names no manager
// may be any manager's.
func (o Owner) Is(other Owner) bool {
	return o.Box == other.Box && (o.Manager == other.Manager || o.Manager == "" || other.Manager == "")
}

// name is the box, for people.
func (o Owner) name() string {
	if o.Manager == "" {
		return "box " + o.Box
	}
	return "box " + o.Box + " of " + string(o.Manager)
}

// Kind is what a launcher is for.
type Kind string

// The kinds.
const (
	Program  Kind = "program"  // a script that runs a program of a box
	App      Kind = "app"      // a desktop file
	Icon     Kind = "icon"     // of an App
	Entrance Kind = "entrance" // the script by which desktop files enter a box
	Leftover Kind = "leftover" // a half-written file of a run that was killed
)

// File is a launcher as it should be, or as it was found.
type File struct {
	Kind  Kind
	Path  string // absolute
	Data  []byte // nil for an Icon or a Leftover that was found
	Mode  fs.FileMode
	What  string // the exported thing, as the config has it; "" for an Entrance
	Owner Owner
}

// Dirs are the user's folders that launchers go to.
type Dirs struct {
	Home string // $HOME
	Data string // $XDG_DATA_HOME; "" is ~/.local/share
}

func (d Dirs) data() string {
	if d.Data != "" {
		return d.Data
	}
	return filepath.Join(d.Home, ".local", "share")
}

// Apps is the folder of desktop files.
func (d Dirs) Apps() string { return filepath.Join(d.data(), "applications") }

// Icons is the folder of icon themes.
func (d Dirs) Icons() string { return filepath.Join(d.data(), "icons") }

// Entrances is the folder of the scripts by which desktop files enter boxes.
func (d Dirs) Entrances() string { return filepath.Join(d.data(), "ocisi", "enter") }

// Bins is the folder for the programs of a box: its exported_bins_path, where ~
// and $HOME are the user's home, or ~/.local/bin.
func (d Dirs) Bins(b hierarchy.Box) string {
	if b.ExportedBinsPath == "" {
		return filepath.Join(d.Home, ".local", "bin")
	}
	path, _ := hierarchy.Expand(b.ExportedBinsPath, d.Home)
	return filepath.Clean(path)
}

// Known returns the launchers of a box that can be told without looking into
// it: its programs, and the entrance when it has applications.
func Known(o Owner, b hierarchy.Box, d Dirs) []File {
	var files []File
	for _, program := range b.ExportedBins {
		files = append(files, NewProgram(o, d, program, filepath.Join(d.Bins(b), filepath.Base(program))))
	}
	if len(b.ExportedApps) > 0 {
		files = append(files, NewEntrance(o, d))
	}
	return files
}
