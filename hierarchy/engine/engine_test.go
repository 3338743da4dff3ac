package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/engine"
	"github.com/klmcwhirter/ocisi/hierarchy/engine/enginetest"
	"github.com/klmcwhirter/ocisi/hierarchy/layers"
	"github.com/klmcwhirter/ocisi/internal/process"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"podman": enginetest.Podman})
}

// story is an engine of a server, and the directory of the server's files.
type story struct {
	*engine.Engine
	t      *testing.T
	server *enginetest.Server
	dir    string
}

// each runs a test on both engines, whose stores begin with state. Names in
// state that begin with localhost/ are docker.io/library/ in docker.
func each(t *testing.T, state enginetest.State, test func(t *testing.T, s *story)) {
	t.Helper()
	for _, m := range []hierarchy.Manager{hierarchy.Docker, hierarchy.Podman} {
		t.Run(string(m), func(t *testing.T) {
			test(t, start(t, m, state))
		})
	}
}

func start(t *testing.T, m hierarchy.Manager, state enginetest.State) *story {
	t.Helper()
	s := &story{t: t, dir: t.TempDir()}
	seed, err := json.Marshal(state)
	s.ok(err)
	if m == hierarchy.Docker {
		seed = []byte(strings.ReplaceAll(string(seed), `"localhost/`, `"docker.io/library/`))
	}
	s.write(string(m)+".json", string(seed))
	s.server, err = enginetest.Start(s.dir)
	s.ok(err)
	t.Cleanup(s.server.Close)
	for _, v := range s.server.Env() {
		k, v, _ := strings.Cut(v, "=")
		t.Setenv(k, v)
	}
	t.Setenv("XDG_RUNTIME_DIR", "")
	t.Setenv("CONTAINER_HOST", "")
	s.Engine, err = engine.Open(t.Context(), m, engine.Options{Runner: process.System{}, Getenv: os.Getenv})
	s.ok(err)
	t.Cleanup(func() { s.ok(s.Close()) })
	return s
}

func (s *story) ok(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *story) write(name, text string) {
	s.t.Helper()
	s.ok(os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600))
}

func (s *story) full(ref string) string { return s.Manager().StoreRef(ref) }

func (s *story) state() enginetest.State {
	if s.Manager() == hierarchy.Docker {
		return s.server.Docker()
	}
	return s.server.Podman()
}

func (s *story) id(ref string) string {
	s.t.Helper()
	im, found, err := s.Inspect(s.t.Context(), s.full(ref))
	s.ok(err)
	if !found {
		return ""
	}
	return im.ID
}

func (s *story) recipe(ref, text string) hierarchy.Recipe {
	return hierarchy.Recipe{
		Ref: ref, Context: s.dir, Containerfile: filepath.Join(s.dir, "Containerfile.x"), Text: []byte(text),
		Args: map[string]string{"B": "2", "A": "1 and more"}, Labels: map[string]string{hierarchy.LabelImage: ref},
	}
}

func (s *story) called(part string) bool {
	return slices.ContainsFunc(s.server.Calls(), func(c string) bool { return strings.Contains(c, part) })
}

func withBase() enginetest.State {
	return enginetest.State{Images: []enginetest.Image{{Refs: []string{"ghcr.io/x/base:latest"}, Layers: []enginetest.Layer{{DiffID: "sha256:b", Size: 100}}}}}
}

const fromBase = "FROM ghcr.io/x/base:latest\n"

