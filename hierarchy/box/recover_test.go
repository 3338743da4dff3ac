package box

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/internal/process"
)

func TestRecover(t *testing.T) {
	ours := map[string]string{hierarchy.LabelBox: "tool"}
	tests := []struct {
		name   string
		world  func(w *world)
		boxes  string
		wantOK bool
	}{
		{"nothing left", func(w *world) { w.has("tool", ours) }, "tool=box1", true},
		{"killed before the new box", func(w *world) { w.has("tool.ocisi-old", ours) }, "tool=box1", true},
		{"killed before the old one went", func(w *world) { w.has("tool.ocisi-old", ours).has("tool", ours) }, "tool=box2", true},
		{"new box broken", func(w *world) {
			w.has("tool.ocisi-old", ours).has("tool", ours).before = fails("enter", false)
		}, "tool=box1", true},
		{"new box broken, not ours", func(w *world) {
			w.has("tool.ocisi-old", ours).has("tool", byDistrobox()).before = fails("enter", false)
		}, "tool.ocisi-old=box1 tool=box2", false},
		{"someone's container", func(w *world) { w.has("tool.ocisi-old", nil) }, "tool.ocisi-old=box1", true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			test.world(w)
			err := (&Distrobox{Runner: w}).Recover(t.Context(), w, hierarchy.Podman, "tool", nil)
			if (err == nil) != test.wantOK {
				t.Errorf("error %v", err)
			}
			if got := w.names(); got != test.boxes {
				t.Errorf("boxes %q, want %q", got, test.boxes)
			}
		})
	}
}

func TestRecoverComesFirst(t *testing.T) {
	w := newWorld(t).has("tool.ocisi-old", byDistrobox())
	if err := (&Distrobox{Runner: w}).Replace(t.Context(), w, spec(), nil); err != nil {
		t.Fatal(err)
	}
	want := "rename tool.ocisi-old tool, rename tool tool.ocisi-old, create tool, enter tool true, remove tool.ocisi-old"
	if got := strings.Join(w.calls, ", "); got != want {
		t.Errorf("did %q, want %q", got, want)
	}
}

func TestRecoverStopsWhenCancelled(t *testing.T) {
	ours := map[string]string{hierarchy.LabelBox: "tool"}
	w := newWorld(t).has("tool.ocisi-old", ours).has("tool", ours)
	ctx, cancel := context.WithCancel(t.Context())
	w.before = func(process.Cmd) (bool, error) {
		cancel()
		return false, context.Canceled
	}
	err := (&Distrobox{Runner: w}).Recover(ctx, w, hierarchy.Podman, "tool", nil)
	if message(err) != "context canceled" || w.names() != "tool.ocisi-old=box1 tool=box2" {
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
				if err := d.Create(t.Context(), shared, spec(func(s *Spec) { s.Box.Name = name }), nil); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if got, want := time.Since(begun), 4*time.Minute; got != want { // one to create, three to enter
			t.Errorf("took %v, want %v", got, want)
		}
	})
}

// sharedWorld is a world for several at once, where all takes a minute.
type sharedWorld struct {
	*world
	mu sync.Mutex
}

func (s *sharedWorld) Run(ctx context.Context, c process.Cmd) error {
	time.Sleep(time.Minute)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.world.Run(ctx, c)
}

func (s *sharedWorld) Container(ctx context.Context, name string) (hierarchy.StoredBox, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.world.Container(ctx, name)
}
