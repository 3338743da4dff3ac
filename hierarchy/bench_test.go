package hierarchy_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klmcwhirter/ocisi/hierarchy"
)

// many returns a config of 2,000 images in 20 branches, a quarter of them with
// an image of their own to copy from, and a host with all of their
// Containerfiles on its disk.
func many(b *testing.B) (config []byte, h hierarchy.Host) {
	var yaml strings.Builder
	root := b.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "c/d"), 0o755); err != nil {
		b.Fatal(err)
	}
	for i := range 2000 {
		fmt.Fprintf(&yaml, "- name: im%d\n  path: d\n  enabled: true\n", i)
		text := fmt.Sprintf("FROM im%d\nRUN x\n", i-1)
		if i%100 == 0 {
			text = "FROM ghcr.io/x/base:1\nRUN x\n"
		} else if i%4 == 0 {
			text += fmt.Sprintf("COPY --from=quay.io/x/tool:%d /a /b\n", i)
		}
		if err := os.WriteFile(filepath.Join(root, fmt.Sprintf("c/d/Containerfile.im%d", i)), []byte(text), 0o644); err != nil {
			b.Fatal(err)
		}
	}
	return []byte(yaml.String()), hierarchy.Host{Manager: hierarchy.Docker, Files: os.DirFS(root)}
}

func BenchmarkParseConfig(b *testing.B) {
	config, _ := many(b)
	for b.Loop() {
		if _, err := hierarchy.ParseConfig("/c/ocisi.yaml", config); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkGraph(b *testing.B) {
	config, h := many(b)
	c, err := hierarchy.ParseConfig("/c/ocisi.yaml", config)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if g, err := c.Graph(h); err != nil || len(g.Images) != 2000 {
			b.Fatal(err)
		}
	}
}

// BenchmarkRead reads the build contexts; no Containerfile sees anything of it.
func BenchmarkRead(b *testing.B) {
	config, h := many(b)
	c, err := hierarchy.ParseConfig("/c/ocisi.yaml", config)
	if err != nil {
		b.Fatal(err)
	}
	g, err := c.Graph(h)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := g.Read(h.Files); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkWanted does all three: what is wanted, as far as files tell.
func BenchmarkWanted(b *testing.B) {
	config, h := many(b)
	for b.Loop() {
		c, err := hierarchy.ParseConfig("/c/ocisi.yaml", config)
		if err != nil {
			b.Fatal(err)
		}
		g, err := c.Graph(h)
		if err != nil {
			b.Fatal(err)
		}
		if err := g.Read(h.Files); err != nil || len(g.Images) != 2000 {
			b.Fatal(err)
		}
	}
}
