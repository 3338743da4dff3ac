package hierarchy_test

import (
	"testing"

	"github.com/klmcwhirter/ocisi/hierarchy"
)

func TestStoreRef(t *testing.T) {
	for _, c := range []struct {
		manager   hierarchy.Manager
		ref, want string
	}{
		{hierarchy.Docker, "fedora-go:latest", "docker.io/library/fedora-go:latest"},
		{hierarchy.Docker, "fedora-go", "docker.io/library/fedora-go:latest"},
		{hierarchy.Docker, "me/fedora-go:1", "docker.io/me/fedora-go:1"},
		{hierarchy.Docker, "localhost/fedora-go:1", "localhost/fedora-go:1"},
		{hierarchy.Podman, "fedora-go:latest", "localhost/fedora-go:latest"},
		{hierarchy.Podman, "fedora-go", "localhost/fedora-go:latest"},
		{hierarchy.Podman, "me/fedora-go:1", "localhost/me/fedora-go:1"},
		{hierarchy.Podman, "localhost/fedora-go", "localhost/fedora-go:latest"},
		{hierarchy.Podman, "ghcr.io/x/y:2", "ghcr.io/x/y:2"},
	} {
		if got := c.manager.StoreRef(c.ref); got != c.want {
			t.Errorf("%s.StoreRef(%q) = %q, want %q", c.manager, c.ref, got, c.want)
		}
	}
}
