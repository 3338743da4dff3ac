package box

import (
	"errors"
	"strings"
	"testing"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/internal/process"
)

func TestRollback(t *testing.T) {
	ours := byOcisi("tool")
	two := func(w *world) { w.has("tool", ours).has("tool.ocisi-1", ours).has("tool.ocisi-3", ours) }
	const entered = "enter tool id, enter tool printenv HOME"
	for _, test := range []struct {
		name  string
		world func(w *world)
		n     int
		force bool
		calls string
		boxes string
		err   string
	}{
		{
			name: "the latest", world: two,
			calls: "rename tool tool.ocisi-back-3, rename tool.ocisi-3 tool, " + entered + ", rename tool.ocisi-back-3 tool.ocisi-4, stop tool.ocisi-4",
			boxes: "tool=box3 tool.ocisi-1=box2 tool.ocisi-4=box1",
		},
		{
			name: "a number", world: two, n: 1,
			calls: "rename tool tool.ocisi-back-1, rename tool.ocisi-1 tool, " + entered + ", rename tool.ocisi-back-1 tool.ocisi-4, stop tool.ocisi-4",
			boxes: "tool=box2 tool.ocisi-3=box3 tool.ocisi-4=box1",
		},
		{name: "no such number", world: two, n: 2, boxes: "tool=box1 tool.ocisi-1=box2 tool.ocisi-3=box3", err: "box tool has no generation 2"},
		{name: "none", world: func(w *world) { w.has("tool", ours).has("tool.ocisi-1", byOcisi("other")) }, boxes: "tool=box1 tool.ocisi-1=box2", err: "box tool has no former generation"},
		{
			name: "a box that is gone", world: func(w *world) { w.has("tool.ocisi-2", ours) },
			calls: "rename tool.ocisi-2 tool, " + entered, boxes: "tool=box1",
		},
		{
			name: "in use", world: func(w *world) { two(w); w.sessions["box1"] = 1 },
			boxes: "tool=box1 tool.ocisi-1=box2 tool.ocisi-3=box3", err: "box tool is in use: a shell or a program runs in it",
		},
		{
			name: "in use, forced", world: func(w *world) { two(w); w.sessions["box1"] = 1 }, force: true,
			calls: "rename tool tool.ocisi-back-3, rename tool.ocisi-3 tool, " + entered + ", rename tool.ocisi-back-3 tool.ocisi-4, stop tool.ocisi-4",
			boxes: "tool=box3 tool.ocisi-1=box2 tool.ocisi-4=box1",
		},
		{
			name: "somebody's box", world: func(w *world) { w.has("tool", byDistrobox()).has("tool.ocisi-1", ours) },
			boxes: "tool=box1 tool.ocisi-1=box2", err: "box tool exists: a box of this name was not made by ocisi",
		},
		{
			name: "somebody's container", world: func(w *world) { w.has("tool", nil).has("tool.ocisi-1", ours) },
			boxes: "tool=box1 tool.ocisi-1=box2", err: "container tool is not a distrobox",
		},
		{
			name: "does not start", world: func(w *world) { two(w); w.broken["box3"] = true },
			calls: "rename tool tool.ocisi-back-3, rename tool.ocisi-3 tool, rename tool tool.ocisi-3, rename tool.ocisi-back-3 tool, stop tool.ocisi-3",
			boxes: "tool=box1 tool.ocisi-1=box2 tool.ocisi-3=box3", err: "box tool: start: exit status 1: Error: it broke",
		},
		{
			name: "gone, and does not start", world: func(w *world) { w.has("tool.ocisi-2", ours).broken["box1"] = true },
			calls: "rename tool.ocisi-2 tool, rename tool tool.ocisi-2, stop tool.ocisi-2",
			boxes: "tool.ocisi-2=box1", err: "box tool: start: exit status 1: Error: it broke",
		},
		{
			name: "after a killed run", world: func(w *world) { two(w); delete(w.boxes, "tool"); w.has("tool.ocisi-old", ours) },
			calls: "rename tool.ocisi-old tool, rename tool tool.ocisi-back-3, rename tool.ocisi-3 tool, " + entered + ", rename tool.ocisi-back-3 tool.ocisi-4, stop tool.ocisi-4",
			boxes: "tool=box3 tool.ocisi-1=box2 tool.ocisi-4=box4",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			test.world(w)
			before := w.boxes["tool"].ID
			out, err := w.maker().Rollback(t.Context(), w, Spec{Manager: hierarchy.Podman, Box: hierarchy.Box{Name: "tool"}, Force: test.force}, test.n, nil)
			if message(err) != test.err {
				t.Errorf("error %q, want %q", message(err), test.err)
			}
			if got := strings.Join(w.calls, ", "); got != test.calls {
				t.Errorf("did %q, want %q", got, test.calls)
			}
			if w.names() != test.boxes {
				t.Errorf("boxes %q, want %q", w.names(), test.boxes)
			}
			if err == nil && (out.After.ID != w.boxes["tool"].ID || before != "" && out.Before.ID != before || out.Removed != nil) {
				t.Errorf("came out as %+v", out)
			}
		})
	}
}

