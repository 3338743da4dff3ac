package cli

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/klmcwhirter/ocisi/hierarchy/layers"
)

// treeWidth is how wide a tree gets, but for names that are longer.
const treeWidth = 80

// tree writes a store as a tree of images: each with what it adds to the one
// below, layer by layer, and its boxes.
type tree struct {
	w       io.Writer
	colours colours
	images  map[string]layers.ImageReport
}

func writeTree(w io.Writer, c colours, s layers.Store) {
	t := tree{w: w, colours: c, images: map[string]layers.ImageReport{}}
	for _, im := range s.Images {
		t.images[im.Ref] = im
	}
	fmt.Fprintf(w, "%s%s%s: %s\n", c.bold, s.Manager, c.off, stored(s.Report))
	t.branches("", s.Tree)
	for _, im := range s.Images {
		if im.Unlisted {
			fmt.Fprintf(w, "%s%s%s: %s\n", c.bold, imageName(im), c.off, unlisted(s.Manager))
			t.extras("   ", im)
		}
	}
}

// unlisted describes an image that a box uses and the engine does not list.
func unlisted(manager string) string {
	return "layers unknown, " + manager + " does not list the image"
}

func (t tree) branches(indent string, nodes []layers.Node) {
	for i, n := range nodes {
		first, rest := "├─ ", "│  "
		if i == len(nodes)-1 {
			first, rest = "└─ ", "   "
		}
		t.segment(indent+first, indent+rest, n)
	}
}

// segment writes a run of layers up to where an image ends or images part.
func (t tree) segment(first, rest string, n layers.Node) {
	run := []layers.Node{n}
	for len(n.Refs) == 0 && len(n.Children) == 1 {
		n = n.Children[0]
		run = append(run, n)
	}
	var bytes int64
	for _, l := range run {
		bytes += l.Size
	}
	fmt.Fprintf(t.w, "%s%s  %s\n", first, t.size(bytes, n.Images == 1), t.label(n))
	body := rest
	if len(n.Children) > 0 {
		body += "│  "
	} else {
		body += "   "
	}
	for _, l := range run {
		t.layer(body, l)
	}
	for _, ref := range n.Refs {
		t.extras(body, t.images[ref])
	}
	t.branches(rest, n.Children)
}

// label says what ends here.
func (t tree) label(n layers.Node) string {
	if len(n.Refs) == 0 {
		return "in " + count(n.Images, "image", "images")
	}
	var names []string
	for _, ref := range n.Refs {
		names = append(names, t.colours.bold+imageName(t.images[ref])+t.colours.off)
	}
	return strings.Join(names, ", ")
}

// imageName names an image for people.
func imageName(im layers.ImageReport) string {
	if im.Was != "" {
		return im.Ref + " as it was"
	}
	return im.Ref
}

// shortID is an ID as engines show it.
func shortID(id string) string {
	id = strings.TrimPrefix(id, "sha256:")
	return id[:min(len(id), 12)]
}

// size writes bytes; those that only one image has stand out.
func (t tree) size(bytes int64, own bool) string {
	if own {
		return t.colours.yellow + size(bytes) + t.colours.off
	}
	return t.colours.green + size(bytes) + t.colours.off
}

func (t tree) layer(indent string, l layers.Node) {
	by := l.By
	if by == "" {
		by = shortID(l.DiffID)
	}
	text := fmt.Sprintf("%8s  %s", about(l.Size, l.Estimated), by)
	fmt.Fprintln(t.w, indent+cut(text, max(treeWidth-utf8.RuneCountInString(indent), 20)))
}

// extras are what an image costs besides its layers.
func (t tree) extras(indent string, im layers.ImageReport) {
	if im.Copied > 0 {
		fmt.Fprintf(t.w, "%s%8s  podman's copy of it, for boxes\n", indent, size(im.Copied))
	}
	for _, b := range im.Boxes {
		what := "written by box " + b.Box
		if b.Generation > 0 {
			what = "written by a former box " + b.Box + ", " + b.Name
		}
		fmt.Fprintf(t.w, "%s%8s  %s\n", indent, size(b.Written), what)
	}
}
