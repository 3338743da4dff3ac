package hierarchy_test

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/klmcwhirter/ocisi/hierarchy"
)

// chain is ghcr.io/x/base:1 ← parent ← child, which also reads mine:2 and a
// file of its context by a mount that leaves out its type.
func chain(t *testing.T, m hierarchy.Manager) []hierarchy.Image {
	t.Helper()
	files := fstest.MapFS{
		"c/d/Containerfile.parent": {Data: []byte("FROM ghcr.io/x/base:1\n")},
		"c/d/Containerfile.child":  {Data: []byte("FROM mine AS other\nFROM parent:1\nCOPY --from=grand:1 /a /b\nRUN --mount=target=/m x\n")},
		"c/d/Containerfile.grand":  {Data: []byte("FROM other.io/y\n")},
		"c/d/file":                 {Data: []byte("1")},
	}
	c, err := hierarchy.ParseConfig("/c/ocisi.yaml", []byte(`
- {name: grand, path: d, tag: "1", enabled: true}
- {name: parent, path: d, tag: "1", enabled: true, max_age: never}
- {name: child, path: d, tag: "1", enabled: true, max_age: 2w}
`))
	if err != nil {
		t.Fatal(err)
	}
	g, err := c.Graph(hierarchy.Host{Files: files, Manager: m})
	if err == nil {
		err = g.Read(files)
	}
	if err != nil {
		t.Fatal(err)
	}
	var images []hierarchy.Image
	for _, name := range []string{"grand", "parent", "child"} {
		im, _ := g.Image(hierarchy.Key{Manager: m, Ref: name + ":1"})
		images = append(images, im)
	}
	return images
}

// Bases count through parents, and parents by their fingerprints.
func TestInputsOfParents(t *testing.T) {
	t.Parallel()
	for _, m := range []hierarchy.Manager{hierarchy.Docker, hierarchy.Podman} {
		images := chain(t, m)
		child := images[2].Inputs
		if got := slices.Sorted(maps.Keys(child.Bases)); !slices.Equal(got, []string{"ghcr.io/x/base:1", "mine", "other.io/y"}) {
			t.Errorf("%s: bases %q", m, got)
		}
		for i, ref := range []string{"grand:1", "parent:1"} {
			if got, want := child.Parents[ref].Fingerprint, images[i].Inputs.Fingerprint(); got != want {
				t.Errorf("%s: %s has %s, want %s", m, ref, got, want)
			}
		}
	}
}

func TestMaxAges(t *testing.T) {
	t.Parallel()
	var got []time.Duration
	for _, im := range chain(t, hierarchy.Docker) {
		got = append(got, im.MaxAge/time.Hour)
	}
	if !slices.Equal(got, []time.Duration{7 * 24, 0, 14 * 24}) {
		t.Errorf("hours %d", got)
	}
	for _, age := range []string{"0d", "7", "d", "7dd", "-1d", "1.5d", "65536h", "30501w", "15251w", "Never"} {
		_, err := hierarchy.ParseConfig("/c", []byte("max_age: "+age+"\nimages: []\n"))
		if err == nil || !strings.Contains(err.Error(), "is no age") {
			t.Errorf("%s: %v", age, err)
		}
	}
	if c, err := hierarchy.ParseConfig("/c", []byte("max_age: 15250w\nimages: []\n")); err != nil || c.MaxAge != 15250*7*24*time.Hour {
		t.Errorf("15250w: %v", err)
	}
}

