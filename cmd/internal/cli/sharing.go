package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/engine"
	"github.com/klmcwhirter/ocisi/hierarchy/layers"
)

// measurement is what the images and boxes of a graph take in one store.
type measurement struct {
	manager hierarchy.Manager
	refs    []string       // full names or IDs
	images  []layers.Image // under the names that people write
	report  layers.Report
}

// listed returns the refs of the images that the store lists.
func (m measurement) listed() (refs []string) {
	for i, ref := range m.refs {
		if !m.images[i].Unlisted {
			refs = append(refs, ref)
		}
	}
	return refs
}

// measure measures the images of a graph and their bases, as far as they are in
// the stores, and the boxes that were made from its config.
func (s *session) measure(ctx context.Context, g *hierarchy.Graph) ([]measurement, error) {
	var all []measurement
	for _, m := range g.Managers() {
		refs, images, err := s.measured(ctx, g, m)
		if err != nil {
			return nil, err
		}
		all = append(all, measurement{m, refs, images, layers.Analyze(images)})
	}
	return all, nil
}

// sharing is what measure finds, as a report with advice.
func (s *session) sharing(ctx context.Context, g *hierarchy.Graph) (layers.Document, error) {
	all, err := s.measure(ctx, g)
	return document(all), err
}

func document(all []measurement) layers.Document {
	var stores []layers.Store
	var advice []layers.Advice
	for _, one := range all {
		stores = append(stores, layers.Store{Manager: string(one.manager), Report: one.report})
		advice = append(advice, of(one.manager, layers.Advise(one.images, one.report))...)
	}
	d := layers.NewDocument(stores)
	d.Add(advice)
	return d
}

// of says which manager advice is about.
func of(m hierarchy.Manager, advice []layers.Advice) []layers.Advice {
	for i := range advice {
		advice[i].Manager = string(m)
	}
	return advice
}

// measured returns the images of a manager's store with the boxes that were made
// from them, and the names or IDs that the store knows them by.
func (s *session) measured(ctx context.Context, g *hierarchy.Graph, m hierarchy.Manager) ([]string, []layers.Image, error) {
	e := s.engines[m]
	store, err := e.Observe(ctx, namesOf(g, m))
	if err != nil {
		return nil, nil, err
	}
	found, err := s.imagesIn(ctx, g, store)
	if err != nil {
		return nil, nil, err
	}
	copies, err := e.Copies(ctx, found.ids)
	if err != nil && !errors.Is(err, engine.ErrUnknown) {
		return nil, nil, err
	}
	boxes := s.ownBoxes(store)
	var written map[string]int64
	if len(boxes) > 0 { // it takes podman a while
		if written, err = e.BoxSizes(ctx); err != nil {
			return nil, nil, err
		}
	}
	for i, id := range found.ids {
		if slices.Contains(found.ids[:i], id) {
			continue // an image may have several names
		}
		found.images[i].Copies = copies[id]
		for _, b := range boxes[id] {
			name, _, n := b.Role()
			found.images[i].Boxes = append(found.images[i].Boxes, layers.Box{Name: b.Name, Box: name, Generation: n, Written: written[b.Name]})
		}
	}
	return found.refs, found.images, nil
}

// ownBoxes returns the boxes in a store that were made from the config, former
// ones too, by the ID of their image.
func (s *session) ownBoxes(store hierarchy.Store) map[string][]hierarchy.StoredBox {
	boxes := map[string][]hierarchy.StoredBox{}
	for _, b := range store.Boxes {
		if s.boxes.Owner.OwnsBox(b) {
			boxes[b.ImageID] = append(boxes[b.ImageID], b)
		}
	}
	return boxes
}

// imagesIn returns the layers of the images of a graph that are in a store, and of
// what its boxes were made from.
func (s *session) imagesIn(ctx context.Context, g *hierarchy.Graph, store hierarchy.Store) (*present, error) {
	found, below := presentOf(g, store)
	boxes := s.ownBoxes(store)
	for _, id := range slices.Sorted(maps.Keys(boxes)) {
		if !slices.Contains(found.ids, id) { // of a former box, or of one that is to be replaced
			was := hierarchy.FamiliarRef(store.Manager.StoreRef(boxes[id][0].Labels[hierarchy.LabelImage]))
			found.append(id, id, layers.Image{Ref: was + " (" + shortID(id) + ")", Was: was, Parents: below[was]})
		}
	}
	all, err := s.engines[store.Manager].Layers(ctx, found.refs)
	for i := range all {
		found.images[i].Layers, found.images[i].Unlisted = all[i].Layers, all[i].Unlisted
	}
	return found, err
}

