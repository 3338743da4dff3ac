//go:build e2e

// These tests run against the docker and the podman of the machine they are on,
// as an ordinary user, and need the base image of const base in a registry that
// both can reach. On a test host:
//
//	CGO_ENABLED=0 go test -c -tags e2e -o /tmp/engine.test ./hierarchy/engine
//	test/host/host.sh install forky /tmp/engine.test
//	test/host/host.sh as forky engine.test -test.v
//
// All that they make is called ocisi-e2e-… and is removed again; the base stays.
package engine_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/engine"
	"github.com/klmcwhirter/ocisi/internal/process"
)

const base = "ghcr.io/ublue-os/debian-toolbox:latest"

// on runs a test on both engines, each with the base in its store.
func on(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	for _, m := range []hierarchy.Manager{hierarchy.Docker, hierarchy.Podman} {
		t.Run(string(m), func(t *testing.T) {
			home, err := os.UserHomeDir()
			if err != nil {
				t.Fatal(err)
			}
			e, err := engine.Open(t.Context(), m, engine.Options{Runner: process.System{}, Getenv: os.Getenv, Home: home})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := e.Close(); err != nil {
					t.Error(err)
				}
			})
			w := &world{t: t, e: e, m: m, dir: t.TempDir()}
			if _, found, err := e.Inspect(t.Context(), base); err != nil || !found {
				w.ok(errors.Join(err, e.Pull(t.Context(), base, "", nil)))
			}
			test(t, w)
		})
	}
}

type world struct {
	t   *testing.T
	e   *engine.Engine
	m   hierarchy.Manager
	dir string

	mu   sync.Mutex
	told []hierarchy.Progress
}

func (w *world) ok(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// name makes a name of our own that goes away with the test.
func (w *world) name(what string) string {
	ref := "ocisi-e2e-" + what + ":1"
	w.t.Cleanup(func() {
		if err := w.e.RemoveImage(context.Background(), ref); err != nil {
			w.t.Error(err)
		}
	})
	return ref
}

func (w *world) recipe(ref, from string, lines ...string) hierarchy.Recipe {
	text := strings.Join(append([]string{"FROM " + from}, lines...), "\n") + "\n"
	r := hierarchy.Recipe{
		Ref: ref, Context: w.dir, Containerfile: filepath.Join(w.dir, "Containerfile."+strings.TrimSuffix(ref, ":1")), Text: []byte(text),
		Args: map[string]string{"WHO": "dev", "ALSO": "x"}, Labels: map[string]string{hierarchy.LabelImage: ref},
	}
	if from != base {
		r.Needs = []string{w.m.StoreRef(from)}
	}
	return r
}

func (w *world) local(ref string) string { return hierarchy.FamiliarRef(w.m.StoreRef(ref)) }

func (w *world) tell(p hierarchy.Progress) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.told = append(w.told, p)
}

func (w *world) build(r hierarchy.Recipe) string {
	w.t.Helper()
	id, err := w.e.Build(w.t.Context(), r, w.tell)
	if err != nil {
		if be, ok := errors.AsType[*hierarchy.BuildError](err); ok {
			w.t.Log(be.Log)
		}
		w.t.Fatal(err)
	}
	return id
}

func (w *world) run(args ...string) string {
	w.t.Helper()
	out, err := process.Output(w.t.Context(), process.System{}, process.Cmd{Name: string(w.m), Args: args})
	w.ok(err)
	return out
}

// container makes a container of our own that goes away with the test.
func (w *world) container(name string, args ...string) {
	w.t.Helper()
	name = "ocisi-e2e-" + name
	w.run(append([]string{"run", "-d", "--stop-signal", "KILL", "--name", name}, args...)...)
	w.t.Cleanup(func() {
		_ = process.System{}.Run(context.Background(), process.Cmd{Name: string(w.m), Args: []string{"rm", "-f", "-v", name}})
	})
}