// A second rollback goes forward again.
func TestRollbackTwice(t *testing.T) {
	w := newWorld(t).has("tool", byOcisi("tool")).has("tool.ocisi-1", byOcisi("tool"))
	for _, want := range []string{"tool=box2 tool.ocisi-2=box1", "tool=box1 tool.ocisi-3=box2", "tool=box2 tool.ocisi-4=box1"} {
		last := ""
		tell := func(p hierarchy.Progress) { last = p.Title }
		if _, err := w.maker().Rollback(t.Context(), w, Spec{Box: hierarchy.Box{Name: "tool"}}, 0, tell); err != nil {
			t.Fatal(err)
		}
		if _, kept, _ := strings.Cut(want, " "); !strings.HasPrefix(last, "box tool kept as "+kept[:len("tool.ocisi-1")]) {
			t.Errorf("said %q", last)
		}
		if w.names() != want {
			t.Errorf("boxes %q, want %q", w.names(), want)
		}
	}
}

func TestRollbackOfRootsBox(t *testing.T) {
	w := newWorld(t).has("tool", byOcisi("tool")).has("tool.ocisi-1", byOcisi("tool"))
	w.root = newWorld(t).has("tool", byOcisi("tool")).has("tool.ocisi-1", byOcisi("tool"))
	s := Spec{Manager: hierarchy.Podman, Box: hierarchy.Box{Name: "tool", Root: true}}
	w.root.sessions["box1"] = 1
	b := w.root.boxes["tool"]
	b.Running = true
	w.root.boxes["tool"] = b
	_, err := w.maker().Rollback(t.Context(), w, s, 0, nil)
	if in, ok := errors.AsType[*InUseError](err); !ok || in.Sessions != 1 {
		t.Errorf("in use: %v", err)
	}
	w.root.sessions["box1"] = 0
	if _, err := w.maker().Rollback(t.Context(), w, s, 0, nil); err != nil {
		t.Fatal(err)
	}
	if w.names() != "tool=box1 tool.ocisi-1=box2" || w.root.names() != "tool=box2 tool.ocisi-2=box1" {
		t.Errorf("boxes %q, root's %q", w.names(), w.root.names())
	}
	w.before = func(c process.Cmd) (bool, error) {
		if c.Name == "sudo" {
			return false, failed(c)
		}
		return false, nil
	}
	_, err = w.maker().Rollback(t.Context(), w, s, 0, nil)
	if _, ok := errors.AsType[*SudoError](err); !ok {
		t.Errorf("a password: %v", err)
	}
}

// Trim keeps the latest, and one that somebody is in, --force or not.
func TestTrim(t *testing.T) {
	ours := byOcisi("tool")
	for _, test := range []struct {
		keep  int
		force bool
		calls string
	}{
		{keep: 3, calls: ""},
		{keep: 1, calls: "remove tool.ocisi-2"},
		{keep: 0, force: true, calls: "remove tool.ocisi-2, remove tool.ocisi-9"},
	} {
		w := newWorld(t)
		w.has("tool", ours).has("tool.ocisi-1", ours).has("tool.ocisi-2", ours).has("tool.ocisi-9", ours).has("other.ocisi-1", byOcisi("other"))
		w.sessions["box2"] = 1
		out, err := w.maker().Trim(t.Context(), w, Spec{Manager: hierarchy.Podman, Box: hierarchy.Box{Name: "tool"}, Keep: test.keep, Force: test.force}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(w.calls, ", "); got != test.calls || len(out.Removed) != strings.Count(got, "remove ") {
			t.Errorf("keep %d: did %q, want %q; says %v", test.keep, got, test.calls, out.Removed)
		}
	}
}
