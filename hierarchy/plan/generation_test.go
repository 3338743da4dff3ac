package plan_test

import (
	"maps"
	"strings"
	"testing"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/plan"
)

// replaced is small after gobox was replaced by a newer one: gobox.ocisi-1 is
// what it was.
func replaced(t *testing.T) *world {
	t.Helper()
	w := small(t)
	old := w.store.Boxes[0]
	w.files["d/Containerfile.godx"] += "RUN more\n"
	w.run(w.plan(plan.Options{}), nil)
	now := &w.store.Boxes[0]
	if old.ImageID == now.ImageID || old.Name != now.Name {
		t.Fatalf("%s was not replaced", old.Name)
	}
	old.Name, old.Created = "gobox.ocisi-1", 1
	old.Labels = maps.Clone(old.Labels)
	now.Created = 2
	w.store.Boxes = append(w.store.Boxes, old)
	w.settled(plan.Options{}, "the replacement")
	return w
}

// rollBack swaps gobox and its generation.
func rollBack(w *world) {
	w.store.Boxes[0].Name = "gobox.ocisi-2"
	w.store.Boxes[1].Name = "gobox"
}

func TestRolledBack(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(w *world)
		want   string // of the box
	}{
		{"is kept", func(*world) {}, "keep: rolled back from gobox.ocisi-2, until its image or its spec changes"},
		{"is kept, too, when its image has another ID", func(w *world) {
			w.runs("sha256:other", "same")
			im, _ := w.store.Image("docker.io/library/godx:1")
			for i := range w.store.Images {
				if w.store.Images[i].ID == im.ID {
					w.store.Images[i].Content = "same"
				}
			}
		}, "keep: rolled back from gobox.ocisi-2, until its image or its spec changes"},
		{"until its image changes", func(w *world) { w.files["d/Containerfile.godx"] += "RUN yet more\n" },
			"recreate: image godx is rebuilt; box kept if its layers do not change"},
		{"until its spec changes", func(w *world) { w.config = strings.Replace(w.config, "/usr/bin/go", "/usr/bin/gofmt", 1) },
			"recreate: box spec changed: exported_bins; box runs an older image"},
		{"not without a generation", func(w *world) { w.store.Boxes = w.store.Boxes[1:] }, "recreate: box runs an older image"},
		{"not by somebody else's box", func(w *world) {
			w.store.Boxes[0].Labels = map[string]string{hierarchy.LabelSpec: w.store.Boxes[0].Labels[hierarchy.LabelSpec]}
		}, "recreate: box runs an older image"},
		{"not by an older generation: the wish went back to what it was", func(w *world) { w.store.Boxes[0].Created = 0 }, "recreate: box runs an older image"},
		{"not by a generation of the same second", func(w *world) { w.store.Boxes[0].Created = w.store.Boxes[1].Created }, "recreate: box runs an older image"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := replaced(t)
			rollBack(w)
			c.change(w)
			p := w.plan(plan.Options{})
			for _, s := range p.Steps {
				if got := string(s.Action) + ": " + s.Reason; s.Kind == plan.Box && got != c.want {
					t.Errorf("got  %s\nwant %s", got, c.want)
				}
			}
		})
	}
}

