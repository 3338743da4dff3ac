package layers

import (
	"fmt"
	"path"
	"strings"
)

// File is an entry of a layer that takes bytes, or takes a path away.
type File struct {
	Path string // absolute and clean
	Size int64  // bytes
	Gone Gone
}

// Gone says what a layer takes away (OCI image specification, layer.md,
// "Whiteouts").
type Gone byte

// The kinds of whiteouts.
const (
	NotGone  Gone = iota
	Whiteout      // the path, and all that is in it
	Opaque        // all that lower layers have in it
)

// Contents are the files of layers, by diff ID.
type Contents map[string][]File

// Inspect returns what a look into the layers of a store's images tells: caches
// of package managers, and layers that hide files of lower ones, which stay in the
// store for nothing. Layers that came with a base are not ours to change, and layers
// without contents are not looked at. What would save most comes first.
func Inspect(images []Image, r Report, contents Contents) []Advice {
	bases := baseChains(images, r)
	seen := map[string]bool{}
	var all []Advice
	for _, im := range r.Images {
		w := wreck{files: map[string]int64{}}
		for _, l := range im.Layers {
			hidden, most := w.put(contents[l.DiffID])
			if seen[l.ChainID] || bases[l.ChainID] || im.Was != "" {
				continue
			}
			seen[l.ChainID] = true
			if hidden >= muchInLayer {
				all = append(all, Advice{
					Rule: RuleHidden, Images: []string{im.Ref}, Chain: l.ChainID, Bytes: hidden,
					Text: fmt.Sprintf("files of lower layers, the largest %s, are written over or removed, and stay in the store: %s", most, line(l)),
					Do:   "do it in the line that makes them, or do not make them",
				})
			}
			if bytes, where := caches(contents[l.DiffID]); bytes >= muchInLayer {
				all = append(all, Advice{
					Rule: RuleCache, Images: []string{im.Ref}, Chain: l.ChainID, Bytes: bytes,
					Text: fmt.Sprintf("%s is in a layer: %s", where, line(l)),
					Do:   "remove it at the end of that line, or mount a cache there: RUN --mount=type=cache,target=" + where + " …",
				})
			}
		}
	}
	sortAdvice(all)
	return all
}

// line names a layer for people.
func line(l LayerReport) string {
	if l.By != "" {
		return l.By
	}
	return l.DiffID
}

// baseChains returns the layers that came with bases.
func baseChains(images []Image, r Report) map[string]bool {
	chains := map[string]bool{}
	for i, im := range r.Images {
		if images[i].Base {
			for _, l := range im.Layers {
				chains[l.ChainID] = true
			}
		}
	}
	return chains
}

// wreck is the files that are to be seen in an image, as far as its layers have
// been laid upon each other.
type wreck struct {
	files  map[string]int64
	hidden map[string]int64 // by the layer that was laid last
}

// put lays a layer on top, and returns the bytes that it hides, and the path that
// had most of them. Databases of package managers do not count: every line that
// installs something writes over them.
func (w *wreck) put(layer []File) (hidden int64, most string) {
	w.hidden = map[string]int64{}
	for _, f := range layer {
		if f.Gone != NotGone {
			w.remove(f)
		}
	}
	for _, f := range layer {
		if f.Gone == NotGone {
			w.hide(f.Path)
			w.files[f.Path] = f.Size
		}
	}
	for p, size := range w.hidden {
		if isDatabase(p) {
			continue
		}
		hidden += size
		if size > w.hidden[most] || size == w.hidden[most] && p < most {
			most = p
		}
	}
	return hidden, most
}

func (w *wreck) hide(file string) {
	if size, ok := w.files[file]; ok {
		w.hidden[file] = size
		delete(w.files, file)
	}
}

func (w *wreck) remove(gone File) {
	if _, ok := w.files[gone.Path]; ok && gone.Gone == Whiteout {
		w.hide(gone.Path)
		return // a file has nothing in it
	}
	below := strings.TrimSuffix(gone.Path, "/") + "/"
	for p := range w.files {
		if strings.HasPrefix(p, below) {
			w.hide(p)
		}
	}
}

// isDatabase reports whether a file is where a package manager keeps what it knows.
func isDatabase(file string) bool {
	for _, dir := range []string{
		"/var/lib/dpkg/", "/var/lib/apt/", "/var/cache/debconf/", "/var/lib/rpm/", "/usr/lib/sysimage/", "/var/lib/dnf/", "/usr/lib/apk/db/", "/lib/apk/db/", "/var/lib/pacman/",
	} {
		if strings.HasPrefix(file, dir) {
			return true
		}
	}
	return file == "/etc/ld.so.cache"
}

// cacheDirs returns where package managers keep what they fetched, by their manuals.
// "*" stands for a user's name.
func cacheDirs() []string {
	return []string{
		"/var/lib/apt/lists", "/var/cache/apt", "/var/cache/dnf", "/var/cache/libdnf5", "/var/cache/yum", "/var/cache/zypp",
		"/var/cache/apk", "/var/cache/pacman/pkg", "/root/.cache", "/home/*/.cache", "/root/.npm/_cacache", "/home/*/.npm/_cacache",
		"/root/go/pkg/mod/cache", "/go/pkg/mod/cache", "/root/.cargo/registry", "/usr/local/cargo/registry",
	}
}

// caches returns the bytes of a layer that are in caches, and the cache that has
// most of them.
func caches(layer []File) (bytes int64, most string) {
	in := map[string]int64{}
	for _, f := range layer {
		dir := cacheOf(f.Path)
		if dir == "" || f.Gone != NotGone {
			continue
		}
		bytes += f.Size
		if in[dir] += f.Size; in[dir] > in[most] || in[dir] == in[most] && dir < most {
			most = dir
		}
	}
	return bytes, most
}

// cacheOf returns the cache that a file is in; "" when it is in none.
func cacheOf(file string) string {
	parts := strings.Split(file, "/")
	for _, pattern := range cacheDirs() {
		n := strings.Count(pattern, "/") + 1
		if len(parts) <= n {
			continue
		}
		dir := strings.Join(parts[:n], "/")
		if ok, err := path.Match(pattern, dir); ok && err == nil {
			return dir
		}
	}
	return ""
}
