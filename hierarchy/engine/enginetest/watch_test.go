package enginetest_test

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/engine"
	"github.com/klmcwhirter/ocisi/hierarchy/engine/enginetest"
	"github.com/klmcwhirter/ocisi/internal/process"
)

// watched is docker with one box of one image, seen through Watch.
type watched struct {
	*engine.Engine
	server *enginetest.Server

	mu    sync.Mutex
	asked []string
}

func watchedDocker(t *testing.T) *watched {
	t.Helper()
	w := &watched{}
	var err error
	if w.server, err = enginetest.Start(t.TempDir()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.server.Close)
	w.server.Edit("docker", func(st *enginetest.State) {
		st.Images = []enginetest.Image{{ID: "sha256:0123456789abcdef", Refs: []string{"docker.io/library/x:1"}}}
		st.Containers = []enginetest.Container{{Name: "box", Image: "x:1"}}
	})
	getenv := func(name string) string {
		if name == "DOCKER_HOST" {
			return w.server.DockerHost()
		}
		return ""
	}
	w.Engine, err = engine.Open(t.Context(), hierarchy.Docker, engine.Options{Runner: process.System{}, Getenv: getenv, Timeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	return w
}

// at has a verdict at one point; a client that is left hanging gives up.
func (w *watched) at(point string, done bool, v enginetest.Verdict, giveUp context.CancelCauseFunc) {
	w.server.Watch(func(p string, d bool) enginetest.Verdict {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.asked = append(w.asked, p)
		if p == point && d == done {
			if v == enginetest.Hang {
				time.AfterFunc(10*time.Millisecond, func() { giveUp(errors.New("enough")) })
			}
			return v
		}
		return enginetest.Pass
	})
}

func (w *watched) names() []string {
	var names []string
	for _, c := range w.server.Docker().Containers {
		names = append(names, c.Name)
	}
	return names
}

func TestWatchRequest(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		verdict enginetest.Verdict
		done    bool
		says    string
	}{
		{enginetest.Fail, false, "the engine has failed, as the test wants"},
		{enginetest.Fail, true, "the engine has failed, as the test wants"},
		{enginetest.Cut, false, "EOF"},
		{enginetest.Cut, true, "EOF"},
		{enginetest.Hang, false, "enough"},
		{enginetest.Hang, true, "enough"},
	} {
		w := watchedDocker(t)
		ctx, cancel := context.WithCancelCause(t.Context())
		w.at("docker POST /containers/box/rename", c.done, c.verdict, cancel)
		err := w.RenameContainer(ctx, "box", "new")
		cancel(nil)
		want := "box"
		if c.done {
			want = "new"
		}
		if err == nil || !strings.Contains(err.Error(), c.says) || !slices.Equal(w.names(), []string{want}) {
			t.Errorf("%+v: %v, containers %q", c, err, w.names())
		}
		w.mu.Lock()
		if want := []string{"docker POST /containers/box/rename"}; !slices.Equal(slices.Compact(w.asked), want) {
			t.Errorf("asked at %q", w.asked)
		}
		w.mu.Unlock()
		w.server.Watch(nil)
		if err := w.RenameContainer(t.Context(), w.names()[0], "last"); err != nil {
			t.Errorf("%+v: afterwards %v", c, err)
		}
	}
}

func TestWatchSolve(t *testing.T) {
	t.Parallel()
	for _, v := range []enginetest.Verdict{enginetest.Fail, enginetest.Cut, enginetest.Hang} {
		for _, done := range []bool{false, true} {
			w := watchedDocker(t)
			ctx, cancel := context.WithCancelCause(t.Context())
			w.at("docker Solve", done, v, cancel)
			dir := t.TempDir()
			r := hierarchy.Recipe{Ref: "y:1", Context: dir, Containerfile: dir + "/Containerfile", Text: []byte("FROM x:1\nRUN make\n")}
			_, err := w.Build(ctx, r, nil)
			cancel(nil)
			if built := len(w.server.Docker().Images) == 2; err == nil || built != done {
				t.Errorf("%d, done %v: built %v, %v", v, done, built, err)
			}
			w.server.Watch(nil)
			if _, err := w.Build(t.Context(), r, nil); err != nil {
				t.Errorf("%d, done %v: afterwards %v", v, done, err)
			}
		}
	}
}

func TestDown(t *testing.T) {
	t.Parallel()
	w := watchedDocker(t)
	up := w.server.Down("docker")
	if err := w.RenameContainer(t.Context(), "box", "new"); err == nil {
		t.Error("an engine that is down renames")
	}
	if err := up(); err != nil {
		t.Fatal(err)
	}
	if err := w.RenameContainer(t.Context(), "box", "new"); err != nil {
		t.Error(err)
	}
	if c := w.server.Docker().Containers[0]; c.State != "exited" {
		t.Errorf("%s runs on without its daemon", c.Name)
	}
	if _, err := os.Stat(strings.TrimPrefix(w.server.DockerHost(), "unix://")); err != nil {
		t.Error(err)
	}
}