// present is images of a store, each name once.
type present struct {
	refs   []string // full names, or IDs of what has none
	ids    []string
	images []layers.Image
}

func (p *present) append(ref, id string, im layers.Image) {
	p.refs, p.ids, p.images = append(p.refs, ref), append(p.ids, id), append(p.images, im)
}

func (p *present) add(store hierarchy.Store, full string, im layers.Image) {
	if stored, ok := store.Image(full); ok && !slices.Contains(p.refs, full) {
		p.append(full, stored.ID, im)
	}
}

// presentOf returns a manager's images and bases that are in its store, bases
// first, without their layers; and by name what each image is built on, the nearest
// first.
func presentOf(g *hierarchy.Graph, store hierarchy.Store) (found *present, below map[string][]string) {
	bases, images := &present{}, &present{}
	below = map[string][]string{}
	for _, im := range g.Images { // parents first
		if !im.In(store.Manager) {
			continue
		}
		full := store.Manager.StoreRef(im.Ref())
		name := hierarchy.FamiliarRef(full)
		for _, p := range im.Parents {
			parent := hierarchy.FamiliarRef(store.Manager.StoreRef(p.As))
			below[name] = append(append(below[name], parent), below[parent]...)
		}
		for _, b := range im.Bases {
			base := baseRef(store, b)
			bases.add(store, base, layers.Image{Ref: hierarchy.FamiliarRef(base), Base: true})
			below[name] = append(below[name], hierarchy.FamiliarRef(base))
		}
		images.add(store, full, layers.Image{Ref: name, Parents: below[name], Light: im.Thin(), Versions: versionsOf(im)})
	}
	for i, im := range images.images {
		bases.append(images.refs[i], images.ids[i], im)
	}
	return bases, below
}

// baseRef returns the name of a base in a store.
func baseRef(store hierarchy.Store, b hierarchy.Need) string {
	full, short := hierarchy.FullRef(b.Pinned()), hierarchy.FullRef(b.As)
	if named, ok := store.Image(short); ok && slices.Contains(named.Digests, full) {
		return short
	}
	return full
}

// versionsOf returns those arguments of an image that are versions.
func versionsOf(im hierarchy.Image) []string {
	var all []string
	for _, key := range slices.Sorted(maps.Keys(im.Args)) {
		if strings.Contains(strings.ToUpper(key), "VERSION") {
			all = append(all, key+"="+im.Args[key])
		}
	}
	return all
}

// sharingText writes what is shared in a few lines, and where there is more.
func sharingText(w io.Writer, d layers.Document, self string) {
	var written, kept, copied int64
	for _, s := range d.Stores {
		if len(s.Images) == 0 {
			continue
		}
		fmt.Fprintf(w, "%s: %s\n", s.Manager, stored(s.Report))
		written, kept, copied = written+s.Written, kept+s.Kept, copied+s.Copied
	}
	if written+copied > 0 {
		fmt.Fprintf(w, "boxes: %s\n", boxesText(written, kept, copied))
	}
	if d.Twice > 0 {
		fmt.Fprintf(w, "in both stores: %s\n", size(d.Twice))
	}
	more := self + " list --layers --tree"
	if n := len(d.Advice); n > 0 {
		more += ", and " + count(n, "piece", "pieces") + " of advice: " + self + " lint"
	}
	fmt.Fprintf(w, "more: %s\n", more)
}

func stored(r layers.Report) string {
	packed := ""
	if r.Packed > 0 {
		packed = fmt.Sprintf(" (%s compressed + %s unpacked)", size(r.Packed), size(r.Stored-r.Packed))
	}
	return fmt.Sprintf("%s stored%s; %s without sharing: %.0f %% reused", about(r.Stored, r.Estimated), packed, size(r.Referenced), 100*r.Reuse())
}

func boxesText(written, kept, copied int64) string {
	text := size(written) + " written"
	if kept > 0 {
		text += ", " + size(kept) + " of it in former ones"
	}
	if copied > 0 {
		text += "; " + size(copied) + " are podman's copies of their images"
	}
	return text
}
