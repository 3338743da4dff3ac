package plan_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/plan"
)

func need(ref string) hierarchy.Need { return hierarchy.Need{Ref: ref, As: ref} }

// graph is base ← tools ← go ← go-dx (a box) in docker, and deb in podman.
func graph() *hierarchy.Graph {
	im := func(m hierarchy.Manager, name string, parents, bases []hierarchy.Need) hierarchy.Image {
		return hierarchy.Image{Name: name, Tag: "1", Manager: m, Parents: parents, Bases: bases}
	}
	dx := im(hierarchy.Docker, "go-dx", []hierarchy.Need{need("go:1")}, nil)
	dx.Box = &hierarchy.Box{Name: "gobox"}
	return &hierarchy.Graph{Images: []hierarchy.Image{
		im(hierarchy.Docker, "tools", nil, []hierarchy.Need{need("ghcr.io/x/base:1")}),
		im(hierarchy.Docker, "go", []hierarchy.Need{need("tools:1")}, []hierarchy.Need{need("ghcr.io/x/base:1")}),
		dx,
		im(hierarchy.Podman, "deb", nil, []hierarchy.Need{need("debian:12")}),
	}}
}

func text(p plan.Plan) string {
	var b strings.Builder
	for _, s := range p.Steps {
		fmt.Fprintf(&b, "%s %s %s %s", s.Action, s.Manager, s.Kind, s.Name)
		for _, n := range s.Needs {
			fmt.Fprintf(&b, " <%s %s", n.Kind, n.Name)
		}
		b.WriteString("\n")
	}
	return b.String()
}

func TestNewOnEmptyStores(t *testing.T) {
	want := `pull docker base ghcr.io/x/base:1
build docker image tools:1 <base ghcr.io/x/base:1
build docker image go:1 <base ghcr.io/x/base:1 <image tools:1
build docker image go-dx:1 <image go:1
create docker box gobox <image go-dx:1
pull podman base debian:12
build podman image deb:1 <base debian:12
`
	p := plan.New(graph(), plan.Stores{})
	if got := text(p); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if p.Changes() != 7 || p.Count(plan.Image) != 4 {
		t.Errorf("%d changes, %d images", p.Changes(), p.Count(plan.Image))
	}
}

func stores(boxLabels map[string]string) plan.Stores {
	own := func(ref string) map[string]string {
		return map[string]string{hierarchy.LabelImage: ref, hierarchy.LabelConfig: "/c.yaml"}
	}
	child := func(ref, parent string) map[string]string {
		labels := own(ref)
		labels[hierarchy.LabelParent] = parent
		return labels
	}
	return plan.Stores{
		hierarchy.Docker: {Manager: hierarchy.Docker, Images: []hierarchy.StoredImage{
			{Refs: []string{"ghcr.io/x/base:1"}},
			{Refs: []string{"docker.io/library/tools:1"}, Labels: own("tools:1"), Size: 10},
			{Refs: []string{"docker.io/library/go:1"}, Labels: child("go:1", "tools:1"), Size: 20},
			{Refs: []string{"docker.io/library/go-dx:1"}, Labels: own("go-dx:1"), Size: 30},
			{Refs: []string{"docker.io/library/zig:1"}, Labels: own("zig:1"), Size: 40},
			{Refs: []string{"docker.io/library/users:1"}, Labels: own("go:1"), Size: 50}, // built on ours: inherits its labels
			{Refs: []string{"docker.io/library/other:1"}, Labels: map[string]string{hierarchy.LabelImage: "other:1", hierarchy.LabelConfig: "/other.yaml"}},
		}, Boxes: []hierarchy.StoredBox{
			{Name: "gobox", Labels: boxLabels},
			{Name: "zigbox", Labels: map[string]string{hierarchy.LabelBox: "zigbox", hierarchy.LabelConfig: "/c.yaml"}},
			{Name: "gobox.ocisi-old", Labels: map[string]string{hierarchy.LabelBox: "gobox", hierarchy.LabelConfig: "/c.yaml"}},
			{Name: "foreign", Labels: map[string]string{"manager": "distrobox"}},
			{Name: "other", Labels: map[string]string{hierarchy.LabelBox: "other", hierarchy.LabelConfig: "/other.yaml"}},
		}},
		// The managed deb is localhost/deb; docker.io's debian:12 is the base.
		hierarchy.Podman: {Manager: hierarchy.Podman, Images: []hierarchy.StoredImage{
			{Refs: []string{"docker.io/library/debian:12"}}, {Refs: []string{"docker.io/library/deb:1"}},
		}},
	}
}

func TestNewOnFullStores(t *testing.T) {
	p := plan.New(graph(), stores(map[string]string{hierarchy.LabelBox: "gobox"}))
	want := `keep docker base ghcr.io/x/base:1
rebuild docker image tools:1 <base ghcr.io/x/base:1
rebuild docker image go:1 <base ghcr.io/x/base:1 <image tools:1
rebuild docker image go-dx:1 <image go:1
recreate docker box gobox <image go-dx:1
keep podman base debian:12
build podman image deb:1 <base debian:12
`
	if got := text(p); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if p.Changes() != 5 {
		t.Errorf("%d changes, want 5: keeping is none", p.Changes())
	}
}

func TestForeignBoxIsRefused(t *testing.T) {
	p := plan.New(graph(), stores(map[string]string{"manager": "distrobox"}))
	if got := text(p); !strings.Contains(got, "refuse docker box gobox") {
		t.Errorf("got\n%s", got)
	}
}

func TestClean(t *testing.T) {
	all := stores(map[string]string{hierarchy.LabelBox: "gobox", hierarchy.LabelConfig: "/c.yaml"})
	if got, want := text(plan.Clean(graph(), all, "/c.yaml", false)), "remove docker box zigbox\nremove docker image zig:1 <box zigbox\n"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	p := plan.Clean(graph(), all, "/c.yaml", true)
	want := `remove docker box zigbox
remove docker image zig:1 <box zigbox
remove docker image go:1 <box zigbox
remove docker image tools:1 <box zigbox <image go:1
`
	if got := text(p); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if p.Steps[1].Bytes != 40 || p.Steps[1].Reason == p.Steps[2].Reason {
		t.Errorf("bytes and reasons: %+v", p.Steps)
	}
}

// BenchmarkNew plans 2,000 images in 20 branches.
func BenchmarkNew(b *testing.B) {
	g := &hierarchy.Graph{}
	store := hierarchy.Store{Manager: hierarchy.Docker}
	for i := range 2000 {
		im := hierarchy.Image{Name: fmt.Sprint("im", i), Tag: "1", Manager: hierarchy.Docker}
		if i%100 == 0 {
			im.Bases = []hierarchy.Need{need("ghcr.io/x/base:1")}
		} else {
			im.Parents = []hierarchy.Need{need(fmt.Sprintf("im%d:1", i-1))}
		}
		g.Images = append(g.Images, im)
		store.Images = append(store.Images, hierarchy.StoredImage{Refs: []string{"docker.io/library/" + im.Ref()}})
	}
	all := plan.Stores{hierarchy.Docker: store}
	for b.Loop() {
		if p := plan.New(g, all); len(p.Steps) != 2001 {
			b.Fatal(len(p.Steps))
		}
	}
}
