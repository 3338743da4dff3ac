package plan_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/plan"
)

// twice is small with tools and godx in both stores.
func twice(t *testing.T) *world {
	t.Helper()
	w := small(t)
	for _, name := range []string{"tools", "godx"} {
		w.config = strings.Replace(w.config, "- name: "+name+"\n", "- name: "+name+"\n  manager: [docker, podman]\n", 1)
	}
	w.run(w.plan(plan.Options{}), nil)
	w.settled(plan.Options{}, "the first copies")
	return w
}

func TestCopySteps(t *testing.T) {
	w := twice(t)
	want := `keep docker image zig:1 <image tools:1
keep podman image tools:1
keep podman image godx:1
`
	if got := text(w.plan(plan.Options{})); !strings.HasSuffix(got, want) {
		t.Errorf("got\n%s", got)
	}
	// All of one way need what any of them needs.
	w.files["d/Containerfile.godx"] += "RUN more\n"
	w.podman.Images = nil
	p := w.plan(plan.Options{})
	want = `copy podman image tools:1 <image tools:1 <image godx:1
copy podman image godx:1 <image tools:1 <image godx:1
`
	if got := text(p); !strings.HasSuffix(got, want) {
		t.Errorf("got\n%s", got)
	}
	for _, s := range p.Steps[len(p.Steps)-2:] {
		if s.From != hierarchy.Docker || s.Needs[0].Manager != hierarchy.Docker || s.Image.Ref() != s.Name {
			t.Errorf("%+v", s)
		}
	}
	if alone := w.plan(plan.Options{}, "zig"); !strings.HasSuffix(text(alone), "copy podman image tools:1 <image tools:1\n") {
		t.Errorf("got\n%s", text(alone))
	}
}

