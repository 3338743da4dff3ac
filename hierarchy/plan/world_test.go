package plan_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/plan"
)

// world is a config, one engine and one registry, in memory. It does what plans
// say in the way that engines do.
type world struct {
	t        *testing.T
	config   string            // of the images, without the key
	head     string            // of the config
	files    map[string]string // below /c
	registry map[string]string // reference → digest
	pins     map[string]string
	store    hierarchy.Store
	podman   hierarchy.Store // which has copies only
	now      time.Time
	home     string
	built    int // steps without cache are never the same twice

	// What was read last, and from what: most plans are of files that did not change.
	parsed         *hierarchy.Config
	read           *hierarchy.Graph
	text, readFrom string
}

func sum(words ...string) string {
	s := sha256.Sum256([]byte(strings.Join(words, "\x00")))
	return "sha256:" + hex.EncodeToString(s[:])
}

func newWorld(t *testing.T) *world {
	return &world{
		t: t, files: map[string]string{}, registry: map[string]string{}, pins: map[string]string{},
		store: hierarchy.Store{Manager: hierarchy.Docker}, podman: hierarchy.Store{Manager: hierarchy.Podman}, now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
	}
}

// image adds an image without a box; more is further lines of its entry.
func (w *world) image(name, containerfile string, more ...string) {
	w.files["d/Containerfile."+name] = containerfile
	w.config += "- name: " + name + "\n  path: d\n  tag: \"1\"\n  enabled: true\n"
	for _, line := range more {
		w.config += "  " + line + "\n"
	}
}

func (w *world) graph(names ...string) *hierarchy.Graph {
	w.t.Helper()
	if from := fmt.Sprint(w.head, w.config, w.files, names, w.home); w.read == nil || w.readFrom != from {
		w.read, w.readFrom = w.parse(names), from
	}
	g := *w.read
	g.Images = slices.Clone(g.Images)
	for i := range g.Images {
		im := &g.Images[i]
		im.Bases = slices.Clone(im.Bases)
		for j := range im.Bases {
			im.Bases[j].Pin = w.pins[im.Bases[j].As]
		}
	}
	return &g
}

