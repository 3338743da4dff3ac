package apply_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/apply"
	"github.com/klmcwhirter/ocisi/hierarchy/plan"
)

// worker takes a minute for everything, and fails where told.
type worker struct {
	mu   sync.Mutex
	did  []string
	fail map[string]error
	now  int // at work at this moment
	most int
}

func (w *worker) work(ctx context.Context, what string) error {
	w.mu.Lock()
	w.did = append(w.did, what)
	w.now++
	w.most = max(w.most, w.now)
	w.mu.Unlock()
	defer func() { w.mu.Lock(); w.now--; w.mu.Unlock() }()
	select {
	case <-time.After(time.Minute):
		return w.fail[what]
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", what, context.Cause(ctx))
	}
}

func (w *worker) Pull(ctx context.Context, s plan.Step, _ func(hierarchy.Progress)) error {
	return w.work(ctx, "pull "+s.Name)
}

func (w *worker) Build(ctx context.Context, s plan.Step, emit func(hierarchy.Progress)) (string, error) {
	emit(hierarchy.Progress{Title: "RUN " + s.Image.Name})
	return "sha256:" + s.Image.Name, w.work(ctx, "build "+s.Image.Name)
}

func (w *worker) Box(ctx context.Context, s plan.Step, _ func(hierarchy.Progress)) (plan.Action, error) {
	return plan.Keep, w.work(ctx, "box "+s.Image.Box.Name)
}

func (w *worker) Remove(ctx context.Context, s plan.Step) error {
	return w.work(ctx, "remove "+s.Name)
}

func (w *worker) tools() apply.Tools {
	return apply.Tools{Puller: w, Builder: w, Boxer: w, Remover: w, Copier: w}
}

func image(name string, parents ...string) plan.Step {
	s := plan.Step{
		Target: plan.Target{Kind: plan.Image, Manager: hierarchy.Docker, Name: name},
		Action: plan.Build, Image: hierarchy.Image{Name: name, Manager: hierarchy.Docker},
	}
	for _, p := range parents {
		s.Needs = append(s.Needs, plan.Target{Kind: plan.Image, Manager: hierarchy.Docker, Name: p})
	}
	return s
}

func boxOf(name string) plan.Step {
	s := image(name)
	s.Needs = []plan.Target{s.Target}
	s.Target = plan.Target{Kind: plan.Box, Manager: hierarchy.Docker, Name: name}
	s.Action = plan.Create
	s.Image.Box = &hierarchy.Box{Name: name}
	return s
}

// tree is base → (left, right) → box of left.
func tree() plan.Plan {
	return plan.Plan{Steps: []plan.Step{image("base"), image("left", "base"), image("right", "base"), boxOf("left")}}
}

func run(t *testing.T, p plan.Plan, w *worker, o apply.Options) ([]string, time.Duration) {
	t.Helper()
	start := time.Now()
	var out []string
	for _, r := range apply.Run(t.Context(), p, w.tools(), o) {
		out = append(out, fmt.Sprintf("%s %s %s %s", r.Step.Kind, r.Step.Name, r.State, r.Action))
	}
	return out, time.Since(start)
}

func TestSiblingsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &worker{}
		got, took := run(t, tree(), w, apply.Options{Jobs: 4})
		want := []string{"image base done build", "image left done build", "image right done build", "box left done keep"}
		if !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		if took != 3*time.Minute {
			t.Errorf("took %v, want 3m: a minute per level", took)
		}
		if w.did[0] != "build base" || w.did[3] != "box left" {
			t.Errorf("order %q", w.did)
		}
	})
}

func TestOneJob(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &worker{}
		_, took := run(t, tree(), w, apply.Options{Jobs: 0})
		if took != 4*time.Minute || w.most != 1 {
			t.Errorf("took %v with %d at once, want 4m, one at a time", took, w.most)
		}
	})
}

