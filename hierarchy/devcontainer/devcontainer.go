// Package devcontainer knows what a dev container of one of our images is made
// by: the label that the image has, and the short devcontainer.json of a
// project. It writes both as texts, edits a file that is there without losing
// anything of its user's, and finds such files below a folder. It asks nobody.
//
// The form of both is the specification's at containers.dev: "Image Metadata"
// for the label, "devcontainer.json reference" for the file.
package devcontainer

import (
	"maps"
	"path"
	"slices"
	"strings"
)

// Label is the label of an image that tools for dev containers read: a JSON
// array of objects with keys of a devcontainer.json, a later one over an earlier.
const Label = "devcontainer.metadata"

// Wish is what a config says about dev containers of an image, and of all that
// is built on it.
type Wish struct {
	Extensions []string          // of VS Code, PUBLISHER.NAME; with a - in front, one that is not wanted
	Settings   map[string]any    // of VS Code; any JSON
	Env        map[string]string // environment of the container
	Mounts     []string          // SOURCE:TARGET[:ro]; ~ and $HOME are the user's home
}

// Image is an image that dev containers are made from.
type Image struct {
	Ref     string   // name:tag
	User    string   // who works in the container
	Home    string   // the user's home on the host, absolute, symlinks resolved
	Server  string   // the folder on the host for VS Code's server, absolute
	Box     string   // name of its first box; "": it has none
	BoxHome string   // the home of that box, absolute; "": the user's own
	Volumes []string // of that box: SOURCE:TARGET[:OPTIONS]
	Wishes  []Wish   // those of the images that it is built on first
}

// ServerFolder returns the folder of VS Code's server for an image, below the
// user's data folder. Each image has its own: a server runs in the image that it
// was installed from, and the home is the same in all of them.
func ServerFolder(data, ref string) string {
	name, tag, _ := strings.Cut(ref, ":")
	name = strings.ReplaceAll(name, "/", "+") // no name has one
	if tag != "latest" {
		name += "@" + tag
	}
	return path.Join(data, "ocisi", "vscode-server", name)
}

// home is the home in the container.
func (im Image) home() string {
	if im.BoxHome != "" {
		return im.BoxHome
	}
	return im.Home
}

// serverTarget is where VS Code looks for its server in the container.
func (im Image) serverTarget() string { return path.Join(im.home(), ".vscode-server") }

// Folder is a folder on the host that has to be there before a container is
// made. An engine refuses a mount of one that is not, and what a mount goes over
// inside another mount it makes itself, docker as root.
type Folder struct {
	Path    string
	Private bool // for nobody but its user
}

// Folders returns what has to be there, on the host, for the image's mounts.
func (im Image) Folders() []Folder {
	return []Folder{{Path: im.Server, Private: true}, {Path: im.serverTarget()}}
}

// Expand replaces ~, $HOME or ${HOME} at the start of a path, and reports whether
// there was one. Paths of a config know no other variable.
func Expand(value, home string) (string, bool) {
	for _, h := range []string{"~", "$HOME", "${HOME}"} {
		if rest, ok := strings.CutPrefix(value, h); ok && (rest == "" || rest[0] == '/') {
			return home + rest, true
		}
	}
	return value, false
}

// merged is all wishes as one: a later one adds to an earlier, and wins.
func merged(wishes []Wish) Wish {
	all := Wish{Settings: map[string]any{}, Env: map[string]string{}}
	for _, w := range wishes {
		for _, id := range w.Extensions {
			all.Extensions = slices.DeleteFunc(all.Extensions, func(x string) bool {
				return strings.EqualFold(strings.TrimPrefix(x, "-"), strings.TrimPrefix(id, "-"))
			})
			all.Extensions = append(all.Extensions, id)
		}
		maps.Copy(all.Settings, w.Settings)
		maps.Copy(all.Env, w.Env)
		all.Mounts = append(all.Mounts, w.Mounts...)
	}
	return all
}
