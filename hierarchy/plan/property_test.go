package plan_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/plan"
)

const rounds = 50

func each(t *testing.T, f func(t *testing.T, r *rand.Rand, w *world)) {
	for seed := range uint64(rounds) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(seed, 7))
			f(t, r, random(t, r))
		})
	}
}

// A second run after a plan was applied has nothing to do, and an edit rebuilds
// the image and its descendants, no more and no less.
func TestEditRebuildsDescendants(t *testing.T) {
	each(t, func(t *testing.T, r *rand.Rand, w *world) {
		w.run(w.plan(plan.Options{}), nil)
		w.settled(plan.Options{}, "the first run")
		for range 3 {
			g := w.graph()
			im := g.Images[r.IntN(len(g.Images))]
			number := strings.TrimPrefix(im.Name, "im")
			has := func(x hierarchy.Image) bool { return x.Name == im.Name }
			what := ""
			switch r.IntN(5) {
			case 0:
				what = "Containerfile changed"
				w.files["d/Containerfile."+im.Name] += "RUN more\n"
			case 1:
				what = "f" + number + " changed"
				w.files["d/f"+number] += "more"
			case 2:
				what = "argument V: v0 → v1"
				if im.Args["V"] == "v1" {
					what = "argument V: v1 → v0"
				}
				at := strings.Index(w.config, "- name: "+im.Name+"\n")
				was, is := "V: v0", "V: v1"
				if im.Args["V"] == "v1" {
					was, is = is, was
				}
				w.config = w.config[:at] + strings.Replace(w.config[at:], was, is, 1)
			case 3:
				what = "nothing" // that it can see
				w.files["d/unrelated"] += "more"
				has = func(hierarchy.Image) bool { return false }
			case 4:
				what = " moved: "
				w.registry["ghcr.io/x/b1:1"] += "0"
				has = func(x hierarchy.Image) bool {
					return slices.ContainsFunc(x.Bases, func(n hierarchy.Need) bool { return n.As == "ghcr.io/x/b1:1" })
				}
			}
			o := plan.Options{Refresh: what == " moved: "}
			p := w.plan(o)
			want := descendants(w.graph(), has)
			if got := images(p); !slices.Equal(got, want) {
				t.Fatalf("%s %s: builds %q, want %q\n%s", im.Name, what, got, want, reasons(p))
			}
			if len(want) > 0 && !strings.Contains(reasons(p), what) {
				t.Fatalf("%s %s is no reason in\n%s", im.Name, what, reasons(p))
			}
			w.run(p, nil)
			w.settled(plan.Options{}, what)
			if o.Refresh {
				w.settled(o, what)
			}
		}
	})
}

// Whatever is lost and whatever fails, another run ends it.
func TestRunsConverge(t *testing.T) {
	each(t, func(_ *testing.T, r *rand.Rand, w *world) {
		sometimes := func(plan.Step) bool { return r.IntN(4) == 0 }
		w.run(w.plan(plan.Options{}), sometimes)
		for range 6 {
			o := plan.Options{}
			var names []string
			switch r.IntN(10) {
			case 0:
				w.prune()
			case 1:
				w.untag(fmt.Sprintf("docker.io/library/im%d:1", r.IntN(12)))
			case 2:
				ref := fmt.Sprintf("ghcr.io/x/b%d:1", r.IntN(2))
				w.registry[ref] += "0"
				if r.IntN(2) == 0 {
					w.store.Images = slices.DeleteFunc(w.store.Images, func(im hierarchy.StoredImage) bool { return slices.Contains(im.Refs, ref) })
				}
				o.Refresh = r.IntN(2) == 0
			case 3:
				if len(w.store.Boxes) > 0 {
					i := r.IntN(len(w.store.Boxes))
					w.store.Boxes = slices.Delete(w.store.Boxes, i, i+1)
				}
			case 4:
				w.files[fmt.Sprint("d/f", r.IntN(12))] += "more"
			case 5:
				o.Force = true
				if r.IntN(2) == 0 { // of one branch, in which a name is missing
					names = []string{fmt.Sprint("im", r.IntN(3))}
					w.untag(fmt.Sprintf("docker.io/library/im%d:1", r.IntN(6)))
				}
			case 6:
				w.pins["ghcr.io/x/b0:1"] = sum(fmt.Sprint("pin", r.IntN(3)))
			case 7:
				delete(w.pins, "ghcr.io/x/b0:1")
			case 8:
				w.podman.Images = nil
			case 9:
				w.podman.Images = nil
				w.prune()
			}
			w.run(w.plan(o, names...), sometimes)
			o.Force = false
			w.run(w.plan(o), nil)
			w.settled(plan.Options{}, "anything")
			w.fits()
			if o.Refresh {
				w.settled(o, "a refresh")
			}
		}
	})
}

