package plan_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/plan"
)

// small is base ← tools ← go ← godx (with a box) and tools ← zig, all built.
func small(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.registry["ghcr.io/x/base:1"] = sum("base")
	w.image("tools", "FROM ghcr.io/x/base:1\nCOPY build.sh share /\n")
	w.image("go", "FROM tools:1\nARG V\n", `args: {V: "0.14"}`)
	w.image("godx", "FROM go:1\n", "assemble: true", "distrobox: gobox", "box: {exported_bins: [/usr/bin/go]}")
	w.image("zig", "FROM tools:1\n")
	w.files["d/build.sh"] = "make"
	w.files["d/share/a"], w.files["d/share/b"] = "a", "b"
	w.run(w.plan(plan.Options{}), nil)
	w.settled(plan.Options{}, "the first run")
	return w
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
	w := small(t)
	p := plan.New(w.graph(), plan.Stores{}, plan.Options{})
	want := `pull docker base ghcr.io/x/base:1
build docker image tools:1 <base ghcr.io/x/base:1
build docker image go:1 <image tools:1
build docker image godx:1 <image go:1
create docker box gobox <image godx:1
build docker image zig:1 <image tools:1
`
	if got := text(p); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if p.Changes() != 6 || p.Count(plan.Image) != 4 {
		t.Errorf("%d changes, %d images", p.Changes(), p.Count(plan.Image))
	}
	if !strings.Contains(reasons(p), "build tools:1: image is not in the store\n") {
		t.Error(reasons(p))
	}
}

