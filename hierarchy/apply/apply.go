// Package apply runs a [plan.Plan]. A step starts after the steps that it needs are
// done. A failed step blocks only those that need it.
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

// Puller pulls a base image into the store of an engine.
type Puller interface {
	Pull(ctx context.Context, s plan.Step, emit func(hierarchy.Progress)) error
}

// Builder builds an image and returns its ID.
type Builder interface {
	Build(ctx context.Context, s plan.Step, emit func(hierarchy.Progress)) (id string, err error)
}

// Boxer creates or updates a box. It returns the action that it performed: Create,
// Recreate, RollBack, Export, Trim or Keep.
type Boxer interface {
	Box(ctx context.Context, s plan.Step, emit func(hierarchy.Progress)) (plan.Action, error)
}

// Copier copies images from one engine's store to another's. The steps are all copies
// of a plan between the same two engines, and emit receives their common progress. The
// result has an error for each image that was not copied.
type Copier interface {
	Copy(ctx context.Context, steps []plan.Step, emit func(hierarchy.Progress)) map[plan.Target]error
}

// Remover removes a box or an image reference, provided that it has the ID of the
// step. For a box in use, the error is a [*PostponedError].
type Remover interface {
	Remove(ctx context.Context, s plan.Step) error
}

// Tools perform the steps of a plan.
type Tools struct {
	Puller  Puller
	Builder Builder
	Boxer   Boxer
	Remover Remover
	Copier  Copier // may be nil for a plan without copies
}

// Options configure [Run].
type Options struct {
	Jobs   int                          // maximum number of concurrent steps; less than 1 means 1
	Serial func(hierarchy.Manager) bool // engines that build one image at a time; nil: none
	Emit   func(Event)                  // called for each event, never concurrently; may be nil
}

// State is the state of a step.
type State string

// The states. The last three are final.
const (
	Started State = "started"
	Working State = "working"
	Done    State = "done"
	Failed  State = "failed"
	Skipped State = "skipped" // a step that it needs failed, it was postponed, or the run was cancelled
)

// Event is a change of state or the progress of a step.
type Event struct {
	Step     plan.Step
	State    State
	Progress hierarchy.Progress // of Working
	Result   Result             // of Done, Failed and Skipped
}

// Result is the result of a step.
type Result struct {
	Step   plan.Step
	State  State
	Action plan.Action // the action that was performed; Keep for a box that had not changed
	ID     string      // of a built image
	Took   time.Duration
	Err    error // of Failed and Skipped
}

// BlockedError reports that a step was skipped because of another step.
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

// PostponedError reports that a step is left to a later run. It is no failure.
type PostponedError struct{ Err error }

func (e *PostponedError) Error() string { return e.Err.Error() }
func (e *PostponedError) Unwrap() error { return e.Err }

// RefusedError reports a step that would change an object that ocisi does not own.
type RefusedError struct {
	Target plan.Target
	Reason string
	Owner  string // path of the config that owns it; "" if none does
}

func (e *RefusedError) Error() string { return e.Reason }

// Run runs a plan and returns the results of its steps in the order of the plan. If
// ctx ends, it cancels running steps and skips the others.
func Run(ctx context.Context, p plan.Plan, tools Tools, o Options) []Result {
	r := &run{
		tools: tools, options: o,
		slots:   make(chan struct{}, max(o.Jobs, 1)),
		serial:  map[hierarchy.Manager]chan struct{}{},
		done:    map[plan.Target]chan struct{}{},
		results: make([]Result, len(p.Steps)),
		index:   map[plan.Target]int{},
		copies:  map[route]*copyBatch{},
	}
	for i, s := range p.Steps {
		if s.Action == plan.Copy {
			r.addCopy(s)
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
	serial  map[hierarchy.Manager]chan struct{} // semaphores of capacity 1
	done    map[plan.Target]chan struct{}
	index   map[plan.Target]int
	results []Result // each written before its done is closed
	copies  map[route]*copyBatch

	mu sync.Mutex // serializes Emit
}

func (r *run) emit(e Event) {
	if r.options.Emit == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.options.Emit(e)
}

// step waits for the steps that s needs and for free slots, then performs s.
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
	release, err := r.acquire(ctx, s)
	if err != nil {
		return r.end(res, Skipped, err)
	}
	defer release()
	r.emit(Event{Step: s, State: Started})
	start := time.Now()
	err = r.perform(ctx, s, &res)
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
			continue // not in this plan, so up to date
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

// acquire takes the slots that a step needs. The slot of a serial engine comes before
// one of the jobs, so that a step that waits for the engine does not block a job.
func (r *run) acquire(ctx context.Context, s plan.Step) (release func(), err error) {
	var taken []chan struct{}
	release = func() {
		for _, c := range taken {
			<-c
		}
	}
	needed := []chan struct{}{r.slots}
	if s.Kind == plan.Image && s.Action != plan.Copy && r.options.Serial != nil && r.options.Serial(s.Manager) {
		needed = []chan struct{}{r.serial[s.Manager], r.slots}
	}
	for _, c := range needed {
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

func (r *run) perform(ctx context.Context, s plan.Step, res *Result) (err error) {
	emit := func(p hierarchy.Progress) { r.emit(Event{Step: s, State: Working, Progress: p}) }
	switch {
	case s.Action == plan.Remove:
		return r.tools.Remover.Remove(ctx, s)
	case s.Action == plan.Copy:
		return r.copy(ctx, s, emit)
	case s.Kind == plan.Base:
		return r.tools.Puller.Pull(ctx, s, emit)
	case s.Kind == plan.Image:
		res.ID, err = r.tools.Builder.Build(ctx, s, emit)
		return err
	default:
		res.Action, err = r.tools.Boxer.Box(ctx, s, emit)
		return err
	}
}
