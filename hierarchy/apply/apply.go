// Package apply runs a plan, every verb's: a step starts when those it needs
// are done, and a step that fails stops only those that need it.
package apply

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/plan"
)

// A Puller fetches a base into an engine's store.
type Puller interface {
	Pull(ctx context.Context, s plan.Step, emit func(hierarchy.Progress)) error
}

// A Builder builds one image and returns its ID.
type Builder interface {
	Build(ctx context.Context, s plan.Step, emit func(hierarchy.Progress)) (id string, err error)
}

// A Boxer makes the box of an image that was built. It returns what it did:
// Create, Recreate, RollBack, Export, Trim or Keep.
type Boxer interface {
	Box(ctx context.Context, s plan.Step, emit func(hierarchy.Progress)) (plan.Action, error)
}

// A Copier copies images from the store of one manager to that of another, all of
// them at once: steps are all copies of a plan that have both managers in common.
// Progress is told of all together. What it returns is why images were not copied;
// those that are not in there were.
type Copier interface {
	Copy(ctx context.Context, steps []plan.Step, emit func(hierarchy.Progress)) map[plan.Target]error
}

// A Remover removes a box, or an image's name, as long as it has the ID of the
// step. It returns a *PostponedError for a box that is in use.
type Remover interface {
	Remove(ctx context.Context, s plan.Step) error
}

// Tools do the work of the steps.
type Tools struct {
	Puller  Puller
	Builder Builder
	Boxer   Boxer
	Remover Remover
	Copier  Copier // nil: for plans without copies
}

// Options say how a plan is run.
type Options struct {
	Jobs   int                          // steps at once; less than 1 means 1
	Serial func(hierarchy.Manager) bool // managers that build one image at a time; nil: none
	Emit   func(Event)                  // never called concurrently; nil: nobody listens
}

// State is how far a step has come.
type State string

// The states. A step ends in one of the last three.
const (
	Started State = "started"
	Working State = "working"
	Done    State = "done"
	Failed  State = "failed"
	Skipped State = "skipped" // something it needs failed, it was postponed, or the run was stopped
)

// Event is one thing that happened to a step.
type Event struct {
	Step     plan.Step
	State    State
	Progress hierarchy.Progress // of Working
	Result   Result             // of Done, Failed and Skipped
}

// Result is how a step ended.
type Result struct {
	Step   plan.Step
	State  State
	Action plan.Action // what was done in the end; of a box, Keep when nothing had changed
	ID     string      // of an image that was built
	Took   time.Duration
	Err    error // of Failed and Skipped
}

// BlockedError says why a step was skipped.
type BlockedError struct {
	By        plan.Target
	Postponed bool // By was postponed; otherwise it failed
}

func (e *BlockedError) Error() string {
	verb := "failed"
	if e.Postponed {
		verb = "was skipped"
	}
	return fmt.Sprintf("%s %s %s", e.By.Kind, e.By.Name, verb)
}

// PostponedError says that a step is not done now: nothing failed, and another
// run will do it.
type PostponedError struct{ Err error }

func (e *PostponedError) Error() string { return e.Err.Error() }
func (e *PostponedError) Unwrap() error { return e.Err }

// RefusedError says that a step would touch what is not ours.
type RefusedError struct {
	Target plan.Target
	Reason string
	Owner  string // the config that made it; "" when ocisi did not
}

func (e *RefusedError) Error() string { return e.Reason }

// Run runs a plan to its end and returns how each step ended, in the plan's
// order. When ctx ends, running steps are cancelled and the rest skipped.
func Run(ctx context.Context, p plan.Plan, tools Tools, o Options) []Result {
	r := &run{
		tools: tools, options: o,
		slots:   make(chan struct{}, max(o.Jobs, 1)),
		serial:  map[hierarchy.Manager]chan struct{}{},
		done:    map[plan.Target]chan struct{}{},
		results: make([]Result, len(p.Steps)),
		index:   map[plan.Target]int{},
		loads:   map[way]*load{},
	}
	for i, s := range p.Steps {
		if s.Action == plan.Copy {
			r.addLoad(s)
		}
		r.done[s.Target] = make(chan struct{})
		r.index[s.Target] = i
		if r.serial[s.Manager] == nil {
			r.serial[s.Manager] = make(chan struct{}, 1)
		}
	}
	var wg sync.WaitGroup
	for i, s := range p.Steps {
		wg.Go(func() {
			defer close(r.done[s.Target])
			r.results[i] = r.step(ctx, s)
		})
	}
	wg.Wait()
	return r.results
}

