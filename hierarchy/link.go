package hierarchy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/klmcwhirter/ocisi/hierarchy/containerfile"
)

// link sorts what a node reads into managed images and bases.
func (r *resolver) link(n *node) {
	m := n.image.Manager
	for _, read := range n.parsed.Images {
		key := r.key(m, read.Ref)
		if i, ok := r.byKey[key]; ok {
			n.image.Parents = append(n.image.Parents, Need{Ref: read.Ref, As: r.nodes[i].image.Ref(), Line: read.Line})
			continue
		}
		if r.unread[key] {
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
	if e, ok := r.known.entries[r.key(m, ref)]; ok {
		return fmt.Sprintf("%s is built from %s, which is disabled", own, ref),
			fmt.Sprintf("set enabled: true in %s:%d, or disable %s too", r.config.File, e.pos.Line, n.image.Name)
	}
	for _, other := range []Manager{Docker, Podman} {
		if _, ok := r.known.entries[r.key(other, ref)]; ok && other != m {
			return fmt.Sprintf("%s is built from %s, which is an image of %s", own, ref, other), "give both the same manager"
		}
	}
	problem = fmt.Sprintf("%s is built from %s, which is unknown", own, ref)
	if tags := r.known.tags[Key{m, repository(r.storeRef(m, ref))}]; len(tags) > 0 {
		return problem, "known: " + strings.Join(tags, ", ")
	}
	if _, overridden := r.config.override(ref); overridden || qualified(ref) {
		return "", ""
	}
	name, _, _ := strings.Cut(ref, ":")
	if near := r.near(name); near != "" {
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

// learn notes all entries.
func (r *resolver) learn() {
	r.known = known{entries: map[Key]Entry{}, tags: map[Key][]string{}}
	for _, e := range r.config.Entries {
		key := r.key(r.config.ManagerOf(e, r.host.Manager), e.Ref())
		r.known.entries[key] = e
		repo := Key{key.Manager, repository(key.Ref)}
		r.known.tags[repo] = append(r.known.tags[repo], e.Ref())
		r.known.names = append(r.known.names, e.Name)
	}
	slices.Sort(r.known.names)
	r.known.names = slices.Compact(r.known.names)
}

// near returns the name of an entry that is meant by another name, or "".
func (r *resolver) near(name string) string {
	found, ok := r.nears[name]
	if !ok {
		found = Nearest(name, r.known.names)
		r.nears[name] = found
	}
	return found
}

// repository returns a full name without its tag or digest.
func repository(full string) string {
	full, _, _ = strings.Cut(full, "@")
	if i := strings.LastIndexByte(full, ':'); i > strings.LastIndexByte(full, '/') {
		return full[:i]
	}
	return full
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
		if err := r.visit(r.byKey[r.key(m, p.Ref)], g, append(path, i)); err != nil {
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