func TestObserve(t *testing.T) {
	state := withBase()
	state.Images = append(state.Images,
		enginetest.Image{ID: "sha256:1111111111111111", Refs: []string{"localhost/tool-dx:1"}, Labels: map[string]string{hierarchy.LabelImage: "tool-dx:1"}},
		enginetest.Image{ID: "sha256:2222222222222222"})
	state.Containers = []enginetest.Container{
		{Name: "current", Image: "localhost/tool-dx:1", Labels: map[string]string{"manager": "distrobox"}},
		{Name: "behind", Image: "localhost/tool-dx:1", ImageID: "sha256:2222222222222222", Labels: map[string]string{hierarchy.LabelBox: "behind"}, State: "exited"},
		{Name: "someones", Image: "localhost/tool-dx:1", Labels: map[string]string{hierarchy.LabelImage: "tool-dx:1"}},
	}
	each(t, state, func(t *testing.T, s *story) {
		store, err := s.Observe(t.Context())
		s.ok(err)
		if len(store.Images) != 2 || store.Manager != s.Manager() {
			t.Errorf("images %+v", store.Images)
		}
		im, found := store.Image(s.full("tool-dx:1"))
		if !found || im.ID != "sha256:1111111111111111" || im.Labels[hierarchy.LabelImage] != "tool-dx:1" || im.Created == 0 || im.Size == 0 {
			t.Errorf("image %+v, %v", im, found)
		}
		if _, found := store.Image("ghcr.io/x/base:latest"); !found {
			t.Error("the base is not there")
		}
		if len(store.Boxes) != 2 {
			t.Errorf("boxes %+v", store.Boxes)
		}
		for name, want := range map[string]hierarchy.StoredBox{
			"current": {ImageID: "sha256:1111111111111111", Running: true},
			"behind":  {ImageID: "sha256:2222222222222222"},
		} {
			b, found := store.Box(name)
			if !found || b.ImageID != want.ImageID || b.Running != want.Running || b.Image != s.full("tool-dx:1") || b.ID == "" {
				t.Errorf("%s: %+v, %v", name, b, found)
			}
		}
	})
}

func TestBuild(t *testing.T) {
	each(t, withBase(), func(t *testing.T, s *story) {
		s.write("Containerfile.x", "not what is built")
		var titles []string
		emit := func(p hierarchy.Progress) { titles = append(titles, p.Title) }
		id, err := s.Build(t.Context(), s.recipe("tool:1", fromBase+"RUN one\n"), emit)
		s.ok(err)
		if im, found, err := s.Inspect(t.Context(), s.full("tool:1")); err != nil || !found || im.ID != id || im.Labels[hierarchy.LabelImage] != "tool:1" {
			t.Errorf("%+v, %v, %v; built %s", im, found, err, id)
		}
		if !slices.Contains(titles, "RUN one") {
			t.Errorf("told %q", titles)
		}
		if !s.called("--build-arg A=1 and more --build-arg B=2 --label ocisi.image=tool:1") {
			t.Errorf("calls %q", s.server.Calls())
		}
		// The old image goes when the name moves, unless it is someone else's.
		next, err := s.Build(t.Context(), s.recipe("tool:1", fromBase+"RUN two\n"), nil)
		s.ok(err)
		if _, found, _ := s.Inspect(t.Context(), id); found || next == id {
			t.Errorf("%s is left beside %s", id, next)
		}
		other := s.recipe("tool:1", fromBase+"RUN three\n")
		other.Labels = map[string]string{hierarchy.LabelImage: "other:1"}
		_, err = s.Build(t.Context(), other, nil)
		s.ok(err)
		if _, found, _ := s.Inspect(t.Context(), next); !found {
			t.Error("an image of another recipe is removed")
		}
		if s.called(" pull ") {
			t.Errorf("a registry was asked: %q", s.server.Calls())
		}
	})
}

func TestBuildKeepsImageOfContainer(t *testing.T) {
	state := withBase()
	state.Images = append(state.Images, enginetest.Image{ID: "sha256:1111111111111111", Refs: []string{"localhost/tool:1"}, Labels: map[string]string{hierarchy.LabelImage: "tool:1"}})
	state.Containers = []enginetest.Container{{Name: "user", Image: "localhost/tool:1", State: "exited"}}
	each(t, state, func(t *testing.T, s *story) {
		_, err := s.Build(t.Context(), s.recipe("tool:1", fromBase+"RUN new\n"), nil)
		s.ok(err)
		if _, found, _ := s.Inspect(t.Context(), "sha256:1111111111111111"); !found || s.called(" rmi ") {
			t.Errorf("found %v, calls %q", found, s.server.Calls())
		}
	})
}

