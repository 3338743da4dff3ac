package plan_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/plan"
)

// Images that were built before there were settings of dev containers are built
// once more; a wish that changes builds the thin layers below it, and no box.
func TestDevContainerSettings(t *testing.T) {
	w := newWorld(t)
	w.registry["ghcr.io/x/base:1"] = sum("base")
	w.image("go", "FROM ghcr.io/x/base:1\n")
	w.image("go-dx", "FROM go:1\nARG IMG\nARG TAG\nARG USER\nARG UID\nARG GID\n")
	w.files["d/Containerfile.img-dx"] = w.files["d/Containerfile.go-dx"]
	w.run(w.plan(plan.Options{}), nil)
	w.settled(plan.Options{}, "without a home")
	for _, c := range []struct{ home, wish, reason string }{
		{"/home/u", "", "dev container settings are new"},
		{"/home/u", "devcontainer: {env: {A: 1}}", "dev container settings changed"},
		{"/home/u", "devcontainer: {env: {A: 2}}", "dev container settings changed"},
		{"/home/v", "devcontainer: {env: {A: 2}}", "dev container settings changed"},
	} {
		w.home = c.home
		w.config = strings.Replace(w.config, "enabled: true\n"+wishOf(w.config), "enabled: true\n", 1)
		if c.wish != "" {
			w.config = strings.Replace(w.config, "enabled: true\n", "enabled: true\n  "+c.wish+"\n", 1)
		}
		p := w.plan(plan.Options{})
		if got, want := reasons(p), "rebuild go-dx:1: "+c.reason+"\n"; !strings.Contains(got, want) || strings.Contains(got, "rebuild go:1") {
			t.Errorf("%s %s: got\n%swant\n%s", c.home, c.wish, got, want)
		}
		if did := w.run(p, nil); !slices.Equal(did, []string{"go-dx:1"}) {
			t.Errorf("%s %s: did %q", c.home, c.wish, did)
		}
		w.settled(plan.Options{}, c.reason)
	}
}

// wishOf returns the line of the first wish.
func wishOf(config string) string {
	for line := range strings.Lines(config) {
		if strings.Contains(line, "devcontainer:") {
			return line
		}
	}
	return ""
}

// An image that two configs share is as the one that built it wants it: their
// boxes have names of their own, and the label has one.
func TestDevContainerOfTwoConfigs(t *testing.T) {
	w := newWorld(t)
	w.registry["ghcr.io/x/base:1"] = sum("base")
	w.image("go-dx", "")
	w.files["d/Containerfile.img-dx"] = "FROM ghcr.io/x/base:1\nARG IMG\nARG TAG\nARG USER\nARG UID\nARG GID\n"
	w.home = "/home/u"
	w.run(w.plan(plan.Options{}), nil)
	w.config = strings.Replace(w.config, "enabled: true\n", "enabled: true\n  devcontainer: {env: {A: 1}}\n", 1)
	for exists, want := range map[bool]string{true: "", false: "rebuild go-dx:1: dev container settings changed\n"} {
		got := reasons(plan.New(w.graph(), plan.Stores{hierarchy.Docker: w.store}, plan.Options{
			Now: w.now, Config: "/other.yaml", Exists: func(string) bool { return exists },
		}))
		if !strings.Contains(got, want) || exists && strings.Contains(got, "go-dx:1") {
			t.Errorf("the other config is there: %t: got\n%s", exists, got)
		}
	}
}
