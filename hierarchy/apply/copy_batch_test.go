package apply_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/apply"
	"github.com/klmcwhirter/ocisi/hierarchy/plan"
)

// Copy implements apply.Copier.
func (w *worker) Copy(ctx context.Context, steps []plan.Step, emit func(hierarchy.Progress)) map[plan.Target]error {
	what := "copy to " + string(steps[0].Manager) + ":"
	errs := map[plan.Target]error{}
	for _, s := range steps {
		what += " " + s.Name
		errs[s.Target] = w.fail["copy "+s.Name]
	}
	emit(hierarchy.Progress{Bytes: 1, Total: 2})
	if err := w.work(ctx, what); err != nil {
		for _, s := range steps {
			errs[s.Target] = err
		}
	}
	return errs
}

// copyOf is a copy of an image, which waits for those that go with it.
func copyOf(name string, from, to hierarchy.Manager, with ...string) plan.Step {
	s := image(name, with...)
	s.Manager, s.From, s.Action = to, from, plan.Copy
	for i := range s.Needs {
		s.Needs[i].Manager = from
	}
	return s
}

func copies() plan.Plan {
	last := copyOf("c", hierarchy.Podman, hierarchy.Docker)
	return plan.Plan{Steps: []plan.Step{
		image("a"), image("b", "a"),
		copyOf("a", hierarchy.Docker, hierarchy.Podman, "a", "b"), copyOf("b", hierarchy.Docker, hierarchy.Podman, "a", "b"), last,
	}}
}

// Copies that go one way are made at once, when all of what they need is there; one
// build at a time is no reason for them to wait.
func TestCopies(t *testing.T) {
	for _, jobs := range []int{1, 8} {
		synctest.Test(t, func(t *testing.T) {
			w := &worker{}
			start := time.Now()
			told := 0
			results := apply.Run(t.Context(), copies(), w.tools(), apply.Options{
				Jobs: jobs, Serial: func(hierarchy.Manager) bool { return true },
				Emit: func(e apply.Event) {
					if e.Progress.Total > 0 {
						told++
					}
				},
			})
			for _, r := range results {
				if r.State != apply.Done || r.Action != r.Step.Action {
					t.Errorf("%s: %s, %s: %v", r.Step.Name, r.State, r.Action, r.Err)
				}
			}
			want := []string{"build a", "build b", "copy to docker: c", "copy to podman: a b"}
			slices.Sort(w.did)
			if !slices.Equal(w.did, want) || told != 2 {
				t.Errorf("did %q, told %d times", w.did, told)
			}
			if took := time.Since(start); jobs == 8 && took != 3*time.Minute {
				t.Errorf("took %v", took)
			}
		})
	}
}

func TestCopiesFail(t *testing.T) {
	for _, c := range []struct {
		fails string
		want  []apply.State
	}{
		{"copy b", []apply.State{apply.Done, apply.Done, apply.Done, apply.Failed, apply.Done}},
		{"copy to podman: a b", []apply.State{apply.Done, apply.Done, apply.Failed, apply.Failed, apply.Done}},
		{"build b", []apply.State{apply.Done, apply.Failed, apply.Skipped, apply.Skipped, apply.Done}},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := &worker{fail: map[string]error{c.fails: errors.New("no")}}
			var got []apply.State
			for _, r := range apply.Run(t.Context(), copies(), w.tools(), apply.Options{Jobs: 8}) {
				got = append(got, r.State)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("%s fails: %v, want %v", c.fails, got, c.want)
			}
		})
	}
}