type run struct {
	tools   Tools
	options Options
	slots   chan struct{}
	serial  map[hierarchy.Manager]chan struct{} // one place each
	done    map[plan.Target]chan struct{}
	index   map[plan.Target]int
	results []Result // each written before its done is closed
	loads   map[way]*load

	mu sync.Mutex // of Emit
}

func (r *run) emit(e Event) {
	if r.options.Emit == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.options.Emit(e)
}

// step waits for what a step needs, takes its places and does it.
func (r *run) step(ctx context.Context, s plan.Step) Result {
	res := Result{Step: s, Action: s.Action}
	if err := r.wait(ctx, s); err != nil {
		return r.end(res, Skipped, err)
	}
	if !s.Action.Changes() {
		return r.end(res, Done, nil)
	}
	if s.Action == plan.Refuse {
		return r.end(res, Failed, &RefusedError{Target: s.Target, Reason: s.Reason, Owner: s.Owner})
	}
	release, err := r.places(ctx, s)
	if err != nil {
		return r.end(res, Skipped, err)
	}
	defer release()
	r.emit(Event{Step: s, State: Started})
	start := time.Now()
	err = r.do(ctx, s, &res)
	res.Took = time.Since(start)
	switch {
	case err == nil:
		return r.end(res, Done, nil)
	case postponed(err), ctx.Err() != nil && errors.Is(err, context.Cause(ctx)):
		return r.end(res, Skipped, err)
	}
	return r.end(res, Failed, err)
}

func postponed(err error) bool {
	_, ok := errors.AsType[*PostponedError](err)
	return ok
}

func (r *run) end(res Result, state State, err error) Result {
	res.State, res.Err = state, err
	r.emit(Event{Step: res.Step, State: state, Result: res})
	return res
}

func (r *run) wait(ctx context.Context, s plan.Step) error {
	for _, need := range s.Needs {
		done, ok := r.done[need]
		if !ok {
			continue // not in this plan: it is as it should be
		}
		select {
		case <-done:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if res := r.results[r.index[need]]; res.State != Done {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return &BlockedError{By: need, Postponed: postponed(res.Err)}
		}
	}
	return nil
}

// places takes the places that a step needs: the store's, where the manager
// builds one image at a time, before one of the jobs', so that waiting for a
// store keeps nobody else from working.
func (r *run) places(ctx context.Context, s plan.Step) (release func(), err error) {
	var taken []chan struct{}
	release = func() {
		for _, c := range taken {
			<-c
		}
	}
	want := []chan struct{}{r.slots}
	if s.Kind == plan.Image && s.Action != plan.Copy && r.options.Serial != nil && r.options.Serial(s.Manager) {
		want = []chan struct{}{r.serial[s.Manager], r.slots}
	}
	for _, c := range want {
		select {
		case c <- struct{}{}:
			taken = append(taken, c)
		case <-ctx.Done():
			release()
			return nil, context.Cause(ctx)
		}
	}
	return release, nil
}

func (r *run) do(ctx context.Context, s plan.Step, res *Result) (err error) {
	tell := func(p hierarchy.Progress) { r.emit(Event{Step: s, State: Working, Progress: p}) }
	switch {
	case s.Action == plan.Remove:
		return r.tools.Remover.Remove(ctx, s)
	case s.Action == plan.Copy:
		return r.copied(ctx, s, tell)
	case s.Kind == plan.Base:
		return r.tools.Puller.Pull(ctx, s, tell)
	case s.Kind == plan.Image:
		res.ID, err = r.tools.Builder.Build(ctx, s, tell)
		return err
	default:
		res.Action, err = r.tools.Boxer.Box(ctx, s, tell)
		return err
	}
}