func TestE2EChain(t *testing.T) {
	on(t, func(t *testing.T, w *world) {
		a, b, c := w.name("a"), w.name("b"), w.name("c")
		w.ok(os.WriteFile(filepath.Join(w.dir, "seen"), []byte("seen"), 0o600))
		w.ok(os.WriteFile(filepath.Join(w.dir, "unseen"), []byte("unseen"), 0o600))
		// What the recipe says counts, not what is there by now.
		w.ok(os.WriteFile(filepath.Join(w.dir, ".containerignore"), []byte("seen\n"), 0o600))
		now := fmt.Sprint(time.Now().UnixNano()) // no step is in the cache of an earlier run
		recipes := []hierarchy.Recipe{
			w.recipe(a, base, "ARG WHO", "RUN echo I am $WHO && echo "+now+" > /now", "RUN true", "COPY . /context", "RUN test -e /context/seen -a ! -e /context/unseen"),
			w.recipe(b, w.local(a), "RUN head -c 5000000 /dev/urandom > /b"),
			w.recipe(c, w.local(a), "RUN head -c 3000000 /dev/urandom > /c"),
		}
		recipes[0].Ignore = []byte("unseen\n")
		first := w.chain(recipes)
		w.progress(recipes[0])
		w.told = nil
		if again := w.chain(recipes); !slices.Equal(first, again) {
			t.Errorf("the second time the images are %v, not %v", again, first)
		}
		if !slices.ContainsFunc(w.told, func(p hierarchy.Progress) bool { return p.Cached && strings.HasPrefix(p.Title, "RUN head") }) {
			t.Errorf("no step is told to be cached: %+v", w.told)
		}
		w.layers(a, b, c)
		store, err := w.e.Observe(t.Context(), nil)
		w.ok(err)
		im, found := store.Image(w.m.StoreRef(b))
		if !found || im.ID != first[1] || im.Labels[hierarchy.LabelImage] != b || im.Created == 0 || im.Size == 0 {
			t.Errorf("observed %+v, %v; built %s", im, found, first[1])
		}
		// Another text of the same length must be seen.
		w.build(w.recipe(b, w.local(a), "RUN echo 1.2 > /version"))
		w.build(w.recipe(b, w.local(a), "RUN echo 1.3 > /version"))
		if got := w.run("run", "--rm", b, "cat", "/version"); got != "1.3" {
			t.Errorf("the image has version %s, want 1.3", got)
		}
	})
}

// chain builds the first recipe, then the others at the same time.
func (w *world) chain(recipes []hierarchy.Recipe) []string {
	w.t.Helper()
	start := time.Now()
	ids := make([]string, len(recipes))
	ids[0] = w.build(recipes[0])
	var wg sync.WaitGroup
	for i, r := range recipes[1:] {
		wg.Go(func() {
			var err error
			if ids[i+1], err = w.e.Build(w.t.Context(), r, w.tell); err != nil {
				w.t.Error(err)
			}
		})
	}
	wg.Wait()
	w.t.Logf("chain: %s", time.Since(start).Round(time.Millisecond))
	return ids
}

func (w *world) progress(r hierarchy.Recipe) {
	w.t.Helper()
	var steps []string
	said := false
	for _, p := range w.told {
		if p.Steps >= 5 {
			if p.Title != "" {
				steps = append(steps, fmt.Sprint(p.Step))
			}
		}
		said = said || p.Log == "I am dev" && p.Title == ""
	}
	w.t.Logf("steps %v", steps)
	if !said || !slices.Contains(steps, "2") || !slices.Contains(steps, "5") {
		w.t.Errorf("of %s: output told %v, steps %v", r.Ref, said, steps)
	}
}

