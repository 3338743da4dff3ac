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
	DiffID string // sha256:… of the layer's uncompressed tar
	Size   int64  // bytes in the store, as the engine counts them
}

// Image is an image of a store: its layers from the base up.
type Image struct {
	Ref    string
	Layers []Layer
}

// Report says what a set of images takes in one store.
type Report struct {
	Stored     int64         `json:"stored"`     // bytes, every chain once
	Shared     int64         `json:"shared"`     // the part of Stored that more than one image uses
	Referenced int64         `json:"referenced"` // bytes it would take if nothing were shared
	Images     []ImageReport `json:"images"`
}

// ImageReport is the part of one image. Own and Shared add up to its size.
type ImageReport struct {
	Ref    string        `json:"ref"`
	Own    int64         `json:"own"`    // bytes that no other image of the report uses
	Shared int64         `json:"shared"` // bytes that at least one other image of the report uses
	Layers []LayerReport `json:"layers"`
}

// LayerReport is one layer of one image.
type LayerReport struct {
	DiffID  string `json:"diffID"`
	ChainID string `json:"chainID"` // names the layer together with all below it
	Size    int64  `json:"size"`    // bytes
	Images  int    `json:"images"`  // how many images of the report have this chain, this one included
}

// chain is what is known of one chain.
type chain struct {
	size   int64
	images int
}

// Analyze counts the layers of images that are in the same store. The images
// of the report are in the order given; all numbers are independent of it.
func Analyze(images []Image) Report {
	chains := make(map[string]*chain)
	ids := make([][]string, len(images))
	parents := make(map[link]string)
	for i, im := range images {
		ids[i] = chainIDs(im.Layers, parents)
		for j, l := range im.Layers {
			c := chains[ids[i][j]]
			if c == nil {
				c = new(chain)
				chains[ids[i][j]] = c
			}
			c.size = max(c.size, l.Size)
			c.images++
		}
	}
	r := Report{Images: []ImageReport{}} // in JSON a list, however short
	for _, c := range chains {
		r.Stored += c.size
		r.Referenced += c.size * int64(c.images)
		if c.images > 1 {
			r.Shared += c.size
		}
	}
	for i, im := range images {
		r.Images = append(r.Images, reportImage(im, ids[i], chains))
	}
	return r
}

func reportImage(im Image, ids []string, chains map[string]*chain) ImageReport {
	r := ImageReport{Ref: im.Ref, Layers: make([]LayerReport, len(im.Layers))}
	for i, l := range im.Layers {
		c := chains[ids[i]]
		r.Layers[i] = LayerReport{DiffID: l.DiffID, ChainID: ids[i], Size: c.size, Images: c.images}
		if c.images > 1 {
			r.Shared += c.size
		} else {
			r.Own += c.size
		}
	}
	return r
}

// Reuse returns the part of the referenced bytes that sharing saves, from 0 to
// below 1; 0 when there are none.
func (r Report) Reuse() float64 {
	if r.Referenced == 0 {
		return 0
	}
	return 1 - float64(r.Stored)/float64(r.Referenced)
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
