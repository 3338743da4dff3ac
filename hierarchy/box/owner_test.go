package box

import (
	"context"
	"errors"
	"maps"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/klmcwhirter/ocisi/hierarchy"
)

// labelled puts a box there, of box tool, that has other labels, too, or other values; "" takes one away.
func (w *world) labelled(name string, more map[string]string) *world {
	labels := byOcisi("tool")
	maps.Copy(labels, more)
	maps.DeleteFunc(labels, func(_, value string) bool { return value == "" })
	return w.has(name, labels)
}

// inherited are boxes whose labels do not prove that this run may change them.
func inherited() map[string]map[string]string {
	return map[string]map[string]string{
		"a commit of a box":    {hierarchy.LabelImageID: "sha256:before-the-commit"},
		"without the image ID": {hierarchy.LabelImageID: ""},
		"another user's":       {hierarchy.LabelUID: "1002"},
		"another config's":     {hierarchy.LabelConfig: "/there.yaml"},
	}
}

func (w *world) owner() *Distrobox {
	d := w.maker()
	d.Owner = hierarchy.Ownership{UID: 1001, Config: "/mine.yaml", Exists: func(config string) bool { return config == "/there.yaml" }}
	return d
}

// Nothing replaces, rolls back, recovers, trims or removes a box that is not
// proved to be this run's.
func TestOwnedBoxesOnly(t *testing.T) {
	for name, labels := range inherited() {
		for verb, do := range map[string]func(w *world) error{
			"replace": func(w *world) error {
				w.labelled("tool", labels)
				_, err := w.owner().Replace(t.Context(), w, spec(), nil)
				return err
			},
			"roll back from": func(w *world) error {
				w.labelled("tool", labels).has("tool.ocisi-1", byOcisi("tool"))
				_, err := w.owner().Rollback(t.Context(), w, spec(), 0, nil)
				return err
			},
			"roll back to": func(w *world) error {
				w.labelled("tool", nil).labelled("tool.ocisi-1", labels)
				_, err := w.owner().Rollback(t.Context(), w, spec(), 0, nil)
				return err
			},
			"remove": func(w *world) error {
				w.labelled("tool", labels)
				return w.owner().Remove(t.Context(), w, hierarchy.Podman, "tool", "box1")
			},
			"recover": func(w *world) error {
				w.labelled("tool.ocisi-old", labels)
				return errors.Join(errors.New("done"), w.owner().Recover(t.Context(), w, spec(), w.list(), nil))
			},
			"trim": func(w *world) error {
				w.labelled("tool", nil).labelled("tool.ocisi-1", labels)
				_, err := w.owner().Trim(t.Context(), w, spec(func(s *Spec) { s.Keep = 0 }), nil)
				return errors.Join(errors.New("done"), err)
			},
		} {
			w := newWorld(t)
			err := do(w)
			if err == nil || len(w.calls) > 0 || len(w.boxes) == 0 {
				t.Errorf("%s: %s: error %v, did %q", name, verb, err, w.calls)
			}
			if verb == "replace" {
				if ee, ok := errors.AsType[*ExistsError](err); !ok || ee.Refusal == "" {
					t.Errorf("%s: %s: error %v", name, verb, err)
				}
			}
		}
	}
}

// A deleted config owns nothing: its boxes, generations and interrupted
// replacements go to the next config of the same user.
func TestBoxesOfADeletedConfig(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gone := map[string]string{hierarchy.LabelConfig: "/gone.yaml", hierarchy.LabelUID: "1001"}
		w := newWorld(t).labelled("tool.ocisi-old", gone).labelled("tool.ocisi-1", gone)
		if _, err := w.owner().Replace(t.Context(), w, spec(func(s *Spec) { s.Keep = 1 }), nil); err != nil {
			t.Fatal(err)
		}
		if got := w.names(); got != "tool=box3 tool.ocisi-2=box1" {
			t.Errorf("boxes %s", got)
		}
	})
}

// Two configs share a box, and one of them keeps more generations: the other does
// not trim those.
func TestTrimOfAnotherConfig(t *testing.T) {
	there := map[string]string{hierarchy.LabelConfig: "/there.yaml"}
	w := newWorld(t).labelled("tool", there).labelled("tool.ocisi-1", there).labelled("tool.ocisi-2", there)
	b := w.boxes["tool"]
	b.ImageID, b.Labels[hierarchy.LabelImageID] = "sha256:new", "sha256:new"
	w.boxes["tool"] = b
	out, err := w.owner().Replace(t.Context(), w, spec(func(s *Spec) { s.Keep = 0 }), nil) // it is up to date
	if err != nil || len(out.Removed) > 0 || len(w.calls) > 0 {
		t.Errorf("error %v, did %q", err, w.calls)
	}
}

// Boxes of root's podman are proved in the same way.
func TestOwnedRootBoxes(t *testing.T) {
	for name, labels := range inherited() {
		w := newWorld(t)
		w.root = newWorld(t).labelled("tool", labels)
		_, err := w.owner().Replace(t.Context(), w, spec(func(s *Spec) { s.Box.Root = true }), nil)
		if _, ok := errors.AsType[*ExistsError](err); !ok || len(w.root.calls) > 0 || w.root.names() != "tool=box1" {
			t.Errorf("%s: error %v, did %s", name, err, strings.Join(w.root.calls, ", "))
		}
	}
}

// A generation that holds what its image does not is not removed without a question.
func TestTrimOfDrift(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"tool", "tool.ocisi-1", "tool.ocisi-2", "tool.ocisi-3"} {
		w.has(name, byOcisi("tool"))
	}
	s := spec(func(s *Spec) {
		s.Keep = 1
		s.Drifted = func(_ context.Context, b hierarchy.StoredBox) (bool, error) { return b.Name == "tool.ocisi-2", nil }
	})
	said := ""
	out, err := w.maker().Trim(t.Context(), w, s, func(p progress) { said += p.Title + "\n" })
	if err != nil || len(out.Removed) != 1 || w.names() != "tool=box1 tool.ocisi-2=box3 tool.ocisi-3=box4" {
		t.Errorf("error %v, boxes %s", err, w.names())
	}
	if want := "keeping the old box tool.ocisi-2: it contains packages or files that its image does not have\n"; !strings.Contains(said, want) {
		t.Errorf("said %q", said)
	}
}

// A generation whose drift is unknown is kept, and the error is reported.
func TestTrimOfUnknownDrift(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"tool", "tool.ocisi-1", "tool.ocisi-2"} {
		w.has(name, byOcisi("tool"))
	}
	broken := errors.New("no answer")
	s := spec(func(s *Spec) {
		s.Keep = 1
		s.Drifted = func(context.Context, hierarchy.StoredBox) (bool, error) { return false, broken }
	})
	out, err := w.maker().Trim(t.Context(), w, s, nil)
	if !errors.Is(err, broken) || len(out.Removed) > 0 || w.names() != "tool=box1 tool.ocisi-1=box2 tool.ocisi-2=box3" {
		t.Errorf("error %v, boxes %s", err, w.names())
	}
}
