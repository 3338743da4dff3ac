package engine_test

import (
	"slices"
	"testing"

	"github.com/klmcwhirter/ocisi/hierarchy/engine"
	"github.com/klmcwhirter/ocisi/hierarchy/engine/enginetest"
)

func TestEntrypoint(t *testing.T) {
	state := enginetest.State{Images: []enginetest.Image{
		{Refs: []string{"localhost/plain:1"}},
		{Refs: []string{"localhost/starts:1"}, Config: enginetest.Config{Entrypoint: []string{"/init", "-x"}}},
	}}
	each(t, state, func(t *testing.T, s *story) {
		for ref, want := range map[string][]string{"plain:1": nil, "starts:1": {"/init", "-x"}, "gone:1": nil} {
			got, err := s.Entrypoint(t.Context(), s.Manager().StoreRef(ref))
			if err != nil || !slices.Equal(got, want) {
				t.Errorf("%s: %q, %v", ref, got, err)
			}
		}
		s.server.Close()
		if _, err := s.Entrypoint(t.Context(), "plain:1"); err == nil {
			t.Error("an engine that is gone is no error")
		}
	})
}

func TestBinds(t *testing.T) {
	state := enginetest.State{
		Images: []enginetest.Image{{Refs: []string{"localhost/x:1"}}},
		Containers: []enginetest.Container{
			{Name: "box", Image: "localhost/x:1", Mounts: []string{"/usr/bin/distrobox-init:/usr/bin/entrypoint:ro", "data:/data", "/home/a:/home/a"}},
			{Name: "bare", Image: "localhost/x:1"},
		},
	}
	each(t, state, func(t *testing.T, s *story) {
		got, err := s.Binds(t.Context(), "box")
		want := []engine.Bind{{Source: "/usr/bin/distrobox-init", Target: "/usr/bin/entrypoint"}, {Source: "/home/a", Target: "/home/a"}}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("got %v, %v", got, err)
		}
		if got, err := s.Binds(t.Context(), "bare"); err != nil || len(got) != 0 {
			t.Errorf("bare: %v, %v", got, err)
		}
		if _, err := s.Binds(t.Context(), "gone"); err == nil {
			t.Error("a container that is not there is no error")
		}
	})
}
