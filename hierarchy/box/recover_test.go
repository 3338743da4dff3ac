package box

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/internal/process"
)

func TestRecover(t *testing.T) {
	ours := byOcisi("tool")
	tests := []struct {
		name   string
		world  func(w *world)
		boxes  string
		wantOK bool
	}{
		{"nothing left", func(w *world) { w.has("tool", ours).has("tool.ocisi-1", ours) }, "tool=box1 tool.ocisi-1=box2", true},
		{"killed before the new box", func(w *world) { w.has("tool.ocisi-old", ours) }, "tool=box1", true},
		{"killed before the old one was kept", func(w *world) { w.has("tool.ocisi-old", ours).has("tool", ours) }, "tool=box2 tool.ocisi-1=box1", true},
		{"new box broken", func(w *world) { w.has("tool.ocisi-old", ours).has("tool", ours).broken["box2"] = true }, "tool=box1 tool.ocisi-1=box2", true},
		{"new box broken, created in the same second", func(w *world) {
			w.has("tool.ocisi-old", ours).has("tool", ours).broken["box2"] = true
			b := w.boxes["tool"]
			b.Created = w.boxes["tool.ocisi-old"].Created
			w.boxes["tool"] = b
		}, "tool=box1 tool.ocisi-1=box2", true},
		{"new box broken, another run's logs", func(w *world) {
			w.has("tool.ocisi-old", ours).has("tool", ours).has("tool.ocisi-1", ours).broken["box2"] = true
		}, "tool=box1 tool.ocisi-1=box3 tool.ocisi-2=box2", true},
		{"new box in use", func(w *world) {
			w.has("tool.ocisi-old", ours).has("tool", ours).broken["box2"] = true
			w.sessions["box2"] = 1
		}, "tool=box2 tool.ocisi-1=box1", true},
		{"an older box put back by hand, broken", func(w *world) {
			w.has("tool", ours).has("tool.ocisi-old", ours).broken["box1"] = true
		}, "tool=box2 tool.ocisi-1=box1", true},
		{"somebody's box has the name", func(w *world) {
			w.has("tool.ocisi-old", ours).has("tool", byDistrobox()).broken["box2"] = true
		}, "tool=box2 tool.ocisi-1=box1", true},
		{"somebody's container has the name", func(w *world) { w.has("tool.ocisi-old", ours).has("tool", nil) }, "tool=box2 tool.ocisi-1=box1", true},
		{"someone's container waits", func(w *world) { w.has("tool.ocisi-old", nil) }, "tool.ocisi-old=box1", true},
		{"a renamed box waits", func(w *world) { w.has("tool.ocisi-old", byOcisi("other")) }, "tool.ocisi-old=box1", true},
		{"rollback, before", func(w *world) { w.has("tool.ocisi-back-2", ours).has("tool.ocisi-2", ours) }, "tool=box1 tool.ocisi-2=box2", true},
		{"rollback, after", func(w *world) { w.has("tool.ocisi-back-2", ours).has("tool", ours) }, "tool=box2 tool.ocisi-3=box1", true},
		{"rollback, broken", func(w *world) { w.has("tool.ocisi-back-2", ours).has("tool", ours).broken["box2"] = true }, "tool=box1 tool.ocisi-2=box2", true},
		{"rollback, broken, its number taken", func(w *world) {
			w.has("tool.ocisi-back-2", ours).has("tool", ours).has("tool.ocisi-2", nil).broken["box2"] = true
		}, "tool=box1 tool.ocisi-2=box3 tool.ocisi-3=box2", true},
		{"no answer", func(w *world) {
			w.has("tool.ocisi-old", ours)
			w.fault = func(context.Context, string, func() error) error { return errors.New("no answer") }
		}, "tool.ocisi-old=box1", false},
	}
	for _, test := range tests {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			test.world(w)
			err := w.maker().Recover(t.Context(), w, Spec{Manager: hierarchy.Podman, Box: hierarchy.Box{Name: "tool"}}, w.list(), nil)
			if (err == nil) != test.wantOK {
				t.Errorf("%s: error %v", test.name, err)
			}
			if got := w.names(); got != test.boxes {
				t.Errorf("%s: boxes %q, want %q", test.name, got, test.boxes)
			}
		})
	}
}

