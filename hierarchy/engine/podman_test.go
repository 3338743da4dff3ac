package engine_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/engine"
	"github.com/klmcwhirter/ocisi/hierarchy/engine/enginetest"
	"github.com/klmcwhirter/ocisi/internal/process"
)

// runner runs programs for real, or as a test has it.
type runner struct {
	instead func(ctx context.Context, c process.Cmd) (done bool, err error)
	running atomic.Int32

	mu  sync.Mutex
	ran []process.Cmd
}

func (r *runner) Run(ctx context.Context, c process.Cmd) error {
	r.running.Add(1)
	defer r.running.Add(-1)
	r.mu.Lock()
	r.ran = append(r.ran, c)
	r.mu.Unlock()
	if r.instead != nil {
		if done, err := r.instead(ctx, c); done {
			return err
		}
	}
	return process.System{}.Run(ctx, c)
}

func (r *runner) all() []process.Cmd {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.ran)
}

// another opens the podman of a story once more, through a runner.
func (s *story) another(r *runner, change ...func(*engine.Options)) *engine.Engine {
	s.t.Helper()
	o := engine.Options{Runner: r, Getenv: os.Getenv}
	for _, c := range change {
		c(&o)
	}
	e, err := engine.Open(s.t.Context(), hierarchy.Podman, o)
	s.ok(err)
	return e
}

func TestPodmanServiceEndsWithEngine(t *testing.T) {
	s := start(t, hierarchy.Podman, withBase())
	var r runner
	e := s.another(&r)
	if ran := r.all(); len(ran) != 1 || !strings.HasPrefix(ran[0].String(), "podman system service --time=30 unix://") {
		t.Errorf("ran %v", ran)
	}
	s.ok(e.Close())
	if n := r.running.Load(); n != 0 {
		t.Errorf("%d programs still run", n)
	}
}

func TestPodmanOfUser(t *testing.T) {
	s := start(t, hierarchy.Podman, withBase())
	t.Setenv("CONTAINER_HOST", s.server.PodmanHost())
	var r runner
	e := s.another(&r)
	defer func() { s.ok(e.Close()) }()
	if info, err := e.Info(t.Context()); err != nil || info.Endpoint != s.server.PodmanHost() || len(r.all()) != 0 {
		t.Errorf("%+v, %v, ran %v", info, err, r.all())
	}
}

func TestPodmanMissing(t *testing.T) {
	r := &runner{instead: func(context.Context, process.Cmd) (bool, error) { return true, &process.NotFoundError{Name: "podman"} }}
	_, err := engine.Open(t.Context(), hierarchy.Podman, engine.Options{Runner: r, Getenv: func(string) string { return "" }})
	if missing, ok := errors.AsType[*process.NotFoundError](err); !ok || missing.Name != "podman" {
		t.Errorf("got %v", err)
	}
}

func TestPodmanServiceFails(t *testing.T) {
	r := &runner{instead: func(_ context.Context, c process.Cmd) (bool, error) {
		return true, &process.Error{Cmd: c, Exit: 125, Stderr: "Error: no such storage", Err: errors.New("exit status 125")}
	}}
	_, err := engine.Open(t.Context(), hierarchy.Podman, engine.Options{Runner: r, Getenv: func(string) string { return "" }})
	if u, ok := errors.AsType[*engine.UnreachableError](err); !ok || !strings.HasSuffix(u.Error(), "/podman.sock: no such storage") {
		t.Errorf("got %v", err)
	}
}

// Podman 4.3 leaves with status 0 when it is told to end, its work done or not.
func TestPodmanBuildCancelledWithSuccess(t *testing.T) {
	s := start(t, hierarchy.Podman, withBase())
	ctx, cancel := context.WithCancelCause(t.Context())
	enough := errors.New("enough")
	r := &runner{}
	r.instead = func(ctx context.Context, c process.Cmd) (bool, error) {
		if c.Args[0] != "build" {
			return false, nil
		}
		err := process.System{}.Run(context.WithoutCancel(ctx), c)
		cancel(enough)
		return true, err
	}
	e := s.another(r)
	defer func() { s.ok(e.Close()) }()
	_, err := e.Build(ctx, s.recipe("tool:1", fromBase+"RUN one\n"), nil)
	if !errors.Is(err, enough) || s.id("tool:1") != "" {
		t.Errorf("got %v, image %q", err, s.id("tool:1"))
	}
	if !slices.ContainsFunc(r.all(), func(c process.Cmd) bool { return strings.HasPrefix(c.String(), "podman ps --all --external") }) {
		t.Errorf("nobody looked for working containers: %v", r.all())
	}
}

