package hierarchy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/distribution/reference"

	"github.com/klmcwhirter/ocisi/hierarchy/containerfile"
)

// link sorts what a node reads into managed images and bases.
func (r *resolver) link(n *node) {
	m := n.image.Manager
	for _, read := range n.reads {
		if i, ok := r.byKey[Key{m, m.StoreRef(read.Ref)}]; ok {
			n.image.Parents = append(n.image.Parents, Need{Ref: read.Ref, As: r.nodes[i].image.Ref(), Line: read.Line})
			continue
		}
		if r.unread[Key{m, m.StoreRef(read.Ref)}] {
			continue // one error is enough
		}
		if problem, advice := r.unmanaged(n, read.Ref); problem != "" {
			r.failNeed(n, read, problem, advice)
			continue
		}
		n.image.Bases = append(n.image.Bases, Need{Ref: read.Ref, As: r.config.base(read.Ref), Line: read.Line})
	}
}

// failNeed reports a parent that cannot be: where the name comes from the
// entry's name, as with thin layers, there; else in the Containerfile.
func (r *resolver) failNeed(n *node, read containerfile.Image, problem, advice string) {
	if n.image.Thin() && read.Instruction == "FROM" {
		r.failAt(n.entry.at("name"), problem, advice)
		return
	}
	word, _, _ := strings.Cut(read.Ref, ":")
	r.failIn(n, read.Line, word, problem, advice)
}

// unmanaged says what is wrong with an image that is read but not an enabled
// image of the same manager; "" when it is simply a base.
func (r *resolver) unmanaged(n *node, ref string) (problem, advice string) {
	m := n.image.Manager
	own := n.image.Ref() + " (" + string(m) + ")"
	if e, ok := r.known.entries[Key{m, m.StoreRef(ref)}]; ok {
		return fmt.Sprintf("%s is built from %s, which is disabled", own, ref),
			fmt.Sprintf("set enabled: true in %s:%d, or disable %s too", r.config.File, e.pos.Line, n.image.Name)
	}
	for _, other := range []Manager{Docker, Podman} {
		if _, ok := r.known.entries[Key{other, other.StoreRef(ref)}]; ok && other != m {
			return fmt.Sprintf("%s is built from %s, which is an image of %s", own, ref, other), "give both the same manager"
		}
	}
	problem = fmt.Sprintf("%s is built from %s, which is unknown", own, ref)
	if tags := r.known.tags[Key{m, repository(m, ref)}]; len(tags) > 0 {
		return problem, "known: " + strings.Join(tags, ", ")
	}
	if _, overridden := r.config.override(ref); overridden || qualified(ref) {
		return "", ""
	}
	name, _, _ := strings.Cut(ref, ":")
	if near := nearest(name, r.known.names); near != "" {
		return problem, fmt.Sprintf("did you mean %s? An image of a registry wants its full name: docker.io/library/%s", near, ref)
	}
	if n.image.Thin() {
		return problem, "add an image of that name, or give another in args: {IMG: NAME}"
	}
	return "", ""
}

// known is the entries of a config, disabled ones too, under the names that
// their stores have them by.
type known struct {
	entries map[Key]Entry
	tags    map[Key][]string // by repository: name:tag
	names   []string
}

func (c *Config) known(host Manager) known {
	k := known{entries: map[Key]Entry{}, tags: map[Key][]string{}}
	for _, e := range c.Entries {
		m := c.ManagerOf(e, host)
		full := m.StoreRef(e.Ref())
		k.entries[Key{m, full}] = e
		repo := Key{m, repository(m, full)}
		k.tags[repo] = append(k.tags[repo], e.Ref())
		k.names = append(k.names, e.Name)
	}
	slices.Sort(k.names)
	k.names = slices.Compact(k.names)
	return k
}

// repository returns the full name without its tag or digest.
func repository(m Manager, ref string) string {
	named, err := reference.ParseNormalizedNamed(m.StoreRef(ref))
	if err != nil {
		return ref
	}
	return named.Name()
}

// qualified reports whether a reference names its registry.
func qualified(ref string) bool {
	host, _, ok := strings.Cut(ref, "/")
	return ok && (strings.ContainsAny(host, ".:") || host == "localhost")
}

// override returns what the config wants in place of a base.
func (c *Config) override(ref string) (string, bool) {
	for from, to := range c.Bases {
		if from == ref || FullRef(from) == FullRef(ref) {
			return to, true
		}
	}
	return "", false
}

func (c *Config) base(ref string) string {
	if to, ok := c.override(ref); ok {
		return to
	}
	return ref
}

// visit appends a node to the graph after its parents. path is the nodes that
// led here.
func (r *resolver) visit(i int, g *Graph, path []int) error {
	n := &r.nodes[i]
	switch n.state {
	case 2:
		return nil
	case 1:
		return r.cycle(append(path[slices.Index(path, i):], i))
	}
	n.state = 1
	m := n.image.Manager
	for _, p := range n.image.Parents {
		if err := r.visit(r.byKey[Key{m, m.StoreRef(p.Ref)}], g, append(path, i)); err != nil {
			return err
		}
	}
	n.state = 2
	g.Images = append(g.Images, n.image)
	return nil
}

func (r *resolver) cycle(path []int) error {
	words := make([]string, len(path))
	for i, at := range path {
		words[i] = r.nodes[at].image.Ref()
	}
	n := &r.nodes[path[0]]
	parent := r.nodes[path[1]].image
	line := 1
	for _, p := range n.image.Parents {
		if p.As == parent.Ref() {
			line = p.Line
		}
	}
	advice := "an image cannot be built from itself; change one of these FROM lines"
	if len(path) == 2 && n.image.Manager == Docker {
		advice = "docker keeps " + n.image.Ref() + " and " + FullRef(n.image.Ref()) + " under one name; give yours another"
	}
	r.failIn(n, line, parent.Name, "cycle: "+strings.Join(words, " → "), advice)
	return r.errs[len(r.errs)-1]
}
