//go:build e2e

package box_test

import (
	"context"
	"errors"
	"os/exec"
	"path/filepath"
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

// back rolls a box back, which makes it the one with a volume.
func (e store) back(t *testing.T, d *box.Distrobox, s box.Spec, n int, to string) {
	t.Helper()
	begun := time.Now()
	if _, err := d.Rollback(t.Context(), e, box.Spec{Manager: s.Manager, Box: hierarchy.Box{Name: s.Box.Name, Root: s.Box.Root}}, n, tell(t)); err != nil {
		t.Fatal(err)
	}
	t.Logf("rolled back in %s", time.Since(begun))
	e.in(t, s.Box.Name, "test", "-d", to)
}

func TestRealRollback(t *testing.T) {
	each(t, func(t *testing.T, e store, d *box.Distrobox) {
		e.build(t, imageName, tool)
		s := e.spec("obx-back")
		name := s.Box.Name
		bins := t.TempDir()
		s.Box.ExportedBins, s.Box.ExportedBinsPath = []string{"/usr/bin/obx-tool"}, bins
		e.forget(t, name)

		e.replaced(t, d, &s, "/one")
		e.must(t, "exec", name, "touch", "/private")
		s.Box.ExportedBins = []string{"/usr/bin/env"}
		e.replaced(t, d, &s, "/two")
		equal(t, "boxes", e.boxes(t, name), name+" "+name+".ocisi-1")
		if gen, _, _ := e.Container(t.Context(), name+".ocisi-1"); gen.Running {
			t.Error("the generation runs")
		}
		launchers := func(when string, old, newer bool) {
			t.Helper()
			if exists(filepath.Join(bins, "obx-tool")) != old || exists(filepath.Join(bins, "env")) != newer {
				t.Errorf("%s: the launchers are not those of the box", when)
			}
		}
		launchers("replaced", false, true)

		e.back(t, d, s, 0, "/one")
		e.in(t, name, "test", "-e", "/private")
		equal(t, "boxes", e.boxes(t, name), name+" "+name+".ocisi-2")
		launchers("back", true, false)
		e.back(t, d, s, 2, "/two")
		equal(t, "boxes", e.boxes(t, name), name+" "+name+".ocisi-3")
		launchers("forward", false, true)
		_, err := d.Rollback(t.Context(), e, s, 9, tell(t))
		if _, ok := errors.AsType[*box.NoGenerationError](err); !ok {
			t.Error(err)
		}

		// A generation that does not start any more leaves all as it was.
		e.spoil(t, name+".ocisi-3")
		now, _, _ := e.Container(t.Context(), name)
		if _, err := d.Rollback(t.Context(), e, s, 0, tell(t)); err == nil {
			t.Error("rolled back to a box that does not start")
		} else {
			t.Log(err)
		}
		after, _, _ := e.Container(t.Context(), name)
		equal(t, "box", after.ID, now.ID)
		equal(t, "boxes", e.boxes(t, name), name+" "+name+".ocisi-3")
		launchers("not gone back", false, true)

		// The box is gone altogether, and comes back.
		e.must(t, "rm", "--force", name+".ocisi-3")
		s.Keep = 2
		e.replaced(t, d, &s, "/three")
		equal(t, "boxes", e.boxes(t, name), name+" "+name+".ocisi-1")
		e.must(t, "rm", "--force", name)
		e.back(t, d, s, 0, "/two")
		equal(t, "boxes", e.boxes(t, name), name)
		s.Keep = 0
		e.replaced(t, d, &s, "/four")
		equal(t, "boxes", e.boxes(t, name), name)
	})
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
