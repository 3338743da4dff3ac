package plan

import (
	"cmp"
	"maps"
	"slices"

	"github.com/klmcwhirter/ocisi/hierarchy"
)

// decider finds out which images are to be built. It begins with what each one
// tells by itself, and then follows the consequences: what is built from an
// image that is to be built is built too, and so is a missing parent.
type decider struct {
	options Options
	stores  map[hierarchy.Manager]index
	images  []decision // in the graph's order
	byKey   map[hierarchy.Key]int
	bases   map[Target]*base
	queue   []int // images whose consequences have not been followed
}

// decision is an image and what is to become of it.
type decision struct {
	hierarchy.Image
	stored   hierarchy.StoredImage
	present  bool // under its name
	foreign  bool // not made by ocisi, or by another config in another way
	owner    string
	made     hierarchy.Inputs
	known    bool // made is
	children []int
	held     bool // an image that is there has its layers, or is it
	build    bool
	noCache  bool
	reasons  []string
	late     []string          // why, when no parent that is there tells
	below    map[string]string // by base: how one that only its parents are built from has changed
}

// base is an image that is not managed, in one store.
type base struct {
	name    string
	pin     string
	stored  hierarchy.StoredImage
	present bool
	now     hierarchy.Base // of stored
	last    hierarchy.Base // what images were built from, where the store does not have it
	remote  Remote
	asked   bool
	pulled  bool
	local   bool  // never pulled, so that no registry is asked
	users   []int // images that are built from it, or whose parents are
}

// index is a store, looked up by name: a store may hold thousands of images.
type index struct {
	images map[string]int // by full name, with tag or digest
	boxes  shelf
	root   shelf // of root's podman
	store  hierarchy.Store
}

// shelf is boxes, looked up by name, and by the box that they were or wait for.
type shelf struct {
	named   map[string]hierarchy.StoredBox
	waiting map[string]hierarchy.StoredBox
	kept    map[string][]hierarchy.StoredBox
}

// newShelf sorts the boxes of a store. Only those that ocisi made count as former or
// waiting ones; another user's only wait.
func newShelf(boxes []hierarchy.StoredBox, owner hierarchy.Ownership) shelf {
	s := shelf{map[string]hierarchy.StoredBox{}, map[string]hierarchy.StoredBox{}, map[string][]hierarchy.StoredBox{}}
	for _, b := range boxes {
		s.named[b.Name] = b
		of, role, _ := b.Role()
		claim := owner.Box(b)
		if role == hierarchy.Waiting && claim != hierarchy.Unowned {
			s.waiting[of] = b
		}
		if role == hierarchy.Kept && claim != hierarchy.Unowned && claim != hierarchy.OtherUser {
			s.kept[of] = append(s.kept[of], b)
		}
	}
	return s
}

func newIndex(store hierarchy.Store, owner hierarchy.Ownership) index {
	x := index{images: map[string]int{}, boxes: newShelf(store.Boxes, owner), root: newShelf(store.RootBoxes, owner), store: store}
	for i, im := range store.Images {
		for _, ref := range im.Digests {
			x.images[ref] = i
		}
		for _, ref := range im.Refs {
			x.images[ref] = i
		}
	}
	return x
}

func (x index) image(names ...string) (hierarchy.StoredImage, bool) {
	for _, name := range names {
		if i, ok := x.images[name]; ok {
			return x.store.Images[i], true
		}
	}
	return hierarchy.StoredImage{}, false
}

func newDecider(g *hierarchy.Graph, stores Stores, o Options) *decider {
	d := &decider{options: o, stores: map[hierarchy.Manager]index{}, byKey: map[hierarchy.Key]int{}, bases: map[Target]*base{}}
	for m, store := range stores {
		d.stores[m] = newIndex(store, o.ownership())
	}
	d.images = make([]decision, len(g.Images))
	for i, im := range g.Images {
		d.add(i, im)
	}
	for _, b := range d.bases {
		d.recall(b)
	}
	for i := len(d.images) - 1; i >= 0; i-- { // children come after their parents
		im := &d.images[i]
		im.held = im.present && im.known || slices.ContainsFunc(im.children, func(c int) bool { return d.images[c].held })
	}
	return d
}

