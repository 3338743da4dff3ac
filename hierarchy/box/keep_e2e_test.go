//go:build e2e

package box_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/box"
)

// A box outlives new images of the same content, and what is wrong with it is
// put right.
func TestRealKeep(t *testing.T) {
	each(t, func(t *testing.T, e store, d *box.Distrobox) {
		image := "obx-keep-" + string(e.m) + ":latest"
		e.build(t, image, tool, "--label", "ocisi.inputs=one")
		t.Cleanup(func() { _, _ = e.run(context.Background(), "image", "rm", "--force", image) })
		s := e.spec("obx-keep")
		s.Image = e.m.StoreRef(image)
		s.Box.ExportedBins, s.Box.ExportedBinsPath = []string{"/usr/bin/obx-tool"}, t.TempDir()
		name := s.Box.Name
		e.forget(t, name)
		var made string
		replace := func(when string, kept bool) {
			t.Helper()
			if _, err := d.Replace(t.Context(), e, s, tell(t)); err != nil {
				t.Fatal(err)
			}
			now, _, _ := e.Container(t.Context(), name)
			if (now.ID == made) != kept {
				t.Errorf("%s: kept %v", when, !kept)
			}
			made = now.ID
		}
		replace("no box", false)
		before, _, _ := e.Inspect(t.Context(), s.Image)
		e.build(t, image, tool, "--label", "ocisi.inputs=two")
		if after, _, _ := e.Inspect(t.Context(), s.Image); after.ID == before.ID {
			t.Error("a label makes no new image: nothing to see here")
		}
		replace("another label", true)

		launcher := filepath.Join(s.Box.ExportedBinsPath, "obx-tool")
		if err := os.Remove(launcher); err != nil {
			t.Fatal(err)
		}
		now, _, _ := e.Inspect(t.Context(), s.Image)
		e.must(t, "container", "create", "--name", name+".ocisi-old", "--label", hierarchy.LabelBox+"="+name, "--label", hierarchy.LabelImageID+"="+now.ID, image, "true")
		replace("one aside", true)
		if _, aside, _ := e.Container(t.Context(), name+".ocisi-old"); aside {
			t.Error("what was aside is still there")
		}
		if !exists(launcher) {
			t.Error("the launcher is not back")
		}

		e.build(t, image, tool+"\nRUN echo newer >/obx-newer", "--label", "ocisi.inputs=two")
		replace("another layer", false)
	})
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// Looking into a box that runs leaves nothing behind: docker 20.10 doubles the
// mounts of a box each time it copies a file out of it.
func TestRealManyLooks(t *testing.T) {
	each(t, func(t *testing.T, e store, d *box.Distrobox) {
		e.build(t, imageName, tool)
		s := e.spec("obx-many")
		s.Box.ExportedBins, s.Box.ExportedBinsPath = []string{"/usr/bin/obx-tool"}, t.TempDir()
		e.forget(t, s.Box.Name)
		if _, err := d.Replace(t.Context(), e, s, nil); err != nil {
			t.Fatal(err)
		}
		mounts := func() int { return strings.Count(e.in(t, s.Box.Name, "cat", "/proc/self/mountinfo"), "\n") }
		before := mounts()
		for range 12 {
			if err := d.Export(t.Context(), e, s, nil); err != nil {
				t.Fatal(err)
			}
		}
		// The host's come and go with its services, and the box sees them.
		if after := mounts(); after > before+6 {
			t.Errorf("%d mounts became %d", before, after)
		}
	})
}