// Every reason, in the words that people read.
func TestReasons(t *testing.T) {
	const rest = "rebuild go:1: parent tools is rebuilt\nrebuild godx:1: parent go is rebuilt\n" +
		"recreate gobox: image godx is rebuilt; box kept if its layers do not change\nrebuild zig:1: parent tools is rebuilt\n"
	const below = "rebuild godx:1: parent go is rebuilt\nrecreate gobox: image godx is rebuilt; box kept if its layers do not change\n"
	label := func(w *world, ref, key, value string) {
		im, _ := w.store.Image("docker.io/library/" + ref)
		im.Labels[key] = value
	}
	base := func(w *world) *hierarchy.StoredImage { return &w.store.Images[0] }
	for _, c := range []struct {
		name    string
		change  func(w *world)
		options plan.Options
		want    string
	}{
		{"nothing", func(*world) {}, plan.Options{Refresh: true}, ""},
		{"Containerfile", func(w *world) { w.files["d/Containerfile.zig"] += "RUN more" }, plan.Options{}, "rebuild zig:1: Containerfile changed\n"},
		{"comment", func(w *world) {
			w.files["d/Containerfile.zig"] = "# a tool\n\n" + w.files["d/Containerfile.zig"] + "# the end\n"
		}, plan.Options{}, ""},
		{"unrelated file", func(w *world) { w.files["d/README"] = "#" }, plan.Options{}, ""},
		{"a file", func(w *world) { w.files["d/build.sh"] += "#" }, plan.Options{}, "rebuild tools:1: build.sh changed\n" + rest},
		{"two files", func(w *world) { w.files["d/build.sh"] += "#"; w.files["d/share/a"] += "#" }, plan.Options{}, "rebuild tools:1: build.sh and share/a changed\n" + rest},
		{"a file less", func(w *world) { delete(w.files, "d/share/a") }, plan.Options{}, "rebuild tools:1: share/a is gone\n" + rest},
		{"a file more", func(w *world) { w.files["d/share/c"] = "c" }, plan.Options{}, "rebuild tools:1: share/c is new\n" + rest},
		{"three files", func(w *world) { w.files["d/build.sh"] += "#"; w.files["d/share/a"] += "#"; w.files["d/share/c"] = "c" }, plan.Options{},
			"rebuild tools:1: build.sh, share/a and share/c changed\n" + rest},
		{"four files", func(w *world) {
			w.files["d/build.sh"] += "#"
			w.files["d/share/a"], w.files["d/share/b"], w.files["d/share/c"] = "", "", ""
		}, plan.Options{}, "rebuild tools:1: files of the build context changed\n" + rest},
		{"more files than are named", func(w *world) {
			for i := range 1000 {
				w.files[fmt.Sprint("d/share/", i)] = "1"
			}
			w.run(w.plan(plan.Options{}), nil)
			w.files["d/share/a"] += "#"
		}, plan.Options{}, "rebuild tools:1: files of the build context changed\n" + rest},
		{"parent", func(w *world) { w.files["d/Containerfile.zig"] = "FROM go:1\n" }, plan.Options{}, "rebuild zig:1: Containerfile changed; parent go:1 is new\n"},
		{"argument", func(w *world) { w.config = strings.Replace(w.config, "0.14", "0.15", 1) }, plan.Options{}, "rebuild go:1: argument V: 0.14 → 0.15\n" + below},
		{"argument gone", func(w *world) { w.config = strings.Replace(w.config, `args: {V: "0.14"}`, "", 1) }, plan.Options{}, "rebuild go:1: argument V is gone\n" + below},
		{"argument new", func(w *world) {
			label(w, "go:1", hierarchy.LabelInputs, strings.Replace(w.inputs("go:1"), `"V"`, `"W"`, 1))
		}, plan.Options{}, "rebuild go:1: argument V is new: 0.14; argument W is gone\n" + below},
		{"labels of an older form", func(w *world) { label(w, "go:1", hierarchy.LabelInputs, "{}") }, plan.Options{}, "rebuild go:1: its labels do not contain its inputs\n" + below},
		{"labels of the other engine", func(w *world) {
			label(w, "zig:1", hierarchy.LabelInputs, strings.Replace(w.inputs("zig:1"), "docker", "podman", 1))
		}, plan.Options{}, "rebuild zig:1: built by podman\n"},
		{"tag", func(w *world) { w.untag("docker.io/library/zig:1") }, plan.Options{}, "build zig:1: image is not in the store\n"},
		{"tag of a box's image", func(w *world) { w.untag("docker.io/library/godx:1") }, plan.Options{}, "build godx:1: tag is missing\nrecreate gobox: image godx is rebuilt; box kept if its layers do not change\n"},
		{"tag of a parent", func(w *world) { w.untag("docker.io/library/go:1") }, plan.Options{}, ""},
		{"parent of one without its tag, built anew", func(w *world) {
			w.run(w.plan(plan.Options{Force: true}, "zig"), nil)
			w.untag("docker.io/library/go:1")
		}, plan.Options{}, "build go:1: tag is missing\nrebuild godx:1: parent go is rebuilt\nrecreate gobox: image godx is rebuilt; box kept if its layers do not change\n"},
		{"parent of one without its tag, about to be built anew", func(w *world) {
			w.untag("docker.io/library/go:1")
			w.files["d/Containerfile.tools"] += "RUN more"
		}, plan.Options{}, "rebuild tools:1: Containerfile changed\nbuild go:1: it or its parents changed since godx was built; parent tools is rebuilt; tag is missing\n" +
			"rebuild godx:1: parent go has changed; parent go is rebuilt\nrecreate gobox: image godx is rebuilt; box kept if its layers do not change\nrebuild zig:1: parent tools is rebuilt\n"},
		{"tag of a parent that is needed", func(w *world) { w.untag("docker.io/library/go:1"); w.files["d/Containerfile.godx"] += "RUN more" }, plan.Options{},
			"build go:1: tag is missing\nrebuild godx:1: Containerfile changed; parent go is rebuilt\nrecreate gobox: image godx is rebuilt; box kept if its layers do not change\n"},
		{"Containerfile of a parent without its tag", func(w *world) { w.untag("docker.io/library/go:1"); w.files["d/Containerfile.go"] += "RUN more" }, plan.Options{},
			"build go:1: it or its parents changed since godx was built; tag is missing\nrebuild godx:1: parent go has changed; parent go is rebuilt\nrecreate gobox: image godx is rebuilt; box kept if its layers do not change\n"},
		{"files of a parent of one without its tag", func(w *world) { w.untag("docker.io/library/go:1"); w.files["d/build.sh"] += "#" }, plan.Options{},
			"rebuild tools:1: build.sh changed\nbuild go:1: it or its parents changed since godx was built; parent tools is rebuilt; tag is missing\nrebuild godx:1: parent go has changed; parent go is rebuilt\n" +
				"recreate gobox: image godx is rebuilt; box kept if its layers do not change\nrebuild zig:1: parent tools is rebuilt\n"},
		{"labels of an older form on a child of one without its tag", func(w *world) {
			w.untag("docker.io/library/go:1")
			label(w, "godx:1", hierarchy.LabelInputs, "{}")
		}, plan.Options{}, "build go:1: image is not in the store\nrebuild godx:1: its labels do not contain its inputs; parent go is rebuilt\n" +
			"recreate gobox: image godx is rebuilt; box kept if its layers do not change\n"},
		{"parent built by somebody else", func(w *world) { w.store.Images[2].ID = "sha256:new" }, plan.Options{}, strings.Replace(below, "is rebuilt\n", "was rebuilt\n", 1)},
		{"base, not asked for", func(w *world) { w.registry["ghcr.io/x/base:1"] = sum("new") }, plan.Options{}, ""},
		{"base", func(w *world) { w.registry["ghcr.io/x/base:1"] = sum("new") }, plan.Options{Refresh: true},
			"pull ghcr.io/x/base:1: moved: 5e1a7b63c0e6 → 8ef26db7bc7e\nrebuild tools:1: base ghcr.io/x/base:1 moved: 5e1a7b63c0e6 → 8ef26db7bc7e\n" + rest},
		{"base pulled by hand", func(w *world) {
			base(w).ID, base(w).Digests = "sha256:1234567890abcdef", []string{"ghcr.io/x/base@sha256:abcdef1234567890"}
		}, plan.Options{},
			"rebuild tools:1: base ghcr.io/x/base:1 moved: 5e1a7b63c0e6 → abcdef123456\n" + rest},
		{"base built by hand", func(w *world) { base(w).ID, base(w).Digests = "sha256:1234567890abcdef", nil }, plan.Options{},
			"rebuild tools:1: base ghcr.io/x/base:1 changed: ID → 1234567890ab\n" + rest},
		{"base under another name of its registry", func(w *world) { base(w).Digests = []string{"ghcr.io/x/base@sha256:abcdef1234567890"} }, plan.Options{}, ""},
		{"base of the same digest for another platform", func(w *world) { base(w).ID = "sha256:1234567890abcdef" }, plan.Options{},
			"rebuild tools:1: base ghcr.io/x/base:1 changed: ID → 1234567890ab\n" + rest},
		{"base of a parent without its tag", func(w *world) {
			w.untag("docker.io/library/tools:1")
			w.registry["ghcr.io/x/base:1"] = sum("new")
		}, plan.Options{Refresh: true}, "pull ghcr.io/x/base:1: moved: 5e1a7b63c0e6 → 8ef26db7bc7e\nbuild tools:1: tag is missing; base ghcr.io/x/base:1 moved: 5e1a7b63c0e6 → 8ef26db7bc7e\n" + rest},
		{"base of a foreign parent", func(w *world) {
			label(w, "tools:1", hierarchy.LabelImage, "other:1")
			w.registry["ghcr.io/x/base:1"] = sum("new")
		}, plan.Options{Refresh: true}, "pull ghcr.io/x/base:1: moved: 5e1a7b63c0e6 → 8ef26db7bc7e\nrefuse tools:1: name taken by an image that ocisi did not build\n" +
			"rebuild go:1: base ghcr.io/x/base:1 moved: 5e1a7b63c0e6 → 8ef26db7bc7e\n" + below + "rebuild zig:1: base ghcr.io/x/base:1 moved: 5e1a7b63c0e6 → 8ef26db7bc7e\n"},
		{"base removed and moved", func(w *world) { w.store.Images = w.store.Images[1:]; w.registry["ghcr.io/x/base:1"] = sum("new") }, plan.Options{Refresh: true},
			"pull ghcr.io/x/base:1: moved: 5e1a7b63c0e6 → 8ef26db7bc7e\nrebuild tools:1: base ghcr.io/x/base:1 moved: 5e1a7b63c0e6 → 8ef26db7bc7e\n" + rest},
		{"base removed", func(w *world) { w.untag("ghcr.io/x/base:1"); w.store.Images = w.store.Images[1:] }, plan.Options{}, ""},
		{"base removed and needed", func(w *world) { w.store.Images = w.store.Images[1:]; w.files["d/build.sh"] += "#" }, plan.Options{},
			"pull ghcr.io/x/base:1: base is not in the store; the same one again, 5e1a7b63c0e6\nrebuild tools:1: build.sh changed\n" + rest},
		{"lock", func(w *world) { w.pins["ghcr.io/x/base:1"] = sum("base") }, plan.Options{}, ""},
		{"lock of a base that is gone", func(w *world) { w.pins["ghcr.io/x/base:1"] = sum("base"); w.store.Images = w.store.Images[1:] }, plan.Options{}, ""},
		{"lock of a base that had no digest", func(w *world) {
			label(w, "tools:1", hierarchy.LabelInputs, strings.Replace(w.inputs("tools:1"), sum("base"), "", 1))
			w.pins["ghcr.io/x/base:1"] = sum("new")
		}, plan.Options{}, "pull ghcr.io/x/base:1: base is not in the store; locked to 8ef26db7bc7e\nrebuild tools:1: base ghcr.io/x/base:1 changed\n" + rest},
		{"lock of another", func(w *world) { w.pins["ghcr.io/x/base:1"] = sum("new") }, plan.Options{},
			"pull ghcr.io/x/base:1: base is not in the store; locked to 8ef26db7bc7e\nrebuild tools:1: base ghcr.io/x/base:1 moved: 5e1a7b63c0e6 → 8ef26db7bc7e\n" + rest},
		{"override", func(w *world) { w.head = "bases: {\"ghcr.io/x/base:1\": localhost/my:2}\n" }, plan.Options{},
			"pull localhost/my:2: base is not in the store\nrebuild tools:1: base localhost/my:2 is new\n" + rest},
		{"force", func(*world) {}, plan.Options{Force: true}, "rebuild tools:1: forced\nrebuild go:1: forced; parent tools is rebuilt\nrebuild godx:1: forced; parent go is rebuilt\n" +
			"recreate gobox: image godx is rebuilt; box kept if its layers do not change\nrebuild zig:1: forced; parent tools is rebuilt\n"},
		{"foreign image", func(w *world) { label(w, "zig:1", hierarchy.LabelImage, "tools:1") }, plan.Options{}, "refuse zig:1: name taken by an image that ocisi did not build\n"},
		{"foreign image of a box", func(w *world) {
			w.store.Images[3].ID, w.store.Images[3].Content = "sha256:other", "other"
			label(w, "godx:1", hierarchy.LabelImage, "other:1")
		}, plan.Options{}, "refuse godx:1: name taken by an image that ocisi did not build\n"},
		{"foreign image between", func(w *world) {
			label(w, "go:1", hierarchy.LabelImage, "other:1")
			w.files["d/Containerfile.tools"] += "RUN more"
		}, plan.Options{},
			"rebuild tools:1: Containerfile changed\nrefuse go:1: name taken by an image that ocisi did not build\nrebuild zig:1: parent tools is rebuilt\n"},
		{"foreign image of a parent's parent", func(w *world) {
			w.store.Images[1].ID = "sha256:other"
			label(w, "tools:1", hierarchy.LabelImage, "other:1")
		}, plan.Options{}, "refuse tools:1: name taken by an image that ocisi did not build\n"},
		{"box", func(w *world) { w.store.Boxes = nil }, plan.Options{}, "create gobox: box does not exist\n"},
		{"box spec", func(w *world) { w.config = strings.Replace(w.config, "box: {", "box: {hostname: go, ", 1) }, plan.Options{}, "recreate gobox: box spec changed: hostname\n"},
		{"box of root, which docker has with all others", func(w *world) { w.config = strings.Replace(w.config, "box: {", "box: {root: true, ", 1) }, plan.Options{}, "recreate gobox: box spec changed: root\n"},
		{"box of an older ocisi", func(w *world) { w.store.Boxes[0].Labels[hierarchy.LabelSpec] = "0123456789abcdef" }, plan.Options{}, "recreate gobox: its labels do not contain its spec\n"},
		{"box of an older image", func(w *world) { w.runs("sha256:old", "old") }, plan.Options{}, "recreate gobox: box runs an older image\n"},
		{"box of an image that is gone", func(w *world) { w.runs("sha256:old", "") }, plan.Options{}, "recreate gobox: box runs an older image\n"},
		{"box of an image that is gone, and nobody asked about this one", func(w *world) {
			w.runs("sha256:old", "")
			w.store.Images[3].Content = ""
		}, plan.Options{}, "recreate gobox: box runs an older image\n"},
		{"box of the same layers", func(w *world) { w.runs("sha256:old", w.store.Boxes[0].Content) }, plan.Options{}, ""},
		{"box without its launcher", func(w *world) { w.store.Boxes[0].Lacks = []string{"/home/u/.local/bin/go"} }, plan.Options{}, "export gobox: missing: /home/u/.local/bin/go\n"},
		{"other box without its launcher", func(w *world) {
			w.store.Boxes[0].Lacks = []string{"/home/u/.local/bin/go"}
			w.config = strings.Replace(w.config, "box: {", "box: {hostname: go, ", 1)
		}, plan.Options{}, "recreate gobox: box spec changed: hostname\n"},
		{"box from docker commit", func(w *world) { w.store.Boxes[0].ImageID = "sha256:backup" }, plan.Options{}, "refuse gobox: not made by ocisi: image and label ocisi.image-id differ\n"},
		{"box without the ID of its image", func(w *world) { delete(w.store.Boxes[0].Labels, hierarchy.LabelImageID) }, plan.Options{}, "refuse gobox: a box of this name was made by an old version of ocisi or by another program\n"},
		{"box of another user", func(w *world) { w.store.Boxes[0].Labels[hierarchy.LabelUID] = "1001" }, plan.Options{UID: 1000}, "refuse gobox: box belongs to UID 1001\n"},
		{"box of this user", func(w *world) { w.store.Boxes[0].Labels[hierarchy.LabelUID] = "1000" }, plan.Options{UID: 1000}, ""},
		{"another user's box waits", func(w *world) {
			w.store.Boxes[0].Name = "gobox.ocisi-old"
			w.store.Boxes[0].Labels[hierarchy.LabelUID] = "1001"
		}, plan.Options{UID: 1000}, "refuse gobox: gobox.ocisi-old: box belongs to UID 1001\n"},
		{"another config's box waits", func(w *world) {
			w.store.Boxes[0].Name = "gobox.ocisi-old"
			w.store.Boxes[0].Labels[hierarchy.LabelConfig] = "/there.yaml"
		}, plan.Options{Exists: func(string) bool { return true }}, "refuse gobox: gobox.ocisi-old: a box of /there.yaml has this name\n"},
		{"foreign box", func(w *world) { w.store.Boxes[0].Labels = map[string]string{"manager": "distrobox"} }, plan.Options{}, "refuse gobox: a box of this name was not made by ocisi\n"},
		{"box left aside", func(w *world) {
			w.store.Boxes = append(w.store.Boxes, hierarchy.StoredBox{Name: "gobox.ocisi-old", ImageID: w.store.Boxes[0].ImageID, Labels: w.store.Boxes[0].Labels})
		}, plan.Options{}, "recreate gobox: an earlier run was stopped: gobox.ocisi-old is left of it\n"},
		{"only a box left aside", func(w *world) { w.store.Boxes[0].Name = "gobox.ocisi-old" }, plan.Options{}, "recreate gobox: an earlier run was stopped: gobox.ocisi-old is left of it\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := small(t)
			id := short(w.store.Images[0].ID)
			c.change(w)
			want := strings.NewReplacer("UID", "UID", "5e1a7b63c0e6", short(sum("base")), "8ef26db7bc7e", short(sum("new")), "ID", id).Replace(c.want)
			p := w.plan(c.options)
			if got := reasons(p); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func (w *world) inputs(ref string) string {
	im, _ := w.store.Image("docker.io/library/" + ref)
	return im.Labels[hierarchy.LabelInputs]
}

func short(digest string) string { return strings.TrimPrefix(digest, "sha256:")[:12] }

// What bears the label of another config is left to that one, as long as the
// config is there and wants something else.
func TestOtherConfigs(t *testing.T) {
	const other = "/other.yaml"
	p := func(w *world, exists bool) string {
		return reasons(plan.New(w.graph(), plan.Stores{hierarchy.Docker: w.store}, plan.Options{
			Now: w.now, Config: "/c/ocisi.yaml", Exists: func(config string) bool { return config == other && exists },
		}))
	}
	w := small(t)
	if got := p(w, true); got != "" {
		t.Errorf("got\n%s", got)
	}
	zig, _ := w.store.Image("docker.io/library/zig:1")
	zig.Labels[hierarchy.LabelConfig] = other
	w.store.Boxes[0].Labels[hierarchy.LabelConfig] = other
	if got := p(w, true); got != "" {
		t.Errorf("both want the same, and yet:\n%s", got)
	}
	w.files["d/Containerfile.zig"] += "RUN more"
	w.config = strings.Replace(w.config, "box: {", "box: {hostname: go, ", 1)
	if got, want := p(w, true), "recreate"; strings.Contains(got, want) ||
		got != "refuse gobox: a box of /other.yaml has this name\nrefuse zig:1: an image of /other.yaml holds this name\n" {
		t.Errorf("got\n%s", got)
	}
	if got, want := p(w, false), "recreate gobox: box spec changed: hostname\nrebuild zig:1: Containerfile changed\n"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	// What is built from it waits, and is not built for its sake.
	tools, _ := w.store.Image("docker.io/library/tools:1")
	tools.Labels[hierarchy.LabelConfig] = other
	w.files["d/build.sh"] += "#"
	if got := p(w, true); !strings.Contains(got, "refuse tools:1: ") || strings.Contains(got, "parent tools") {
		t.Errorf("got\n%s", got)
	}
}

// Clones and renamed boxes have the label of the box that they were, and are
// the user's.
func TestClonesAreTheUsers(t *testing.T) {
	w := small(t)
	clone := w.store.Boxes[0]
	clone.Name = "clone"
	w.store.Boxes = append(w.store.Boxes, clone)
	w.settled(plan.Options{}, "a clone")
	w.store.Boxes = []hierarchy.StoredBox{clone}
	if got := reasons(w.plan(plan.Options{})); got != "create gobox: box does not exist\n" {
		t.Errorf("got\n%s", got)
	}
	clone.Name = "gobox"
	clone.Labels = map[string]string{hierarchy.LabelBox: "another"}
	w.store.Boxes = []hierarchy.StoredBox{clone}
	if got := reasons(w.plan(plan.Options{})); got != "refuse gobox: a box of this name was not made by ocisi\n" {
		t.Errorf("got\n%s", got)
	}
	w.store.Boxes = nil
	w.store.Others = []string{"web", "gobox"}
	if got := reasons(w.plan(plan.Options{})); got != "refuse gobox: a container of this name is no box\n" {
		t.Errorf("got\n%s", got)
	}
}

// What is kept says why, too.
func TestKept(t *testing.T) {
	target := plan.Target{Kind: plan.Base, Manager: hierarchy.Docker, Name: "ghcr.io/x/base:1"}
	for _, c := range []struct {
		name   string
		change func(w *world)
		remote map[plan.Target]plan.Remote
		want   string
	}{
		{"not asked", func(*world) {}, nil, "keep ghcr.io/x/base:1: base is in the store"},
		{"not pulled, not asked", func(w *world) { w.store.Images[0].Digests = nil }, nil, "keep ghcr.io/x/base:1: base is in the store"},
		{"not pulled", func(w *world) { w.store.Images[0].Digests = nil }, map[plan.Target]plan.Remote{}, "keep ghcr.io/x/base:1: base was built here, so no registry is asked"},
		{"asked about others", func(*world) {}, map[plan.Target]plan.Remote{}, "keep ghcr.io/x/base:1: base is in the store"},
		{"asked", func(*world) {}, map[plan.Target]plan.Remote{target: {Digest: sum("base")}}, "keep ghcr.io/x/base:1: its registry has the same one"},
		{"offline", func(*world) {}, map[plan.Target]plan.Remote{target: {Err: errors.New("no route to host")}}, "keep ghcr.io/x/base:1: unknown, kept: no route to host"},
		{"locked", func(w *world) { w.pins[target.Name] = sum("base") }, nil, "keep ghcr.io/x/base:1: locked to " + short(sum("base"))},
		{"locked, moved", func(w *world) { w.pins[target.Name] = sum("base") }, map[plan.Target]plan.Remote{target: {Digest: sum("new"), Moved: true}},
			"keep ghcr.io/x/base:1: locked to " + short(sum("base")) + "; its registry has " + short(sum("new"))},
		{"base removed", func(w *world) { w.store.Images = w.store.Images[1:] }, nil, "skip ghcr.io/x/base:1: base is not pulled, and not needed now"},
		{"tag of a parent", func(w *world) { w.untag("docker.io/library/go:1") }, nil, "skip go:1: tag is missing, and not missed: godx has its layers"},
		{"tag of a parent's parent", func(w *world) { w.untag("docker.io/library/tools:1"); w.untag("docker.io/library/go:1") }, nil,
			"skip tools:1: tag is missing, and not missed: godx has its layers"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := small(t)
			c.change(w)
			p := plan.New(w.graph(), plan.Stores{hierarchy.Docker: w.store}, plan.Options{Now: w.now, Remote: c.remote})
			var got []string
			for _, s := range p.Steps {
				got = append(got, fmt.Sprintf("%s %s: %s", s.Action, s.Name, s.Reason))
			}
			if !strings.Contains(strings.Join(got, "\n")+"\n", c.want+"\n") || p.Changes() != 0 {
				t.Errorf("%q is not in\n%s", c.want, strings.Join(got, "\n"))
			}
		})
	}
}

// A box of root's podman is compared with what root's store has.
func TestRootBox(t *testing.T) {
	w := small(t)
	g := w.graph()
	for i := range g.Images {
		g.Images[i].Manager, g.Images[i].Inputs.Manager = hierarchy.Podman, hierarchy.Podman
		if g.Images[i].Box != nil {
			g.Images[i].Box.Root = true
		}
	}
	box := func(store hierarchy.Store) string {
		p := plan.New(g, plan.Stores{hierarchy.Podman: store}, plan.Options{})
		return string(p.Steps[4].Action) + " " + p.Steps[4].Reason
	}
	if got := box(hierarchy.Store{RootUnknown: true}); !strings.HasPrefix(got, "recreate a box of root's podman") {
		t.Errorf("got %s", got)
	}
	mine := []hierarchy.StoredBox{{ID: "1", Name: "gobox", ImageID: "2", Labels: map[string]string{hierarchy.LabelImageID: "2", hierarchy.LabelBox: "gobox", hierarchy.LabelSpec: g.Images[2].Box.Spec()}}}
	if got := box(hierarchy.Store{Boxes: mine}); got != "create box does not exist" {
		t.Errorf("got %s", got)
	}
	if got := box(hierarchy.Store{RootBoxes: mine}); !strings.HasPrefix(got, "recreate image godx is rebuilt") {
		t.Errorf("got %s", got)
	}
}

// A build keeps the age of the steps that it takes from the cache.
func TestFresh(t *testing.T) {
	w := small(t)
	then := w.now
	w.now = then.Add(time.Hour)
	w.files["d/Containerfile.zig"] += "RUN more"
	p := w.plan(plan.Options{})
	if s := p.Steps[len(p.Steps)-1]; !s.Fresh.Equal(then) || s.NoCache {
		t.Errorf("%s: fresh %v, no cache %v", s.Name, s.Fresh, s.NoCache)
	}
	p = w.plan(plan.Options{Force: true})
	if s := p.Steps[len(p.Steps)-1]; !s.Fresh.IsZero() || !s.NoCache {
		t.Errorf("%s: fresh %v, no cache %v", s.Name, s.Fresh, s.NoCache)
	}
}

// BenchmarkNew plans 2,000 images in 20 branches, all of which are there.
func BenchmarkNew(b *testing.B) {
	for _, n := range []int{200, 2000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			g, all := large(b, n)
			for b.Loop() {
				if p := plan.New(g, all, plan.Options{}); p.Changes() != 0 {
					b.Fatal(reasons(p))
				}
			}
		})
	}
}

