package cli

import (
	"strings"
	"testing"

	"github.com/klmcwhirter/ocisi/hierarchy/layers"
)

// What a build adds is estimated by the last one of the same name, whatever became
// of the parent that it was built on.
func TestAddedBefore(t *testing.T) {
	t.Parallel()
	// A layer is written as the line that made it, and the build.
	stack := func(text string) []layers.Layer {
		var all []layers.Layer
		for id := range strings.FieldsSeq(text) {
			by, _, _ := strings.Cut(id, "#")
			size := int64(1000)
			if strings.HasPrefix(by, "user") {
				size = 4
			}
			all = append(all, layers.Layer{DiffID: strings.Join([]string{id, text[:strings.Index(text, id)]}, "@"), By: by, Size: size})
		}
		return all
	}
	base := layers.Image{Ref: "base:1", Base: true, Layers: stack("base#1")}
	goNow := layers.Image{Ref: "go:1", Parents: []string{"base:1"}, Layers: stack("base#1 tools#1 go#2")}
	dx := func(text string) layers.Image {
		return layers.Image{Ref: "dx:1", Parents: []string{"go:1", "base:1"}, Layers: stack(text)}
	}
	was := func(text string) layers.Image {
		im := dx(text)
		im.Ref, im.Was = "dx:1 (abc)", "dx:1"
		return im
	}
	for _, c := range []struct {
		name   string
		images []layers.Image
		want   int64
	}{
		{"the same parent", []layers.Image{base, goNow, dx("base#1 tools#1 go#2 user#1")}, 4},
		{"another build of the parent", []layers.Image{base, goNow, dx("base#1 tools#1 go#1 user#1")}, 4},
		{"another parent", []layers.Image{base, goNow, dx("base#1 tools#1 zig#1 user#1")}, 4},
		{"another build of the base, too", []layers.Image{base, goNow, dx("base#0 tools#0 go#0 user#1")}, 4},
		{"a line that both have", []layers.Image{base, {Ref: "go:1", Layers: stack("base#1 tools#1 go#2 user#2")}, dx("base#1 tools#1 go#1 user#1 user#3")}, 4},
		{"the parent is not there", []layers.Image{base, dx("base#1 tools#1 go#1 user#1")}, 2004},
		{"a previous box's image does not count", []layers.Image{base, goNow, dx("base#1 tools#1 go#2 user#1"), was("base#1 big#1 user#0 user#1 big#2")}, 4},
		{"but where it is all there is", []layers.Image{base, goNow, was("base#1 tools#1 go#1 user#0 user#1")}, 8},
		{"none", []layers.Image{base, goNow}, 0},
	} {
		if got := addedBefore(c.images, layers.Analyze(c.images), "dx:1", []string{"go:1"}); got != c.want {
			t.Errorf("%s: %d bytes, want %d", c.name, got, c.want)
		}
	}
}
