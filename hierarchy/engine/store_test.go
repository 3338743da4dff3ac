package engine_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/engine"
	"github.com/klmcwhirter/ocisi/hierarchy/engine/enginetest"
	"github.com/klmcwhirter/ocisi/hierarchy/layers"
)

func TestObserve(t *testing.T) {
	state := withBase()
	state.Images = append(state.Images,
		enginetest.Image{ID: "sha256:1111111111111111", Refs: []string{"localhost/tool-dx:1"}, Labels: map[string]string{hierarchy.LabelImage: "tool-dx:1"}},
		enginetest.Image{ID: "sha256:2222222222222222"})
	state.Containers = []enginetest.Container{
		{Name: "current", Image: "localhost/tool-dx:1", Labels: map[string]string{"manager": "distrobox"}},
		{Name: "behind", Image: "localhost/tool-dx:1", ImageID: "sha256:2222222222222222", Labels: map[string]string{hierarchy.LabelBox: "behind"}, State: "exited"},
		{Name: "someones", Image: "localhost/tool-dx:1", Labels: map[string]string{hierarchy.LabelImage: "tool-dx:1"}},
	}
	each(t, state, func(t *testing.T, s *story) {
		store, err := s.Observe(t.Context(), nil)
		s.ok(err)
		if len(store.Images) != 2 || store.Manager != s.Manager() {
			t.Errorf("images %+v", store.Images)
		}
		im, found := store.Image(s.full("tool-dx:1"))
		if !found || im.ID != "sha256:1111111111111111" || im.Labels[hierarchy.LabelImage] != "tool-dx:1" || im.Created == 0 || im.Size == 0 {
			t.Errorf("image %+v, %v", im, found)
		}
		if _, found := store.Image("ghcr.io/x/base:latest"); !found {
			t.Error("the base is not there")
		}
		if len(store.Boxes) != 2 {
			t.Errorf("boxes %+v", store.Boxes)
		}
		for name, want := range map[string]hierarchy.StoredBox{
			"current": {ImageID: "sha256:1111111111111111", Running: true},
			"behind":  {ImageID: "sha256:2222222222222222"},
		} {
			b, found := box(store, name)
			if !found || b.ImageID != want.ImageID || b.Running != want.Running || b.ID == "" {
				t.Errorf("%s: %+v, %v", name, b, found)
			}
		}
	})
}

func TestRemoveImage(t *testing.T) {
	state := withBase()
	state.Images = append(state.Images, enginetest.Image{Refs: []string{"localhost/a:1", "localhost/b:1"}})
	state.Containers = []enginetest.Container{{Name: "user", Image: "localhost/a:1"}}
	each(t, state, func(t *testing.T, s *story) {
		s.ok(s.Tag(t.Context(), s.id("a:1"), "c:1"))
		if s.id("c:1") != s.id("a:1") || s.id("c:1") == "" {
			t.Error("the new name is not there")
		}
		s.ok(s.RemoveImage(t.Context(), "c:1"))
		s.ok(s.RemoveImage(t.Context(), "a:1"))
		err := s.RemoveImage(t.Context(), "b:1")
		if used, ok := errors.AsType[*engine.InUseError](err); !ok || !slices.Equal(used.Containers, []string{"user"}) || used.Ref != s.full("b:1") {
			t.Errorf("got %v", err)
		}
		if s.id("a:1") != "" || s.id("b:1") == "" {
			t.Errorf("images %+v", s.state().Images)
		}
		s.ok(s.RemoveContainer(t.Context(), "user"))
		s.ok(s.RemoveImage(t.Context(), "b:1"))
		s.ok(s.RemoveImage(t.Context(), "b:1"))
	})
}