// The same world gives the same plan, in whatever order the engine lists it and
// however often the files are read.
func TestPlanIsDetermined(t *testing.T) {
	each(t, func(t *testing.T, r *rand.Rand, w *world) {
		w.run(w.plan(plan.Options{}), func(plan.Step) bool { return r.IntN(3) == 0 })
		w.registry["ghcr.io/x/b0:1"] += "0"
		w.untag("docker.io/library/im1:1")
		o := plan.Options{Refresh: true}
		want := w.plan(o)
		for i := range 4 {
			if i == 0 {
				w.read = nil
			}
			r.Shuffle(len(w.store.Images), func(i, j int) { w.store.Images[i], w.store.Images[j] = w.store.Images[j], w.store.Images[i] })
			r.Shuffle(len(w.store.Boxes), func(i, j int) { w.store.Boxes[i], w.store.Boxes[j] = w.store.Boxes[j], w.store.Boxes[i] })
			got := w.plan(o)
			for i := range got.Steps {
				got.Steps[i].Image, want.Steps[i].Image = hierarchy.Image{}, hierarchy.Image{}
			}
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("got\n%s\nwant\n%s", reasons(got), reasons(want))
			}
		}
		done := map[plan.Target]bool{}
		for _, s := range want.Steps {
			for _, need := range s.Needs {
				if !done[need] {
					t.Fatalf("%s comes before %s, which it needs", s.Name, need.Name)
				}
			}
			done[s.Target] = true
		}
	})
}

// Layers that are as old as they may be are built again, and only they and what
// is built from them.
func TestMaxAge(t *testing.T) {
	w := newWorld(t)
	w.head = "max_age: 7d\n"
	w.registry["ghcr.io/x/b:1"] = sum("b")
	w.image("base", "FROM ghcr.io/x/b:1\n", "max_age: never")
	w.image("old", "FROM base:1\n", "max_age: 2d")
	w.image("leaf", "FROM old:1\n", "assemble: true")
	w.image("other", "FROM base:1\n")
	w.run(w.plan(plan.Options{}), nil)
	w.now = w.now.Add(48 * time.Hour)
	w.settled(plan.Options{Refresh: true}, "two days, to the second")
	w.now = w.now.Add(time.Hour)
	w.settled(plan.Options{}, "two days, without a refresh")
	p := w.plan(plan.Options{Refresh: true})
	want := "rebuild old:1: older than 2 days\nrebuild leaf:1: parent old is rebuilt\nrecreate leaf: image leaf is rebuilt; box kept if its layers do not change\n"
	if got := reasons(p); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if did := w.run(p, nil); !slices.Equal(did, []string{"old:1", "leaf:1", "leaf"}) {
		t.Errorf("did %q", did)
	}
	w.settled(plan.Options{Refresh: true}, "the refresh")
	// An edit does not make the steps before it younger.
	w.now = w.now.Add(24 * time.Hour)
	w.files["d/Containerfile.other"] += "RUN more\n"
	w.run(w.plan(plan.Options{}), nil)
	w.now = w.now.Add(4*24*time.Hour + time.Hour)
	if got := reasons(w.plan(plan.Options{Refresh: true}, "other")); got != "rebuild other:1: older than 7 days\n" {
		t.Errorf("got\n%s", got)
	}
	// A clock that was ahead does not disable the refresh until it is that late.
	w.run(w.plan(plan.Options{Refresh: true}), nil)
	w.now = w.now.Add(-time.Minute)
	w.settled(plan.Options{}, "a step back of the clock, without a refresh")
	if got := reasons(w.plan(plan.Options{Refresh: true}, "other")); got != "rebuild other:1: its build is dated in the future\n" {
		t.Errorf("got\n%s", got)
	}
}