// parse reads the config and the files.
func (w *world) parse(names []string) *hierarchy.Graph {
	w.t.Helper()
	files := fstest.MapFS{}
	for name, text := range w.files {
		files["c/"+name] = &fstest.MapFile{Data: []byte(text), Mode: 0o644}
	}
	if text := w.head + "images:\n" + w.config; w.parsed == nil || w.text != text {
		c, err := hierarchy.ParseConfig("/c/ocisi.yaml", []byte(text))
		if err != nil {
			w.t.Fatal(err)
		}
		w.parsed, w.text = c, text
	}
	g, err := w.parsed.Graph(hierarchy.Host{Files: files, Manager: hierarchy.Docker, User: "u", UID: 1000, GID: 1000, Home: w.home, Data: w.home + "/data"})
	if err == nil {
		g, err = g.Only(names)
	}
	if err == nil {
		err = g.Read(files)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return g
}

func (w *world) plan(o plan.Options, names ...string) plan.Plan {
	w.t.Helper()
	g := w.graph(names...)
	o.Now = w.now
	stores := plan.Stores{hierarchy.Docker: w.store, hierarchy.Podman: w.podman}
	if o.Refresh {
		o.Remote = map[plan.Target]plan.Remote{}
		for t, have := range plan.Known(g, stores, false) {
			there := w.registry[t.Name]
			o.Remote[t] = plan.Remote{Digest: there, Moved: have.Digest(t.Name) != there}
		}
	}
	return plan.New(g, stores, o)
}

func (w *world) find(full string) (hierarchy.StoredImage, bool, error) {
	im, ok := w.store.Image(full)
	return im, ok, nil
}

// put stores an image under a name, which the one that had it loses.
func (w *world) put(im hierarchy.StoredImage, ref string) {
	w.untag(ref)
	if i := slices.IndexFunc(w.store.Images, func(s hierarchy.StoredImage) bool { return s.ID == im.ID }); i >= 0 {
		w.store.Images[i].Refs = append(w.store.Images[i].Refs, im.Refs...)
		return
	}
	w.store.Images = append(w.store.Images, im)
}

func (w *world) untag(ref string) {
	for i := range w.store.Images {
		w.store.Images[i].Refs = slices.DeleteFunc(slices.Clone(w.store.Images[i].Refs), func(r string) bool { return r == ref })
	}
	w.store.Images = slices.DeleteFunc(w.store.Images, func(im hierarchy.StoredImage) bool { return len(im.Refs)+len(im.Digests) == 0 })
}

// run does what a plan says. Steps that fail, and those that need them, are
// left out. It returns the names of the images that were built and of the boxes
// that were made.
func (w *world) run(p plan.Plan, fails func(plan.Step) bool) (did []string) {
	w.t.Helper()
	failed := map[plan.Target]bool{}
	for _, s := range p.Steps {
		if !s.Action.Changes() {
			continue
		}
		if s.Action == plan.Refuse || slices.ContainsFunc(s.Needs, func(t plan.Target) bool { return failed[t] }) || fails != nil && fails(s) {
			failed[s.Target] = true
			continue
		}
		switch {
		case s.Action == plan.Copy:
			w.copy(s)
		case s.Kind == plan.Base:
			w.pull(s)
		case s.Kind == plan.Image:
			w.build(s)
			did = append(did, s.Name)
		case s.Kind == plan.Box:
			if w.box(s) {
				did = append(did, s.Name)
			}
		}
	}
	return did
}

func (w *world) pull(s plan.Step) {
	digest := s.Digest + s.Pin
	if digest == "" {
		digest = w.registry[s.Name]
	}
	im := hierarchy.StoredImage{ID: sum("config of", digest), Digests: []string{hierarchy.FullRef(hierarchy.WithDigest(s.Name, digest))}}
	im.Content, im.Refs = im.ID, []string{hierarchy.FullRef(s.Name)}
	w.put(im, hierarchy.FullRef(s.Name))
}

func (w *world) build(s plan.Step) {
	w.t.Helper()
	im := s.Image
	content := []string{im.Inputs.File, im.Inputs.Context, fmt.Sprint(im.Args)}
	for _, p := range im.Parents {
		parent, ok := w.store.Image(im.Manager.StoreRef(p.As))
		if !ok {
			w.t.Fatalf("%s is built without its parent %s", s.Name, p.As)
		}
		content = append(content, parent.Content)
	}
	for _, b := range im.Bases {
		base, ok := w.store.Image(hierarchy.FullRef(b.Pinned()))
		if !ok {
			w.t.Fatalf("%s is built without its base %s", s.Name, b.As)
		}
		content = append(content, base.Content)
	}
	if s.NoCache {
		w.built++
		content = append(content, fmt.Sprint("run ", w.built))
	}
	fresh := s.Fresh
	if fresh.IsZero() {
		fresh = w.now
	}
	made, _ := im.Made(w.find, fresh)
	labels := im.Recipe("/c/ocisi.yaml", made).Labels
	id := sum(append(content, fmt.Sprint(labels))...)
	ref := im.Manager.StoreRef(im.Ref())
	w.put(hierarchy.StoredImage{ID: id, Refs: []string{ref}, Labels: labels, Content: sum(content...), DiffIDs: []string{sum(content...)}}, ref)
}

// copy gives podman what docker has.
func (w *world) copy(s plan.Step) {
	w.t.Helper()
	im, ok := w.store.Image("docker.io/library/" + s.Name)
	if !ok {
		w.t.Fatalf("%s is copied and is not there", s.Name)
	}
	name := "localhost/" + s.Name
	w.podman.Images = slices.DeleteFunc(w.podman.Images, func(x hierarchy.StoredImage) bool { return slices.Contains(x.Refs, name) })
	im.Refs = []string{name}
	w.podman.Images = append(w.podman.Images, im)
}

// box makes a box, and reports whether it had to.
func (w *world) box(s plan.Step) bool {
	w.t.Helper()
	im, ok := w.store.Image(s.Manager.StoreRef(s.Image.Ref()))
	if !ok {
		w.t.Fatalf("box %s is made without its image", s.Name)
	}
	i := slices.IndexFunc(w.store.Boxes, func(b hierarchy.StoredBox) bool { return b.Name == s.Name })
	if i >= 0 {
		old := w.store.Boxes[i]
		if old.Content == im.Content && old.Labels[hierarchy.LabelSpec] == s.Image.Box.Spec() {
			return false
		}
		w.store.Boxes = slices.Delete(w.store.Boxes, i, i+1)
	}
	w.store.Boxes = append(w.store.Boxes, hierarchy.StoredBox{
		ID: sum("box", s.Name, im.ID), Name: s.Name, ImageID: im.ID, Content: im.Content,
		Labels: map[string]string{hierarchy.LabelBox: s.Name, hierarchy.LabelSpec: s.Image.Box.Spec(), hierarchy.LabelConfig: "/c/ocisi.yaml", hierarchy.LabelImageID: im.ID},
	})
	return true
}

// runs gives the first box another image, from which ocisi made it.
func (w *world) runs(image, content string) {
	b := &w.store.Boxes[0]
	b.ImageID, b.Content, b.Labels[hierarchy.LabelImageID] = image, content, image
}

// prune removes all images that no container uses, as "image prune -af" does.
func (w *world) prune() {
	w.store.Images = slices.DeleteFunc(w.store.Images, func(im hierarchy.StoredImage) bool {
		return !slices.ContainsFunc(w.store.Boxes, func(b hierarchy.StoredBox) bool { return b.ImageID == im.ID })
	})
}

// settled fails the test when there is something to do.
func (w *world) settled(o plan.Options, after string) {
	w.t.Helper()
	if p := w.plan(o); p.Changes() != 0 {
		w.t.Fatalf("after %s:\n%s", after, reasons(p))
	}
	for _, im := range w.graph().Images {
		source, there := w.store.Image("docker.io/library/" + im.Ref())
		made, copied := w.podman.Image("localhost/" + im.Ref())
		if len(im.Also) > 0 && (!copied || there && source.Content != made.Content) {
			w.t.Fatalf("after %s: podman's %s is not docker's", after, im.Ref())
		}
	}
}

// fits fails the test when an image stands on another build of a parent, or of
// one of its parents, than the one that has the name.
func (w *world) fits() {
	w.t.Helper()
	for _, im := range w.store.Images {
		ref := im.Labels[hierarchy.LabelImage]
		made, ok := hierarchy.ReadInputs(im.Labels, ref)
		if _, named := w.store.Image("docker.io/library/" + ref); !ok || !named {
			continue
		}
		below := maps.Clone(made.Older)
		if below == nil {
			below = map[string]string{}
		}
		for parent, p := range made.Parents {
			below[parent] = p.ID
		}
		for parent, id := range below {
			if now, there := w.store.Image("docker.io/library/" + parent); there && now.ID != id {
				w.t.Fatalf("%s stands on another %s than the one that is there", ref, parent)
			}
		}
	}
}

// reasons are the steps of a plan that change something.
func reasons(p plan.Plan) string {
	var b strings.Builder
	for _, s := range p.Steps {
		if s.Action.Changes() {
			fmt.Fprintf(&b, "%s %s: %s\n", s.Action, s.Name, s.Reason)
		}
	}
	return b.String()
}

// random returns a world of some images on two bases, a box for every leaf and
// for some others.
func random(t *testing.T, r *rand.Rand) *world {
	w := newWorld(t)
	n := 3 + r.IntN(9)
	texts := make([]string, n)
	leaf := make([]bool, n)
	for i := range n {
		leaf[i] = true
		from := fmt.Sprintf("ghcr.io/x/b%d:1", r.IntN(2))
		if i > 0 && r.IntN(4) > 0 {
			p := r.IntN(i)
			leaf[p] = false
			from = fmt.Sprintf("im%d:1", p)
		}
		texts[i] = "FROM " + from + "\nARG V\nCOPY f" + fmt.Sprint(i) + " /\n"
		if i > 1 && r.IntN(3) == 0 {
			p := r.IntN(i)
			leaf[p] = false
			texts[i] += fmt.Sprintf("COPY --from=im%d:1 /a /b\n", p)
		}
		if r.IntN(6) == 0 {
			texts[i] += "COPY --from=quay.io/x/tool:1 /a /b\n"
		}
		w.files[fmt.Sprint("d/f", i)] = "1"
	}
	w.files["d/unrelated"] = "1"
	for i, text := range texts {
		more := []string{"args: {V: v0}", fmt.Sprint("assemble: ", leaf[i] || r.IntN(5) == 0)}
		if r.IntN(4) == 0 {
			more = append(more, "manager: [docker, podman]")
		}
		w.image(fmt.Sprint("im", i), text, more...)
	}
	for _, ref := range []string{"ghcr.io/x/b0:1", "ghcr.io/x/b1:1", "quay.io/x/tool:1"} {
		w.registry[ref] = sum(ref)
	}
	return w
}

// descendants returns the images that are built from one, and itself.
func descendants(g *hierarchy.Graph, has func(hierarchy.Image) bool) []string {
	in := map[string]bool{}
	for _, im := range g.Images {
		in[im.Ref()] = has(im) || slices.ContainsFunc(im.Parents, func(n hierarchy.Need) bool { return in[n.As] })
	}
	maps.DeleteFunc(in, func(_ string, yes bool) bool { return !yes })
	return slices.Sorted(maps.Keys(in))
}

func images(p plan.Plan) []string {
	var out []string
	for _, s := range p.Steps {
		if s.Kind == plan.Image && s.From == "" && s.Action.Changes() {
			out = append(out, s.Name)
		}
	}
	slices.Sort(out)
	return out
}
