package box

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/internal/process"
)

// A container that another program creates while the name of a box is free is
// neither removed nor renamed, whatever labels it has inherited. distrobox create
// reports success for it.
func TestForeignContainerDuringCreate(t *testing.T) {
	const taken = "another program created container tool (box9) at the same time"
	for _, test := range []struct {
		name   string
		labels map[string]string
	}{
		{"no box", nil},
		{"made by distrobox", byDistrobox()},
		{"made of a commit of a box", byOcisi("tool")},
		{"made by another run of ocisi", map[string]string{
			hierarchy.LabelBox: "tool", hierarchy.LabelSpec: spec().Box.Spec(), hierarchy.LabelImageID: "sha256:new", hierarchy.LabelNonce: "other",
		}},
	} {
		for _, fails := range []bool{false, true} {
			w := newWorld(t).has("tool", byOcisi("tool"))
			w.before = func(c process.Cmd) (bool, error) {
				if c.Args[0] == "create" {
					w.boxes["tool"] = hierarchy.StoredBox{ID: "box9", Name: "tool", ImageID: "sha256:new", Labels: maps.Clone(test.labels)}
					if fails {
						return false, failed(c)
					}
				}
				return false, nil
			}
			_, err := w.maker().Replace(t.Context(), w, spec(), nil)
			te, ok := errors.AsType[*TakenError](err)
			if !ok || !strings.Contains(err.Error(), taken+"; the previous box is kept as tool.ocisi-old") || te.Old != "tool.ocisi-old" {
				t.Errorf("%s: error %v", test.name, err)
			}
			if got := w.names(); got != "tool=box9 tool.ocisi-old=box1" || !slices.Equal(w.calls, []string{asided}) {
				t.Errorf("%s: boxes %s, did %q", test.name, got, w.calls)
			}

			delete(w.boxes, "tool")
			delete(w.boxes, "tool.ocisi-old")
			_, err = w.maker().Create(t.Context(), w, spec(), nil)
			if te, ok := errors.AsType[*TakenError](err); ok == fails || ok && (te.Old != "" || !strings.Contains(err.Error(), taken)) {
				t.Errorf("%s: without an old box: error %v", test.name, err)
			}
			if got := w.names(); got != "tool=box9" {
				t.Errorf("%s: without an old box: boxes %s", test.name, got)
			}
		}
	}
}

// The nonce of a run is long enough not to be guessed or repeated.
func TestNonce(t *testing.T) {
	one, other := (&Distrobox{}).nonce(), (&Distrobox{}).nonce()
	if len(one) < 26 || one == other {
		t.Errorf("%q and %q", one, other)
	}
	w := newWorld(t)
	if _, err := w.maker().Create(t.Context(), w, spec(), nil); err != nil {
		t.Fatal(err)
	}
	if labels := w.boxes["tool"].Labels; labels[hierarchy.LabelNonce] != "nonce1" || labels[hierarchy.LabelUID] != "1001" {
		t.Errorf("labels %v", labels)
	}
}

// A container that got the name of a box after the plan was made is not replaced,
// rolled back or removed.
func TestPlannedID(t *testing.T) {
	for name, do := range map[string]func(*world, Spec) error{
		"replace":   func(w *world, s Spec) error { _, err := w.maker().Replace(t.Context(), w, s, nil); return err },
		"roll back": func(w *world, s Spec) error { _, err := w.maker().Rollback(t.Context(), w, s, 0, nil); return err },
	} {
		w := newWorld(t).has("tool", byOcisi("tool")).has("tool.ocisi-1", byOcisi("tool"))
		before := w.names()
		err := do(w, spec(func(s *Spec) { s.ID = "0123456789abcdef" }))
		if ce, ok := errors.AsType[*ChangedError](err); !ok || ce.Planned != "0123456789abcdef" || ce.ID != "box1" || len(w.calls) > 0 || w.names() != before {
			t.Errorf("%s: error %v, did %q, boxes %s", name, err, w.calls, w.names())
		}
		if err := do(w, spec(func(s *Spec) { s.ID = "box1" })); err != nil || len(w.calls) == 0 {
			t.Errorf("%s: the planned one: error %v, did %q", name, err, w.calls)
		}
	}
}

// Between two calls, the name of a box may go to another container. It is not
// touched.
func TestNameThatMoves(t *testing.T) {
	for _, verb := range []string{"rename ", "stop ", "remove "} {
		w := newWorld(t).has("tool", byOcisi("tool")).has("tool.ocisi-3", byOcisi("tool"))
		j := w.maker().newJob(w, spec(), nil)
		old := w.boxes["tool"]
		w.boxes["tool"] = hierarchy.StoredBox{ID: "box9", Name: "tool"}
		err := map[string]func() error{
			"rename ": func() error { return j.rename(t.Context(), old, "tool.ocisi-old") },
			"stop ":   func() error { return j.stop(t.Context(), old) },
			"remove ": func() error { return j.remove(t.Context(), old) },
		}[verb]()
		if ce, ok := errors.AsType[*ChangedError](err); !ok || ce.ID != "box9" || len(w.calls) > 0 {
			t.Errorf("%s: error %v, did %q", verb, err, w.calls)
		}
	}
}