// A cancelled build removes its own working container, and leaves one that somebody
// else's build has created meanwhile.
func TestCancelledBuildRemovesItsOwnContainers(t *testing.T) {
	s := start(t, hierarchy.Podman, withBase())
	ctx, cancel := context.WithCancelCause(t.Context())
	record := func(id, secrets string) {
		dir := filepath.Join(s.dir, "podman-storage", "overlay-containers", id, "userdata")
		s.ok(os.MkdirAll(dir, 0o700))
		s.ok(os.WriteFile(filepath.Join(dir, "buildah.json"), []byte(`{"Volumes":[],"Secrets":[`+secrets+`]}`), 0o600))
	}
	r := &runner{}
	r.instead = func(ctx context.Context, c process.Cmd) (bool, error) {
		switch c.Args[0] {
		case "build":
			record("own", strconv.Quote(c.Args[slices.Index(c.Args, "--secret")+1]))
			record("theirs", "")
			record("other", `"id=ocisi-build-x,src=/dev/null"`)
			cancel(errors.New("enough"))
			return true, context.Cause(ctx)
		case "ps":
			_, err := io.WriteString(c.Stdout, `[
				{"Id":"theirs","Names":["base-working-container"],"State":"storage"},
				{"Id":"other","Names":["base-working-container-1"],"State":"storage"},
				{"Id":"own","Names":["base-working-container-2"],"State":"storage"},
				{"Id":"unread","Names":["base-working-container-3"],"State":"storage"}]`)
			return true, err
		}
		return c.Args[0] == "rm", nil
	}
	e := s.another(r)
	defer func() { s.ok(e.Close()) }()
	_, err := e.Build(ctx, s.recipe("tool:1", fromBase+"RUN one\n"), nil)
	var removed []string
	for _, c := range r.all() {
		if c.Args[0] == "rm" {
			removed = append(removed, c.String())
		}
	}
	if err == nil || !slices.Equal(removed, []string{"podman rm --force own"}) {
		t.Errorf("%v, removed %q", err, removed)
	}
}

// What killed builds left is removed; a build that still runs, and containers of the
// user's, stay. Their images are not in use any more.
func TestRemoveInterrupted(t *testing.T) {
	labels := map[string]string{hierarchy.LabelImage: "tool:1"}
	s := start(t, hierarchy.Podman, enginetest.State{Images: []enginetest.Image{
		{ID: "sha256:00000000000000a1", Labels: labels}, {ID: "sha256:00000000000000a2", Labels: labels},
	}})
	for id, secret := range map[string]string{"killed": "id=ocisi-build-KILLED,src=/dev/null", "runs": "id=ocisi-build-RUNS,src=/dev/null", "mine": "id=other,src=/f"} {
		dir := filepath.Join(s.dir, "podman-storage", "overlay-containers", id, "userdata")
		s.ok(os.MkdirAll(dir, 0o700))
		s.ok(os.WriteFile(filepath.Join(dir, "buildah.json"), []byte(`{"Secrets":[`+strconv.Quote(secret)+`]}`), 0o600))
	}
	r := &runner{instead: func(_ context.Context, c process.Cmd) (bool, error) {
		if c.Args[0] != "ps" {
			return c.Args[0] == "rm", nil
		}
		_, err := io.WriteString(c.Stdout, `[
			{"Id":"killed","Names":["a-working-container"],"State":"storage","ImageID":"00000000000000a1"},
			{"Id":"runs","Names":["b-working-container"],"State":"storage","ImageID":"00000000000000a2"},
			{"Id":"mine","Names":["c-working-container"],"State":"storage"},
			{"Id":"unread","Names":["d-working-container"],"State":"storage"}]`)
		return true, err
	}}
	e := s.another(r, func(o *engine.Options) {
		o.Processes = fstest.MapFS{
			"1/cmdline":  {Data: []byte("init\x00")},
			"42/cmdline": {Data: []byte("podman\x00build\x00--secret\x00id=ocisi-build-RUNS,src=/dev/null\x00.\x00")},
		}
	})
	defer func() { s.ok(e.Close()) }()
	store, err := e.Observe(t.Context(), nil)
	s.ok(err)
	if len(store.Untagged) != 1 || store.Untagged[0].ID != "sha256:00000000000000a1" {
		t.Errorf("untagged: %+v", store.Untagged)
	}
	s.ok(e.RemoveInterrupted(t.Context()))
	calls := slices.DeleteFunc(r.all(), func(c process.Cmd) bool { return c.Args[0] != "rm" })
	if len(calls) != 1 || calls[0].String() != "podman rm --force killed" {
		t.Errorf("ran %v", calls)
	}
}

