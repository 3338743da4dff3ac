package hierarchy

import (
	"bytes"
	"errors"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/distribution/reference"
	"github.com/goccy/go-yaml/ast"
)

// Lock is a lock file: which image a base is, by its digest, on every machine
// and until somebody moves it.
type Lock struct {
	File  string            // as given to ParseLock
	Bases map[string]string // full name (FullRef) → sha256:…
}

// LockChange is one base that an update of the lock file added or moved.
type LockChange struct {
	Ref string // full name
	Old string // digest; "" when the file did not have the base
	New string
}

// digestGrammar is what the engines and all registries take. The OCI image
// specification (descriptor.md) knows sha512 besides, which none of them writes.
var digestGrammar = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

// lockHead begins every lock file that ocisi writes.
const lockHead = `# Written by 'ocisi lock': the exact image that each base is. Builds use these and no newer
# ones, here and wherever this file is. 'ocisi lock --update' moves them; keep it with the config.
`

// LockPath returns where the lock file of a config file is: beside it, with the
// ending .lock in place of .yaml.
func LockPath(config string) string {
	if ext := filepath.Ext(config); ext == ".yaml" || ext == ".yml" {
		config = strings.TrimSuffix(config, ext)
	}
	return config + ".lock"
}

// ParseLock decodes a lock file. An empty one locks nothing yet. All that is
// wrong is reported, each a *ConfigError, joined.
func ParseLock(file string, data []byte) (*Lock, error) {
	l := &Lock{File: file, Bases: map[string]string{}}
	d, docs, err := parseYAML(file, data)
	if err != nil {
		return nil, err
	}
	for _, doc := range docs {
		if doc != docs[0] {
			d.fail(doc.Body, "a second YAML document", "keep one document a file")
			break
		}
		d.mapping(doc.Body, "the lock file", fields{"bases": d.locked(l.Bases)})
	}
	if len(d.errs) > 0 {
		return nil, errors.Join(d.errs...)
	}
	return l, nil
}

// locked decodes the bases of a lock file. No value at all is what is left when
// somebody removes the last entry.
func (d *decoder) locked(to map[string]string) func(ast.Node) {
	return func(n ast.Node) {
		if _, null := n.(*ast.NullNode); null {
			return
		}
		m, ok := n.(ast.MapNode)
		if !ok {
			d.fail(n, "bases wants a mapping of images to digests, not "+kind(n), "write REGISTRY/NAME:TAG: sha256:…")
			return
		}
		first := map[string]Position{}
		for it := m.MapRange(); it.Next(); {
			ref := it.Key().GetToken().Value
			full, problem := lockable(ref)
			if problem != "" {
				d.fail(it.Key(), problem, "'ocisi lock' writes the file anew")
				continue
			}
			if at, twice := first[full]; twice {
				d.fail(it.Key(), "a second entry for "+full+"; the first is in line "+itoa(at.Line), "remove one of them")
				continue
			}
			first[full] = d.position(it.Key())
			var digest string
			if d.text(&digest, ref, checkDigest)(d.resolve(it.Value())); digest != "" {
				to[full] = digest
			}
		}
	}
}

// lockable returns the full name of a base that a lock file can hold, or what
// is wrong with it.
func lockable(ref string) (full, problem string) {
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return "", ref + " is no image reference"
	}
	if _, ok := named.(reference.Digested); ok {
		return "", ref + " is locked by itself: it has a digest"
	}
	if reference.Domain(named) == "localhost" {
		return "", ref + " is in no registry, so that it has no digest to be locked to"
	}
	return FullRef(ref), ""
}

func checkDigest(s string) string {
	if !digestGrammar.MatchString(s) {
		return "wants a digest, sha256: and 64 hexadecimal digits, not " + s
	}
	return ""
}

// Encode returns the lock file's contents; the same for the same bases.
func (l *Lock) Encode() []byte {
	var b bytes.Buffer
	b.WriteString(lockHead + "bases:")
	if len(l.Bases) == 0 {
		b.WriteString(" {}\n")
		return b.Bytes()
	}
	b.WriteByte('\n')
	for _, ref := range slices.Sorted(maps.Keys(l.Bases)) {
		// References and digests need no quotes: a colon in them never ends a word.
		b.WriteString("  " + ref + ": " + l.Bases[ref] + "\n")
	}
	return b.Bytes()
}

// Update sets the digests of bases, by any form of their names, and returns what
// that changes, sorted by name. Bases that are not given stay as they are.
func (l *Lock) Update(digests map[string]string) []LockChange {
	var changes []LockChange
	if l.Bases == nil {
		l.Bases = map[string]string{}
	}
	for _, ref := range slices.Sorted(maps.Keys(digests)) {
		full, now := FullRef(ref), digests[ref]
		if old := l.Bases[full]; old != now {
			l.Bases[full] = now
			changes = append(changes, LockChange{Ref: full, Old: old, New: now})
		}
	}
	slices.SortFunc(changes, func(a, b LockChange) int { return strings.Compare(a.Ref, b.Ref) })
	return changes
}

// Keep removes the bases that are not among those given, by any form of their
// names, and returns their full names, sorted.
func (l *Lock) Keep(refs []string) []string {
	kept := map[string]bool{}
	for _, ref := range refs {
		kept[FullRef(ref)] = true
	}
	var gone []string
	for _, ref := range slices.Sorted(maps.Keys(l.Bases)) {
		if !kept[ref] {
			gone = append(gone, ref)
			delete(l.Bases, ref)
		}
	}
	return gone
}

// Lockable returns the full names of the bases that a lock file can hold, each
// once, sorted: not those that are named by a digest or that no registry has
// (localhost/…).
func (g *Graph) Lockable() []string {
	seen := map[string]bool{}
	for _, im := range g.Images {
		for _, b := range im.Bases {
			if full, problem := lockable(b.As); problem == "" {
				seen[full] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(seen))
}

// Pin makes all images use their bases by the digests of a lock file, and
// returns the bases that want an entry and have none, by full name, each once,
// sorted. Without a lock file (nil) nothing is pinned or missing.
func (g *Graph) Pin(l *Lock) (missing []string) {
	if l == nil {
		return nil
	}
	for _, im := range g.Images {
		for i := range im.Bases {
			if full, problem := lockable(im.Bases[i].As); problem == "" {
				im.Bases[i].Pin = l.Bases[full]
			}
		}
	}
	return slices.DeleteFunc(g.Lockable(), func(ref string) bool { return l.Bases[ref] != "" })
}
