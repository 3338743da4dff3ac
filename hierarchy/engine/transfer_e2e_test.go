//go:build e2e

package engine_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/engine"
	"github.com/klmcwhirter/ocisi/internal/process"
)

// beside opens the other engine.
func (w *world) beside() *engine.Engine {
	w.t.Helper()
	m := hierarchy.Docker
	if w.m == m {
		m = hierarchy.Podman
	}
	home, err := os.UserHomeDir()
	w.ok(err)
	other, err := engine.Open(w.t.Context(), m, engine.Options{Runner: process.System{}, Getenv: os.Getenv, Home: home})
	w.ok(err)
	w.t.Cleanup(func() { w.ok(other.Close()) })
	return other
}

// marked makes a recipe's labels those of an image that ocisi builds.
func (w *world) marked(r hierarchy.Recipe, salt string) hierarchy.Recipe {
	in := hierarchy.Inputs{Version: 1, Manager: w.m, File: salt}
	r.Labels[hierarchy.LabelInputs] = in.String()
	return r
}

// nameless returns the images in a store that have no name and bear ours.
func nameless(t *testing.T, m hierarchy.Manager, ref string) string {
	t.Helper()
	out, err := process.Output(t.Context(), process.System{}, process.Cmd{
		Name: string(m), Args: []string{"images", "--filter", "dangling=true", "--filter", "label=" + hierarchy.LabelImage + "=" + ref, "--quiet", "--no-trunc"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(out)
}

// A copy that is stopped on its way leaves the old one under its name, and the
// next one clears up.
func TestRealCopyStopped(t *testing.T) {
	on(t, func(t *testing.T, w *world) {
		other := w.beside()
		ref := w.name("copy-stopped")
		t.Cleanup(func() { w.ok(other.RemoveImage(context.Background(), ref)) })
		big := "RUN head -c 60000000 /dev/urandom > /big"
		w.build(w.marked(w.recipe(ref, base, big), "1"))
		if errs := w.e.CopyTo(t.Context(), other, []string{ref}, nil); len(errs) > 0 {
			t.Fatal(errs)
		}
		full := other.Manager().StoreRef(ref)
		old, _, err := other.Inspect(t.Context(), full)
		w.ok(err)
		w.build(w.marked(w.recipe(ref, base, big, "RUN echo more > /more"), "2"))
		enough := errors.New("enough")
		for _, after := range []time.Duration{0, 30, 100, 300, 600, 1000, 1500} {
			ctx, cancel := context.WithCancelCause(t.Context())
			timer := time.AfterFunc(after*time.Millisecond, func() { cancel(enough) })
			start := time.Now()
			errs := w.e.CopyTo(ctx, other, []string{ref}, nil)
			timer.Stop()
			now, found, err := other.Inspect(t.Context(), full)
			w.ok(err)
			t.Logf("stopped after %d ms: out after %.1f s: %v", after, time.Since(start).Seconds(), errs)
			if len(errs) == 0 {
				break // it was done by then
			}
			if !errors.Is(errs[ref], enough) || !found || now.ID != old.ID {
				t.Fatalf("stopped after %d ms: %v; the name is held by %s, not %s", after, errs[ref], now.ID, old.ID)
			}
		}
		if errs := w.e.CopyTo(t.Context(), other, []string{ref}, nil); len(errs) > 0 {
			t.Fatal(errs)
		}
		if left := nameless(t, other.Manager(), ref); left != "" {
			t.Errorf("left without a name: %s", left)
		}
	})
}

// A name that somebody else's image holds stays his.
func TestRealCopyForeign(t *testing.T) {
	on(t, func(t *testing.T, w *world) {
		other := w.beside()
		ref := w.name("copy-foreign")
		t.Cleanup(func() { w.ok(other.RemoveImage(context.Background(), ref)) })
		w.build(w.marked(w.recipe(ref, base, "RUN echo one > /one"), "1"))
		if _, found, err := other.Inspect(t.Context(), base); err != nil || !found {
			w.ok(errors.Join(err, other.Pull(t.Context(), base, "", nil)))
		}
		w.ok(other.Tag(t.Context(), base, ref))
		errs := w.e.CopyTo(t.Context(), other, []string{ref}, nil)
		if _, ok := errors.AsType[*engine.ForeignError](errs[ref]); !ok || len(errs) != 1 {
			t.Error(fmt.Sprint(errs))
		}
	})
}
