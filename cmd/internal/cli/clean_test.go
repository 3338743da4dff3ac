package cli

import (
	"maps"
	"testing"

	"github.com/klmcwhirter/ocisi/hierarchy"
)

func TestWantedNames(t *testing.T) {
	g := &hierarchy.Graph{Images: []hierarchy.Image{
		{
			Name: "go", Tag: "1", Manager: hierarchy.Docker, Also: []hierarchy.Manager{hierarchy.Podman},
			Bases: []hierarchy.Need{{Ref: "alpine", As: "debian:13"}, {Ref: "ghcr.io/x/base:1", As: "ghcr.io/x/base:1"}},
		},
		{Name: "zig", Tag: "2", Manager: hierarchy.Podman},
	}}
	want := map[string]bool{
		"docker.io/library/go:1": true, "localhost/go:1": true, "localhost/zig:2": true,
		"docker.io/library/debian:13": true, "ghcr.io/x/base:1": true,
	}
	if got := wantedNames(g); !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
