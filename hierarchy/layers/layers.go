// Package layers tells who shares what, in bytes. It is pure: an engine
// supplies the images, Analyze counts.
//
// What is shared is decided by chain, not by content. An engine stores a layer
// as a difference from the layers below it, so the same content on top of
// another base is stored a second time.
package layers

import (
	"crypto/sha256"
	"encoding/hex"
)

// Layer is one layer of an image.
type Layer struct {
	DiffID    string // sha256:… of the layer's uncompressed tar
	Size      int64  // bytes in the store, as the engine counts them, without Blob
	Estimated bool   // Size is not what the engine says of this layer, but what is left of the image
	By        string // the line of a Containerfile that made it; "" when nobody says
	Blob      Blob   // compressed, as a store may have it besides; zero: it has none
}

// Blob is a file of a content store. A store has each digest once.
type Blob struct {
	Digest string // sha256:…
	Size   int64  // bytes
}

// Image is an image of a store: its layers from the base up.
type Image struct {
	Ref      string
	Was      string   // the name that it had, where it has none any more
	Parents  []string // Refs of what it is said to be built on, the nearest first, and what that is built on
	Base     bool     // is not ours to change
	Light    bool     // is meant to add next to nothing to its parent
	Versions []string // arguments that say which version of something it has
	Layers   []Layer
	Unlisted bool    // the store has no image of this ID: its layers are unknown
	Copies   []int64 // bytes of each copy of all its layers that the store keeps for another map of ids
	Boxes    []Box   // made from it
}

// Box is a box, or a former one, and what it takes besides its image.
type Box struct {
	Name       string `json:"name"` // of the container
	Box        string `json:"box"`  // that it is, or was
	Generation int    `json:"generation,omitempty"`
	Written    int64  `json:"written"` // bytes in its writable layer
}

// Report says what a set of images and their boxes take in one store.
type Report struct {
	Total      int64         `json:"total"`               // bytes: stored, copied and written
	Stored     int64         `json:"stored"`              // bytes of layers, every chain and every blob once
	Packed     int64         `json:"packed,omitempty"`    // the part of Stored that is blobs
	Shared     int64         `json:"shared"`              // the part of Stored that more than one image uses
	Referenced int64         `json:"referenced"`          // bytes of layers it would take if nothing were shared
	Copied     int64         `json:"copied"`              // bytes of copies for other maps of ids
	Written    int64         `json:"written"`             // bytes that boxes have written
	Kept       int64         `json:"kept"`                // the part of Written that is former boxes'
	Estimated  bool          `json:"estimated,omitempty"` // the size of a layer is, or the layers of an image are unknown
	Images     []ImageReport `json:"images"`              // in the order given
	Tree       []Node        `json:"tree"`                // the lowest layers, those with the most bytes above them first
}

// ImageReport is the part of one image. Own and Shared add up to its size.
type ImageReport struct {
	Ref      string        `json:"ref"`
	Was      string        `json:"was,omitempty"`
	Unlisted bool          `json:"unlisted,omitempty"` // the store has no image of this ID: its layers are unknown
	Parent   string        `json:"parent,omitempty"`   // the nearest image of the report that it is built on
	Own      int64         `json:"own"`                // bytes that no other image of the report uses
	Shared   int64         `json:"shared"`             // bytes that at least one other image of the report uses
	Added    int64         `json:"added,omitempty"`    // bytes of what it adds to its parent
	Copied   int64         `json:"copied,omitempty"`
	Boxes    []Box         `json:"boxes,omitempty"`
	Layers   []LayerReport `json:"layers"` // from the base up
}

// LayerReport is one layer of one image.
type LayerReport struct {
	DiffID    string `json:"diffID"`
	ChainID   string `json:"chainID"`          // names the layer together with all below it
	Size      int64  `json:"size"`             // bytes
	Packed    int64  `json:"packed,omitempty"` // the part of Size that is blobs; those of several chains count for one of them
	Estimated bool   `json:"estimated,omitempty"`
	By        string `json:"by,omitempty"`
	Images    int    `json:"images"` // how many images of the report have this chain, this one included
}

// Unpacked returns the bytes of the layer without its blobs.
func (l LayerReport) Unpacked() int64 { return l.Size - l.Packed }

// chain is what is known of one chain.
type chain struct{ LayerReport }

// add takes what one image says of a chain. What an engine says counts more
// than an estimate, however many of them there are.
func (c *chain) add(l Layer) {
	c.Images++
	switch {
	case c.Images == 1, c.Estimated && !l.Estimated:
		c.Size, c.Estimated = l.Size, l.Estimated
	case c.Estimated == l.Estimated:
		c.Size = max(c.Size, l.Size)
	}
	if c.By == "" || l.By != "" && l.By < c.By {
		c.By = l.By
	}
}