func (d *decider) add(i int, im hierarchy.Image) {
	n := decision{Image: im, below: map[string]string{}}
	n.stored, n.present = d.stores[im.Manager].image(im.Manager.StoreRef(im.Ref()))
	n.foreign = n.present && d.foreign(n.stored, im.Ref())
	n.made, n.known = hierarchy.ReadInputs(n.stored.Labels, im.Ref())
	d.byKey[im.Key()] = i
	d.images[i] = n
	for _, p := range im.Parents {
		if at, ok := d.byKey[hierarchy.Key{Manager: im.Manager, Ref: p.As}]; ok {
			d.images[at].children = append(d.images[at].children, i)
		}
	}
	for _, b := range im.Bases {
		d.addBase(im.Manager, b)
	}
	for ref := range im.Inputs.Bases {
		if b := d.bases[Target{Base, im.Manager, ref}]; b != nil {
			b.users = append(b.users, i)
		}
	}
}

// foreign reports whether ocisi did not build a stored image as the image of a
// reference.
func (d *decider) foreign(stored hierarchy.StoredImage, ref string) bool {
	return stored.Labels[hierarchy.LabelImage] != ref || d.options.Foreign[stored.ID]
}

func (d *decider) addBase(m hierarchy.Manager, need hierarchy.Need) {
	t := Target{Base, m, need.As}
	if d.bases[t] != nil {
		return
	}
	b := &base{name: need.As, pin: need.Pin}
	b.stored, b.present = d.stores[m].image(hierarchy.FullRef(need.Pinned()), m.StoreRef(need.Pinned()))
	b.now = hierarchy.Base{ID: b.stored.ID, Digest: cmp.Or(b.pin, b.stored.Digest(b.name))}
	b.remote, b.asked = d.options.Remote[t]
	b.local = d.options.Remote != nil && b.present && b.now.Digest == ""
	d.bases[t] = b
}

// recall finds out what a base was that the store no longer has: the images
// that were built from it know. The first of them counts, in the graph's order.
func (d *decider) recall(b *base) {
	if b.present {
		return
	}
	for _, i := range b.users {
		if last := d.images[i].made.Bases[b.name]; last != (hierarchy.Base{}) {
			b.last = last
			return
		}
	}
}

// Known returns what is known of the bases of a graph before a registry is
// asked: what the stores have, else what images were built from. Bases that are
// locked are left out, unless locked is set.
func Known(g *hierarchy.Graph, stores Stores, locked bool) map[Target]hierarchy.StoredImage {
	out := map[Target]hierarchy.StoredImage{}
	for t, b := range newDecider(g, stores, Options{}).bases {
		switch {
		case b.pin != "" && !locked:
		case b.present:
			out[t] = b.stored
		case b.last.Digest != "":
			out[t] = hierarchy.StoredImage{ID: b.last.ID, Digests: []string{hierarchy.FullRef(hierarchy.WithDigest(t.Name, b.last.Digest))}}
		default:
			out[t] = hierarchy.StoredImage{}
		}
	}
	return out
}

func (d *decider) decide() {
	for i := range d.images {
		d.look(i)
	}
	for len(d.queue) > 0 {
		i := d.queue[0]
		d.queue = d.queue[1:]
		if d.disown(i); d.images[i].build {
			d.follow(i)
		}
	}
}

// ownership decides what a plan with these options may change.
func (o Options) ownership() hierarchy.Ownership {
	return hierarchy.Ownership{UID: o.UID, Config: o.Config, Exists: o.Exists, Same: o.Same}
}

// disown leaves an image that is to be built to the other config that made it:
// the two would build it in turns. While both want the same, they share it.
func (d *decider) disown(i int) {
	im := &d.images[i]
	if im.build && im.present {
		if im.owner = d.options.ownership().OtherConfig(im.stored.Labels); im.owner != "" {
			im.foreign, im.build = true, false
		}
	}
}

// mark says that an image is to be built, and why.
func (d *decider) mark(i int, reason string) {
	im := &d.images[i]
	if im.foreign {
		return
	}
	if reason != "" && !slices.Contains(im.reasons, reason) {
		im.reasons = append(im.reasons, reason)
	}
	if !im.build {
		im.build = true
		d.queue = append(d.queue, i)
	}
}

