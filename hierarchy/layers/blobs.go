package layers

import "cmp"

// blobs are the blobs of some images, by digest.
type blobs map[string]*blob

type blob struct {
	size   int64
	images int    // that have it
	chain  string // that it counts for: the first in order, where there are several
}

// add adds the blobs of an image, whose layers have these chain IDs.
func (all blobs) add(im Image, chains []string) {
	for digest := range digests(im) {
		if all[digest] == nil {
			all[digest] = &blob{}
		}
		all[digest].images++
	}
	for i, l := range im.Layers {
		b := all[l.Blob.Digest]
		if b == nil {
			continue
		}
		b.size = max(b.size, l.Blob.Size)
		if b.chain == "" || cmp.Less(chains[i], b.chain) {
			b.chain = chains[i]
		}
	}
}

// digests returns the blobs of an image, each once.
func digests(im Image) map[string]bool {
	all := make(map[string]bool)
	for _, l := range im.Layers {
		if l.Blob.Digest != "" {
			all[l.Blob.Digest] = true
		}
	}
	return all
}

// added returns the bytes of what an image has on top of its parent.
func added(im, parent Image, report ImageReport) (bytes int64) {
	below := digests(parent)
	for i := len(parent.Layers); i < len(im.Layers); i++ {
		bytes += report.Layers[i].Unpacked()
		if b := im.Layers[i].Blob; b.Digest != "" && !below[b.Digest] {
			below[b.Digest] = true
			bytes += b.Size
		}
	}
	return bytes
}

// Freed returns the bytes that a store has less when images go: of chains and blobs
// that no image which stays has. gone has Refs. The report must be that of the images.
func Freed(images []Image, r Report, gone map[string]bool) (bytes int64) {
	kept := make(map[string]bool) // chains and blobs that stay, or were counted
	each := func(stay bool, visit func(id string, size int64)) {
		for i, im := range r.Images {
			if gone[im.Ref] == stay {
				continue
			}
			for j, l := range im.Layers {
				visit(l.ChainID, l.Unpacked())
				if b := images[i].Layers[j].Blob; b.Digest != "" {
					visit("blob "+b.Digest, b.Size)
				}
			}
		}
	}
	each(true, func(id string, _ int64) { kept[id] = true })
	each(false, func(id string, size int64) {
		if !kept[id] {
			kept[id] = true
			bytes += size
		}
	})
	return bytes
}

func bytesOf(ls []LayerReport) (bytes int64) {
	for _, l := range ls {
		bytes += l.Size
	}
	return bytes
}
