package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klmcwhirter/ocisi/hierarchy/engine/enginetest"
)

// story is a command, and a world in which it has something to do.
type story struct {
	verb  string
	args  []string
	goes  []string // boxes that it removes
	begin func(t *testing.T, w *world, registry *loopback)
	least bounds
	// interrupted says that an earlier run was killed: a run that fails may leave what
	// that one left, and one retries a box that cannot be entered.
	interrupted bool
}

func stories() []story {
	first := []string{"deb-dx.ocisi-1", "go-dx.ocisi-1"} // generations
	return []story{
		{verb: "setup", args: []string{"setup", "--yes"}, begin: fresh, least: bounds{
			map[string]int{"disk": 50, "docker": 80, "exec": 33, "podman": 75},
			map[mishap]int{killed: 160, orphaned: 11, refused: 85, cut: 25, silent: 35},
		}},
		{verb: "process", args: []string{"process"}, goes: first, begin: edited, least: bounds{
			map[string]int{"disk": 10, "docker": 135, "exec": 21, "podman": 145},
			map[mishap]int{killed: 190, orphaned: 7, refused: 70, cut: 50, silent: 60},
		}},
		{verb: "recovery", args: []string{"process"}, begin: interrupted, interrupted: true, least: bounds{
			map[string]int{"disk": 0, "docker": 20, "exec": 3, "podman": 20},
			map[mishap]int{killed: 20, orphaned: 1, refused: 5, cut: 5, silent: 5},
		}},
		{verb: "recreate", args: []string{"recreate"}, goes: first, begin: moved, least: bounds{
			map[string]int{"disk": 6, "docker": 140, "exec": 24, "podman": 145},
			map[mishap]int{killed: 200, orphaned: 8, refused: 70, cut: 55, silent: 60},
		}},
		{verb: "clean", args: []string{"clean", "--yes"}, goes: []string{"deb-dx", "deb-dx.ocisi-2", "go-dx.ocisi-2"}, begin: disabled, least: bounds{
			map[string]int{"disk": 2, "docker": 40, "exec": 0, "podman": 55},
			map[mishap]int{killed: 65, orphaned: 0, refused: 20, cut: 18, silent: 18},
		}},
		{verb: "rollback", args: []string{"rollback", "--yes"}, begin: replaced, least: bounds{
			map[string]int{"disk": 4, "docker": 38, "exec": 10, "podman": 34},
			map[mishap]int{killed: 50, orphaned: 3, refused: 20, cut: 14, silent: 18},
		}},
	}
}

// belongings are files of the user that are none of ocisi's business.
func belongings() map[string]string {
	return map[string]string{
		".bashrc":                                "alias ll='ls -l'\n",
		"project/main.go":                        "package main\n",
		".local/bin/mine":                        "#!/bin/sh\necho mine\n",
		".local/bin/gofmt-of-mine":               "#!/bin/sh\n# distrobox_binary\n# name: mine\nexec distrobox-enter -n mine -- gofmt\n",
		".local/share/applications/mine.desktop": "[Desktop Entry]\nName=Mine\n",
	}
}

const config = `
- {name: go-dx, path: img, enabled: true, box: {exported_bins: [/usr/bin/gofmtMORE]}}
- {name: go, path: img, enabled: true}
- {name: deb, path: img, manager: podman, enabled: true}
- {name: deb-dx, path: img, manager: podman, enabled: ENABLED}
`

// configOf is a config whose second box is wanted or not, and whose first exports
// more.
func configOf(enabled, more string) string {
	return strings.NewReplacer("ENABLED", enabled, "MORE", more).Replace(config)
}

// sources are a config with one box on each engine, and one in another config.
func sources(registry *loopback) map[string]string {
	return map[string]string{
		".config/ocisi/ocisi.yaml":             configOf("true", ""),
		".config/ocisi/img/Containerfile.go":   "FROM " + registry.host + "/x/base:1\nRUN install go\n",
		".config/ocisi/img/Containerfile.deb":  "FROM " + registry.host + "/x/base:1\nRUN install deb\n",
		".config/ocisi/img/Containerfile.rust": "FROM ghcr.io/x/foreign:1\nRUN install rust\n",
		".config/ocisi/img/Containerfile.img-dx": "ARG IMG\nARG TAG\nFROM ${IMG}:${TAG}\nARG USER\nARG UID\nARG GID\n" +
			"RUN useradd $USER\n",
		"other.yaml": "- {name: rust, path: .config/ocisi/img, enabled: true}\n- {name: rust-dx, path: .config/ocisi/img, enabled: true}\n",
	}
}