func TestRemoveSuperseded(t *testing.T) {
	labels := map[string]string{hierarchy.LabelImage: "tool:1"}
	state := enginetest.State{Images: []enginetest.Image{
		{ID: "sha256:00000000000000a1"}, // not built by ocisi
		{ID: "sha256:00000000000000a2", Labels: labels},
		{ID: "sha256:00000000000000a3", Labels: labels},
		{ID: "sha256:00000000000000a4", Labels: labels, Refs: []string{"localhost/tool:1"}},
		{ID: "sha256:00000000000000a6", Labels: labels, By: "/bin/sh -c make"}, // built FROM one
	}, Containers: []enginetest.Container{{Name: "user", ImageID: "sha256:00000000000000a3"}}}
	each(t, state, func(t *testing.T, s *story) {
		var left []string
		for _, im := range s.state().Images {
			s.RemoveSuperseded(t.Context(), im.ID)
		}
		s.RemoveSuperseded(t.Context(), "sha256:00000000000000a5")
		for _, im := range s.state().Images {
			left = append(left, im.ID[len(im.ID)-2:])
		}
		if want := []string{"a1", "a3", "a4", "a6"}; !slices.Equal(left, want) {
			t.Errorf("images %q, want %q", left, want)
		}
	})
}

func TestPull(t *testing.T) {
	state := enginetest.State{Registry: []enginetest.Image{{Refs: []string{"ghcr.io/x/base:latest"}}}}
	each(t, state, func(t *testing.T, s *story) {
		var lines []string
		s.ok(s.Pull(t.Context(), "ghcr.io/x/base", "", func(p hierarchy.Progress) { lines = append(lines, p.Log) }))
		if _, found, _ := s.Inspect(t.Context(), "ghcr.io/x/base:latest"); !found || len(lines) == 0 || slices.Contains(lines, "") {
			t.Errorf("found %v, told %q", found, lines)
		}
		if slices.ContainsFunc(lines, func(l string) bool { return strings.Contains(l, "Downloading") }) {
			t.Errorf("a moving bar is told: %q", lines)
		}
		err := s.Pull(t.Context(), "ghcr.io/x/nosuch:1", "", nil)
		if err == nil || !strings.HasPrefix(err.Error(), "pulling ghcr.io/x/nosuch:1: ") || !strings.HasSuffix(err.Error(), "manifest unknown") || strings.Contains(err.Error(), "exit status") {
			t.Errorf("got %v", err)
		}
	})
}

func TestPrune(t *testing.T) {
	base := []enginetest.Layer{{DiffID: "sha256:b", Size: 100}}
	state := enginetest.State{Cache: 5000, Images: []enginetest.Image{
		{Refs: []string{"ghcr.io/x/base:latest"}, Layers: base},
		{Refs: []string{"localhost/kept:1"}, Layers: append(slices.Clone(base), enginetest.Layer{DiffID: "sha256:k", Size: 10})},
		{Refs: []string{"localhost/used:1"}, Layers: []enginetest.Layer{{DiffID: "sha256:u", Size: 20}}},
		{Refs: []string{"localhost/loose:1", "localhost/loose:2"}, Layers: append(slices.Clone(base), enginetest.Layer{DiffID: "sha256:l", Size: 7})},
		{ID: "sha256:3333333333333333", Layers: []enginetest.Layer{{DiffID: "sha256:d", Size: 3}}},
	}, Containers: []enginetest.Container{
		{Name: "ended", Image: "localhost/loose:1", State: "exited", SizeRw: 40},
		{Name: "box", Image: "localhost/used:1", State: "exited", Labels: map[string]string{"manager": "distrobox"}},
		{Name: "toolbox", Image: "localhost/used:1", State: "exited", Labels: map[string]string{"com.github.containers.toolbox": "true"}},
		{Name: "ours", Image: "localhost/used:1", State: "created", Labels: map[string]string{hierarchy.LabelBox: "ours"}},
		{Name: "runs", Image: "localhost/used:1"},
	}}
	each(t, state, func(t *testing.T, s *story) {
		u, err := s.Unused(t.Context(), map[string]bool{s.full("kept:1"): true})
		s.ok(err)
		var names []string
		for _, i := range append(slices.Clone(u.Containers), u.Images...) {
			names = append(names, i.Name)
		}
		if want := []string{"ended", s.full("loose:1"), s.full("loose:2"), "333333333333"}; !slices.Equal(names, want) || u.Empty() {
			t.Errorf("unused %q, want %q", names, want)
		}
		cache := int64(5000)
		if s.Manager() == hierarchy.Podman {
			cache = 0
		}
		if u.Cache != cache || u.Bytes != 40+7+3+cache {
			t.Errorf("cache %d, bytes %d", u.Cache, u.Bytes)
		}
		// In the meantime one image has found a user.
		s.ok(s.Tag(t.Context(), "sha256:3333333333333333", "kept:1"))
		freed, err := s.Prune(t.Context(), u)
		if err != nil || freed != 40+7+cache {
			t.Errorf("freed %d, %v", freed, err)
		}
		if st := s.state(); len(st.Containers) != 4 || s.id("loose:1") != "" || s.id("kept:1") == "" || s.id("used:1") == "" {
			t.Errorf("left: %+v", st)
		}
		if u, err := s.Unused(t.Context(), nil); err != nil || u.Cache != 0 {
			t.Errorf("afterwards %+v, %v", u, err)
		}
	})
}

