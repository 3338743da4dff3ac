package engine_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/engine"
	"github.com/klmcwhirter/ocisi/hierarchy/engine/enginetest"
)

const (
	oldDigest = "ghcr.io/x/base@sha256:0000000000000000000000000000000000000000000000000000000000000001"
	newDigest = "ghcr.io/x/base@sha256:0000000000000000000000000000000000000000000000000000000000000002"
)

// withDigests has a base that is known by its digest, an older one that has
// lost its tag, and images that nobody wants.
func withDigests() enginetest.State {
	return enginetest.State{Images: []enginetest.Image{
		{ID: "sha256:0000000000000011", Refs: []string{"ghcr.io/x/base:latest", "ghcr.io/x/base:43"}, Digests: []string{newDigest}},
		{ID: "sha256:0000000000000012", Digests: []string{oldDigest}},
		{ID: "sha256:0000000000000013", Refs: []string{"localhost/tool:1"}, Labels: map[string]string{hierarchy.LabelInputs: "%7B%22a%22:1%7D"}},
		{ID: "sha256:0000000000000014", Refs: []string{"localhost/tool:2"}},
		{ID: "sha256:0000000000000015", Refs: []string{"ghcr.io/x/foreign:1"}},
		{ID: "sha256:0000000000000016"},
	}, Containers: []enginetest.Container{
		{Name: "current", Image: "localhost/tool:1", Labels: map[string]string{"manager": "distrobox"}},
		{Name: "behind", Image: "localhost/tool:1", ImageID: "sha256:0000000000000016", Labels: map[string]string{hierarchy.LabelBox: "behind"}},
	}}
}

// asked returns the questions since an earlier count.
func (s *story) asked(since int) []string { return s.server.Requests()[since:] }

func TestObserveWanted(t *testing.T) {
	each(t, withDigests(), func(t *testing.T, s *story) {
		before := len(s.server.Requests())
		store, err := s.Observe(t.Context(), []string{"ghcr.io/x/base:latest", s.full("tool:1"), s.full("nosuch:1"), oldDigest, newDigest})
		s.ok(err)
		ids := make(map[string]hierarchy.StoredImage)
		for _, im := range store.Images {
			ids[im.ID[len(im.ID)-2:]] = im
		}
		if got := slices.Sorted(maps.Keys(ids)); !slices.Equal(got, []string{"11", "12", "13"}) || len(store.Images) != 3 {
			t.Errorf("images %q, %d of them", got, len(store.Images))
		}
		if im := ids["11"]; !slices.Equal(im.Refs, []string{"ghcr.io/x/base:43", "ghcr.io/x/base:latest"}) || !slices.Equal(im.Digests, []string{newDigest}) {
			t.Errorf("the base is %q, %q", im.Refs, im.Digests)
		}
		if im := ids["12"]; len(im.Refs) != 0 || !slices.Equal(im.Digests, []string{oldDigest}) {
			t.Errorf("the old base is %q, %q", im.Refs, im.Digests)
		}
		if im := ids["13"]; im.Labels[hierarchy.LabelInputs] != `{"a":1}` || im.Created == 0 || im.Size == 0 {
			t.Errorf("the image is %+v", im)
		}
		if len(store.Boxes) != 2 {
			t.Errorf("boxes %+v", store.Boxes)
		}
		want := 2 // docker: a list of images and one of containers, whatever is wanted
		if s.Manager() == hierarchy.Podman {
			want = 5 + 1 // a question for each name
		}
		if asked := s.asked(before); len(asked) != want {
			t.Errorf("%d questions, want %d: %q", len(asked), want, asked)
		}
	})
}

