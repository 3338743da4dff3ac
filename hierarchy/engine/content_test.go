package engine_test

import (
	"maps"
	"testing"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/engine/enginetest"
)

// strange is what the way into a store must not change.
const strange = `{"q":"a \"b\" 'c' ` + "`d`" + `","v":"$HOME ${PATH} $$","p":"50% %41 a=b","s":"back\\slash","u":"Größe ☃"}`

func TestLabelsArriveUnchanged(t *testing.T) {
	each(t, withBase(), func(t *testing.T, s *story) {
		r := s.recipe("tool:1", fromBase+"RUN one\n")
		r.Labels[hierarchy.LabelInputs] = strange
		r.Labels[hierarchy.LabelBaseDigest] = ""
		before := maps.Clone(r.Labels)
		id, err := s.Build(t.Context(), r, nil)
		s.ok(err)
		im, _, err := s.Inspect(t.Context(), id)
		s.ok(err)
		store, err := s.Observe(t.Context(), nil)
		s.ok(err)
		listed, _ := store.Image(s.full("tool:1"))
		for _, labels := range []map[string]string{im.Labels, listed.Labels} {
			if labels[hierarchy.LabelInputs] != strange || labels[hierarchy.LabelImage] != "tool:1" {
				t.Errorf("arrived: %q", labels)
			}
			if _, set := labels[hierarchy.LabelBaseDigest]; set {
				t.Error("a label without a value is set")
			}
		}
		if !maps.Equal(r.Labels, before) {
			t.Errorf("the recipe has changed: %q", r.Labels)
		}
	})
}

func TestContent(t *testing.T) {
	const text = fromBase + "RUN one\nENV A=1\nCMD sh\n"
	each(t, withBase(), func(t *testing.T, s *story) {
		build := func(name, text string, change func(r *hierarchy.Recipe)) (id, content string) {
			r := s.recipe(name, text)
			change(&r)
			id, err := s.Build(t.Context(), r, nil)
			s.ok(err)
			content, err = s.Content(t.Context(), id)
			s.ok(err)
			return id, content
		}
		id, content := build("tool:1", text, func(*hierarchy.Recipe) {})
		if content == "" {
			t.Error("there is no content")
		}
		for what, test := range map[string]struct {
			text   string
			change func(*hierarchy.Recipe)
			same   bool
		}{
			"dev container": {text, func(r *hierarchy.Recipe) { r.Labels[hierarchy.LabelDevContainer] = "[]" }, true},
			"our labels":    {text, func(r *hierarchy.Recipe) { r.Labels[hierarchy.LabelInputs] = strange }, true},
			"base":          {text, func(r *hierarchy.Recipe) { r.Labels[hierarchy.LabelBaseDigest] = "sha256:2" }, true},
			"builder":       {text, func(r *hierarchy.Recipe) { r.Labels["io.buildah.version"] = "2" }, true},
			"other labels":  {text, func(r *hierarchy.Recipe) { r.Labels["other"] = "2" }, false},
			"a layer":       {fromBase + "RUN two\nENV A=1\nCMD sh\n", func(*hierarchy.Recipe) {}, false},
			"environment":   {fromBase + "RUN one\nENV A=2\nCMD sh\n", func(*hierarchy.Recipe) {}, false},
			"command":       {fromBase + "RUN one\nENV A=1\nCMD zsh\n", func(*hierarchy.Recipe) {}, false},
		} {
			t.Run(what, func(t *testing.T) {
				otherID, other := build("other:1", test.text, test.change)
				if otherID == id || (other == content) != test.same {
					t.Errorf("same ID: %v, same content: %v", otherID == id, other == content)
				}
			})
		}
		// Without the cache all steps are run again, and the cache has the new ones.
		_, anew := build("other:1", text, func(r *hierarchy.Recipe) { r.NoCache = true })
		if _, again := build("other:1", text, func(*hierarchy.Recipe) {}); anew == content || again != anew {
			t.Errorf("built anew: %s, was %s, with the cache again: %s", anew, content, again)
		}
		if gone, err := s.Content(t.Context(), "sha256:00000000000000ff"); gone != "" || err != nil {
			t.Errorf("gone: %q, %v", gone, err)
		}
	})
}

func TestFreed(t *testing.T) {
	layer := func(id string, size int64) enginetest.Layer {
		return enginetest.Layer{DiffID: "sha256:" + id, Size: size}
	}
	base, tools := layer("base", 1000), layer("tools", 100)
	state := enginetest.State{Images: []enginetest.Image{
		{Refs: []string{"ghcr.io/x/base:latest"}, Layers: []enginetest.Layer{base}},
		{Refs: []string{"localhost/tools:1"}, Layers: []enginetest.Layer{base, tools}},
		{Refs: []string{"localhost/kept:1"}, Layers: []enginetest.Layer{base, tools, layer("kept", 1)}},
		{Refs: []string{"localhost/zig:1"}, Layers: []enginetest.Layer{base, tools, layer("zig", 20)}},
		{Refs: []string{"localhost/zig-dx:1"}, Layers: []enginetest.Layer{base, tools, layer("zig", 20), layer("dx", 3)}},
		{Refs: []string{"localhost/two:1", "localhost/two:2"}, Layers: []enginetest.Layer{layer("two", 7)}},
		{ID: "sha256:00000000000000aa", Layers: []enginetest.Layer{layer("loose", 40)}},
	}}
	each(t, state, func(t *testing.T, s *story) {
		for _, test := range []struct {
			refs  []string
			own   map[string]int64
			total int64
		}{
			{[]string{"tools:1"}, map[string]int64{"tools:1": 0}, 0},
			{[]string{"zig:1"}, map[string]int64{"zig:1": 0}, 0},
			{[]string{"zig-dx:1"}, map[string]int64{"zig-dx:1": 3}, 3},
			{[]string{"zig:1", "zig-dx:1", "tools:1"}, map[string]int64{"zig:1": 0, "zig-dx:1": 3, "tools:1": 0}, 23},
			{[]string{"two:1"}, map[string]int64{}, 0},
			{[]string{"two:1", "two:2"}, map[string]int64{"two:1": 7, "two:2": 7}, 7},
			{[]string{"nosuch:1"}, map[string]int64{}, 0},
		} {
			var refs []string
			want := make(map[string]int64)
			for _, ref := range test.refs {
				refs = append(refs, s.full(ref))
			}
			for ref, n := range test.own {
				want[s.full(ref)] = n
			}
			got, err := s.Freed(t.Context(), refs)
			if err != nil || got.Total != test.total || !maps.Equal(got.Own, want) || len(got.Estimated) > 0 {
				t.Errorf("%q: %+v, %v", test.refs, got, err)
			}
		}
		id := "sha256:00000000000000aa"
		unlisted := "sha256:00000000000000bb"
		if got, err := s.Freed(t.Context(), []string{id, unlisted}); err != nil || got.Total != 40 || got.Own[id] != 40 || got.Estimated[id] || !got.Estimated[unlisted] {
			t.Errorf("by ID: %+v, %v", got, err)
		}
	})
}