// Analyze counts the layers of images that are in the same store. The images
// of the report are in the order given; all numbers are independent of it.
func Analyze(images []Image) Report {
	chains := make(map[string]*chain)
	blobs := make(blobs)
	ids := make([][]string, len(images))
	parents := make(map[link]string)
	at := make(map[string]int) // images by Ref
	for i, im := range images {
		at[im.Ref] = i
		ids[i] = chainIDs(im.Layers, parents)
		for j, l := range im.Layers {
			c := chains[ids[i][j]]
			if c == nil {
				c = &chain{LayerReport: LayerReport{DiffID: l.DiffID, ChainID: ids[i][j]}}
				chains[ids[i][j]] = c
			}
			c.add(l)
		}
		blobs.add(im, ids[i])
	}
	r := Report{Images: []ImageReport{}} // in JSON a list, however short
	r.count(chains, blobs)
	for i, im := range images {
		one := reportImage(im, ids[i], chains, blobs)
		for _, ref := range im.Parents {
			if p, ok := at[ref]; ok && one.Parent == "" && isPrefix(ids[p], ids[i]) {
				one.Parent, one.Added = ref, added(im, images[p], one)
			}
		}
		r.Images = append(r.Images, one)
		r.add(one)
	}
	r.Total = r.Stored + r.Copied + r.Written
	r.Tree = tree(r.Images, chains)
	return r
}

// count sums up the chains and blobs, and adds the blobs to the chains.
func (r *Report) count(chains map[string]*chain, blobs blobs) {
	sum := func(bytes int64, images int) {
		r.Stored += bytes
		r.Referenced += bytes * int64(images)
		if images > 1 {
			r.Shared += bytes
		}
	}
	for _, c := range chains {
		sum(c.Size, c.Images)
		r.Estimated = r.Estimated || c.Estimated
	}
	for _, b := range blobs {
		sum(b.size, b.images)
		r.Packed += b.size
		c := chains[b.chain]
		c.Size += b.size
		c.Packed += b.size
	}
}

// add counts what an image takes besides its layers.
func (r *Report) add(im ImageReport) {
	r.Copied += im.Copied
	r.Estimated = r.Estimated || im.Unlisted
	for _, b := range im.Boxes {
		r.Written += b.Written
		if b.Generation > 0 {
			r.Kept += b.Written
		}
	}
}

func reportImage(im Image, ids []string, chains map[string]*chain, blobs blobs) ImageReport {
	r := ImageReport{Ref: im.Ref, Was: im.Was, Unlisted: im.Unlisted, Boxes: im.Boxes, Layers: make([]LayerReport, len(im.Layers))}
	count := func(bytes int64, images int) {
		if images > 1 {
			r.Shared += bytes
		} else {
			r.Own += bytes
		}
	}
	for i := range im.Layers {
		r.Layers[i] = chains[ids[i]].LayerReport
		count(r.Layers[i].Unpacked(), r.Layers[i].Images)
	}
	for digest := range digests(im) {
		count(blobs[digest].size, blobs[digest].images)
	}
	for _, size := range im.Copies {
		r.Copied += size
	}
	return r
}

// isPrefix reports whether an image's chains end one that another has, too.
func isPrefix(below, ids []string) bool {
	return len(below) > 0 && len(below) <= len(ids) && below[len(below)-1] == ids[len(below)-1]
}

// Reuse returns the part of the referenced bytes that sharing saves, from 0 to
// below 1; 0 when there are none.
func (r Report) Reuse() float64 {
	if r.Referenced == 0 {
		return 0
	}
	return 1 - float64(r.Stored)/float64(r.Referenced)
}

// Twice returns the bytes that layers take in more stores than one, without the
// store that has most of them: what it costs to have images in several stores.
func Twice(stores ...Report) int64 {
	sum, most := make(map[string]int64), make(map[string]int64)
	for _, r := range stores {
		seen := make(map[string]bool)
		for _, im := range r.Images {
			for _, l := range im.Layers {
				if !seen[l.ChainID] {
					seen[l.ChainID] = true
					sum[l.ChainID] += l.Size
					most[l.ChainID] = max(most[l.ChainID], l.Size)
				}
			}
		}
	}
	var bytes int64
	for id := range sum {
		bytes += sum[id] - most[id]
	}
	return bytes
}

// link is a layer on top of a chain. Images of one hierarchy have most links in
// common, and hashing a link once is most of the speed of Analyze.
type link struct{ parent, diffID string }

// chainIDs returns the chain of every layer, as the OCI image specification
// defines it (config.md, "Layer ChainID").
func chainIDs(ls []Layer, known map[link]string) []string {
	ids := make([]string, len(ls))
	parent := ""
	for i, l := range ls {
		id := l.DiffID
		if i > 0 {
			k := link{parent, l.DiffID}
			var ok bool
			if id, ok = known[k]; !ok {
				sum := sha256.Sum256([]byte(parent + " " + l.DiffID))
				id = "sha256:" + hex.EncodeToString(sum[:])
				known[k] = id
			}
		}
		ids[i], parent = id, id
	}
	return ids
}
