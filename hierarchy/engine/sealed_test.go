package engine_test

import (
	"context"
	"errors"
	"io"
	"testing"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/engine"
	"github.com/klmcwhirter/ocisi/hierarchy/engine/enginetest"
	"github.com/klmcwhirter/ocisi/internal/process"
)

// What ocisi builds is sealed in either engine. An image that was built FROM one or
// committed from a container of one has its labels, and another last step.
func TestSealed(t *testing.T) {
	each(t, withBase(), func(t *testing.T, s *story) {
		_, err := s.Build(t.Context(), s.recipe("tool:1", fromBase+"RUN one"), nil)
		s.ok(err)
		s.server.Edit(string(s.Manager()), func(st *enginetest.State) {
			labels := map[string]string{hierarchy.LabelImage: "tool:1"}
			for name, by := range map[string]string{"run:1": "RUN two", "commit:1": "/bin/sh", "label:1": "LABEL x=y"} {
				st.Images = append(st.Images, enginetest.Image{ID: "sha256:00000000000" + name[:3], Refs: []string{s.full(name)}, Labels: labels, By: by})
			}
		})
		for name, want := range map[string]bool{"tool:1": true, "run:1": false, "commit:1": false, "label:1": false} {
			im, found, err := s.Inspect(t.Context(), s.full(name))
			s.ok(err)
			if im, err = s.Sealed(t.Context(), im); err != nil || !found || im.Sealed != want {
				t.Errorf("%s: found %t, sealed %t, %v", name, found, im.Sealed, err)
			}
		}
		gone := hierarchy.StoredImage{ID: "sha256:0000000000000000", Labels: map[string]string{hierarchy.LabelImage: "tool:1"}}
		if im, err := s.Sealed(t.Context(), gone); err != nil || im.Sealed {
			t.Errorf("one that is gone: %t, %v", im.Sealed, err)
		}
	})
}

// An image that the user has patched keeps the name of ours.
func TestBuildKeepsPatchedImage(t *testing.T) {
	state := withBase()
	state.Images = append(state.Images, enginetest.Image{ID: "sha256:1111111111111111", Refs: []string{"localhost/tool:1", "docker.io/library/tool:1"}, Labels: map[string]string{hierarchy.LabelImage: "tool:1"}, By: "RUN patch"})
	each(t, state, func(t *testing.T, s *story) {
		_, err := s.Build(t.Context(), s.recipe("tool:1", fromBase+"RUN new\n"), nil)
		if _, foreign := errors.AsType[*engine.ForeignError](err); !foreign || s.id("tool:1") != "sha256:1111111111111111" || s.called(" build ") {
			t.Errorf("%v, calls %q", err, s.server.Calls())
		}
	})
}

// So it does in the other engine's store, and one without a name is kept as well.
func TestCopyToKeepsPatchedImage(t *testing.T) {
	pairs(t, func(from, to hierarchy.Manager) []enginetest.Image {
		patched, loose := built(from, "go:1", "old", "sha256:a"), built(from, "dx:1", "old", "sha256:a")
		patched.Refs, patched.By = []string{to.StoreRef("go:1")}, "RUN patch"
		loose.Refs, loose.By = nil, "RUN patch"
		return []enginetest.Image{patched, loose}
	}, func(p *pair) {
		errs := p.copy(p.t.Context(), "go:1", "dx:1")
		if _, foreign := errors.AsType[*engine.ForeignError](errs["go:1"]); !foreign || len(errs) != 1 {
			p.t.Error(errs)
		}
		p.holds("go:1=go:1 old", "dx:1=dx:1 new", "=dx:1 old")
	})
}

// What a container of buildah uses is in use, too, and what has got a name since is
// not removed.
func TestUntagged(t *testing.T) {
	labels := map[string]string{hierarchy.LabelImage: "tool:1"}
	state := enginetest.State{Images: []enginetest.Image{
		{ID: "sha256:00000000000000a1", Labels: labels},
		{ID: "sha256:00000000000000a2", Labels: labels},
		{ID: "sha256:00000000000000a3", Labels: labels, By: "RUN patch"},
		{ID: "sha256:00000000000000a4", Labels: labels},
	}, Containers: []enginetest.Container{{Name: "user", ImageID: "sha256:00000000000000a4"}}}
	s := start(t, hierarchy.Podman, state)
	r := &runner{instead: func(_ context.Context, c process.Cmd) (bool, error) {
		if c.Args[0] != "ps" {
			return false, nil
		}
		_, err := io.WriteString(c.Stdout, `[{"Id":"x","Names":["base-working-container"],"State":"storage","ImageID":"00000000000000a2"}]`)
		return true, err
	}}
	e := s.another(r)
	defer func() { s.ok(e.Close()) }()
	store, err := e.Observe(t.Context(), nil)
	s.ok(err)
	if len(store.Untagged) != 1 || store.Untagged[0].ID != "sha256:00000000000000a1" || !store.Untagged[0].Sealed {
		t.Fatalf("untagged: %+v", store.Untagged)
	}
	s.ok(e.Tag(t.Context(), "sha256:00000000000000a1", "mine:1"))
	for _, id := range []string{"a1", "a3"} {
		if err := e.RemoveUntagged(t.Context(), "sha256:00000000000000"+id); err == nil {
			t.Errorf("%s is removed", id)
		}
	}
	if used, ok := errors.AsType[*engine.InUseError](e.RemoveUntagged(t.Context(), "sha256:00000000000000a4")); !ok || len(s.state().Images) != 4 {
		t.Errorf("%v, images %+v", used, s.state().Images)
	}
	s.ok(e.RemoveImage(t.Context(), "mine:1"))
	s.ok(e.RemoveUntagged(t.Context(), "sha256:00000000000000a1"))
}
