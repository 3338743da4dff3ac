package engine_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/engine"
	"github.com/klmcwhirter/ocisi/hierarchy/engine/enginetest"
	"github.com/klmcwhirter/ocisi/internal/process"
)

// questions asks all that there is to ask about a container, at once.
func questions(ctx context.Context, e *engine.Engine, name string) map[string]error {
	all := make(map[string]error)
	var mu sync.Mutex
	var wg sync.WaitGroup
	for what, ask := range map[string]func() error{
		"sessions": func() error { _, err := e.Sessions(ctx, name); return err },
		"logs":     func() error { _, err := e.Logs(ctx, name, 5); return err },
		"exec":     func() error { _, err := e.Exec(ctx, name, "true"); return err },
		"exists":   func() error { _, err := e.Exists(ctx, name, "/nothing"); return err },
		"written":  func() error { _, err := e.Written(ctx, name); return err },
		"changes":  func() error { _, err := e.Changes(ctx, name); return err },
		"stop":     func() error { return e.StopContainer(ctx, name, 0) },
	} {
		wg.Go(func() {
			err := ask()
			mu.Lock()
			all[what] = err
			mu.Unlock()
		})
	}
	wg.Wait()
	return all
}

func TestContainerGone(t *testing.T) {
	each(t, withBox(), func(t *testing.T, s *story) {
		for what, err := range questions(t.Context(), s.Engine, "nosuch") {
			if err == nil || !strings.Contains(err.Error(), "No such container: nosuch") || errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s: %v", what, err)
			}
		}
	})
}

func TestEngineHangs(t *testing.T) {
	for _, m := range []hierarchy.Manager{hierarchy.Docker, hierarchy.Podman} {
		for _, after := range []bool{false, true} {
			s := start(t, m, withBox())
			t.Setenv("CONTAINER_HOST", s.server.PodmanHost())
			e, err := engine.Open(t.Context(), m, engine.Options{Runner: process.System{}, Getenv: os.Getenv, Timeout: 400 * time.Millisecond})
			s.ok(err)
			s.server.Watch(func(_ string, done bool) enginetest.Verdict {
				if done == after {
					return enginetest.Hang
				}
				return enginetest.Pass
			})
			all := questions(t.Context(), e, "box")
			_, all["boxes"] = e.Boxes(t.Context())
			_, all["info"] = e.Info(t.Context())
			for what, err := range all {
				if err == nil || !strings.HasSuffix(err.Error(), "no answer after 400ms") {
					t.Errorf("%s: %v", what, err)
				}
			}
			s.server.Watch(nil)
			s.ok(e.Close())
		}
	}
}

func TestEngineGone(t *testing.T) {
	each(t, withBox(), func(t *testing.T, s *story) {
		up := s.server.Down(string(s.Manager()))
		for what, err := range questions(t.Context(), s.Engine, "box") {
			if err == nil || errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s: %v", what, err)
			}
		}
		s.ok(up())
		if n, err := s.Written(t.Context(), "box"); n != 77 || err != nil {
			t.Errorf("the engine is up again: %d, %v", n, err)
		}
	})
}

// A command that is started and whose engine then hangs ends with the caller.
func TestExecHangs(t *testing.T) {
	each(t, withBox(), func(t *testing.T, s *story) {
		ctx, cancel := context.WithCancelCause(t.Context())
		enough := errors.New("enough")
		s.server.Watch(func(point string, done bool) enginetest.Verdict {
			if strings.HasSuffix(point, "/start") && done {
				cancel(enough)
				return enginetest.Hang
			}
			return enginetest.Pass
		})
		if _, err := s.Exec(ctx, "box", "true"); !errors.Is(err, enough) {
			t.Errorf("got %v", err)
		}
		s.server.Watch(func(point string, done bool) enginetest.Verdict {
			if strings.HasSuffix(point, "/start") && !done {
				return enginetest.Fail
			}
			return enginetest.Pass
		})
		if _, err := s.Exec(t.Context(), "box", "true"); err == nil || !strings.HasSuffix(err.Error(), "the engine has failed, as the test wants") {
			t.Errorf("got %v", err)
		}
	})
}