func TestBuildFails(t *testing.T) {
	each(t, withBase(), func(t *testing.T, s *story) {
		before, err := s.Build(t.Context(), s.recipe("tool:1", fromBase+"RUN one\n"), nil)
		s.ok(err)
		s.write(string(s.Manager())+"-build-tool.err", "line one\nno space left")
		_, err = s.Build(t.Context(), s.recipe("tool:1", fromBase+"RUN two\n"), nil)
		be, ok := errors.AsType[*hierarchy.BuildError](err)
		if !ok || be.Ref != "tool:1" || be.Step != "RUN two" || !strings.HasPrefix(be.Log, "line one\nno space left") || !strings.Contains(err.Error(), "did not complete successfully") {
			t.Errorf("got %+v", err)
		}
		if s.id("tool:1") != before {
			t.Error("the name has moved")
		}
	})
}

func TestBuildCancelled(t *testing.T) {
	each(t, withBase(), func(t *testing.T, s *story) {
		before, err := s.Build(t.Context(), s.recipe("tool:1", fromBase+"RUN one\n"), nil)
		s.ok(err)
		s.write(string(s.Manager())+"-build.block", "")
		ctx, cancel := context.WithCancelCause(t.Context())
		stop := errors.New("enough")
		var ended atomic.Bool
		_, err = s.Build(ctx, s.recipe("tool:1", fromBase+"RUN two\n"), func(hierarchy.Progress) {
			cancel(stop)
			if ended.Load() {
				t.Error("told after the end")
			}
		})
		ended.Store(true)
		if !errors.Is(err, stop) || s.id("tool:1") != before {
			t.Errorf("got %v, image %s", err, s.id("tool:1"))
		}
	})
}

func TestBuildMissingParent(t *testing.T) {
	each(t, withBase(), func(t *testing.T, s *story) {
		r := s.recipe("tool:1", "FROM gone:1\nRUN one\n")
		r.Needs = []string{s.full("gone:1")}
		_, err := s.Build(t.Context(), r, nil)
		missing, ok := errors.AsType[*engine.MissingError](err)
		if !ok || missing.Ref != "tool:1" || missing.Need != s.full("gone:1") || len(s.server.Calls()) != 0 {
			t.Errorf("got %v, calls %q", err, s.server.Calls())
		}
	})
}

