package box

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/internal/process"
)

func TestRootfulBox(t *testing.T) {
	w := newWorld(t)
	w.root = &world{t: t, images: map[string]string{}, boxes: map[string]hierarchy.StoredBox{}}
	d := &Distrobox{Runner: w}
	s := spec(func(s *Spec) { s.Box.Root = true })
	for range 2 { // the second time it is up to date
		if err := d.Create(t.Context(), w, s, nil); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := strings.Join(w.calls, ", "), "load localhost/tool-dx:latest, create tool, enter tool true"; got != want {
		t.Errorf("did %q, want %q", got, want)
	}
	if w.names() != "" || w.root.names() != "tool=box1" {
		t.Errorf("boxes %q, root's %q", w.names(), w.root.names())
	}

	w.images["localhost/tool-dx:latest"], s.ImageID = "sha256:newer", "sha256:newer"
	if err := d.Create(t.Context(), w, s, nil); err != nil {
		t.Fatal(err)
	}
	if got, want := w.root.names(), "tool=box2"; got != want {
		t.Errorf("root's boxes %q, want %q", got, want)
	}
	if got, want := strings.Join(w.root.calls, ", "), "rename tool tool.ocisi-old, remove tool.ocisi-old"; got != want {
		t.Errorf("did %q, want %q", got, want)
	}
}

func TestSudoThatAsks(t *testing.T) {
	w := newWorld(t)
	w.before = func(c process.Cmd) (bool, error) {
		if c.Name == "doas" {
			return false, failed(c)
		}
		return false, nil
	}
	err := (&Distrobox{Runner: w, Sudo: "doas"}).Create(t.Context(), w, spec(func(s *Spec) { s.Box.Root = true }), nil)
	if _, ok := errors.AsType[*SudoError](err); !ok || len(w.calls) > 0 {
		t.Errorf("error %v, did %q", err, w.calls)
	}
}

func TestSaveFailure(t *testing.T) {
	w := newWorld(t)
	w.root = &world{t: t, images: map[string]string{}, boxes: map[string]hierarchy.StoredBox{}}
	w.before = func(c process.Cmd) (bool, error) {
		if c.Name == "podman" {
			return false, failed(c)
		}
		return false, nil
	}
	err := (&Distrobox{Runner: w}).Create(t.Context(), w, spec(func(s *Spec) { s.Box.Root = true }), nil)
	if _, ok := errors.AsType[*process.Error](err); !ok || len(w.root.images) > 0 || len(w.root.boxes) > 0 {
		t.Errorf("error %v, root's images %v", err, w.root.images)
	}
}

func TestImageThatArrivesAsAnother(t *testing.T) {
	w := newWorld(t)
	w.root = &world{t: t, images: map[string]string{}, boxes: map[string]hierarchy.StoredBox{}}
	w.before = func(c process.Cmd) (bool, error) {
		if slices.Contains(c.Args, "load") {
			w.images["localhost/tool-dx:latest"] = "sha256:other"
		}
		return false, nil
	}
	err := (&Distrobox{Runner: w}).Create(t.Context(), w, spec(func(s *Spec) { s.Box.Root = true }), nil)
	if want := `copying image localhost/tool-dx:latest to root's store: it arrived as "sha256:other"`; message(err) != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

// Docker has no store but root's.
func TestRootIsNothingToDocker(t *testing.T) {
	w := newWorld(t)
	w.images["docker.io/library/tool-dx:latest"] = "sha256:new"
	s := spec(func(s *Spec) {
		s.Manager, s.Image, s.Box.Root = hierarchy.Docker, "docker.io/library/tool-dx:latest", true
	})
	if err := (&Distrobox{Runner: w}).Create(t.Context(), w, s, nil); err != nil {
		t.Fatal(err)
	}
	if c := w.cmd("create"); slices.Contains(c.Args, "--root") || value(c.Args, "--image") != "tool-dx:latest" {
		t.Errorf("ran %s", c)
	}
}