// Whatever lies in the context: a recipe that ignores nothing sees all.
func TestRealIgnoresNothing(t *testing.T) {
	on(t, func(_ *testing.T, w *world) {
		for _, name := range []string{"seen", "Containerfile.ocisi-e2e-all"} {
			w.ok(os.WriteFile(filepath.Join(w.dir, name), []byte(name), 0o600))
		}
		for _, name := range []string{".containerignore", ".dockerignore"} {
			w.ok(os.WriteFile(filepath.Join(w.dir, name), []byte("seen\n"), 0o600))
		}
		r := w.recipe(w.name("all"), base, "COPY . /context", "RUN test -e /context/seen")
		r.Ignore = []byte("# nothing\n")
		w.build(r)
	})
}

func TestE2EFailure(t *testing.T) {
	on(t, func(t *testing.T, w *world) {
		ref := w.name("fails")
		before := w.build(w.recipe(ref, base, "RUN echo fine"))
		w.told = nil
		_, err := w.e.Build(t.Context(), w.recipe(ref, base, "RUN echo other", "RUN seq 1 3000; echo oops >&2; exit 3", "RUN echo never"), w.tell)
		be, ok := errors.AsType[*hierarchy.BuildError](err)
		if !ok {
			t.Fatalf("the error is %v", err)
		}
		t.Log(err)
		lines := strings.Split(be.Log, "\n")
		if !strings.HasPrefix(be.Step, "RUN seq 1 3000") || !slices.Contains(lines, "1") || !slices.Contains(lines, "3000") || !slices.Contains(lines, "oops") || slices.Contains(lines, "other") {
			t.Errorf("step %q, log %q", be.Step, be.Log)
		}
		w.still(ref, before)
		if w.m == hierarchy.Podman {
			w.noWorking()
		}

		_, err = w.e.Build(t.Context(), w.recipe(ref, base, "NONSENSE here"), nil)
		if be, ok := errors.AsType[*hierarchy.BuildError](err); !ok || !strings.Contains(strings.ToLower(err.Error()), "nonsense") {
			t.Errorf("a file that is wrong: %v, %+v", err, be)
		}
		w.still(ref, before)
	})
}

func (w *world) still(ref, id string) {
	w.t.Helper()
	im, found, err := w.e.Inspect(w.t.Context(), w.m.StoreRef(ref))
	if err != nil || !found || im.ID != id {
		w.t.Errorf("%s is %s, %v, %v; want %s", ref, im.ID, found, err, id)
	}
}

// noWorking fails when buildah has a container of an image that these tests
// build on.
func (w *world) noWorking() {
	w.t.Helper()
	if out := w.run("ps", "--all", "--external", "--format", "{{.Names}}"); strings.Contains(out, "working-container") {
		w.t.Errorf("working containers are left: %s", out)
	}
}

func TestE2EMissingParent(t *testing.T) {
	on(t, func(t *testing.T, w *world) {
		ref := w.name("orphan")
		start := time.Now()
		_, err := w.e.Build(t.Context(), w.recipe(ref, w.local("ocisi-e2e-nosuch:1"), "RUN true"), nil)
		if missing, ok := errors.AsType[*engine.MissingError](err); !ok || missing.Need != w.m.StoreRef("ocisi-e2e-nosuch:1") {
			t.Errorf("got %v", err)
		}
		// What the recipe does not declare, podman does not fetch either.
		r := w.recipe(ref, w.local("ocisi-e2e-nosuch:1"), "RUN true")
		r.Needs = nil
		_, err = w.e.Build(t.Context(), r, nil)
		t.Log(err)
		if err == nil || w.m == hierarchy.Podman && time.Since(start) > 3*time.Second {
			t.Errorf("got %v after %s", err, time.Since(start))
		}
	})
}
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if is() {
			return
		}
	}
	t.Errorf("not in 5 s: %s", what)
}

// runs reports whether a process has these words in its command line.
func runs(words string) bool {
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, f := range files {
		if data, err := os.ReadFile(f); err == nil && strings.Contains(string(data), words) {
			return true
		}
	}
	return false
}
