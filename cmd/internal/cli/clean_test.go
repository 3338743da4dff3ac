package cli

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/engine"
	"github.com/klmcwhirter/ocisi/hierarchy/engine/enginetest"
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

// An image that cannot be removed is an error, after the others were removed.
func TestPruneFails(t *testing.T) {
	dir := t.TempDir()
	state := `{"Images": [
		{"Refs": ["docker.io/library/a:1"], "Layers": [{"DiffID": "sha256:a", "Size": 10}]},
		{"Refs": ["docker.io/library/b:1"], "Layers": [{"DiffID": "sha256:b", "Size": 20}]}]}`
	if err := os.WriteFile(filepath.Join(dir, "docker.json"), []byte(state), 0o600); err != nil {
		t.Fatal(err)
	}
	server, err := enginetest.Start(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	e, err := engine.Open(t.Context(), hierarchy.Docker, engine.Options{Getenv: func(name string) string {
		return map[string]string{"DOCKER_HOST": server.DockerHost()}[name]
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = e.Close() }()
	unused, err := e.Unused(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	server.Watch(func(point string, _ bool) enginetest.Verdict {
		if strings.HasPrefix(point, "docker DELETE ") && strings.HasSuffix(point, "/a:1") {
			return enginetest.Fail
		}
		return enginetest.Pass
	})
	var out bytes.Buffer
	s := &session{engines: map[hierarchy.Manager]*engine.Engine{hierarchy.Docker: e}}
	err = Env{Stdout: &out}.pruneFound(t.Context(), s, map[hierarchy.Manager]engine.Unused{hierarchy.Docker: unused})
	if err == nil || !strings.Contains(err.Error(), "removing docker.io/library/a:1: ") || out.String() != "docker: 20 B freed\n" {
		t.Errorf("error %v, output %q", err, out.String())
	}
}
