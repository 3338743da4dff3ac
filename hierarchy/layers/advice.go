package layers

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// The rules of Advise.
const (
	RuleSiblings = "siblings" // the same line in images side by side
	RuleHeavy    = "heavy"    // an image that is to add next to nothing adds much
	RuleCache    = "cache"    // a layer has what a package manager fetched
	RuleHidden   = "hidden"   // a layer writes over or removes what is below
	RuleBases    = "bases"    // one base in two versions
	RuleVersion  = "version"  // a version below much else
	RuleManagers = "managers" // the same layers in two stores
	RuleDrift    = "drift"    // a box has written much
)

// Bytes below which nobody is bothered.
const (
	muchInLayer = 1_000_000
	muchInLight = 20_000_000
)

// MuchWritten is what a box may have written, in bytes, before a word is lost about
// it. A package manager's lists alone can be more.
const MuchWritten = 50_000_000

// Advise returns what a person may want to change about the images and boxes of
// one store, by what the report says and by the lines that made the layers: what
// would save most comes first. It must be the report of these images.
func Advise(images []Image, r Report) []Advice {
	l := linter{images: images, report: r, children: map[string][]string{}}
	for _, im := range r.Images {
		if im.Parent != "" && im.Was == "" {
			l.children[im.Parent] = append(l.children[im.Parent], im.Ref)
		}
	}
	l.siblings()
	l.bases()
	for i := range images {
		l.heavy(i)
		l.versions(i)
		l.drift(i)
	}
	sortAdvice(l.all)
	return l.all
}

func sortAdvice(all []Advice) {
	slices.SortStableFunc(all, func(a, b Advice) int {
		return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Text, b.Text))
	})
}

// linter looks at one store.
type linter struct {
	images   []Image
	report   Report
	children map[string][]string // by Ref: images that are built on it
	all      []Advice
}

func (l *linter) add(a Advice) { l.all = append(l.all, a) }

// at is a layer, and the first image that was seen to have it.
type at struct {
	image int
	layer LayerReport
}

// siblings finds lines that were run on top of several images, none of which
// stands on another. Thin layers are all made by the same lines.
func (l *linter) siblings() {
	lines := map[string][]at{} // by the line; each chain once
	seen := map[string]bool{}
	var order []string
	for i, im := range l.report.Images {
		if l.images[i].Light {
			continue
		}
		for _, layer := range im.Layers {
			if seen[layer.ChainID] || layer.Size < muchInLayer || im.Was != "" || !strings.HasPrefix(layer.By, "RUN ") {
				continue
			}
			seen[layer.ChainID] = true
			if lines[layer.By] == nil {
				order = append(order, layer.By)
			}
			lines[layer.By] = append(lines[layer.By], at{i, layer})
		}
	}
	for _, line := range order {
		if found := lines[line]; len(found) > 1 {
			l.twins(line, found)
		}
	}
}

func (l *linter) twins(line string, found []at) {
	var refs []string
	var sum, most int64
	for _, f := range found {
		refs = append(refs, l.report.Images[f.image].Ref)
		sum += f.layer.Size
		most = max(most, f.layer.Size)
	}
	if slices.Contains(refs[1:], refs[0]) {
		return // twice in one image
	}
	do := "move it to an image that all of them are built from"
	if below := l.below(found); below != "" {
		do = "move it to " + below + ", which all of them are built from"
	}
	l.add(Advice{
		Rule: RuleSiblings, Images: refs, Bytes: sum - most, Do: do,
		Text: fmt.Sprintf("the same line is in %d images that do not share it: %s", len(refs), line),
	})
}

// below returns the nearest image of ours that several are built from; "" when
// there is none.
func (l *linter) below(found []at) string {
	common := l.ancestors(found[0].image)
	for _, f := range found[1:] {
		theirs := l.ancestors(f.image)
		common = slices.DeleteFunc(common, func(ref string) bool { return !slices.Contains(theirs, ref) })
	}
	for _, ref := range common {
		if i := l.index(ref); !l.images[i].Base {
			return ref
		}
	}
	return ""
}

