package layers

import (
	"cmp"
	"slices"
)

// Node is a layer in a store, with the layers on top of it.
type Node struct {
	LayerReport
	Refs     []string `json:"refs,omitempty"`     // images that have this layer on top, sorted
	Above    int64    `json:"above"`              // bytes of all layers on top of this one, every chain once
	Children []Node   `json:"children,omitempty"` // those with the most bytes first
}

// tree returns the lowest layers of images, each with what is on top of it.
func tree(images []ImageReport, chains map[string]*chain) []Node {
	children := make(map[string][]string) // by chain ID; "" has the lowest
	linked := make(map[string]bool)
	refs := make(map[string][]string)
	for _, im := range images {
		below := ""
		for _, l := range im.Layers {
			if !linked[l.ChainID] {
				linked[l.ChainID] = true
				children[below] = append(children[below], l.ChainID)
			}
			below = l.ChainID
		}
		if !slices.Contains(refs[below], im.Ref) {
			refs[below] = append(refs[below], im.Ref)
		}
	}
	return nodes("", children, refs, chains)
}

func nodes(below string, children, refs map[string][]string, chains map[string]*chain) []Node {
	all := make([]Node, 0, len(children[below])) // in JSON a list, however short
	for _, id := range children[below] {
		n := Node{LayerReport: chains[id].LayerReport, Refs: refs[id], Children: nodes(id, children, refs, chains)}
		slices.Sort(n.Refs)
		for _, c := range n.Children {
			n.Above += c.Size + c.Above
		}
		all = append(all, n)
	}
	slices.SortFunc(all, func(a, b Node) int {
		return cmp.Or(cmp.Compare(b.Size+b.Above, a.Size+a.Above), cmp.Compare(a.ChainID, b.ChainID))
	})
	return all
}