func TestCleanGenerations(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(w *world)
		o      plan.CleanOptions
		want   string
	}{
		{"one is kept", func(*world) {}, plan.CleanOptions{}, ""},
		{"all go", func(*world) {}, plan.CleanOptions{Generations: true}, "remove gobox.ocisi-1: generation of gobox, for a rollback\n"},
		{"with its box", func(w *world) { w.config = strings.Replace(w.config, "assemble: true", "assemble: false", 1) }, plan.CleanOptions{},
			"remove gobox: box is not in the config or disabled\nremove gobox.ocisi-1: generation of a box that is not in the config or disabled\n"},
		{"not those of another config", func(w *world) { w.store.Boxes[1].Labels[hierarchy.LabelConfig] = "/other.yaml" }, plan.CleanOptions{Generations: true}, ""},
		{"not a clone", func(w *world) { w.store.Boxes[1].Name = "gobox.ocisi-1-copy" }, plan.CleanOptions{Generations: true}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := replaced(t)
			c.change(w)
			c.o.Ownership.Config = "/c/ocisi.yaml"
			p := plan.Clean(w.graph(), plan.Stores{hierarchy.Docker: w.store}, c.o)
			if got := reasons(p); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

// More generations than the config keeps go, whoever left them.
func TestTrim(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(w *world)
		want   string
	}{
		{"two of three", func(*world) {}, "trim: keep is 1, so these go: gobox.ocisi-2, gobox.ocisi-1"},
		{"none is kept", func(w *world) {
			w.config = strings.Replace(w.config, "  distrobox: gobox", "  keep: 0\n  distrobox: gobox", 1)
		}, "trim: keep is 0, so these go: gobox.ocisi-4, gobox.ocisi-2, gobox.ocisi-1"},
		{"all are kept", func(w *world) {
			w.config = strings.Replace(w.config, "  distrobox: gobox", "  keep: 3\n  distrobox: gobox", 1)
		}, "keep: nothing changed"},
		{"not those of another user", func(w *world) {
			w.store.Boxes[1].Labels[hierarchy.LabelUID] = "1001" // the labels are those of all
			w.store.Boxes[0].Labels = maps.Clone(w.store.Boxes[0].Labels)
			w.store.Boxes[0].Labels[hierarchy.LabelUID] = "1000"
		}, "keep: nothing changed"},
		{"not those of another config", func(w *world) { w.store.Boxes[1].Labels[hierarchy.LabelConfig] = "/there.yaml" }, "keep: nothing changed"},
		{"not those from a commit", func(w *world) { w.store.Boxes[1].Labels[hierarchy.LabelImageID] = "sha256:before" }, "keep: nothing changed"},
		{"not one that holds drift", func(w *world) { w.store.Boxes[1].Drifted = true },
			"trim: keep is 1, so these go: gobox.ocisi-2"},
		{"none, as all hold drift", func(w *world) { w.store.Boxes[1].Drifted, w.store.Boxes[3].Drifted = true, true },
			"keep: nothing changed; more generations than keep, which hold drift and stay until 'ocisi clean': gobox.ocisi-2, gobox.ocisi-1"},
		{"not one that runs", func(w *world) { w.store.Boxes[1].Running = true }, "trim: keep is 1, so these go: gobox.ocisi-2"},
		{"a box that is gone", func(w *world) { w.store.Boxes = w.store.Boxes[1:] }, "create: box does not exist; a former one is there for a rollback, gobox.ocisi-4"},
		{"a new box does it, too", func(w *world) { w.files["d/Containerfile.godx"] += "RUN yet more\n" },
			"recreate: image godx is rebuilt; box kept if its layers do not change"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := replaced(t)
			for _, name := range []string{"gobox.ocisi-4", "gobox.ocisi-2"} {
				more := w.store.Boxes[1]
				more.Name, more.ID = name, name
				w.store.Boxes = append(w.store.Boxes, more)
			}
			c.change(w)
			o := plan.Options{UID: 1000, Config: "/c/ocisi.yaml", Exists: func(string) bool { return true }}
			for _, s := range w.plan(o).Steps {
				if got := string(s.Action) + ": " + s.Reason; s.Kind == plan.Box && got != c.want {
					t.Errorf("got  %s\nwant %s", got, c.want)
				}
			}
		})
	}
}

// Every box of an image has its own step, after the image's.
func TestTwoBoxes(t *testing.T) {
	w := small(t)
	w.image("godx", "FROM go:1\n", "assemble: true", "distrobox: second")
	p := w.plan(plan.Options{})
	if got := reasons(p); got != "create second: box does not exist\n" {
		t.Error(got)
	}
	w.run(p, nil)
	w.settled(plan.Options{}, "the second box")
}
