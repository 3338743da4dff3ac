package apply

import (
	"context"
	"sync"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/plan"
)

// way is from where to where images are copied.
type way struct{ from, to hierarchy.Manager }

// load is the copies that go one way. They are made together, when the first of
// their steps has its turn.
type load struct {
	steps []plan.Step
	once  sync.Once
	errs  map[plan.Target]error
}

func (r *run) addLoad(s plan.Step) {
	w := way{s.From, s.Manager}
	if r.loads[w] == nil {
		r.loads[w] = new(load)
	}
	r.loads[w].steps = append(r.loads[w].steps, s)
}

// copied makes all copies that go the way of a step, or waits until they are made.
// Its steps need the same ones, so that all have their turn or none has.
func (r *run) copied(ctx context.Context, s plan.Step, tell func(hierarchy.Progress)) error {
	l := r.loads[way{s.From, s.Manager}]
	l.once.Do(func() { l.errs = r.tools.Copier.Copy(ctx, l.steps, tell) })
	return l.errs[s.Target]
}
