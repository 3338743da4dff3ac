package layers_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/klmcwhirter/ocisi/hierarchy/layers"
)

const mb = 1_000_000

func on(below []layers.Layer, more ...layers.Layer) []layers.Layer {
	return append(append([]layers.Layer{}, below...), more...)
}

func run(id, line string, size int64) layers.Layer {
	return layers.Layer{DiffID: "sha256:" + id, By: "RUN " + line, Size: size}
}

func told(all []layers.Advice) string {
	var out strings.Builder
	for _, a := range all {
		fmt.Fprintf(&out, "%s %v %d: %s. %s\n", a.Rule, a.Images, a.Bytes/mb, a.Text, a.Do)
	}
	return out.String()
}

func TestAdvise(t *testing.T) {
	base := []layers.Layer{{DiffID: "sha256:base", Size: 200 * mb, By: "RUN dnf install everything"}}
	common := run("common", "install common", 30*mb)
	tools := on(base, run("tools", "install tools", 10*mb))
	goLayers := on(tools, run("go", "install go", 100*mb), common)
	zig := on(tools, run("zig", "install zig", 90*mb), run("common2", "install common", 31*mb), run("tiny", "tiny", 10))
	images := []layers.Image{
		{Ref: "base:1", Base: true, Layers: base},
		{Ref: "base:2", Base: true, Layers: []layers.Layer{{DiffID: "sha256:base2", Size: 190 * mb}}},
		{Ref: "tools:1", Parents: []string{"base:1"}, Layers: tools, Versions: []string{"GO_VERSION=1"}},
		{Ref: "go:1", Parents: []string{"tools:1", "base:1"}, Layers: goLayers, Versions: []string{"GO_VERSION=1"}},
		{Ref: "zig:1", Parents: []string{"tools:1", "base:1"}, Layers: zig},
		{
			Ref: "go-dx:1", Parents: []string{"go:1", "tools:1", "base:1"}, Light: true, Layers: on(goLayers, run("user", "useradd", 1*mb), run("fat", "download", 40*mb)),
			Boxes: []layers.Box{{Name: "go-dx", Box: "go-dx", Written: 400 * mb}, {Name: "go-dx.ocisi-1", Box: "go-dx", Generation: 1, Written: 300 * mb}},
		},
		{Ref: "zig-dx:1", Parents: []string{"zig:1", "tools:1", "base:1"}, Light: true, Layers: on(zig, run("user2", "useradd", 1*mb), run("tiny2", "tiny", 10))},
		{Ref: "sha256:old", Was: "go-dx:1", Layers: on(base, run("old", "install common", 30*mb))},
	}
	want := `drift [go-dx:1] 400: box go-dx has written much to its own layer. ocisi diff go-dx lists it; what is to stay belongs into a Containerfile
bases [base:1 base:2] 190: base is a base in 2 versions. build all from one of them, if they need not differ
heavy [go-dx:1] 41: go-dx:1 is a thin layer, and adds much to go:1. move what is big in it to go:1, where other images can share it
siblings [go:1 zig:1] 30: the same line is in 2 images that do not share it: RUN install common. move it to tools:1, which all of them are built from
version [tools:1 go:1 go-dx:1 zig:1 zig-dx:1] 0: tools:1 has GO_VERSION=1, and 4 images are built on it: a new version builds all of them anew. put what has a version into an image of its own, above what has none
`
	if got := told(layers.Advise(images, layers.Analyze(images))); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestNothingToAdvise(t *testing.T) {
	base := []layers.Layer{{DiffID: "sha256:base", Size: 200 * mb}}
	images := []layers.Image{
		{Ref: "base:1", Base: true, Layers: base},
		{Ref: "go:1", Parents: []string{"base:1"}, Layers: on(base, run("go", "make", 90*mb), run("go2", "make", 90*mb)), Versions: []string{"V=1"}},
		{Ref: "go-dx:1", Parents: []string{"go:1", "base:1"}, Light: true, Layers: on(base, run("go", "make", 90*mb), run("go2", "make", 90*mb), run("u", "useradd", mb))},
	}
	if got := told(layers.Advise(images, layers.Analyze(images))); got != "" {
		t.Error(got)
	}
}

func TestInspect(t *testing.T) {
	base := []layers.Layer{{DiffID: "sha256:base", Size: 200 * mb}, {DiffID: "sha256:base2", Size: mb}}
	dev := on(base, run("dev", "install", 50*mb), run("remove", "rm", 10))
	images := []layers.Image{
		{Ref: "base:1", Base: true, Layers: base},
		{Ref: "dev:1", Parents: []string{"base:1"}, Layers: dev},
		{Ref: "dx:1", Parents: []string{"dev:1", "base:1"}, Layers: on(dev, run("chown", "chown", 9*mb), run("opaque", "mv", 10))},
	}
	contents := layers.Contents{
		"sha256:base":   {{Path: "/usr/lib/big", Size: 100 * mb}, {Path: "/usr/lib/small", Size: 7}},
		"sha256:base2":  {{Path: "/usr/lib/big", Size: 100 * mb}, {Path: "/var/cache/dnf/x", Size: 5 * mb}},
		"sha256:dev":    {{Path: "/opt/a/1", Size: 20 * mb}, {Path: "/opt/a/2", Size: 10 * mb}, {Path: "/opt/ab", Size: 9 * mb}, {Path: "/home/al/.cache/pip/x", Size: 3 * mb}, {Path: "/home/al/.cached", Size: 30 * mb}, {Path: "/var/lib/dpkg/status", Size: 7 * mb}},
		"sha256:remove": {{Path: "/opt/a", Gone: layers.Whiteout}, {Path: "/nowhere", Gone: layers.Whiteout}},
		"sha256:chown":  {{Path: "/var/lib/dpkg/status", Size: 7 * mb}, {Path: "/opt/ab", Size: 9 * mb}, {Path: "/usr/lib/small", Size: 7}},
		"sha256:opaque": {{Path: "/usr/lib", Gone: layers.Opaque}, {Path: "/usr/lib/new", Size: mb}},
	}
	want := `hidden [dx:1] 100: files of lower layers, the largest /usr/lib/big, are written over or removed, and stay in the store: RUN mv. do it in the line that makes them, or do not make them
hidden [dev:1] 30: files of lower layers, the largest /opt/a/1, are written over or removed, and stay in the store: RUN rm. do it in the line that makes them, or do not make them
hidden [dx:1] 9: files of lower layers, the largest /opt/ab, are written over or removed, and stay in the store: RUN chown. do it in the line that makes them, or do not make them
cache [dev:1] 3: /home/al/.cache is in a layer: RUN install. remove it at the end of that line, or mount a cache there: RUN --mount=type=cache,target=/home/al/.cache …
`
	if got := told(layers.Inspect(images, layers.Analyze(images), contents)); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