// Docker's builds run beside each other, podman's one by one; what is told of
// them is not mixed up.
func TestBuildSiblings(t *testing.T) {
	each(t, withBase(), func(t *testing.T, s *story) {
		var wg sync.WaitGroup
		for _, name := range []string{"a", "b", "c", "d"} {
			wg.Go(func() {
				var busy atomic.Int32
				_, err := s.Build(t.Context(), s.recipe(name+":1", fromBase+"RUN make "+name+"\nRUN test "+name+"\n"), func(p hierarchy.Progress) {
					if busy.Add(1) != 1 {
						t.Error("two goroutines tell at once")
					}
					if strings.HasPrefix(p.Title, "RUN") && !strings.HasSuffix(p.Title, " "+name) {
						t.Errorf("%s is told of %s", name, p.Title)
					}
					busy.Add(-1)
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if s.Serial() != (s.Manager() == hierarchy.Podman) || len(s.state().Images) != 5 {
			t.Errorf("serial %v, %d images", s.Serial(), len(s.state().Images))
		}
	})
}

func TestIgnoreFile(t *testing.T) {
	s := start(t, hierarchy.Podman, withBase())
	for _, name := range []string{".dockerignore", "Containerfile.x.dockerignore", ".containerignore", "Containerfile.x.containerignore"} {
		s.write(name, "from "+name)
		got, err := engine.IgnoreFile(s.recipe("x:1", ""))
		if err != nil || string(got) != "from "+name {
			t.Errorf("got %q, %v; want that of %s", got, err, name)
		}
	}
}

func TestRemoveImage(t *testing.T) {
	state := withBase()
	state.Images = append(state.Images, enginetest.Image{Refs: []string{"localhost/a:1", "localhost/b:1"}})
	state.Containers = []enginetest.Container{{Name: "user", Image: "localhost/a:1"}}
	each(t, state, func(t *testing.T, s *story) {
		s.ok(s.Tag(t.Context(), s.id("a:1"), "c:1"))
		if s.id("c:1") != s.id("a:1") || s.id("c:1") == "" {
			t.Error("the new name is not there")
		}
		s.ok(s.RemoveImage(t.Context(), "c:1"))
		s.ok(s.RemoveImage(t.Context(), "a:1"))
		err := s.RemoveImage(t.Context(), "b:1")
		if used, ok := errors.AsType[*engine.InUseError](err); !ok || !slices.Equal(used.Containers, []string{"user"}) || used.Ref != s.full("b:1") {
			t.Errorf("got %v", err)
		}
		if s.id("a:1") != "" || s.id("b:1") == "" {
			t.Errorf("images %+v", s.state().Images)
		}
		s.ok(s.RemoveContainer(t.Context(), "user"))
		s.ok(s.RemoveImage(t.Context(), "b:1"))
		s.ok(s.RemoveImage(t.Context(), "b:1"))
	})
}

func TestPull(t *testing.T) {
	state := enginetest.State{Registry: []enginetest.Image{{Refs: []string{"ghcr.io/x/base:latest"}}}}
	each(t, state, func(t *testing.T, s *story) {
		var lines []string
		s.ok(s.Pull(t.Context(), "ghcr.io/x/base", func(p hierarchy.Progress) { lines = append(lines, p.Log) }))
		if _, found, _ := s.Inspect(t.Context(), "ghcr.io/x/base:latest"); !found || len(lines) == 0 || slices.Contains(lines, "") {
			t.Errorf("found %v, told %q", found, lines)
		}
		if slices.ContainsFunc(lines, func(l string) bool { return strings.Contains(l, "Downloading") }) {
			t.Errorf("a moving bar is told: %q", lines)
		}
		err := s.Pull(t.Context(), "ghcr.io/x/nosuch:1", nil)
		if err == nil || !strings.HasPrefix(err.Error(), "pulling ghcr.io/x/nosuch:1: ") || !strings.HasSuffix(err.Error(), "manifest unknown") || strings.Contains(err.Error(), "exit status") {
			t.Errorf("got %v", err)
		}
	})
}

func TestPrune(t *testing.T) {
	base := []enginetest.Layer{{DiffID: "sha256:b", Size: 100}}
	state := enginetest.State{Cache: 5000, Images: []enginetest.Image{
		{Refs: []string{"ghcr.io/x/base:latest"}, Layers: base},
		{Refs: []string{"localhost/kept:1"}, Layers: append(slices.Clone(base), enginetest.Layer{DiffID: "sha256:k", Size: 10})},
		{Refs: []string{"localhost/used:1"}, Layers: []enginetest.Layer{{DiffID: "sha256:u", Size: 20}}},
		{Refs: []string{"localhost/loose:1", "localhost/loose:2"}, Layers: append(slices.Clone(base), enginetest.Layer{DiffID: "sha256:l", Size: 7})},
		{ID: "sha256:3333333333333333", Layers: []enginetest.Layer{{DiffID: "sha256:d", Size: 3}}},
	}, Containers: []enginetest.Container{
		{Name: "ended", Image: "localhost/loose:1", State: "exited", SizeRw: 40},
		{Name: "box", Image: "localhost/used:1", State: "exited", Labels: map[string]string{"manager": "distrobox"}},
		{Name: "toolbox", Image: "localhost/used:1", State: "exited", Labels: map[string]string{"com.github.containers.toolbox": "true"}},
		{Name: "ours", Image: "localhost/used:1", State: "created", Labels: map[string]string{hierarchy.LabelBox: "ours"}},
		{Name: "runs", Image: "localhost/used:1"},
	}}
	each(t, state, func(t *testing.T, s *story) {
		u, err := s.Unused(t.Context(), map[string]bool{s.full("kept:1"): true})
		s.ok(err)
		var names []string
		for _, i := range append(slices.Clone(u.Containers), u.Images...) {
			names = append(names, i.Name)
		}
		if want := []string{"ended", s.full("loose:1"), s.full("loose:2"), "333333333333"}; !slices.Equal(names, want) || u.Empty() {
			t.Errorf("unused %q, want %q", names, want)
		}
		cache := int64(5000)
		if s.Manager() == hierarchy.Podman {
			cache = 0
		}
		if u.Cache != cache || u.Bytes != 40+7+3+cache {
			t.Errorf("cache %d, bytes %d", u.Cache, u.Bytes)
		}
		// In the meantime one image has found a user.
		s.ok(s.Tag(t.Context(), "sha256:3333333333333333", "kept:1"))
		freed, err := s.Prune(t.Context(), u)
		if err != nil || freed != 40+7+cache {
			t.Errorf("freed %d, %v", freed, err)
		}
		if st := s.state(); len(st.Containers) != 4 || s.id("loose:1") != "" || s.id("kept:1") == "" || s.id("used:1") == "" {
			t.Errorf("left: %+v", st)
		}
		if u, err := s.Unused(t.Context(), nil); err != nil || u.Cache != 0 {
			t.Errorf("afterwards %+v, %v", u, err)
		}
	})
}

func TestLayers(t *testing.T) {
	each(t, withBase(), func(t *testing.T, s *story) {
		_, err := s.Build(t.Context(), s.recipe("tool:1", fromBase+"RUN one\n"), nil)
		s.ok(err)
		refs := []string{s.full("tool:1"), "ghcr.io/x/base:latest"}
		images, err := s.Layers(t.Context(), refs)
		s.ok(err)
		r := layers.Analyze(images)
		if r.Stored != 100+1<<20 || r.Images[0].Own != 1<<20 || r.Images[0].Shared != 100 || r.Images[1].Own != 0 || r.Images[1].Ref != refs[1] {
			t.Errorf("%+v", r)
		}
		if _, err := s.Layers(t.Context(), []string{"nosuch:1"}); err == nil {
			t.Error("an image that is not there has layers")
		}
	})
}

func TestContainer(t *testing.T) {
	state := withBase()
	state.Containers = []enginetest.Container{{Name: "box", Image: "ghcr.io/x/base:latest", Labels: map[string]string{"k": "v"}}}
	each(t, state, func(t *testing.T, s *story) {
		s.ok(s.RenameContainer(t.Context(), "box", "other"))
		b, found, err := s.Container(t.Context(), "other")
		if err != nil || !found || !b.Running || b.Labels["k"] != "v" || b.Image != "ghcr.io/x/base:latest" || b.ImageID == "" {
			t.Errorf("%+v, %v, %v", b, found, err)
		}
		if _, found, err := s.Container(t.Context(), "box"); found || err != nil {
			t.Errorf("the old name: %v, %v", found, err)
		}
	})
}

func TestInfo(t *testing.T) {
	each(t, enginetest.State{}, func(t *testing.T, s *story) {
		info, err := s.Info(t.Context())
		s.ok(err)
		if podman := s.Manager() == hierarchy.Podman; info.Rootless != podman || info.Version == "" || info.APIVersion == "" || info.Root == "" || !strings.HasPrefix(info.Endpoint, "unix://") {
			t.Errorf("%+v", info)
		}
	})
}
