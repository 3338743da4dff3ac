package box

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/launcher"
	"github.com/klmcwhirter/ocisi/internal/disk"
)

// homely is a world with a home that launchers go to.
func homely(t *testing.T) *stage {
	s := &stage{t: t, w: newWorld(t), home: t.TempDir(), spec: spec()}
	s.w.files["/usr/bin/zig"], s.w.files["/usr/bin/zls"] = "x", "x"
	s.spec.Box.ExportedBins = []string{"/usr/bin/zig"}
	return s
}

func (s *stage) tree() string {
	var all []string
	_ = filepath.Walk(s.home, func(path string, info os.FileInfo, err error) error {
		if err == nil && !info.IsDir() {
			rel, _ := filepath.Rel(s.home, path)
			all = append(all, strings.TrimPrefix(rel, ".local/"))
		}
		return nil
	})
	return strings.Join(all, " ")
}

func (s *stage) read(name string) string {
	data, _ := os.ReadFile(filepath.Join(s.home, ".local", name))
	return string(data)
}

func (s *stage) write(name, text string) {
	path := filepath.Join(s.home, ".local", name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o750), os.WriteFile(path, []byte(text), 0o600)); err != nil {
		s.t.Fatal(err)
	}
}

func (s *stage) replace() error {
	_, err := s.maker().Replace(s.t.Context(), s.w, s.spec, nil)
	return err
}

func TestExports(t *testing.T) {
	s := homely(t)
	s.spec.Box.ExportedBins = []string{"/usr/bin/zig", "/usr/bin/none"}
	err := s.replace()
	if ee, ok := errors.AsType[*ExportError](err); !ok || ee.What != "/usr/bin/none" || err.Error() != "box tool: export /usr/bin/none: the box has no such program" {
		t.Errorf("error %v", err)
	}
	if s.w.names() != "tool=box1" || s.tree() != "" {
		t.Errorf("boxes %s, files %s: a new box stays, with all of its launchers or none", s.w.names(), s.tree())
	}

	s.spec.Box.ExportedBins = []string{"/usr/bin/zig"}
	if err := s.replace(); err != nil || s.w.names() != "tool=box2 tool.ocisi-1=box1" || s.tree() != "bin/zig" {
		t.Errorf("boxes %s, files %s, error %v", s.w.names(), s.tree(), err)
	}
	was := s.read("bin/zig")

	s.spec.Box.ExportedBins = []string{"/usr/bin/zls", "/usr/bin/none"}
	if err := s.replace(); err == nil || s.w.names() != "tool=box2 tool.ocisi-1=box1" || s.tree() != "bin/zig" || s.read("bin/zig") != was {
		t.Errorf("boxes %s, files %s, error %v", s.w.names(), s.tree(), err)
	}

	s.spec.Box.ExportedBins = []string{"/usr/bin/zls"}
	if err := s.replace(); err != nil || s.tree() != "bin/zls" {
		t.Errorf("files %s, error %v", s.tree(), err)
	}
	if _, err := s.maker().Rollback(t.Context(), s.w, s.spec, 0, nil); err != nil || s.tree() != "bin/zig" || s.read("bin/zig") != was {
		t.Errorf("rolled back: files %s, error %v", s.tree(), err)
	}
}

// A launcher that cannot be put back is reported with what failed first, and
// the old box is restored all the same.
func TestExportsCannotBePutBack(t *testing.T) {
	s := homely(t)
	if err := s.replace(); err != nil {
		t.Fatal(err)
	}
	failed, full := errors.New("no answer"), errors.New("disk full")
	d, broken := s.maker(), false
	d.Disk.Watch = func(disk.Op, string, bool) error {
		if broken {
			return full
		}
		return nil
	}
	s.w.fault = func(_ context.Context, what string, do func() error) error {
		if what == "rename tool.ocisi-old tool.ocisi-1" {
			broken = true
			return failed
		}
		return do()
	}
	s.spec.Box.ExportedBins = []string{"/usr/bin/zls"}
	_, err := d.Replace(t.Context(), s.w, s.spec, nil)
	if !errors.Is(err, failed) || !errors.Is(err, full) || !strings.Contains(err.Error(), "putting the launchers of box tool back: ") || s.w.names() != "tool=box1" {
		t.Errorf("boxes %s, error %v", s.w.names(), err)
	}
}

// Launchers are in another folder than before.
func TestExportsElsewhere(t *testing.T) {
	s := homely(t)
	s.spec.Box.ExportedBinsPath = "~/.local/old"
	if err := s.replace(); err != nil || s.tree() != "old/zig" {
		t.Fatalf("files %s, error %v", s.tree(), err)
	}
	s.spec.Box.ExportedBinsPath = "~/.local/new"
	if err := s.replace(); err != nil || s.tree() != "new/zig" {
		t.Errorf("files %s, error %v", s.tree(), err)
	}
}

// What must not be overwritten is found before anything is touched.
func TestConflicts(t *testing.T) {
	s := homely(t)
	s.w.has("tool", byOcisi("tool"))
	s.write("bin/zig", "mine")
	_, ok := errors.AsType[*launcher.ConflictError](s.replace())
	if !ok || len(s.w.calls) > 0 || s.read("bin/zig") != "mine" {
		t.Errorf("did %s; zig holds %q", s.w.calls, s.read("bin/zig"))
	}
}

