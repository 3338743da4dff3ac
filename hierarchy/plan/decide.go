package plan

import (
	"cmp"
	"maps"
	"slices"

	"github.com/klmcwhirter/ocisi/hierarchy"
)

// decider decides which images to build. It first compares each image with its own
// inputs, and then propagates: the children of an image that is built are built as
// well, and so is a missing parent.
type decider struct {
	options Options
	stores  map[hierarchy.Manager]index
	images  []decision // in the order of the graph
	byKey   map[hierarchy.Key]int
	bases   map[Target]*base
	queue   []int // images that are built and not propagated yet
}

// decision is the decision on an image.
type decision struct {
	hierarchy.Image
	stored   hierarchy.StoredImage
	present  bool // in the store, under its name
	foreign  bool // not built by ocisi, or owned by another config
	owner    string
	made     hierarchy.Inputs
	known    bool // whether made is valid
	children []int
	held     bool // the image or a descendant is present, so its layers are
	build    bool
	noCache  bool
	reasons  []string
	late     []string          // reasons for which no present parent has a step
	below    map[string]string // changes of base images that only its ancestors use, by reference
}

// base is a base image in one store.
type base struct {
	name    string
	pin     string
	stored  hierarchy.StoredImage
	present bool
	now     hierarchy.Base // the stored image
	last    hierarchy.Base // the image that was used before, if the store no longer has it
	remote  Remote
	asked   bool
	pulled  bool
	local   bool  // was never pulled, so it is not looked up
	users   []int // images that are built from it or from its descendants
}

// index indexes a store by name. A store may contain thousands of images.
type index struct {
	images map[string]int // by full reference with tag or digest
	boxes  boxIndex
	root   boxIndex // of root's podman
	store  hierarchy.Store
}

// boxIndex indexes boxes by name, and boxes that are set aside and generations by the
// name of their box.
type boxIndex struct {
	named   map[string]hierarchy.StoredBox
	waiting map[string]hierarchy.StoredBox
	kept    map[string][]hierarchy.StoredBox
}

// newBoxIndex indexes boxes. Only boxes of ocisi count as set aside or as generations,
// and boxes of other users never as generations.
func newBoxIndex(boxes []hierarchy.StoredBox, owner hierarchy.Ownership) boxIndex {
	s := boxIndex{map[string]hierarchy.StoredBox{}, map[string]hierarchy.StoredBox{}, map[string][]hierarchy.StoredBox{}}
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
	x := index{images: map[string]int{}, boxes: newBoxIndex(store.Boxes, owner), root: newBoxIndex(store.RootBoxes, owner), store: store}
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
		d.lastKnownBase(b)
	}
	for i := len(d.images) - 1; i >= 0; i-- { // children follow their parents
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

// lastKnownBase sets the last version of a base image that the store no longer has,
// from the labels of the first image in the graph that was built from it.
func (d *decider) lastKnownBase(b *base) {
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

// Known returns the base images of a graph before a registry lookup: those in the
// stores, or else those that images were built from. Locked base images are left out
// unless locked is set.
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
		d.compare(i)
	}
	for len(d.queue) > 0 {
		i := d.queue[0]
		d.queue = d.queue[1:]
		if d.yieldToOwner(i); d.images[i].build {
			d.propagate(i)
		}
	}
}

// ownership returns the rules by which the plan may change objects.
func (o Options) ownership() hierarchy.Ownership {
	return hierarchy.Ownership{UID: o.UID, Config: o.Config, Exists: o.Exists, Same: o.Same}
}

// yieldToOwner does not build an image that another config owns, because the two
// would rebuild it in turns. Two configs that declare the same image share it.
func (d *decider) yieldToOwner(i int) {
	im := &d.images[i]
	if im.build && im.present {
		if im.owner = d.options.ownership().OtherConfig(im.stored.Labels); im.owner != "" {
			im.foreign, im.build = true, false
		}
	}
}

// mark marks an image to be built for a reason.
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

// propagate marks the images that are built because image i is.
func (d *decider) propagate(i int) {
	im := &d.images[i]
	for _, c := range im.children {
		if d.images[c].present || d.images[c].held { // an absent image without descendants has its own reason
			d.mark(c, "parent "+im.Name+" is rebuilt")
		}
	}
	for _, p := range im.Parents {
		if at, ok := d.byKey[hierarchy.Key{Manager: im.Manager, Ref: p.As}]; ok && !d.images[at].present {
			d.mark(at, d.absent(at))
			for base, reason := range im.below {
				d.markBase(at, base, reason)
			}
		}
	}
	for _, need := range im.Bases {
		if b := d.bases[Target{Base, im.Manager, need.As}]; !b.present && !b.pulled {
			b.pulled = true
			d.markUsers(b)
		}
	}
}

// markUsers marks the images that were built from another version of a base image than
// the one that will be pulled.
func (d *decider) markUsers(b *base) {
	for _, i := range b.users {
		if im := &d.images[i]; im.present && im.made.Bases[b.name].ID != b.last.ID {
			d.markBase(i, b.name, change(im.made.Bases[b.name], b.last))
		}
	}
}

// markBase marks an image because a base image has changed. If only its ancestors use
// the base image, their steps have the reason.
func (d *decider) markBase(i int, base, change string) {
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

// compare marks an image if its own inputs have changed.
func (d *decider) compare(i int) {
	im := &d.images[i]
	switch {
	case im.foreign:
		return
	case !im.present:
		if d.required(im) {
			d.mark(i, d.absent(i))
		}
		return
	case !im.known:
		d.mark(i, "its labels do not contain its inputs")
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

// required reports whether an image must exist under its name. One whose layers are
// those of its children is required only for a box or a copy.
func (d *decider) required(im *decision) bool {
	return len(im.children) == 0 || im.Box != nil || d.lacksCopy(im)
}

// compareOlder marks an image because an ancestor was rebuilt. The steps of its parents
// have that reason, unless the parents are absent.
func (d *decider) compareOlder(i int) {
	im := &d.images[i]
	for _, ref := range slices.Sorted(maps.Keys(im.made.Older)) {
		at, ok := d.byKey[hierarchy.Key{Manager: im.Manager, Ref: ref}]
		if !ok || !d.images[at].present || d.images[at].foreign || d.images[at].stored.ID == im.made.Older[ref] {
			continue
		}
		im.late = append(im.late, "parent "+d.images[at].Name+" was rebuilt")
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
			d.markBase(i, ref, change)
		}
	}
}

// absent returns the reason to build an image that does not exist.
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