// follow marks what has to be built because an image is.
func (d *decider) follow(i int) {
	im := &d.images[i]
	for _, c := range im.children {
		if d.images[c].present || d.images[c].held { // what is simply not there has its own reason
			d.mark(c, "parent "+im.Name+" is rebuilt")
		}
	}
	for _, p := range im.Parents {
		if at, ok := d.byKey[hierarchy.Key{Manager: im.Manager, Ref: p.As}]; ok && !d.images[at].present {
			d.mark(at, d.absent(at))
			for base, reason := range im.below {
				d.base(at, base, reason)
			}
		}
	}
	for _, need := range im.Bases {
		if b := d.bases[Target{Base, im.Manager, need.As}]; !b.present && !b.pulled {
			b.pulled = true
			d.pulls(b)
		}
	}
}

// pulls marks the images that were built from another base than the one that
// is about to be pulled.
func (d *decider) pulls(b *base) {
	for _, i := range b.users {
		if im := &d.images[i]; im.present && im.made.Bases[b.name].ID != b.last.ID {
			d.base(i, b.name, change(im.made.Bases[b.name], b.last))
		}
	}
}

// base marks an image because a base has changed. Where it is one of its
// parents that is built from the base, that parent's reason says so.
func (d *decider) base(i int, base, change string) {
	im := &d.images[i]
	if _, ok := im.Inputs.Bases[base]; !ok {
		return
	}
	if slices.ContainsFunc(im.Bases, func(n hierarchy.Need) bool { return n.As == base }) {
		d.mark(i, "base "+base+" "+change)
		return
	}
	im.below[base] = change
	d.mark(i, "")
}

// look marks an image for reasons of its own.
func (d *decider) look(i int) {
	im := &d.images[i]
	switch {
	case im.foreign:
		return
	case !im.present:
		if d.missed(im) {
			d.mark(i, d.absent(i))
		}
		return
	case !im.known:
		d.mark(i, "its labels do not say what it was built from")
	default:
		for _, reason := range d.changes(im) {
			d.mark(i, reason)
		}
		d.compareBases(i)
		d.compareOlder(i)
	}
	if reason := d.uncached(im); reason != "" {
		im.noCache = true
		d.mark(i, reason)
	}
}

// uncached returns why all steps of an image must run again, or "".
func (d *decider) uncached(im *decision) string {
	limit := im.MaxAge
	switch {
	case d.options.Force:
		return "forced"
	case !d.options.Refresh || limit <= 0:
		return ""
	case d.options.Now.Sub(im.made.Fresh) > limit:
		return "older than " + age(limit)
	case im.made.Fresh.After(d.options.Now):
		return "its build is dated in the future"
	}
	return ""
}

// missed reports whether an image has to have its name. Nobody misses that of one
// whose layers its children have, but a box or a copy that is to be made of it.
func (d *decider) missed(im *decision) bool {
	return len(im.children) == 0 || im.Box != nil || d.lacksCopy(im)
}

// compareOlder marks an image because one that its parents were built from was
// built anew. That is for them to say, unless their names are gone.
func (d *decider) compareOlder(i int) {
	im := &d.images[i]
	for _, ref := range slices.Sorted(maps.Keys(im.made.Older)) {
		at, ok := d.byKey[hierarchy.Key{Manager: im.Manager, Ref: ref}]
		if !ok || !d.images[at].present || d.images[at].foreign || d.images[at].stored.ID == im.made.Older[ref] {
			continue
		}
		im.late = append(im.late, "parent "+d.images[at].Name+" was built anew")
		d.mark(i, "")
	}
}

func (d *decider) compareBases(i int) {
	im := &d.images[i]
	for _, ref := range slices.Sorted(maps.Keys(im.Inputs.Bases)) {
		b := d.bases[Target{Base, im.Manager, ref}]
		if b == nil {
			continue
		}
		if change := b.changed(im.made.Bases[ref]); change != "" {
			d.base(i, ref, change)
		}
	}
}

// absent says why an image is missing, as far as that can be told.
func (d *decider) absent(i int) string {
	im := &d.images[i]
	boxed := func(x hierarchy.Image) bool {
		return d.stores[im.Manager].boxes.named[x.Box.Name].Labels[hierarchy.LabelBox] != ""
	}
	if im.held || slices.ContainsFunc(im.Boxes(), boxed) {
		return "tag is missing"
	}
	return "image is not in the store"
}