// A fingerprint is of what files and config say, and of nothing else.
func TestFingerprint(t *testing.T) {
	t.Parallel()
	in := func() hierarchy.Inputs {
		return hierarchy.Inputs{
			Version: 1, File: "f", Context: "c", Files: map[string]string{"a": "1"}, Args: map[string]string{"A": "1"},
			Parents: map[string]hierarchy.Parent{"p:1": {Fingerprint: "1", ID: "1"}}, Bases: map[string]hierarchy.Base{"b": {ID: "1", Digest: "1"}},
		}
	}
	for what, test := range map[string]struct {
		change func(*hierarchy.Inputs)
		same   bool
	}{
		"nothing":        {func(*hierarchy.Inputs) {}, true},
		"time":           {func(i *hierarchy.Inputs) { i.Fresh = time.Unix(1, 0) }, true},
		"files":          {func(i *hierarchy.Inputs) { i.Files = nil }, true},
		"parent's ID":    {func(i *hierarchy.Inputs) { i.Parents["p:1"] = hierarchy.Parent{Fingerprint: "1"} }, true},
		"base's ID":      {func(i *hierarchy.Inputs) { i.Bases["b"] = hierarchy.Base{} }, true},
		"Containerfile":  {func(i *hierarchy.Inputs) { i.File = "" }, false},
		"context":        {func(i *hierarchy.Inputs) { i.Context = "" }, false},
		"argument":       {func(i *hierarchy.Inputs) { i.Args["A"] = "2" }, false},
		"parent":         {func(i *hierarchy.Inputs) { i.Parents["p:1"] = hierarchy.Parent{Fingerprint: "2", ID: "1"} }, false},
		"another parent": {func(i *hierarchy.Inputs) { i.Parents["q:1"] = hierarchy.Parent{} }, false},
		"base":           {func(i *hierarchy.Inputs) { i.Bases["c"] = hierarchy.Base{} }, false},
		"dev container":  {func(i *hierarchy.Inputs) { i.Dev = "1" }, false},
		"manager":        {func(i *hierarchy.Inputs) { i.Manager = hierarchy.Podman }, false},
	} {
		other := in()
		test.change(&other)
		before := other.String()
		if got := other.Fingerprint() == in().Fingerprint(); got != test.same || len(other.Fingerprint()) != 32 {
			t.Errorf("%s: same %v", what, got)
		}
		if other.String() != before {
			t.Errorf("%s: the inputs have changed", what)
		}
	}
}

// Labels are inherited: those of a parent say nothing of its child.
func TestReadInputs(t *testing.T) {
	t.Parallel()
	in := hierarchy.Inputs{Version: 1, File: "f"}
	newer := hierarchy.Inputs{Version: 2, File: "f"}
	for what, test := range map[string]struct {
		labels map[string]string
		ok     bool
	}{
		"its own":      {map[string]string{hierarchy.LabelImage: "im:1", hierarchy.LabelInputs: in.String()}, true},
		"another's":    {map[string]string{hierarchy.LabelImage: "parent:1", hierarchy.LabelInputs: in.String()}, false},
		"none":         {map[string]string{hierarchy.LabelImage: "im:1"}, false},
		"not JSON":     {map[string]string{hierarchy.LabelImage: "im:1", hierarchy.LabelInputs: "{"}, false},
		"a form ahead": {map[string]string{hierarchy.LabelImage: "im:1", hierarchy.LabelInputs: newer.String()}, false},
	} {
		if got, ok := hierarchy.ReadInputs(test.labels, "im:1"); ok != test.ok || (got.File == "f") != test.ok {
			t.Errorf("%s: %+v, %v", what, got, ok)
		}
	}
}

