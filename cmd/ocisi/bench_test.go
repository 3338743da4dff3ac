package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klmcwhirter/ocisi/cmd/internal/cli"
	"github.com/klmcwhirter/ocisi/hierarchy/engine/enginetest"
)

// BenchmarkVersion is the start of the program, from exec to exit. Its peer is
// BenchmarkTrue: what starting any program takes.
func BenchmarkVersion(b *testing.B) {
	program := filepath.Join(b.TempDir(), "ocisi")
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", program, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	for b.Loop() {
		if err := exec.Command(program, "version").Run(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkTrue(b *testing.B) {
	for b.Loop() {
		if err := exec.Command("/bin/true").Run(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkListLayers lists 200 images of 7 layers each, over the API of a
// fake engine: what is measured is ocisi and the protocol, not a store.
func BenchmarkListLayers(b *testing.B) {
	dir := b.TempDir()
	var yaml strings.Builder
	var state enginetest.State
	file := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			b.Fatal(err)
		}
	}
	var common []enginetest.Layer
	for i := range 5 {
		common = append(common, enginetest.Layer{DiffID: fmt.Sprintf("sha256:%064x", i), Size: 1e6})
	}
	for i := range 200 {
		name := fmt.Sprintf("im%d", i)
		fmt.Fprintf(&yaml, "- {name: %s, path: ., enabled: true}\n", name)
		file("Containerfile."+name, "FROM ghcr.io/x/base:1\nRUN x\n")
		own := append(common[:5:5], enginetest.Layer{DiffID: fmt.Sprintf("sha256:%064x", 1000+i), Size: 1e6}, enginetest.Layer{DiffID: fmt.Sprintf("sha256:%064x", 2000+i), Size: 1e6})
		state.Images = append(state.Images, enginetest.Image{Refs: []string{"docker.io/library/" + name + ":latest"}, Layers: own})
	}
	seed, err := json.Marshal(state)
	if err != nil {
		b.Fatal(err)
	}
	file("docker.json", string(seed))
	file("ocisi.yaml", yaml.String())
	server, err := enginetest.Start(dir)
	if err != nil {
		b.Fatal(err)
	}
	defer server.Close()
	env := cli.System()
	env.Stdout, env.Stderr = io.Discard, os.Stderr
	env.Getenv = func(key string) string {
		return map[string]string{"DOCKER_HOST": server.DockerHost(), "DBX_CONTAINER_MANAGER": "docker"}[key]
	}
	for b.Loop() {
		if status := cli.Main(b.Context(), env, []string{"list", "--layers", "-f", filepath.Join(dir, "ocisi.yaml")}); status != 0 {
			b.Fatal("exit status", status)
		}
	}
}