func TestLaunchersGoWithTheirBox(t *testing.T) {
	s := homely(t)
	if err := s.replace(); err != nil {
		t.Fatal(err)
	}
	s.w.has("tool.ocisi-1", byOcisi("tool"))
	d := s.maker()
	if err := d.Remove(t.Context(), s.w, hierarchy.Podman, "tool.ocisi-1", s.w.boxes["tool.ocisi-1"].ID); err != nil || s.tree() != "bin/zig" {
		t.Errorf("a generation: files %s, error %v", s.tree(), err)
	}
	if err := d.Remove(t.Context(), s.w, hierarchy.Podman, "tool", s.w.boxes["tool"].ID); err != nil || s.tree() != "" {
		t.Errorf("files %s, error %v", s.tree(), err)
	}
}

// Two engines may have a box of one name; the launchers are the first one's.
func TestSameNameInTwoEngines(t *testing.T) {
	s := homely(t)
	if err := s.replace(); err != nil {
		t.Fatal(err)
	}
	was := s.read("bin/zig")
	other := s.w
	s.w, s.spec.Manager, s.spec.Image = newWorld(t), hierarchy.Docker, "docker.io/library/tool-dx:latest"
	s.w.images[s.spec.Image] = "sha256:new"
	s.spec.Box.ExportedBins = nil
	if err := s.replace(); err != nil || s.read("bin/zig") != was {
		t.Errorf("zig holds %s, error %v", s.read("bin/zig"), err)
	}
	if err := s.maker().Remove(t.Context(), s.w, hierarchy.Docker, "tool", s.w.boxes["tool"].ID); err != nil || s.read("bin/zig") != was || s.w.names() != "" || other.names() != "tool=box1" {
		t.Errorf("zig holds %s, error %v", s.read("bin/zig"), err)
	}
}

const desktop = "[Desktop Entry]\nType=Application\nName=Zed\nExec=zed %F\nIcon=zed\n"

func TestApps(t *testing.T) {
	s := homely(t)
	s.spec.Box.ExportedBins, s.spec.Box.ExportedApps = nil, []string{"zed"}
	s.w.files["/usr/share/applications/zed.desktop"] = "-> ../../../opt/zed.desktop"
	s.w.files["/usr/share/applications/dangling.desktop"] = "-> /none.desktop"
	s.w.files["/usr/share/applications/loop.desktop"] = "-> loop.desktop"
	s.w.files["/opt/zed.desktop"] = desktop
	s.w.files["/usr/share/icons/hicolor/48x48/apps/zed.png"] = "an icon"
	s.w.files["/usr/share/icons/hicolor/48x48/apps/zedd.png"] = "another"
	if err := s.replace(); err != nil {
		t.Fatal(err)
	}
	want := "share/applications/tool-zed.desktop share/icons/hicolor/48x48/apps/ocisi-tool-zed.png share/ocisi/enter/tool"
	if got := s.tree(); got != want {
		t.Errorf("files %s, want %s", got, want)
	}
	if got := s.read("share/icons/hicolor/48x48/apps/ocisi-tool-zed.png"); got != "an icon" {
		t.Errorf("the icon holds %q", got)
	}
	// Named by its file, where applications are not.
	s.spec.Box.ExportedApps = []string{"/opt/zed.desktop"}
	if err := s.replace(); err != nil || s.tree() != want {
		t.Errorf("files %s, error %v", s.tree(), err)
	}
	// Without the icon, and with one that is none.
	delete(s.w.files, "/usr/share/icons/hicolor/48x48/apps/zed.png")
	s.spec.Box.ExportedApps = []string{"/opt/zed.desktop", "none", "/opt/none.desktop"}
	ee, ok := errors.AsType[*ExportError](s.replace())
	if !ok || ee.What != "none" || s.tree() != want {
		t.Errorf("files %s, error %v", s.tree(), ee)
	}
	s.spec.Box.ExportedApps = []string{"zed"}
	s.spec.Box.Init = true
	if err := s.replace(); err != nil || strings.Contains(s.tree(), "icons") {
		t.Errorf("files %s, error %v", s.tree(), err)
	}
}

// Export mends what is missing, and starts the box for that.
func TestExport(t *testing.T) {
	s := homely(t)
	s.spec.Box.ExportedApps = []string{"zed"}
	s.w.files["/usr/share/applications/zed.desktop"] = desktop
	if err := s.replace(); err != nil {
		t.Fatal(err)
	}
	all := s.tree()
	if err := os.RemoveAll(filepath.Join(s.home, ".local")); err != nil {
		t.Fatal(err)
	}
	s.w.calls = nil
	b := s.w.boxes["tool"]
	b.Running = false
	s.w.boxes["tool"] = b
	if err := s.maker().Export(t.Context(), s.w, Spec{Manager: hierarchy.Podman, Box: hierarchy.Box{Name: "tool"}}, nil); err != nil || s.tree() != all {
		t.Errorf("files %s, want %s, error %v", s.tree(), all, err)
	}
	if !slices.Contains(s.w.calls, "enter tool id") {
		t.Errorf("did %s", s.w.calls)
	}
	if err := s.maker().Export(t.Context(), s.w, Spec{Box: hierarchy.Box{Name: "none"}}, nil); err == nil {
		t.Error("exported from a box that is not there")
	}
}
