package hierarchy_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klmcwhirter/ocisi/hierarchy"
)

func TestRole(t *testing.T) {
	for _, c := range []struct{ name, label, want string }{
		{"go", "go", "go current 0"},
		{"go.ocisi-old", "go", "go waiting 0"},
		{"go.ocisi-1", "go", "go kept 1"},
		{"go.ocisi-20", "go", "go kept 20"},
		{"go.ocisi-back-3", "go", "go waiting 3"},
		{"go.ocisi-back-0", "go", "  0"},
		{"go.ocisi-back-", "go", "  0"},
		{"go.ocisi-0", "go", "  0"},
		{"go.ocisi-01", "go", "  0"},
		{"go.ocisi-+1", "go", "  0"},
		{"go.ocisi-", "go", "  0"},
		{"go.ocisi-older", "go", "  0"},
		{"gopher", "go", "  0"}, // renamed by somebody
		{"my-go", "go", "  0"},  // a clone
		{"go", "", "  0"},
		{"go.ocisi-1", "go.ocisi-1", "go.ocisi-1 current 0"},
	} {
		b := hierarchy.StoredBox{Name: c.name, Labels: map[string]string{hierarchy.LabelBox: c.label}}
		box, role, n := b.Role()
		if got := fmt.Sprint(box, " ", role, " ", n); got != c.want {
			t.Errorf("%s of %q: %q, want %q", c.name, c.label, got, c.want)
		}
	}
}

func TestGenerations(t *testing.T) {
	var boxes []hierarchy.StoredBox
	for _, name := range []string{"go.ocisi-2", "go", "go.ocisi-10", "go.ocisi-old", "zig.ocisi-3", "go.ocisi-9"} {
		of, _, _ := strings.Cut(name, ".")
		boxes = append(boxes, hierarchy.StoredBox{Name: name, Labels: map[string]string{hierarchy.LabelBox: of}})
	}
	var got []string
	for _, b := range hierarchy.Generations(boxes, "go") {
		got = append(got, b.Name)
	}
	if want := []string{"go.ocisi-10", "go.ocisi-9", "go.ocisi-2"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q: the latest first, by number", got, want)
	}
}

// Entries that differ in their box only are one image with several boxes.
func TestBoxesOfOneImage(t *testing.T) {
	g, err := parse(t, `keep: 2
start_timeout: 90s
images:
  - {name: fedora-dev-base, path: fedora, enabled: true, assemble: true, distrobox: one, box: {check: git  --version}}
  - {name: fedora-dev-base, path: fedora, enabled: true, assemble: true, distrobox: two, keep: 0, box: {init: true}}
`).Graph(host)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, im := range g.Images {
		for _, one := range im.Boxes() {
			got = append(got, fmt.Sprint(one.Ref(), " ", one.Box.Name, " ", one.Keep, one.Box.Init, one.Box.Check))
		}
	}
	want := []string{"fedora-dev-base:latest one 2 false [git --version]", "fedora-dev-base:latest two 0 true []"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	for _, name := range []string{"one", "two"} {
		if only, err := g.Only([]string{name}); err != nil || len(only.Images) != 1 {
			t.Errorf("only %s: %v, %v", name, only, err)
		}
	}
	if c := parse(t, "start_timeout: 90s\nimages: []\n"); c.StartTimeout != 90*time.Second || c.Keep != nil {
		t.Errorf("%v, keep %v", c.StartTimeout, c.Keep)
	}
	plain, _ := parse(t, "- {name: fedora-dev-base, path: fedora, enabled: true}\n").Graph(host)
	if plain.Images[0].Keep != hierarchy.DefaultKeep || len(plain.Images[0].Boxes()) != 0 {
		t.Errorf("%+v", plain.Images[0])
	}
}

func TestNotOneImage(t *testing.T) {
	const first = "- {name: fedora-dev-base, path: fedora, enabled: true, assemble: true, distrobox: one}\n"
	for _, second := range []string{
		"- {name: fedora-dev-base, path: fedora, enabled: true, assemble: true, distrobox: two, args: {X: 1}}\n",
		"- {name: fedora-dev-base, path: ./fedora, enabled: true, assemble: true, distrobox: two}\n",
		"- {name: fedora-dev-base, path: fedora, enabled: true, assemble: true, distrobox: two, max_age: 1d}\n",
		"- {name: fedora-dev-base, path: fedora, enabled: true, assemble: true, distrobox: one}\n",
		"- {name: fedora-dev-base, path: fedora, enabled: true}\n",
		"- {name: fedora-dev-base, path: fedora, enabled: false, assemble: true, distrobox: two}\n",
	} {
		c, err := hierarchy.ParseConfig("/c/ocisi.yaml", []byte(first+second))
		if err == nil {
			_, err = c.Graph(host)
		}
		if err == nil || !strings.Contains(err.Error(), "a second image fedora-dev-base:latest; the first is in line 1") {
			t.Errorf("%s: %v", second, err)
		}
	}
}
