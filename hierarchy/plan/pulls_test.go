package plan_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/plan"
)

// behind is a world in which two images are still built from the older of two
// bases: a ← base:1 (old), mid ← base:1 (old), whose name is gone, with a child
// that has its layers, and b ← base:1 (new) with c built from it.
func behind(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.registry["ghcr.io/x/base:1"] = sum("old")
	w.image("a", "FROM ghcr.io/x/base:1\n")
	w.image("mid", "FROM ghcr.io/x/base:1\n")
	w.image("child", "FROM mid:1\n")
	w.image("b", "FROM ghcr.io/x/base:1\n")
	w.image("c", "FROM b:1\n")
	w.run(w.plan(plan.Options{}), nil)
	w.registry["ghcr.io/x/base:1"] = sum("new")
	w.run(w.plan(plan.Options{Refresh: true}), func(s plan.Step) bool { return s.Name == "a:1" || s.Name == "mid:1" })
	w.untag("docker.io/library/mid:1")
	w.store.Images = slices.DeleteFunc(w.store.Images, func(im hierarchy.StoredImage) bool { return im.Labels == nil })
	w.settled(plan.Options{}, "the loss of the base")
	return w
}

// A base that is gone is pulled again as the first image knows it, and what was
// built from another one follows; what is not missed is not built for that.
func TestPullOfOneThatIsGone(t *testing.T) {
	w := behind(t)
	w.files["d/Containerfile.a"] += "RUN more\n"
	want := "pull ghcr.io/x/base:1: base is not in the store; the same one again, " + short(sum("old")) + "\n" +
		"rebuild a:1: Containerfile changed\n" +
		"rebuild b:1: base ghcr.io/x/base:1 moved: " + short(sum("new")) + " → " + short(sum("old")) + "\n" +
		"rebuild c:1: parent b is rebuilt\n"
	p := w.plan(plan.Options{})
	if got := reasons(p); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if s := p.Steps[0]; s.Digest != sum("old") || s.Newer || s.Pin != "" {
		t.Errorf("the pull: %+v", s)
	}
	w.run(p, nil)
	w.settled(plan.Options{}, "the run")
}

// A pull says whether the store's own will do.
func TestPullOfOneThatMoved(t *testing.T) {
	w := small(t)
	w.registry["ghcr.io/x/base:1"] = sum("new")
	if s := w.plan(plan.Options{Refresh: true}).Steps[0]; !s.Newer || s.Digest != "" || s.Pin != "" {
		t.Errorf("moved: %+v", s)
	}
	w.pins["ghcr.io/x/base:1"] = sum("new")
	if s := w.plan(plan.Options{}).Steps[0]; s.Newer || s.Digest != "" || s.Pin != sum("new") {
		t.Errorf("locked: %+v", s)
	}
}

// One base of many images is pulled once.
func TestPullOnce(t *testing.T) {
	w := newWorld(t)
	w.image("a", "FROM ghcr.io/x/base:1\n")
	w.image("b", "FROM ghcr.io/x/base:1\n")
	want := "pull docker base ghcr.io/x/base:1\nbuild docker image a:1 <base ghcr.io/x/base:1\nbuild docker image b:1 <base ghcr.io/x/base:1\n"
	if got := text(w.plan(plan.Options{})); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// What registries are asked about is what the stores have, else what images
// were built from.
func TestKnown(t *testing.T) {
	target := plan.Target{Kind: plan.Base, Manager: hierarchy.Docker, Name: "ghcr.io/x/base:1"}
	known := func(w *world, locked bool) string {
		all := plan.Known(w.graph(), plan.Stores{hierarchy.Docker: w.store}, locked)
		im, ok := all[target]
		if !ok || len(all) != 1 {
			return strings.Repeat("something else", len(all))
		}
		return im.Digest(target.Name) + " " + im.ID
	}
	w := small(t)
	there := sum("base") + " " + w.store.Images[0].ID
	for _, locked := range []bool{false, true} {
		if got := known(w, locked); got != there {
			t.Errorf("in the store: %s, want %s", got, there)
		}
	}
	w.pins[target.Name] = sum("base")
	if got := known(w, true); got != there {
		t.Errorf("locked, and asked all the same: %s", got)
	}
	if got := known(w, false); got != "" {
		t.Errorf("locked: %s", got)
	}
	maps.DeleteFunc(w.pins, func(string, string) bool { return true })
	w.store.Images = w.store.Images[1:]
	if got := known(w, false); got != there {
		t.Errorf("gone: %s, want %s", got, there)
	}
	w.store.Images = nil
	if got := known(w, false); got != " " {
		t.Errorf("never there: %q", got)
	}
}

// Podman has a base of a short name under localhost/, where it was built there.
func TestPodmanBase(t *testing.T) {
	im := hierarchy.Image{
		Name: "tool", Tag: "1", Manager: hierarchy.Podman, Bases: []hierarchy.Need{{Ref: "mine:1", As: "mine:1"}},
		Inputs: hierarchy.Inputs{Version: 1, Bases: map[string]hierarchy.Base{"mine:1": {}}},
	}
	g := &hierarchy.Graph{Images: []hierarchy.Image{im}}
	for ref, want := range map[string]plan.Action{"localhost/mine:1": plan.Keep, "docker.io/library/mine:1": plan.Keep, "ghcr.io/x/mine:1": plan.Pull} {
		store := hierarchy.Store{Manager: hierarchy.Podman, Images: []hierarchy.StoredImage{{ID: "sha256:1", Refs: []string{ref}}}}
		if s := plan.New(g, plan.Stores{hierarchy.Podman: store}, plan.Options{}).Steps[0]; s.Action != want {
			t.Errorf("%s: %s, %s", ref, s.Action, s.Reason)
		}
	}
}

func TestAgeInWords(t *testing.T) {
	for age, want := range map[string]string{"12h": "12h0m0s", "1d": "1 day", "24h": "1 day", "2w": "14 days"} {
		w := newWorld(t)
		w.image("a", "FROM scratch\n", "max_age: "+age)
		w.run(w.plan(plan.Options{}), nil)
		w.now = w.now.Add(15 * 24 * time.Hour)
		if got := reasons(w.plan(plan.Options{Refresh: true})); got != "rebuild a:1: older than "+want+"\n" {
			t.Errorf("%s: got\n%s", age, got)
		}
	}
}