// Where nothing is left, Recover asks nobody.
func TestRecoverIsFree(t *testing.T) {
	w := newWorld(t).has("tool", byOcisi("tool")).has("go.ocisi-old", byOcisi("go"))
	w.fault = func(_ context.Context, what string, do func() error) error {
		t.Errorf("asked for %s", what)
		return do()
	}
	if err := w.maker().Recover(t.Context(), w, spec(), w.list(), nil); err != nil {
		t.Error(err)
	}
}

// What the config knows makes for a better check.
func TestRecoverChecks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours := byOcisi("tool")
		w := newWorld(t).has("tool.ocisi-old", ours).has("tool", ours)
		w.before = func(c process.Cmd) (bool, error) {
			if c.Args[len(c.Args)-1] == "false" {
				return false, failed(c)
			}
			return false, nil
		}
		err := w.maker().Recover(t.Context(), w, spec(func(s *Spec) { s.Box.Check = []string{"false"} }), w.list(), nil)
		if err != nil || w.names() != "tool=box1 tool.ocisi-1=box2" {
			t.Errorf("boxes %s, error %v", w.names(), err)
		}
		// A generation that was restored is not checked with it: it is older than the config.
		delete(w.boxes, "tool")
		delete(w.boxes, "tool.ocisi-1")
		w.has("tool.ocisi-back-2", ours).has("tool", ours)
		err = w.maker().Recover(t.Context(), w, spec(func(s *Spec) { s.Box.Check = []string{"false"} }), w.list(), nil)
		if err != nil || w.names() != "tool=box4 tool.ocisi-3=box3" {
			t.Errorf("rollback: boxes %s, error %v", w.names(), err)
		}
	})
}

// A box that fails once is not given up, and one that an engine does not tell
// of is not, either.
func TestRecoverIsPatient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours := byOcisi("tool")
		w := newWorld(t).has("tool.ocisi-old", ours).has("tool", ours)
		asked := 0
		w.fault = func(_ context.Context, _ string, do func() error) error {
			if asked++; asked == 4 { // have a look at it before entering
				return errors.New("no answer")
			}
			return do()
		}
		if err := w.maker().Recover(t.Context(), w, spec(), w.list(), nil); err != nil || w.names() != "tool=box2 tool.ocisi-1=box1" {
			t.Errorf("boxes %s, error %v", w.names(), err)
		}

		w = newWorld(t).has("tool.ocisi-old", ours).has("tool", ours)
		asked = 0
		w.fault = func(_ context.Context, what string, do func() error) error {
			if what == "container tool" {
				if asked++; asked == 2 || asked == 3 { // both times
					return errors.New("no answer")
				}
			}
			return do()
		}
		if err := w.maker().Recover(t.Context(), w, spec(), w.list(), nil); err == nil || w.names() != "tool=box2 tool.ocisi-old=box1" {
			t.Errorf("boxes %s, error %v", w.names(), err)
		}
	})
}

func TestRecoverComesFirst(t *testing.T) {
	w := newWorld(t).has("tool.ocisi-old", byOcisi("tool"))
	if _, err := w.maker().Replace(t.Context(), w, spec(), nil); err != nil {
		t.Fatal(err)
	}
	want := "rename tool.ocisi-old tool, " + asided + ", " + made + ", " + keptOne
	if got := strings.Join(w.calls, ", "); got != want {
		t.Errorf("did %q, want %q", got, want)
	}
}

func TestRecoverStopsWhenCancelled(t *testing.T) {
	ours := byOcisi("tool")
	w := newWorld(t).has("tool.ocisi-old", ours).has("tool", ours)
	ctx, cancel := context.WithCancel(t.Context())
	w.before = func(process.Cmd) (bool, error) {
		cancel()
		return false, context.Canceled
	}
	err := w.maker().Recover(ctx, w, spec(), w.list(), nil)
	if !errors.Is(err, context.Canceled) || w.names() != "tool=box2 tool.ocisi-old=box1" {
		t.Errorf("error %v, boxes %s", err, w.names())
	}
}