// In a large store images are asked for one by one as well, with the same answer.
func TestObserveImpatient(t *testing.T) {
	s := start(t, hierarchy.Docker, withDigests())
	wanted := []string{"ghcr.io/x/base:latest", s.full("tool:1"), s.full("nosuch:1"), oldDigest}
	want, err := s.Observe(t.Context(), wanted)
	s.ok(err)
	e, err := engine.Open(t.Context(), hierarchy.Docker, engine.Options{Getenv: os.Getenv, Patience: 1})
	s.ok(err)
	defer func() { s.ok(e.Close()) }()
	for range 20 {
		got, err := e.Observe(t.Context(), wanted)
		s.ok(err)
		for i := range got.Images {
			got.Images[i].DiffIDs = nil // which a list does not tell
		}
		byID := func(a, b hierarchy.StoredImage) int { return strings.Compare(a.ID, b.ID) }
		slices.SortFunc(got.Images, byID)
		slices.SortFunc(want.Images, byID)
		if !reflect.DeepEqual(got.Images, want.Images) {
			t.Fatalf("got\n%+v\nwant\n%+v", got.Images, want.Images)
		}
	}
	if asked := s.asked(0); !slices.ContainsFunc(asked, func(q string) bool { return strings.Contains(q, "tool:1/json") }) {
		t.Errorf("no image was asked for: %q", asked)
	}
	// Both end with the run.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := e.Observe(ctx, wanted); err == nil {
		t.Error("an answer without a question")
	}
}

func TestObserveMany(t *testing.T) {
	each(t, withDigests(), func(t *testing.T, s *story) {
		var wanted []string
		for i := range 100 {
			wanted = append(wanted, s.full(fmt.Sprintf("tool:%d", i)))
		}
		before := len(s.server.Requests())
		store, err := s.Observe(t.Context(), wanted)
		s.ok(err)
		if asked := s.asked(before); len(store.Images) != 2 || len(asked) != 2 {
			t.Errorf("%d images, asked %q", len(store.Images), asked)
		}
	})
}

func TestObserveAll(t *testing.T) {
	each(t, withDigests(), func(t *testing.T, s *story) {
		before := len(s.server.Requests())
		store, err := s.Observe(t.Context(), nil)
		s.ok(err)
		if len(store.Images) != 5 || len(store.Boxes) != 2 || len(s.asked(before)) != 2 {
			t.Errorf("%d images, %d boxes, asked %q", len(store.Images), len(store.Boxes), s.asked(before))
		}
		store, err = s.Observe(t.Context(), []string{})
		s.ok(err)
		if len(store.Images) != 0 || len(store.Boxes) != 2 || len(s.asked(before)) != 3 {
			t.Errorf("nothing is wanted: %+v, asked %q", store, s.asked(before))
		}
	})
}

// Opening an engine is one question.
func TestOpenAsksOnce(t *testing.T) {
	each(t, enginetest.State{}, func(t *testing.T, s *story) {
		if asked := s.asked(0); len(asked) != 1 || !strings.HasSuffix(asked[0], "/_ping") {
			t.Errorf("asked %q", asked)
		}
	})
}

func TestPullByDigest(t *testing.T) {
	state := withDigests()
	state.Images = state.Images[:1]
	state.Registry = []enginetest.Image{
		{ID: "sha256:0000000000000011", Refs: []string{"ghcr.io/x/base:latest"}, Digests: []string{newDigest}},
		{ID: "sha256:0000000000000012", Digests: []string{oldDigest}, Created: 2_000_000_000},
	}
	each(t, state, func(t *testing.T, s *story) {
		_, digest, _ := strings.Cut(oldDigest, "@")
		s.ok(s.Pull(t.Context(), "ghcr.io/x/base:latest", digest, nil))
		im, found, err := s.Inspect(t.Context(), "ghcr.io/x/base:latest")
		s.ok(err)
		if !found || im.ID != "sha256:0000000000000012" || im.Digest("ghcr.io/x/base:latest") != digest || !slices.Equal(im.Refs, []string{"ghcr.io/x/base:latest"}) {
			t.Errorf("%+v, %v", im, found)
		}
		for _, im := range s.state().Images {
			if slices.Contains(im.Refs, oldDigest) {
				t.Errorf("the digest is a name of its own: %q", im.Refs)
			}
		}
		s.ok(s.Pull(t.Context(), newDigest, "", nil))
		if im, _, err := s.Inspect(t.Context(), newDigest); err != nil || im.ID != "sha256:0000000000000011" || slices.Contains(im.Refs, "ghcr.io/x/base:latest") || slices.Contains(im.Refs, newDigest) {
			t.Errorf("%+v, %v", im, err)
		}
	})
}