// What is written on an image is what the store has when its build begins.
func TestMade(t *testing.T) {
	t.Parallel()
	images := chain(t, hierarchy.Podman)
	child := images[2]
	parent := images[1].Inputs
	parent.Bases = map[string]hierarchy.Base{"ghcr.io/x/base:1": {ID: "sha256:old", Digest: "sha256:0"}}
	store := map[string]hierarchy.StoredImage{
		"localhost/parent:1":    {ID: "sha256:p", Labels: map[string]string{hierarchy.LabelImage: "parent:1", hierarchy.LabelInputs: parent.String()}},
		"localhost/mine:latest": {ID: "sha256:m", Digests: []string{"docker.io/library/mine@sha256:1"}},
	}
	var lost error
	find := func(full string) (hierarchy.StoredImage, bool, error) {
		im, ok := store[full]
		return im, ok, lost
	}
	before := child.Inputs.String()
	fresh := time.Date(2026, 1, 2, 4, 4, 5, 6, time.FixedZone("", 3600))
	made, err := child.Made(find, fresh)
	if err != nil {
		t.Fatal(err)
	}
	lost = errors.New("the engine is gone")
	if _, err := child.Made(find, fresh); !errors.Is(err, lost) {
		t.Errorf("got %v, want %v", err, lost)
	}
	lost = nil
	if !made.Fresh.Equal(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)) || made.Fresh.Location() != time.UTC {
		t.Errorf("fresh %v", made.Fresh)
	}
	wantBases := map[string]hierarchy.Base{
		"ghcr.io/x/base:1": {ID: "sha256:old", Digest: "sha256:0"}, "mine": {ID: "sha256:m", Digest: "sha256:1"}, "other.io/y": {},
	}
	if !maps.Equal(made.Bases, wantBases) || made.Parents["parent:1"].ID != "sha256:p" || made.Parents["grand:1"].ID != "" {
		t.Errorf("made of %+v, %+v", made.Parents, made.Bases)
	}
	if child.Inputs.String() != before {
		t.Errorf("the inputs have changed: %s", child.Inputs)
	}

	// A locked base is looked for by its digest, whatever it is pulled by.
	digest := "sha256:" + strings.Repeat("2", 64)
	for i := range child.Bases {
		child.Bases[i].Pin = digest
	}
	store["docker.io/library/mine@"+digest] = hierarchy.StoredImage{ID: "sha256:n"}
	if made, err = child.Made(find, fresh); err != nil || made.Bases["mine"] != (hierarchy.Base{ID: "sha256:n", Digest: digest}) {
		t.Errorf("locked: %+v, %v", made.Bases["mine"], err)
	}
	oops := errors.New("no answer")
	for _, broken := range []string{"parent:1", "mine"} {
		_, err := child.Made(func(full string) (hierarchy.StoredImage, bool, error) {
			if strings.Contains(full, broken) {
				return hierarchy.StoredImage{}, false, oops
			}
			return find(full)
		}, fresh)
		if !errors.Is(err, oops) {
			t.Errorf("%s: %v", broken, err)
		}
	}
}

func TestRecipe(t *testing.T) {
	t.Parallel()
	for _, m := range []hierarchy.Manager{hierarchy.Docker, hierarchy.Podman} {
		images := chain(t, m)
		child := images[2].Recipe("/c/ocisi.yaml", images[2].Inputs)
		if want := []string{m.StoreRef("parent:1"), m.StoreRef("grand:1")}; !slices.Equal(child.Needs, want) {
			t.Errorf("%s: needs %q", m, child.Needs)
		}
		if _, set := child.Labels[hierarchy.LabelBaseName]; set || child.Labels[hierarchy.LabelParent] != "parent:1" {
			t.Errorf("%s: labels %q", m, child.Labels)
		}
		if child.NoCache != (m == hierarchy.Podman) {
			t.Errorf("%s: no cache %v, and its mount hides what it sees from podman", m, child.NoCache)
		}
	}
	grand := chain(t, hierarchy.Docker)[0]
	made := grand.Inputs
	made.Bases = map[string]hierarchy.Base{"other.io/y": {ID: "sha256:1", Digest: "sha256:2"}}
	labels := grand.Recipe("", made).Labels
	if labels[hierarchy.LabelBaseName] != "other.io/y:latest" || labels[hierarchy.LabelBaseDigest] != "sha256:2" {
		t.Errorf("labels %q", labels)
	}
	grand.Bases[0].Pin = "sha256:" + strings.Repeat("2", 64)
	if r := grand.Recipe("", made); string(r.Text) != "FROM other.io/y@"+grand.Bases[0].Pin+"\n" || r.NoCache {
		t.Errorf("locked: %s, no cache %v", r.Text, r.NoCache)
	}
}