// stock is what an engine has that ocisi did not make: its bases, somebody's
// database, a distrobox made by hand.
func stock(registry *loopback) enginetest.State {
	base := func(digest string, layer string) enginetest.Image {
		return enginetest.Image{
			Refs: []string{registry.host + "/x/base:1"}, Digests: []string{registry.host + "/x/base@" + digest},
			Layers: []enginetest.Layer{{DiffID: "sha256:" + layer, Size: 1_000_000}},
		}
	}
	foreign := enginetest.Image{Refs: []string{"ghcr.io/x/foreign:1"}, Layers: []enginetest.Layer{{DiffID: "sha256:cc", Size: 1_000_000}}}
	return enginetest.State{
		Images: []enginetest.Image{base(registry.digests[0], "aa"), foreign},
		Containers: []enginetest.Container{
			{Name: "db", Image: "ghcr.io/x/foreign:1", State: "running"},
			{Name: "mine", Image: "ghcr.io/x/foreign:1", State: "exited", Labels: map[string]string{"manager": "distrobox"}},
		},
		Registry: []enginetest.Image{base(registry.digests[1], "bb")},
	}
}

// stocked has engines with these.
func (w *world) stocked(t *testing.T, docker, podman enginetest.State) {
	t.Helper()
	for name, state := range map[string]enginetest.State{"docker": docker, "podman": podman} {
		text, err := json.Marshal(state)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(w.dir, name+".json"), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	w.server.Close()
	w.open(t)
}

// must runs an ocisi that ends well.
func (w *world) must(t *testing.T, args ...string) {
	t.Helper()
	if r := w.run(fate{}, args...); r.status != 0 {
		t.Fatalf("ocisi %s: status %d\n%s", strings.Join(args, " "), r.status, r.out)
	}
}

// processed is a world in which all is done, and each box has a generation.
func processed(t *testing.T, w *world, registry *loopback) {
	t.Helper()
	w.stocked(t, stock(registry), stock(registry))
	w.write(t, belongings())
	w.write(t, sources(registry))
	w.must(t, "-f", "other.yaml", "process")
	const layer = ".config/ocisi/img/Containerfile.img-dx"
	w.write(t, map[string]string{layer: sources(registry)[layer] + "RUN early\n"})
	w.must(t, "process")
	w.write(t, sources(registry))
	w.must(t, "process")
}

// edited is one in which the user has changed what both boxes are made from.
func edited(t *testing.T, w *world, registry *loopback) {
	processed(t, w, registry)
	changed := sources(registry)
	for _, name := range []string{"go", "deb"} {
		name = ".config/ocisi/img/Containerfile." + name
		w.write(t, map[string]string{name: changed[name] + "RUN install more\n"})
	}
	w.write(t, map[string]string{".config/ocisi/ocisi.yaml": configOf("true", ", /usr/bin/gopls")})
}

// moved is one in which the base has a newer version.
func moved(t *testing.T, w *world, registry *loopback) {
	processed(t, w, registry)
	if err := registry.push(1); err != nil {
		t.Fatal(err)
	}
}

// replaced is one in which there is something to go back to.
func replaced(t *testing.T, w *world, registry *loopback) {
	edited(t, w, registry)
	w.must(t, "process")
}

// interrupted is one in which a run was killed after it had created new boxes that
// work: the old ones wait under another name.
func interrupted(t *testing.T, w *world, registry *loopback) {
	replaced(t, w, registry)
	docker, podman := w.server.Docker(), w.server.Podman()
	for _, all := range [][]enginetest.Container{docker.Containers, podman.Containers} {
		for i := range all {
			all[i].Name = strings.Replace(all[i].Name, ".ocisi-2", ".ocisi-old", 1)
		}
	}
	w.stocked(t, docker, podman)
}

// disabled is one in which a box is not wanted any more, nor are older images.
func disabled(t *testing.T, w *world, registry *loopback) {
	edited(t, w, registry)
	w.must(t, "process", "--skip-clean")
	w.write(t, map[string]string{".config/ocisi/ocisi.yaml": configOf("false", ", /usr/bin/gopls")})
}

// fresh is one in which there is no ocisi yet.
func fresh(t *testing.T, w *world, registry *loopback) {
	docker, podman := stock(registry), stock(registry)
	docker.Registry = []enginetest.Image{{Refs: []string{"ghcr.io/ublue-os/fedora-toolbox:latest"}, Layers: []enginetest.Layer{{DiffID: "sha256:dd", Size: 1_000_000}}}}
	podman.Registry = []enginetest.Image{{Refs: []string{"ghcr.io/ublue-os/debian-toolbox:latest"}, Layers: []enginetest.Layer{{DiffID: "sha256:ee", Size: 1_000_000}}}}
	w.stocked(t, docker, podman)
	w.write(t, belongings())
	w.write(t, map[string]string{".config/ocisi/debian/Containerfile.debian": "# mine\nFROM ghcr.io/ublue-os/debian-toolbox:latest\nRUN mine\n"})
}

// harmless tells the failures that a run gets over; it has done its work then,
// which is checked. What it only asks may fail, too, as long as that is so.
func harmless(f fate) bool {
	_, request, _ := strings.Cut(f.At.Op, " ")
	switch {
	case strings.HasPrefix(request, "DELETE /images/"):
		return true // of what is superseded: it costs room, and clean finds it
	case strings.HasSuffix(request, "/kill"):
		return true // before a removal, which does it, too
	case f.At.When == after && (strings.HasSuffix(request, "/rename") || strings.HasSuffix(request, "/stop")):
		return true // ocisi looks whether it was done
	}
	return false
}
