package apply

import (
	"context"
	"sync/atomic"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/plan"
)

// route is the source and the destination of copies.
type route struct{ from, to hierarchy.Manager }

// copyBatch is the copies of a plan with the same route. The first step that starts
// makes all of them.
type copyBatch struct {
	steps   []plan.Step
	started atomic.Bool
	done    chan struct{}
	errs    map[plan.Target]error // set before done is closed
}

func (r *run) addCopy(s plan.Step) {
	rt := route{s.From, s.Manager}
	if r.copies[rt] == nil {
		r.copies[rt] = &copyBatch{done: make(chan struct{})}
	}
	r.copies[rt].steps = append(r.copies[rt].steps, s)
}

// copy makes all copies with the route of s, or waits for them. Steps with the same
// route need the same steps, so all of them can start.
func (r *run) copy(ctx context.Context, s plan.Step, emit func(hierarchy.Progress)) error {
	b := r.copies[route{s.From, s.Manager}]
	if !b.started.Swap(true) {
		b.errs = r.tools.Copier.Copy(ctx, b.steps, emit)
		close(b.done)
	}
	<-b.done // Copy ends with ctx
	return b.errs[s.Target]
}