func TestPodmanBuildArguments(t *testing.T) {
	s := start(t, hierarchy.Podman, withBase())
	r := s.recipe("tool:1", fromBase)
	r.NoCache = true
	want := []string{"build", "--layers", "--pull=never", "--iidfile", "--file", "--ignorefile", "--secret", "--no-cache"}
	r.Args, r.Labels = map[string]string{}, map[string]string{}
	for _, k := range []string{"a", "b", "c", "d", "e", "f"} {
		r.Args[k], r.Labels[k] = "1", "2"
		want = append(want, "--build-arg", k+"=1")
	}
	for k := range strings.SplitSeq("abcdef", "") {
		want = append(want, "--label", k+"=2")
	}
	r.Labels[hierarchy.LabelImage], r.Labels["p"] = "tool:1", "3"
	want = append(want, "--label", "p=3", "--label", "ocisi.image=tool:1") // last: podman 4.3 makes an instruction of each
	want = append(want, s.dir)
	var run runner
	e := s.another(&run)
	defer func() { s.ok(e.Close()) }()
	_, err := e.Build(t.Context(), r, nil)
	s.ok(err)
	got := slices.DeleteFunc(run.all()[1].Args, func(a string) bool { return strings.Contains(a, "ocisi-build-") })
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestBuildKeepsImageOfOtherName(t *testing.T) {
	each(t, withBase(), func(t *testing.T, s *story) {
		id, err := s.Build(t.Context(), s.recipe("tool:1", fromBase+"RUN one\n"), nil)
		s.ok(err)
		s.ok(s.Tag(t.Context(), id, "prev:1"))
		_, err = s.Build(t.Context(), s.recipe("tool:1", fromBase+"RUN two\n"), nil)
		s.ok(err)
		if s.id("prev:1") != id {
			t.Errorf("prev:1 is %q", s.id("prev:1"))
		}
	})
}

// Podman would look for another ignore file when one has no patterns.
func TestPodmanIgnoreFile(t *testing.T) {
	s := start(t, hierarchy.Podman, withBase())
	for ignore, want := range map[string]string{"": "!nothing\n", "# all\n\n": "!nothing\n", "a\n!b\n": "a\n!b\n"} {
		var got string
		r := &runner{}
		r.instead = func(_ context.Context, c process.Cmd) (bool, error) {
			if i := slices.Index(c.Args, "--ignorefile"); i >= 0 {
				data, err := os.ReadFile(c.Args[i+1])
				s.ok(err)
				got = string(data)
			}
			return false, nil
		}
		e := s.another(r)
		recipe := s.recipe("tool:1", fromBase)
		recipe.Ignore = []byte(ignore)
		_, err := e.Build(t.Context(), recipe, nil)
		s.ok(err)
		s.ok(e.Close())
		if got != want {
			t.Errorf("%q: podman reads %q", ignore, got)
		}
	}
}
