package apply

import (
	"context"
	"sync/atomic"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/plan"
)

// way is from where to where images are copied.
type way struct{ from, to hierarchy.Manager }

// load is the copies that go one way. They are made together, when the first of
// their steps has its turn.
type load struct {
	steps []plan.Step
	begun atomic.Bool
	done  chan struct{}
	errs  map[plan.Target]error // before done is closed
}

func (r *run) addLoad(s plan.Step) {
	w := way{s.From, s.Manager}
	if r.loads[w] == nil {
		r.loads[w] = &load{done: make(chan struct{})}
	}
	r.loads[w].steps = append(r.loads[w].steps, s)
}

// copied makes all copies that go the way of a step, or waits until they are made.
// Its steps need the same ones, so that all have their turn or none has.
func (r *run) copied(ctx context.Context, s plan.Step, tell func(hierarchy.Progress)) error {
	l := r.loads[way{s.From, s.Manager}]
	if !l.begun.Swap(true) {
		l.errs = r.tools.Copier.Copy(ctx, l.steps, tell)
		close(l.done)
	}
	<-l.done // the copy ends with ctx
	return l.errs[s.Target]
}
