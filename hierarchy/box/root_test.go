package box

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/internal/process"
)

func TestRootfulBox(t *testing.T) {
	w := newWorld(t)
	w.root = newWorld(t)
	clear(w.root.images)
	d := &Distrobox{Runner: w}
	s := spec(func(s *Spec) { s.Box.Root = true })
	for range 2 { // the second time it is up to date
		if _, err := d.Create(t.Context(), w, s, nil); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := strings.Join(w.calls, ", "), "load localhost/tool-dx:latest, create tool, enter tool id"; got != want {
		t.Errorf("did %q, want %q", got, want)
	}
	if w.names() != "" || w.root.names() != "tool=box1" {
		t.Errorf("boxes %q, root's %q", w.names(), w.root.names())
	}

	w.images["localhost/tool-dx:latest"], s.ImageID = "sha256:newer", "sha256:newer"
	if _, err := d.Create(t.Context(), w, s, nil); err != nil {
		t.Fatal(err)
	}
	if got, want := w.root.names(), "tool=box2 tool.ocisi-1=box1"; got != want {
		t.Errorf("root's boxes %q, want %q", got, want)
	}
	if got, want := strings.Join(w.root.calls, ", "), asided+", "+keptOne; got != want {
		t.Errorf("did %q, want %q", got, want)
	}
}

// Root's store compares the images that it has itself.
func TestRootfulBoxOfTheSameContent(t *testing.T) {
	const name = "localhost/tool-dx:latest"
	for newer, boxes := range map[string]string{"abc": "tool=box1", "abd": "tool=box2 tool.ocisi-1=box1"} {
		w := newWorld(t)
		w.contents = map[string]string{"sha256:new": "abc", "sha256:newer": newer}
		w.root = newWorld(t)
		clear(w.root.images)
		w.root.contents = map[string]string{}
		d := &Distrobox{Runner: w}
		s := spec(func(s *Spec) { s.Box.Root = true })
		if _, err := d.Replace(t.Context(), w, s, nil); err != nil {
			t.Fatal(err)
		}
		w.images[name], s.ImageID = "sha256:newer", "sha256:newer"
		if _, err := d.Replace(t.Context(), w, s, nil); err != nil {
			t.Fatal(err)
		}
		if got := w.root.names(); got != boxes {
			t.Errorf("content %s: root's boxes %q, want %q", newer, got, boxes)
		}
	}
}

func TestRootContent(t *testing.T) {
	const inspect = `[{"RootFS": {"Layers": ["a"]}, "Config": {"User": "x", "Labels": {"k": "v", "ocisi.inputs": "1"}}}]`
	content := func(answer string) string {
		text, err := rootStore{&Distrobox{Runner: answering(answer)}}.Content(t.Context(), "sha256:x")
		if err != nil {
			t.Error(err)
		}
		return text
	}
	if got := content(""); got != "" {
		t.Errorf("an image that is gone: %q", got)
	}
	for _, edit := range []struct {
		old, with string
		same      bool
	}{
		{`"1"`, `"2"`, true},
		{"ocisi.inputs", hierarchy.LabelBaseDigest, true},
		// As the user's store compares them (hierarchy.IsOriginLabel), so that a box is
		// not replaced because podman or the settings of dev containers changed.
		{"ocisi.inputs", hierarchy.LabelDevContainer, true},
		{"ocisi.inputs", "io.buildah.version", true},
		{"ocisi.inputs", "org.opencontainers.image.created", true},
		{`"User"`, `"OnBuild": ["RUN x"], "User"`, true},
		{`"a"`, `"b"`, false},
		{`"x"`, `"y"`, false},
		{`"v"`, `"w"`, false},
		{`"k"`, `"ocisi"`, false},
	} {
		if got := content(strings.Replace(inspect, edit.old, edit.with, 1)) == content(inspect); got != edit.same {
			t.Errorf("%s for %s: same %v", edit.with, edit.old, got)
		}
	}
}

// answering is root's podman with one image, or none if there is nothing to
// say about it.
type answering string

// Run implements process.Runner.
func (a answering) Run(_ context.Context, c process.Cmd) error {
	if a == "" {
		return failed(c)
	}
	if slices.Contains(c.Args, "inspect") {
		_, _ = io.WriteString(c.Stdout, string(a))
	}
	return nil
}

func TestSudoThatAsks(t *testing.T) {
	w := newWorld(t)
	w.before = func(c process.Cmd) (bool, error) {
		if c.Name == "doas" {
			return false, failed(c)
		}
		return false, nil
	}
	_, err := (&Distrobox{Runner: w, Sudo: "doas"}).Create(t.Context(), w, spec(func(s *Spec) { s.Box.Root = true }), nil)
	if _, ok := errors.AsType[*SudoError](err); !ok || len(w.calls) > 0 {
		t.Errorf("error %v, did %q", err, w.calls)
	}
}

func TestSaveFailure(t *testing.T) {
	w := newWorld(t)
	w.root = newWorld(t)
	clear(w.root.images)
	w.before = func(c process.Cmd) (bool, error) {
		if c.Name == "podman" {
			return false, failed(c)
		}
		return false, nil
	}
	_, err := (&Distrobox{Runner: w}).Create(t.Context(), w, spec(func(s *Spec) { s.Box.Root = true }), nil)
	if _, ok := errors.AsType[*process.Error](err); !ok || len(w.root.images) > 0 || len(w.root.boxes) > 0 {
		t.Errorf("error %v, root's images %v", err, w.root.images)
	}
}

func TestImageThatArrivesAsAnother(t *testing.T) {
	w := newWorld(t)
	w.root = newWorld(t)
	clear(w.root.images)
	w.before = func(c process.Cmd) (bool, error) {
		if slices.Contains(c.Args, "load") {
			w.images["localhost/tool-dx:latest"] = "sha256:other"
		}
		return false, nil
	}
	_, err := (&Distrobox{Runner: w}).Create(t.Context(), w, spec(func(s *Spec) { s.Box.Root = true }), nil)
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
	if _, err := (&Distrobox{Runner: w}).Create(t.Context(), w, s, nil); err != nil {
		t.Fatal(err)
	}
	if c := w.cmd("create"); slices.Contains(c.Args, "--root") || value(c.Args, "--image") != "tool-dx:latest" {
		t.Errorf("ran %s", c)
	}
}
