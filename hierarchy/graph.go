package hierarchy

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/klmcwhirter/ocisi/hierarchy/containerfile"
)

// Host is what a graph depends on besides the config.
type Host struct {
	Files    fs.FS   // the file system, rooted at /
	Manager  Manager // of images for which neither entry nor config names one
	User     string  // login name
	Home     string  // the user's, absolute, symlinks resolved; "": no dev containers
	Data     string  // $XDG_DATA_HOME, absolute
	UID, GID int
}

// Graph is the enabled images of a config, each after the images it is built
// from.
type Graph struct {
	Images []Image
}

// Image returns the image of an identity, or false.
func (g *Graph) Image(k Key) (Image, bool) {
	i := slices.IndexFunc(g.Images, func(im Image) bool { return im.Key() == k })
	if i < 0 {
		return Image{}, false
	}
	return g.Images[i], true
}

// Managers returns the managers whose stores are to have the images, each once,
// sorted.
func (g *Graph) Managers() []Manager {
	seen := map[Manager]bool{}
	for _, im := range g.Images {
		seen[im.Manager] = true
		for _, m := range im.Also {
			seen[m] = true
		}
	}
	return slices.Sorted(maps.Keys(seen))
}

// UnknownNameError says that a name is neither an image nor a box.
type UnknownNameError struct {
	Name string
	Near string // what it most likely means; "" when nothing is near
}

func (e *UnknownNameError) Error() string {
	if e.Near != "" {
		return fmt.Sprintf("no enabled image or box %q; did you mean %s?", e.Name, e.Near)
	}
	return fmt.Sprintf("no enabled image or box %q", e.Name)
}

// Only returns the graph of the named images and all that they are built from.
// A name is an image's name, its name:tag or its box's name.
func (g *Graph) Only(names []string) (*Graph, error) {
	if len(names) == 0 {
		return g, nil
	}
	named, err := g.Named(names)
	if err != nil {
		return nil, err
	}
	want := map[Key]bool{}
	for _, im := range named.Images {
		want[im.Key()] = true
	}
	out := &Graph{}
	for _, im := range slices.Backward(g.Images) { // children first
		if want[im.Key()] {
			for _, p := range im.Parents {
				want[Key{im.Manager, p.As}] = true
			}
			out.Images = append(out.Images, im)
		}
	}
	slices.Reverse(out.Images)
	return out, nil
}

// Named returns the graph of the named images alone (Only).
func (g *Graph) Named(names []string) (*Graph, error) {
	want := map[Key]bool{}
	for _, name := range names {
		found := g.named(name)
		if len(found) == 0 {
			return nil, &UnknownNameError{Name: name, Near: Nearest(name, g.names())}
		}
		for _, im := range found {
			want[im.Key()] = true
		}
	}
	out := &Graph{}
	for _, im := range g.Images {
		if want[im.Key()] {
			out.Images = append(out.Images, im)
		}
	}
	return out, nil
}

// Boxes returns each image once for each of its boxes (Image.Boxes), in the
// graph's order.
func (g *Graph) Boxes() []Image {
	var all []Image
	for _, im := range g.Images {
		all = append(all, im.Boxes()...)
	}
	return all
}

// named returns the images of a name; the same one may be in two stores.
func (g *Graph) named(name string) []Image {
	return slices.DeleteFunc(slices.Clone(g.Images), func(im Image) bool {
		isBox := func(x Image) bool { return x.Box.Name == name }
		return name != im.Name && name != im.Ref() && !slices.ContainsFunc(im.Boxes(), isBox)
	})
}

func (g *Graph) names() []string {
	var names []string
	for _, im := range g.Images {
		names = append(names, im.Name, im.Ref())
		for _, x := range im.Boxes() {
			names = append(names, x.Box.Name)
		}
	}
	return names
}

// Graph resolves the enabled entries: it reads their Containerfiles, tells
// which images they are built from, and orders them. All that is wrong is
// reported, each a *ConfigError, joined.
func (c *Config) Graph(h Host) (*Graph, error) {
	r := &resolver{config: c, host: h, byKey: map[Key]int{}, unread: map[Key]bool{}, stored: map[Key]string{}, nears: map[string]string{}}
	r.learn()
	for _, n := range r.readAll() {
		r.add(n)
	}
	r.checkCopies()
	for i := range r.nodes {
		r.link(&r.nodes[i])
	}
	if len(r.errs) > 0 {
		return nil, errors.Join(r.errs...)
	}
	g := &Graph{}
	for i := range r.nodes {
		if err := r.visit(i, g, nil); err != nil {
			return nil, err
		}
	}
	g.develop(r.host)
	return g, nil
}

// ManagerOf returns the manager of an entry: its own, the config's or the host's.
func (c *Config) ManagerOf(e Entry, host Manager) Manager { return cmp.Or(e.Manager, c.Manager, host) }

// Dir returns the absolute directory that an entry's Containerfile is in.
func (c *Config) Dir(e Entry) string {
	if filepath.IsAbs(e.Path) {
		return filepath.Clean(e.Path)
	}
	return filepath.Join(filepath.Dir(c.File), e.Path)
}

type node struct {
	image  Image
	entry  Entry
	text   []byte
	parsed *containerfile.File
	err    error // of reading or parsing the Containerfile
	state  int   // 0 unseen, 1 on the path, 2 done
}

type resolver struct {
	config *Config
	host   Host
	known  known
	nodes  []node
	byKey  map[Key]int
	unread map[Key]bool // images whose Containerfile has been reported
	errs   []error

	stored map[Key]string    // what Manager.StoreRef said
	nears  map[string]string // what nearest said of a name
}

// storeRef is Manager.StoreRef, asked once for each reference: it is most of
// the work in a large config.
func (r *resolver) storeRef(m Manager, ref string) string {
	k := Key{m, ref}
	full, ok := r.stored[k]
	if !ok {
		full = m.StoreRef(ref)
		r.stored[k] = full
	}
	return full
}

// key returns the identity of what a reference stands for in a manager's store.
func (r *resolver) key(m Manager, ref string) Key { return Key{m, r.storeRef(m, ref)} }

func (r *resolver) fail(err *ConfigError) { r.errs = append(r.errs, err) }

func (r *resolver) failAt(pos Position, problem, advice string) {
	d := decoder{config: r.config}
	r.fail(d.errorAt(pos, problem, advice))
}

// failIn reports something at a line of a node's Containerfile.
func (r *resolver) failIn(n *node, line int, word, problem, advice string) {
	e := &ConfigError{Pos: Position{n.image.Containerfile, max(line, 1), 1}, Problem: problem, Advice: advice}
	if lines := strings.Split(string(n.text), "\n"); line >= 1 && line <= len(lines) {
		e.Source = lines[line-1]
		if i := strings.Index(e.Source, word); word != "" && i >= 0 {
			e.Pos.Column = i + 1
		}
	}
	r.fail(e)
}

// Of returns the graph of some managers' images, with no copies for others.
func (g *Graph) Of(managers []Manager) *Graph {
	out := &Graph{}
	for _, im := range g.Images {
		if slices.Contains(managers, im.Manager) {
			im.Also = slices.DeleteFunc(slices.Clone(im.Also), func(m Manager) bool { return !slices.Contains(managers, m) })
			out.Images = append(out.Images, im)
		}
	}
	return out
}