// A container that cannot be removed frees nothing, and what can be removed is.
func TestPruneFails(t *testing.T) {
	state := enginetest.State{Images: []enginetest.Image{
		{Refs: []string{"localhost/held:1"}, Layers: []enginetest.Layer{{DiffID: "sha256:h", Size: 20}}},
		{Refs: []string{"localhost/loose:1"}, Layers: []enginetest.Layer{{DiffID: "sha256:l", Size: 7}}},
	}, Containers: []enginetest.Container{{Name: "ended", Image: "localhost/held:1", State: "exited", SizeRw: 40}}}
	each(t, state, func(t *testing.T, s *story) {
		u, err := s.Unused(t.Context(), nil)
		s.ok(err)
		s.server.Watch(func(point string, _ bool) enginetest.Verdict {
			if strings.Contains(point, " DELETE /containers/") {
				return enginetest.Fail
			}
			return enginetest.Pass
		})
		freed, err := s.Prune(t.Context(), u)
		if err == nil || !strings.Contains(err.Error(), "removing container ended: ") || freed != 7 || s.id("held:1") == "" || s.id("loose:1") != "" {
			t.Errorf("freed %d, error %v, left %+v", freed, err, s.state().Images)
		}
	})
}

func TestLayers(t *testing.T) {
	each(t, withBase(), func(t *testing.T, s *story) {
		_, err := s.Build(t.Context(), s.recipe("tool:1", fromBase+"RUN one\n"), nil)
		s.ok(err)
		refs := []string{s.full("tool:1"), "ghcr.io/x/base:latest"}
		images, err := s.Layers(t.Context(), refs)
		s.ok(err)
		r := layers.Analyze(images)
		if r.Stored != 100+1<<20 || r.Images[0].Own != 1<<20 || r.Images[0].Shared != 100 || r.Images[1].Own != 0 || r.Images[1].Ref != refs[1] {
			t.Errorf("%+v", r)
		}
		images, err = s.Layers(t.Context(), []string{"nosuch:1", "sha256:00000000000000aa"})
		s.ok(err)
		r = layers.Analyze(images)
		if !r.Estimated || r.Stored != 0 || !r.Images[0].Unlisted || !r.Images[1].Unlisted || len(r.Images[1].Layers) != 0 {
			t.Errorf("of images that are not there: %+v", r)
		}
	})
}

func TestContainer(t *testing.T) {
	state := withBase()
	state.Containers = []enginetest.Container{{Name: "box", Image: "ghcr.io/x/base:latest", Labels: map[string]string{"k": "v"}}}
	each(t, state, func(t *testing.T, s *story) {
		s.ok(s.RenameContainer(t.Context(), "box", "other"))
		b, found, err := s.Container(t.Context(), "other")
		if err != nil || !found || !b.Running || b.Labels["k"] != "v" || b.ImageID == "" {
			t.Errorf("%+v, %v, %v", b, found, err)
		}
		if _, found, err := s.Container(t.Context(), "box"); found || err != nil {
			t.Errorf("the old name: %v, %v", found, err)
		}
		if _, found, err := s.Container(t.Context(), b.ID[:12]); found || err != nil {
			t.Errorf("a part of the ID: %v, %v", found, err)
		}
	})
}

func TestInfo(t *testing.T) {
	each(t, enginetest.State{}, func(t *testing.T, s *story) {
		info, err := s.Info(t.Context())
		s.ok(err)
		if podman := s.Manager() == hierarchy.Podman; info.Rootless != podman || info.Version == "" || info.APIVersion == "" || info.Root == "" || !strings.HasPrefix(info.Endpoint, "unix://") {
			t.Errorf("%+v", info)
		}
	})
}
