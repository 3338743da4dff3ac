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
	"time"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/engine"
	"github.com/klmcwhirter/ocisi/hierarchy/engine/enginetest"
	"github.com/klmcwhirter/ocisi/internal/process"
)

// TestMain makes the test binary a podman, or an ssh to OCISI_TEST_SOCKET, when it
// is called so. Only the tests that start a story call it.
func TestMain(m *testing.M) {
	switch filepath.Base(os.Args[0]) {
	case "podman":
		enginetest.Podman()
		return
	case "ssh":
		pipe(os.Stdin, os.Stdout, os.Getenv("OCISI_TEST_SOCKET"))
		return
	}
	os.Exit(m.Run())
}

// story is an engine of a server, and the directory of the server's files.
type story struct {
	*engine.Engine
	t      *testing.T
	server *enginetest.Server
	dir    string
}

// each runs a test on both engines, and on docker with the containerd image store.
// The stores begin with state. Names in state that begin with localhost/ are
// docker.io/library/ in docker.
func each(t *testing.T, state enginetest.State, test func(t *testing.T, s *story)) {
	t.Helper()
	t.Run("containerd", func(t *testing.T) {
		state := state
		state.Containerd = true
		test(t, start(t, hierarchy.Docker, state))
	})
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
	self, err := os.Executable()
	s.ok(err)
	bin := t.TempDir()
	s.ok(os.Symlink(self, filepath.Join(bin, "podman")))
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	t.Setenv("XDG_RUNTIME_DIR", "")
	t.Setenv("CONTAINER_HOST", "")
	s.Engine, err = engine.Open(t.Context(), m, engine.Options{Runner: process.System{}, Getenv: os.Getenv, Patience: time.Minute})
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
		// The old image goes when the name moves; another recipe's keeps the name.
		next, err := s.Build(t.Context(), s.recipe("tool:1", fromBase+"RUN two\n"), nil)
		s.ok(err)
		if _, found, _ := s.Inspect(t.Context(), id); found || next == id {
			t.Errorf("%s is left beside %s", id, next)
		}
		other := s.recipe("tool:1", fromBase+"RUN three\n")
		other.Labels = map[string]string{hierarchy.LabelImage: "other:1"}
		_, err = s.Build(t.Context(), other, nil)
		if _, foreign := errors.AsType[*engine.ForeignError](err); !foreign || s.id("tool:1") != next {
			t.Errorf("an image of another recipe is replaced: %v", err)
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

func box(s hierarchy.Store, name string) (hierarchy.StoredBox, bool) {
	for _, b := range s.Boxes {
		if b.Name == name {
			return b, true
		}
	}
	return hierarchy.StoredBox{}, false
}
