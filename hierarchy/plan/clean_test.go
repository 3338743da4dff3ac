package plan_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/plan"
)

// orphans are the steps of a clean, with what they need.
func orphans(w *world, file string, boxless bool) string {
	p := plan.Clean(w.graph(), plan.Stores{hierarchy.Docker: w.store}, plan.CleanOptions{Ownership: hierarchy.Ownership{UID: 1000, Config: file}, Boxless: boxless})
	return strings.ReplaceAll(text(p), " docker", "")
}

func TestClean(t *testing.T) {
	// The sizes grow from parent to child, whatever the engine's order.
	sized := func(t *testing.T) *world {
		w := small(t)
		for i := range w.store.Images {
			w.store.Images[i].Size = int64(i)
		}
		return w
	}
	disable := func(w *world) { w.config = strings.ReplaceAll(w.config, "enabled: true", "enabled: false") }
	const all = "remove box gobox\nremove image zig:1\nremove image godx:1 <box gobox\nremove image go:1 <image godx:1\nremove image tools:1 <image go:1 <image zig:1\n"
	without := strings.NewReplacer("remove box gobox\n", "", " <box gobox", "").Replace(all) // the box
	for _, c := range []struct {
		name    string
		change  func(w *world)
		boxless bool
		want    string
	}{
		{"nothing", func(*world) {}, false, ""},
		{"boxless", func(*world) {}, true, "remove image zig:1\nremove image go:1\nremove image tools:1 <image go:1 <image zig:1\n"},
		{"all", disable, false, all},
		{"a box left aside", func(w *world) {
			b := w.store.Boxes[0]
			b.Name = "gobox.ocisi-old"
			w.store.Boxes = append(w.store.Boxes, b)
		}, false, ""},
		{"a box left aside, too", func(w *world) { disable(w); w.store.Boxes[0].Name = "gobox.ocisi-old" }, false, strings.ReplaceAll(all, "gobox", "gobox.ocisi-old")},
		{"of another config", func(w *world) {
			disable(w)
			for i, im := range w.store.Images[1:] {
				w.store.Images[i+1].Labels = maps.Clone(im.Labels)
				w.store.Images[i+1].Labels[hierarchy.LabelConfig] = "/other.yaml"
			}
			w.store.Boxes[0].Labels[hierarchy.LabelConfig] = "/other.yaml"
		}, false, ""},
		{"a box of another user", func(w *world) {
			disable(w)
			w.store.Boxes[0].Labels[hierarchy.LabelUID] = "1001"
		}, false, without},
		{"a box that was restored from docker commit", func(w *world) {
			disable(w)
			w.store.Boxes[0].ImageID = "sha256:backup"
		}, false, without},
		{"a box of a config that was deleted", func(w *world) {
			disable(w)
			w.store.Boxes[0].Labels[hierarchy.LabelConfig] = "/deleted.yaml"
		}, false, without},
		{"of somebody else", func(w *world) {
			disable(w)
			w.store.Images = []hierarchy.StoredImage{{ID: "sha256:1", Refs: []string{"docker.io/library/mine:1"}, Labels: w.store.Images[1].Labels}}
			w.store.Boxes[0].Labels = map[string]string{"manager": "distrobox", hierarchy.LabelConfig: "/c/ocisi.yaml"}
		}, false, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := sized(t)
			c.change(w)
			if got := orphans(w, "/c/ocisi.yaml", c.boxless); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

// Labels may name any parent: a step needs only those before it.
func TestCleanOfStrangeLabels(t *testing.T) {
	store := hierarchy.Store{Manager: hierarchy.Podman}
	for i := range 4 {
		store.Images = append(store.Images, hierarchy.StoredImage{
			ID: fmt.Sprint(i), Refs: []string{fmt.Sprintf("localhost/im%d:1", i)}, Size: int64(10 * i),
			Labels: map[string]string{hierarchy.LabelConfig: "/c", hierarchy.LabelImage: fmt.Sprintf("im%d:1", i), hierarchy.LabelParent: fmt.Sprintf("im%d:1", (i+1)%4)},
		})
	}
	store.Boxes = []hierarchy.StoredBox{{Name: "b", ImageID: "0", Labels: map[string]string{hierarchy.LabelConfig: "/c", hierarchy.LabelBox: "b", hierarchy.LabelImageID: "0"}}}
	p := plan.Clean(&hierarchy.Graph{}, plan.Stores{hierarchy.Podman: store}, plan.CleanOptions{Ownership: hierarchy.Ownership{Config: "/c"}})
	var done []plan.Target
	for _, s := range p.Steps {
		for _, need := range s.Needs {
			if !slices.Contains(done, need) {
				t.Errorf("%s needs %s, which comes later", s.Name, need.Name)
			}
		}
		done = append(done, s.Target)
	}
	if len(done) != 5 {
		t.Errorf("%d steps", len(done))
	}
}

// A plan of nothing is a list in JSON.
func TestNothing(t *testing.T) {
	if p := plan.New(&hierarchy.Graph{}, nil, plan.Options{}); p.Steps == nil || p.Changes() != 0 {
		t.Errorf("%+v", p)
	}
}

// Images without a name that runs of this config left, or of one that was deleted,
// are removed. An image with a name that ocisi did not build stays, as one of another
// config does.
func TestCleanUntaggedAndForeign(t *testing.T) {
	t.Parallel()
	labels := func(config string) map[string]string {
		return map[string]string{hierarchy.LabelImage: "im:1", hierarchy.LabelConfig: config}
	}
	store := hierarchy.Store{
		Manager: hierarchy.Podman,
		Images: []hierarchy.StoredImage{
			{ID: "sha256:named", Refs: []string{"localhost/im:1"}, Labels: labels("/c")},
		},
		Untagged: []hierarchy.StoredImage{
			{ID: "sha256:0123456789abcdef", Labels: labels("/c"), Sealed: true},
			{ID: "sha256:deleted", Labels: labels("/deleted"), Sealed: true},
			{ID: "sha256:other", Labels: labels("/other"), Sealed: true},
			{ID: "sha256:patched", Labels: labels("/c")},
		},
	}
	exists := func(config string) bool { return config == "/other" }
	o := plan.CleanOptions{Ownership: hierarchy.Ownership{Config: "/c", Exists: exists}}
	clean := func() string {
		return text(plan.Clean(&hierarchy.Graph{}, plan.Stores{hierarchy.Podman: store}, o))
	}
	const untagged = "remove podman image 0123456789ab\nremove podman image deleted\n"
	if got := clean(); got != "remove podman image im:1\n"+untagged {
		t.Errorf("got\n%s", got)
	}
	o.Foreign = map[string]bool{"sha256:named": true}
	if got := clean(); got != untagged {
		t.Errorf("got\n%s", got)
	}
}