func (l *linter) index(ref string) int {
	return slices.IndexFunc(l.images, func(im Image) bool { return im.Ref == ref })
}

func (l *linter) ancestors(image int) []string { return l.ancestorsOf(l.images[image].Ref) }

// ancestorsOf returns what an image is built on, the nearest first.
func (l *linter) ancestorsOf(ref string) (all []string) {
	for {
		ref = l.report.Images[l.index(ref)].Parent
		if ref == "" || slices.Contains(all, ref) {
			return all
		}
		all = append(all, ref)
	}
}

func (l *linter) heavy(i int) {
	im := l.report.Images[i]
	if !l.images[i].Light || im.Added < muchInLight || im.Was != "" {
		return
	}
	l.add(Advice{
		Rule: RuleHeavy, Images: []string{im.Ref}, Bytes: im.Added,
		Text: im.Ref + " is a thin layer, and adds much to " + im.Parent,
		Do:   "move what is big in it to " + im.Parent + ", where other images can share it",
	})
}

// versions finds arguments that change often below images that take long.
func (l *linter) versions(i int) {
	im := l.images[i]
	above := l.above(im.Ref)
	if len(im.Versions) == 0 || len(l.children[im.Ref]) < 2 {
		return
	}
	l.add(Advice{
		Rule: RuleVersion, Images: append([]string{im.Ref}, above...),
		Text: fmt.Sprintf("%s has %s, and %d images are built on it: a new version builds all of them anew", im.Ref, strings.Join(im.Versions, ", "), len(above)),
		Do:   "put what has a version into an image of its own, above what has none",
	})
}

// above returns all images that are built on one.
func (l *linter) above(ref string) (all []string) {
	for _, c := range l.children[ref] {
		all = append(append(all, c), l.above(c)...)
	}
	return all
}

func (l *linter) drift(i int) {
	for _, b := range l.images[i].Boxes {
		if b.Generation == 0 && b.Written >= MuchWritten {
			l.add(Advice{
				Rule: RuleDrift, Images: []string{l.images[i].Ref}, Bytes: b.Written,
				Text: "box " + b.Box + " has written much to its own layer",
				Do:   "ocisi diff " + b.Box + " lists it; what is to stay belongs into a Containerfile",
			})
		}
	}
}

// bases finds bases that differ in nothing but the tag.
func (l *linter) bases() {
	byName := map[string][]int{}
	var order []string
	for i, im := range l.images {
		if !im.Base {
			continue
		}
		name := repository(im.Ref)
		if byName[name] == nil {
			order = append(order, name)
		}
		byName[name] = append(byName[name], i)
	}
	for _, name := range order {
		found := byName[name]
		if len(found) < 2 {
			continue
		}
		a := Advice{Rule: RuleBases, Text: fmt.Sprintf("%s is a base in %d versions", name, len(found)), Do: "build all from one of them, if they need not differ"}
		var sum, most int64
		for _, i := range found {
			im := l.report.Images[i]
			a.Images = append(a.Images, im.Ref)
			bytes := bytesOf(im.Layers)
			sum, most = sum+bytes, max(most, bytes)
		}
		a.Bytes = max(0, sum-most-l.common(found))
		l.add(a)
	}
}

// common returns the bytes of the layers that several images have in common,
// beyond the first that has them.
func (l *linter) common(found []int) (bytes int64) {
	seen := map[string]bool{}
	for _, i := range found {
		for _, layer := range l.report.Images[i].Layers {
			if seen[layer.ChainID] {
				bytes += layer.Size
			}
			seen[layer.ChainID] = true
		}
	}
	return bytes
}

// repository returns a reference without tag and digest.
func repository(ref string) string {
	ref, _, _ = strings.Cut(ref, "@")
	if i := strings.LastIndexByte(ref, ':'); i > strings.LastIndexByte(ref, '/') {
		ref = ref[:i]
	}
	return ref
}