// Every reason of a copy, in the words that people read.
func TestCopyReasons(t *testing.T) {
	const dx = "recreate gobox: image godx is rebuilt; box kept if its layers do not change\n"
	copied := func(w *world, ref string) *hierarchy.StoredImage {
		i := slices.IndexFunc(w.podman.Images, func(im hierarchy.StoredImage) bool { return slices.Contains(im.Refs, "localhost/"+ref) })
		w.podman.Images[i].Labels = map[string]string{
			hierarchy.LabelImage: ref, hierarchy.LabelInputs: w.podman.Images[i].Labels[hierarchy.LabelInputs], hierarchy.LabelConfig: "/c/ocisi.yaml",
		}
		return &w.podman.Images[i]
	}
	for _, c := range []struct {
		name   string
		change func(w *world)
		want   string
	}{
		{"nothing", func(*world) {}, ""},
		{"not there", func(w *world) { w.podman.Images = w.podman.Images[:1] }, "copy godx:1: podman does not have it\n"},
		{"built anew", func(w *world) { w.files["d/Containerfile.godx"] += "RUN more" },
			"rebuild godx:1: Containerfile changed\n" + dx + "copy godx:1: docker rebuilds it\n"},
		{"not there, and built anew", func(w *world) {
			w.files["d/Containerfile.godx"] += "RUN more"
			w.podman.Images = w.podman.Images[:1]
		}, "rebuild godx:1: Containerfile changed\n" + dx + "copy godx:1: podman does not have it\n"},
		{"older", func(w *world) { copied(w, "godx:1").Labels[hierarchy.LabelInputs] = "{}" }, "copy godx:1: docker's is newer\n"},
		{"newer", func(w *world) {
			copied(w, "godx:1").Labels[hierarchy.LabelInputs] = "{}"
			copied(w, "godx:1").Created = 1 << 40
		}, "copy godx:1: docker has another one\n"},
		{"other layers", func(w *world) {
			im, _ := w.store.Image("docker.io/library/godx:1")
			copied(w, "godx:1").DiffIDs = []string{"sha256:x"}
			for i := range w.store.Images {
				if w.store.Images[i].ID == im.ID {
					w.store.Images[i].DiffIDs = []string{"sha256:y"}
				}
			}
		}, "copy godx:1: docker's is newer\n"},
		{"layers that nobody asked about", func(w *world) { copied(w, "godx:1").DiffIDs = nil }, ""},
		{"tag of the source", func(w *world) { w.untag("docker.io/library/tools:1") }, ""},
		{"tag of the source, and not there", func(w *world) {
			w.untag("docker.io/library/tools:1")
			w.podman.Images = w.podman.Images[1:]
		}, "build tools:1: tag is missing\nrebuild go:1: parent tools is rebuilt\nrebuild godx:1: parent go is rebuilt\n" + dx +
			"rebuild zig:1: parent tools is rebuilt\ncopy tools:1: podman does not have it\ncopy godx:1: docker rebuilds it\n"},
		{"foreign", func(w *world) { copied(w, "godx:1").Labels[hierarchy.LabelImage] = "go:1" }, ""},
		{"foreign and another", func(w *world) {
			copied(w, "godx:1").Labels[hierarchy.LabelInputs], copied(w, "godx:1").Labels[hierarchy.LabelImage] = "{}", "go:1"
		}, "refuse godx:1: name taken by an image that ocisi did not build\n"},
		{"of another config", func(w *world) {
			copied(w, "godx:1").Labels[hierarchy.LabelInputs] = "{}"
			copied(w, "godx:1").Labels[hierarchy.LabelConfig] = "/other.yaml"
		}, "refuse godx:1: an image of /other.yaml holds this name\n"},
		{"foreign source", func(w *world) {
			im, _ := w.store.Image("docker.io/library/godx:1")
			im.Labels[hierarchy.LabelImage] = "other:1"
		}, "refuse godx:1: name taken by an image that ocisi did not build\n"},
		{"foreign source, and not there", func(w *world) {
			im, _ := w.store.Image("docker.io/library/godx:1")
			im.Labels[hierarchy.LabelImage] = "other:1"
			w.podman.Images = nil
		}, "refuse godx:1: name taken by an image that ocisi did not build\ncopy tools:1: podman does not have it\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := twice(t)
			c.change(w)
			if got := reasons(w.plan(plan.Options{Config: "/c/ocisi.yaml", Exists: func(string) bool { return true }})); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

// What the copy verb plans is what is there, not what is wanted.
func TestCopies(t *testing.T) {
	w := twice(t)
	w.files["d/Containerfile.godx"] += "RUN more"
	g := w.graph()
	stores := plan.Stores{hierarchy.Docker: w.store, hierarchy.Podman: w.podman}
	if p := plan.Copies(g, stores, plan.Options{}); p.Changes() != 0 || len(p.Steps) != 2 {
		t.Errorf("got\n%s", text(p))
	}
	delete(stores, hierarchy.Podman)
	if got := reasons(plan.Copies(g, stores, plan.Options{})); got != "copy tools:1: podman does not have it\ncopy godx:1: podman does not have it\n" {
		t.Errorf("got\n%s", got)
	}
}

func TestCleanCopies(t *testing.T) {
	w := twice(t)
	stores := plan.Stores{hierarchy.Docker: w.store, hierarchy.Podman: w.podman}
	o := plan.CleanOptions{Ownership: hierarchy.Ownership{Config: "/c/ocisi.yaml"}}
	if p := plan.Clean(w.graph(), stores, o); len(p.Steps) != 0 {
		t.Errorf("got\n%s", reasons(p))
	}
	o.Boxless = true
	if got := reasons(plan.Clean(w.graph(), stores, o)); strings.Contains(got, "copy") || strings.Count(got, "remove tools:1") != 1 {
		t.Errorf("got\n%s", got)
	}
	o.Boxless = false
	w.config = strings.ReplaceAll(w.config, "[docker, podman]", "docker")
	const copied = "a copy; the config has it in docker only (manager: [docker, podman] keeps it)\n"
	if got := reasons(plan.Clean(w.graph(), stores, o)); got != "remove tools:1: "+copied+"remove godx:1: "+copied {
		t.Errorf("got\n%s", got)
	}
	if got := reasons(plan.Clean(&hierarchy.Graph{}, plan.Stores{hierarchy.Podman: w.podman}, o)); got != "remove tools:1: image is not in the config or disabled\nremove godx:1: image is not in the config or disabled\n" {
		t.Errorf("got\n%s", got)
	}
}
