package engine

import (
	"slices"

	"github.com/klmcwhirter/ocisi/hierarchy/layers"
)

// emptyTar is the ID of a layer that changes nothing: of 1024 zeros.
const emptyTar = "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"

// pieces are what an engine tells of an image's layers: their IDs in one answer
// and sizes in another, which has more entries and does not say which of them
// are layers.
type pieces struct {
	diffIDs []string
	history []entry // from the base up
	layer   []bool  // which entries are layers; nil: nobody has said
	total   int64
	summed  bool // total is that of the layers, and nothing else
	// packedID is the ID of an image whose store also has the layers compressed; ""
	// where it does not. The total is then that of the compressed ones.
	packedID string
	folders  []string // of the layers in the store; nil: not known
	taken    []int64  // bytes on disk of each layer; -1: not known; nil: of none
}

// entry is an entry of an image's history.
type entry struct {
	size int64
	by   string
}

// nobody stands for an entry in the place of a layer that is empty.
const nobody = -1

// sized reports whether the entries that have bytes are the layers. They are
// unless a layer is empty, as after RUN true: an entry that is not a layer has
// no bytes.
func (p pieces) sized() bool { return len(p.withBytes()) == len(p.diffIDs) }

func (p pieces) withBytes() []int {
	return p.which(func(e entry) bool { return e.size > 0 })
}

func (p pieces) which(is func(entry) bool) (at []int) {
	for i, e := range p.history {
		if is(e) {
			at = append(at, i)
		}
	}
	return at
}

// entries returns the entries of the history that are layers, from the base up,
// and whether that is sure. They may be fewer than the layers.
func (p pieces) entries(fromTop bool) (at []int, sure bool) {
	at = p.withBytes()
	switch {
	case p.layer != nil:
		at = nil
		for i, is := range p.layer {
			if is {
				at = append(at, i)
			}
		}
		return at, true
	case len(at) == len(p.diffIDs), fromTop: // podman: an empty layer has the bytes of an empty tar
		return at, true
	}
	// Docker, of an image without a name, which BuildKit cannot be asked about.
	made := p.which(func(e entry) bool { makes, _ := makesLayer(e.by); return makes || e.size > 0 })
	if p.fits(made) {
		return made, true
	}
	if filled := p.aroundEmpty(at); filled != nil {
		return filled, true
	}
	maybe := p.which(func(e entry) bool { makes, known := makesLayer(e.by); return e.size == 0 && (makes || !known) })
	return at, len(maybe) == 0
}

// fits reports whether each layer has an entry, and none that is empty has bytes.
func (p pieces) fits(at []int) bool {
	return len(at) == len(p.diffIDs) && !slices.ContainsFunc(at, func(i int) bool {
		return p.history[i].size > 0 && p.diffIDs[slices.Index(at, i)] == emptyTar
	})
}

// aroundEmpty gives entries with bytes to the layers that are not empty; nil when
// these are not as many.
func (p pieces) aroundEmpty(at []int) []int {
	var filled []int
	next := 0
	for _, id := range p.diffIDs {
		switch {
		case id == emptyTar:
			filled = append(filled, nobody)
		case next == len(at):
			return nil
		default:
			filled = append(filled, at[next])
			next++
		}
	}
	if next < len(at) {
		return nil
	}
	return filled
}

// pair gives every layer its bytes and the line that made it. When the history
// has fewer layers than the image, as in images that were not built by a
// Containerfile, the first layer without bytes gets what is missing from the
// image's total, which is right when it is the only one.
func (p pieces) pair(fromTop bool) []layers.Layer {
	ls := make([]layers.Layer, len(p.diffIDs))
	at, sure := p.entries(fromTop)
	if len(at) > len(ls) {
		at, sure = at[:len(ls)], false
	}
	known, unknown := ls[:len(at)], ls[len(at):]
	if fromTop {
		unknown, known = ls[:len(ls)-len(at)], ls[len(ls)-len(at):]
	}
	rest := p.total - p.tell(known, at, sure)
	for i := range unknown {
		unknown[i].Estimated = !sure || !p.summed || len(unknown) > 1 || rest < 0
	}
	if len(unknown) > 0 {
		unknown[0].Size = max(rest, 0)
	}
	for i, id := range p.diffIDs {
		ls[i].DiffID = id
		if p.taken != nil && p.taken[i] >= 0 {
			ls[i].Size, ls[i].Estimated = p.taken[i], false
		}
	}
	return ls
}

// tell sets what the history tells of layers, and returns the sum of their bytes.
func (p pieces) tell(known []layers.Layer, at []int, sure bool) (sum int64) {
	for i, k := range at {
		l := &known[i]
		l.Estimated = !sure
		if k == nobody {
			continue
		}
		l.Size = p.history[k].size
		sum += l.Size
		if sure {
			l.By = p.history[k].by
		}
	}
	return sum
}