// large returns a graph of n images and a store in which they are up to date.
func large(tb testing.TB, n int) (*hierarchy.Graph, plan.Stores) {
	tb.Helper()
	g := &hierarchy.Graph{}
	store := hierarchy.Store{Manager: hierarchy.Docker, Images: []hierarchy.StoredImage{{ID: "base", Refs: []string{"ghcr.io/x/base:1"}}}}
	for i := range n {
		im := hierarchy.Image{Name: fmt.Sprint("im", i), Tag: "1", Manager: hierarchy.Docker}
		im.Inputs = hierarchy.Inputs{Version: 1, Bases: map[string]hierarchy.Base{"ghcr.io/x/base:1": {}}}
		if i%100 == 0 {
			im.Bases = []hierarchy.Need{{Ref: "ghcr.io/x/base:1", As: "ghcr.io/x/base:1"}}
		} else {
			parent := fmt.Sprintf("im%d:1", i-1)
			im.Parents = []hierarchy.Need{{Ref: parent, As: parent}}
			im.Inputs.Parents = map[string]hierarchy.Parent{parent: {}}
		}
		made := im.Inputs
		made.Bases = map[string]hierarchy.Base{"ghcr.io/x/base:1": {ID: "base"}}
		made.Parents = map[string]hierarchy.Parent{}
		for ref := range im.Inputs.Parents {
			made.Parents[ref] = hierarchy.Parent{ID: fmt.Sprint(i - 1)}
		}
		g.Images = append(g.Images, im)
		store.Images = append(store.Images, hierarchy.StoredImage{ID: fmt.Sprint(i), Refs: []string{"docker.io/library/" + im.Ref()}, Labels: map[string]string{
			hierarchy.LabelImage: im.Ref(), hierarchy.LabelInputs: made.String(),
		}})
	}
	return g, plan.Stores{hierarchy.Docker: store}
}