// A digest that podman does not list among the names stays: its removal would
// remove the image.
// A name that another image has does not move to an older one, nor away from an image
// that was never pulled; the digest finds what was.
func TestPullByDigestKeepsName(t *testing.T) {
	for name, digests := range map[string][]string{"newer": {newDigest}, "built here": nil} {
		state := enginetest.State{
			Images:   []enginetest.Image{{ID: "sha256:0000000000000011", Refs: []string{"ghcr.io/x/base:latest"}, Digests: digests, Created: 1_500_000_000}},
			Registry: []enginetest.Image{{ID: "sha256:0000000000000012", Digests: []string{oldDigest}, Created: 1_400_000_000}},
		}
		if digests == nil {
			state.Registry[0].Created = 1_600_000_000
		}
		t.Run(name, func(t *testing.T) {
			each(t, state, func(t *testing.T, s *story) {
				_, digest, _ := strings.Cut(oldDigest, "@")
				s.ok(s.Pull(t.Context(), "ghcr.io/x/base:latest", digest, nil))
				named, _, err := s.Inspect(t.Context(), "ghcr.io/x/base:latest")
				s.ok(err)
				pulled, found, err := s.Inspect(t.Context(), oldDigest)
				s.ok(err)
				if named.ID != "sha256:0000000000000011" || !found || pulled.ID != "sha256:0000000000000012" {
					t.Errorf("the name is %s, the digest %s, %v", named.ID, pulled.ID, found)
				}
			})
		})
	}
}

func TestPullByDigestThatIsNoName(t *testing.T) {
	s := start(t, hierarchy.Podman, enginetest.State{Registry: []enginetest.Image{{Digests: []string{newDigest}}}})
	s.server.Watch(func(point string, done bool) enginetest.Verdict {
		if done && strings.HasSuffix(point, "/tag") {
			s.server.Edit("podman", func(st *enginetest.State) { st.Images[0].Refs = []string{"ghcr.io/x/base:43", "ghcr.io/x/base:latest"} })
		}
		return enginetest.Pass
	})
	_, digest, _ := strings.Cut(newDigest, "@")
	s.ok(s.Pull(t.Context(), "ghcr.io/x/base:latest", digest, nil))
	if calls := s.server.Calls(); s.id("ghcr.io/x/base:latest") == "" || slices.ContainsFunc(calls, func(c string) bool { return strings.Contains(c, " rmi ") }) {
		t.Errorf("images %+v, calls %q", s.state().Images, calls)
	}
}

func TestPullGone(t *testing.T) {
	each(t, enginetest.State{}, func(t *testing.T, s *story) {
		name, digest, _ := strings.Cut(oldDigest, "@")
		for ref, digest := range map[string]string{name + ":latest": digest, oldDigest: ""} {
			err := s.Pull(t.Context(), ref, digest, nil)
			gone, ok := errors.AsType[*engine.GoneError](err)
			if want, _, _ := strings.Cut(ref, "@"); !ok || gone.Ref != want || "@"+gone.Digest != strings.TrimPrefix(oldDigest, name) || !strings.HasSuffix(err.Error(), "manifest unknown") {
				t.Errorf("%s: got %+v", ref, err)
			}
		}
		// A tag that is not there is no digest that is gone; neither is a registry
		// that does not answer.
		err := s.Pull(t.Context(), name+":latest", "", nil)
		if _, ok := errors.AsType[*engine.GoneError](err); ok || err == nil {
			t.Errorf("got %v", err)
		}
		s.write(string(s.Manager())+"-pull.err", "dial tcp: no route to host")
		err = s.Pull(t.Context(), oldDigest, "", nil)
		if _, ok := errors.AsType[*engine.GoneError](err); ok || err == nil {
			t.Errorf("got %v", err)
		}
	})
}