// A store that builds one image at a time does so, and boxes do not wait for it.
func TestSerial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &worker{}
		_, took := run(t, tree(), w, apply.Options{Jobs: 4, Serial: func(m hierarchy.Manager) bool { return m == hierarchy.Docker }})
		if took != 3*time.Minute && took != 4*time.Minute {
			t.Errorf("took %v", took)
		}
		if w.most > 2 {
			t.Errorf("%d at once", w.most)
		}
		w = &worker{}
		p := plan.Plan{Steps: []plan.Step{image("a"), image("b"), image("c")}}
		if _, took := run(t, p, w, apply.Options{Jobs: 4, Serial: func(hierarchy.Manager) bool { return true }}); took != 3*time.Minute || w.most != 1 {
			t.Errorf("three images took %v with %d at once, want one after the other", took, w.most)
		}
	})
}

func TestFailureStopsDescendantsOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		oops := errors.New("no space")
		w := &worker{fail: map[string]error{"build left": oops}}
		results := apply.Run(t.Context(), tree(), w.tools(), apply.Options{Jobs: 4})
		var states []string
		for _, r := range results {
			states = append(states, string(r.State))
		}
		if got := strings.Join(states, " "); got != "done failed done skipped" {
			t.Errorf("states %s", got)
		}
		if !errors.Is(results[1].Err, oops) {
			t.Errorf("error %v", results[1].Err)
		}
		if be, ok := errors.AsType[*apply.BlockedError](results[3].Err); !ok || be.By.Name != "left" {
			t.Errorf("the box was skipped for %v", results[3].Err)
		}
		if slices.Contains(w.did, "box left") {
			t.Error("a box was made of an image that was not built")
		}
	})
}

func TestCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stop := errors.New("interrupted")
		ctx, cancel := context.WithCancelCause(t.Context())
		go func() {
			time.Sleep(90 * time.Second) // base is done, left and right are at work
			cancel(stop)
		}()
		start := time.Now()
		results := apply.Run(ctx, tree(), (&worker{}).tools(), apply.Options{Jobs: 4})
		if took := time.Since(start); took != 90*time.Second {
			t.Errorf("took %v, want 1m30s", took)
		}
		if results[0].State != apply.Done {
			t.Errorf("base %s", results[0].State)
		}
		for _, r := range results[1:] {
			if r.State != apply.Skipped || !errors.Is(r.Err, stop) {
				t.Errorf("%s %s: %s, %v", r.Step.Kind, r.Step.Name, r.State, r.Err)
			}
		}
	})
}

func TestKeepRefuseRemove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keep, skip, refuse, remove := image("keep"), image("skip"), boxOf("refuse"), image("old")
		keep.Action, skip.Action, refuse.Action, remove.Action = plan.Keep, plan.Skip, plan.Refuse, plan.Remove
		refuse.Needs = nil
		w := &worker{}
		got, _ := run(t, plan.Plan{Steps: []plan.Step{keep, skip, refuse, remove}}, w, apply.Options{Jobs: 4})
		want := []string{"image keep done keep", "image skip done skip", "box refuse failed refuse", "image old done remove"}
		if !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		if !slices.Equal(w.did, []string{"remove old"}) {
			t.Errorf("did %q", w.did)
		}
	})
}

// Events come one at a time, each step's in order, and every step ends once.
func TestEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		events := map[string][]apply.State{}
		busy := false
		run(t, tree(), &worker{}, apply.Options{Jobs: 4, Emit: func(e apply.Event) {
			if busy {
				t.Error("called concurrently")
			}
			busy = true
			defer func() { busy = false }()
			key := string(e.Step.Kind) + " " + e.Step.Name
			events[key] = append(events[key], e.State)
		}})
		want := []apply.State{apply.Started, apply.Working, apply.Done}
		for _, key := range []string{"image base", "image left", "image right"} {
			if !slices.Equal(events[key], want) {
				t.Errorf("%s: %v", key, events[key])
			}
		}
	})
}
