package page

import (
	"fmt"
	"slices"
	"strings"

	"github.com/klmcwhirter/ocisi/hierarchy/layers"
)

// figure is one number of a list of totals.
type figure struct {
	Key   string // of the attribute data-total
	Name  string
	Bytes int64
	Text  string
	Note  string // what the number means
}

// figures returns the totals of a report; twice is what several stores cost
// together, and there is no such figure for one of them alone.
func figures(r layers.Report, twice int64, several bool) []figure {
	all := []figure{
		{Key: "stored", Name: "Stored", Bytes: r.Stored, Note: "layers, each once"},
		{Key: "referenced", Name: "Without sharing", Bytes: r.Referenced, Note: "every image with layers of its own"},
		{Key: "saved", Name: "Saved", Bytes: r.Referenced - r.Stored, Text: fmt.Sprintf("%.0f %%", 100*r.Reuse())},
		{Key: "copied", Name: "Copies", Bytes: r.Copied, Note: "of layers, for other maps of user ids"},
		{Key: "written", Name: "Written", Bytes: r.Written, Note: "by boxes, besides their images"},
		{Key: "kept", Name: "Generations kept", Bytes: r.Kept, Note: "the part of written that former boxes hold"},
		{Key: "total", Name: "All together", Bytes: r.Total, Note: "stored, copies and written"},
	}
	if r.Packed > 0 {
		compressed := figure{Key: "packed", Name: "Compressed", Bytes: r.Packed, Note: "the part of stored that is compressed"}
		all = slices.Insert(all, 1, compressed)
	}
	if several {
		all = append(all, figure{Key: "twice", Name: "Stored twice", Bytes: twice, Note: "layers that more than one manager has"})
	}
	for i, f := range all {
		switch {
		case f.Text == "":
			all[i].Text = size(f.Bytes)
		case f.Note == "":
			all[i].Note = size(f.Bytes) + " less than without sharing"
		}
	}
	return all
}

// size writes bytes as the command line does: four digits, units of a thousand.
func size(n int64) string {
	value, unit := float64(n), 0
	units := []string{"B", "kB", "MB", "GB", "TB"}
	for value >= 1000 && unit < len(units)-1 {
		value /= 1000
		unit++
	}
	return fmt.Sprintf("%.4g %s", value, units[unit])
}

// per1000 returns part as thousandths of whole, for a bar.
func per1000(part, whole int64) string {
	if whole == 0 {
		return "0"
	}
	return fmt.Sprintf("%.2f", 1000*float64(part)/float64(whole))
}

// familiar returns a reference as people type it.
func familiar(ref string) string {
	return strings.TrimPrefix(strings.TrimPrefix(ref, "docker.io/"), "library/")
}

// former returns the boxes of an image that are former ones, or those that are not.
func former(is bool, boxes []layers.Box) (some []layers.Box) {
	for _, b := range boxes {
		if is == (b.Generation > 0) {
			some = append(some, b)
		}
	}
	return some
}

// line is a layer in a table, which has no branches: Depth layers are below it.
type line struct {
	Depth int
	layers.Node
}

// lines returns a tree from the base up, every layer before those on top of it.
func lines(tree []layers.Node) []line {
	var all []line
	var add func([]layers.Node, int)
	add = func(nodes []layers.Node, depth int) {
		for _, n := range nodes {
			all = append(all, line{depth, n})
			add(n.Children, depth+1)
		}
	}
	add(tree, 0)
	return all
}
