package hierarchy_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/klmcwhirter/ocisi/hierarchy"
)

// BenchmarkGraph reads a config of 2,000 images in 20 branches, a quarter of
// them with a base of their own, and all of their Containerfiles.
func BenchmarkGraph(b *testing.B) {
	var yaml strings.Builder
	texts := map[string]string{}
	for i := range 2000 {
		fmt.Fprintf(&yaml, "- name: im%d\n  path: d\n  enabled: true\n", i)
		text := fmt.Sprintf("FROM im%d\nRUN x\n", i-1)
		if i%100 == 0 {
			text = "FROM ghcr.io/x/base:1\nRUN x\n"
		} else if i%4 == 0 {
			text += fmt.Sprintf("COPY --from=quay.io/x/tool:%d /a /b\n", i)
		}
		texts[fmt.Sprintf("/c/d/Containerfile.im%d", i)] = text
	}
	h := hierarchy.Host{Manager: hierarchy.Docker, Files: files(texts)}
	data := []byte(yaml.String())
	for b.Loop() {
		c, err := hierarchy.ParseConfig("/c/ocisi.yaml", data)
		if err != nil {
			b.Fatal(err)
		}
		if g, err := c.Graph(h); err != nil || len(g.Images) != 2000 {
			b.Fatal(err)
		}
	}
}