// Starts share a file in the user's cache, so they take turns; creating goes on
// meanwhile.
func TestOneEnterAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := &sharedWorld{world: newWorld(t)}
		d := &Distrobox{Runner: shared}
		begun := time.Now()
		var all sync.WaitGroup
		for _, name := range []string{"a", "b", "c"} {
			all.Go(func() {
				if _, err := d.Create(t.Context(), shared, spec(func(s *Spec) { s.Box.Name = name }), nil); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if got, want := time.Since(begun), 2*time.Minute; got != want { // one to create, three to enter
			t.Errorf("took %v, want %v", got, want)
		}
	})
}

// sharedWorld is a world for several at once, where all programs take half a minute.
type sharedWorld struct {
	*world
	mu sync.Mutex
}

func (s *sharedWorld) Run(ctx context.Context, c process.Cmd) error {
	time.Sleep(time.Minute / 2)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.world.Run(ctx, c)
}

func (s *sharedWorld) Container(ctx context.Context, name string) (hierarchy.StoredBox, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.world.Container(ctx, name)
}

func (s *sharedWorld) Boxes(ctx context.Context) ([]hierarchy.StoredBox, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.world.Boxes(ctx)
}

// Without evidence about the new box, both boxes stay as they are, whatever keeps it
// from being entered; and nothing is ever removed.
func TestRecoverWithoutEvidence(t *testing.T) {
	for name, trouble := range map[string]func(*world, process.Cmd) error{
		"distrobox is missing": func(_ *world, c process.Cmd) error { return &process.NotFoundError{Name: c.Name} },
		"distrobox fails before it starts the box": func(_ *world, c process.Cmd) error {
			return &process.Error{Cmd: c, Exit: 127, Stderr: "podman: command not found", Err: errors.New("exit status 127")}
		},
		"distrobox fails, and the box runs": func(w *world, c process.Cmd) error {
			b := w.boxes["tool"]
			b.Running, b.Started = true, "later"
			w.boxes["tool"] = b
			return failed(c)
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t).has("tool.ocisi-old", byOcisi("tool")).has("tool", byOcisi("tool"))
			w.before = func(c process.Cmd) (bool, error) {
				if c.Args[0] == "enter" {
					return false, trouble(w, c)
				}
				return false, nil
			}
			for verb, do := range map[string]func() error{
				"recover": func() error { return w.maker().Recover(t.Context(), w, spec(), w.list(), nil) },
				"replace": func() error { _, err := w.maker().Replace(t.Context(), w, spec(), nil); return err },
			} {
				err := do()
				if ue, ok := errors.AsType[*UnknownError](err); !ok || ue.Name != "tool" || ue.Old != "tool.ocisi-old" {
					t.Errorf("%s: %s: error %v", name, verb, err)
				}
				if got := w.names(); got != "tool=box2 tool.ocisi-old=box1" || len(w.calls) > 0 {
					t.Errorf("%s: %s: boxes %s, did %q", name, verb, got, w.calls)
				}
			}
			w.before = nil // the next run can tell
			if err := w.maker().Recover(t.Context(), w, spec(), w.list(), nil); err != nil || w.names() != "tool=box2 tool.ocisi-1=box1" {
				t.Errorf("%s: then: error %v, boxes %s", name, err, w.names())
			}
		})
	}
}

// A box that the engine itself cannot start does not work, although distrobox did not
// start it either.
func TestRecoverOfABoxThatTheEngineCannotStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t).has("tool.ocisi-old", byOcisi("tool")).has("tool", byOcisi("tool"))
		w.broken["box2"] = true
		w.before = func(c process.Cmd) (bool, error) { return false, failed(c) }
		if err := w.maker().Recover(t.Context(), w, spec(), w.list(), nil); err != nil || w.names() != "tool=box1 tool.ocisi-1=box2" {
			t.Errorf("error %v, boxes %s", err, w.names())
		}
	})
}
