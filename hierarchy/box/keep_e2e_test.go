//go:build e2e

package box_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/box"
)

// A box outlives new images of the same content, and what is wrong with it is
// put right.
func TestRealKeep(t *testing.T) {
	each(t, func(t *testing.T, e engine, d *box.Distrobox) {
		image := "obx-keep-" + string(e.m) + ":latest"
		e.build(t, image, tool, "--label", "ocisi.inputs=one")
		t.Cleanup(func() { _, _ = e.run(context.Background(), "image", "rm", "--force", image) })
		s := e.spec("obx-keep")
		s.Image = e.m.StoreRef(image)
		s.Box.ExportedBins, s.Box.ExportedBinsPath = []string{"/usr/bin/obx-tool"}, t.TempDir()
		name := s.Box.Name
		e.forget(t, name)
		e.forget(t, name+".ocisi-old")
		var made string
		replace := func(when string, kept bool) {
			t.Helper()
			if err := d.Replace(t.Context(), e, s, tell(t)); err != nil {
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
		equal(t, "missing", fmt.Sprint(d.Missing(s.Box, exists)), fmt.Sprint([]string{launcher}))
		e.must(t, "container", "create", "--name", name+".ocisi-old", "--label", hierarchy.LabelBox+"="+name, image, "true")
		replace("one aside", true)
		if _, aside, _ := e.Container(t.Context(), name+".ocisi-old"); aside {
			t.Error("what was aside is still there")
		}
		equal(t, "missing", fmt.Sprint(d.Missing(s.Box, exists)), "[]")

		e.build(t, image, tool+"\nRUN echo newer >/obx-newer", "--label", "ocisi.inputs=two")
		replace("another layer", false)
	})
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// An application that is named by its path makes a launcher of a name that is
// known beforehand; by its name, one that only the box knows.
func TestRealApp(t *testing.T) {
	each(t, func(t *testing.T, e engine, d *box.Distrobox) {
		const entry = "[Desktop Entry]\\nType=Application\\nName=Obx\\nExec=obx-tool %%f\\n"
		image := "obx-app-" + string(e.m) + ":latest"
		e.build(t, image, tool+"\nRUN mkdir -p /usr/share/applications && printf '"+entry+"' >/usr/share/applications/org.obx.Tool.desktop")
		t.Cleanup(func() { _, _ = e.run(context.Background(), "image", "rm", "--force", image) })
		s := e.spec("obx-app")
		s.Image = e.m.StoreRef(image)
		e.forget(t, s.Box.Name)
		launcher := filepath.Join(d.Home, ".local/share/applications", s.Box.Name+"-org.obx.Tool.desktop")
		apps := []string{"obx-tool"}
		if !old(t, d) { // which knows no paths
			apps = append(apps, "/usr/share/applications/org.obx.Tool.desktop")
		}
		for _, app := range apps {
			s.Box.ExportedApps = []string{app}
			if err := d.Replace(t.Context(), e, s, tell(t)); err != nil {
				t.Fatal(err)
			}
			if !exists(launcher) {
				t.Errorf("%s: no %s", app, launcher)
			}
			equal(t, "missing", fmt.Sprint(d.Missing(s.Box, exists)), "[]")
			if err := os.Remove(launcher); err != nil {
				t.Fatal(err)
			}
		}
		s.Box.ExportedApps = []string{"/usr/share/applications/org.obx.Tool.desktop"}
		equal(t, "missing", fmt.Sprint(d.Missing(s.Box, exists)), fmt.Sprint([]string{launcher}))
	})
}
