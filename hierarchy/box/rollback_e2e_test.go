//go:build e2e

package box_test

import (
	"context"
	"errors"
	"os/exec"
	"testing"
	"time"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/box"
)

// replaced replaces a box by one that differs in a volume's name only.
func (e store) replaced(t *testing.T, d *box.Distrobox, s *box.Spec, to string) {
	t.Helper()
	s.Box.Volumes = []string{d.Home + ":" + to}
	if _, err := d.Replace(t.Context(), e, *s, tell(t)); err != nil {
		t.Fatal(err)
	}
}

func TestRealUse(t *testing.T) {
	each(t, func(t *testing.T, e store, d *box.Distrobox) {
		e.build(t, imageName, tool)
		s := e.spec("obx-use")
		name := s.Box.Name
		e.forget(t, name)
		e.replaced(t, d, &s, "/one")
		ctx, stop := context.WithCancel(t.Context())
		session := exec.CommandContext(ctx, string(e.m), "exec", name, "sleep", "1000")
		if err := session.Start(); err != nil {
			t.Fatal(err)
		}
		defer func() { stop(); _ = session.Wait() }()
		for n := 0; n == 0; time.Sleep(100 * time.Millisecond) {
			n, _ = e.Sessions(t.Context(), name)
		}
		old, _, _ := e.Container(t.Context(), name)
		s.Box.Volumes = []string{d.Home + ":/two"}
		_, err := d.Replace(t.Context(), e, s, tell(t))
		if in, ok := errors.AsType[*box.InUseError](err); !ok || in.Sessions != 1 {
			t.Error(err)
		}
		equal(t, "boxes", e.boxes(t, name), name)
		now, _, _ := e.Container(t.Context(), name)
		equal(t, "box", now.ID, old.ID)
		s.Force = true
		e.replaced(t, d, &s, "/two")
		equal(t, "boxes", e.boxes(t, name), name+" "+name+".ocisi-1")
	})
}

// What a run left that was killed at its worst moments.
func TestRealRecover(t *testing.T) {
	each(t, func(t *testing.T, e store, d *box.Distrobox) {
		e.build(t, imageName, tool)
		s := e.spec("obx-rec")
		name := s.Box.Name
		e.forget(t, name)
		e.replaced(t, d, &s, "/one")
		recovered := func(when, boxes, has string) {
			t.Helper()
			all, err := e.Boxes(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if err := d.Recover(t.Context(), e, box.Spec{Manager: e.m, Box: hierarchy.Box{Name: name}}, all, tell(t)); err != nil {
				t.Errorf("%s: %v", when, err)
			}
			equal(t, when, e.boxes(t, name), boxes)
			e.in(t, name, "test", "-d", has)
		}
		e.must(t, "rename", name, name+".ocisi-old")
		recovered("nothing new", name, "/one")

		e.replaced(t, d, &s, "/two")
		e.must(t, "rename", name+".ocisi-1", name+".ocisi-old")
		recovered("something new", name+" "+name+".ocisi-1", "/two")

		e.must(t, "rename", name, name+".ocisi-back-1")
		e.must(t, "rename", name+".ocisi-1", name)
		recovered("half a rollback", name+" "+name+".ocisi-2", "/one")

		e.must(t, "rename", name, name+".ocisi-back-2")
		e.must(t, "rename", name+".ocisi-2", name)
		e.spoil(t, name)
		recovered("half a rollback to a broken box", name+" "+name+".ocisi-2", "/one")
	})
}
