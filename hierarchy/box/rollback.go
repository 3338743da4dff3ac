package box

import (
	"context"
	"fmt"

	"github.com/klmcwhirter/ocisi/hierarchy"
)

// Rollback brings a generation of a box back, the n-th or, for 0, the latest.
// The box that has the name becomes the next generation, so that a second
// rollback goes forward again; nothing is removed. A box that is gone comes back,
// too. The launchers are those of the generation, as far as it says which they
// are. When the generation does not start, or anything else fails, all is as it
// was.
//
// Of the spec it needs what Recover does, and Force. A box that somebody uses is
// an *InUseError unless Force is set, one without such a generation is a
// *NoGenerationError, and what is not ocisi's box of that name is a *NotBoxError
// or an *ExistsError.
func (d *Distrobox) Rollback(ctx context.Context, eng Engine, s Spec, n int, emit func(hierarchy.Progress)) (Outcome, error) {
	j := d.newJob(eng, s, emit)
	j.spec.Keep = max(s.Keep, 1) // the box that is left must not go
	if s.rootful() {
		if err := (rootStore{d}).may(ctx, s.Box.Name); err != nil {
			return Outcome{}, err
		}
	}
	if err := j.recover(ctx); err != nil {
		return Outcome{}, err
	}
	c, err := j.former(ctx, n)
	if err != nil {
		return Outcome{}, err
	}
	if err := j.exchange(ctx, c, j.bringBack); err != nil {
		j.out.After = j.out.Before
		return j.out, err
	}
	return j.out, j.settle(ctx, c)
}

// former finds the generation to bring back, and looks whether that may be done.
func (j *job) former(ctx context.Context, n int) (*change, error) {
	name := j.spec.Box.Name
	boxes, err := j.store.Boxes(ctx) // recover may have changed them
	if err != nil {
		return nil, fmt.Errorf("looking for generations of box %s: %w", name, err)
	}
	c := &change{}
	for _, g := range j.d.generations(boxes, name) {
		if _, _, m := g.Role(); c.n == 0 && (n == 0 || n == m) {
			c.back, c.n = g, m
		}
	}
	if c.n == 0 {
		return nil, &NoGenerationError{Box: name, N: n}
	}
	old, found, err := j.store.Container(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("looking for box %s: %w", name, err)
	}
	if err := j.spec.isPlanned(old); err != nil {
		return nil, err
	}
	if found {
		if err := j.mayGo(ctx, old); err != nil {
			return nil, err
		}
		c.old, c.aside = old, hierarchy.AsideFor(name, c.n)
	}
	j.out = Outcome{Before: old, After: old}
	c.links, err = j.launchersOf(c.back)
	return c, err
}

// mayGo makes sure that a container is ocisi's box, and that nobody uses it.
func (j *job) mayGo(ctx context.Context, c hierarchy.StoredBox) error {
	switch {
	case !isBox(c):
		return &NotBoxError{Name: c.Name}
	case !j.d.isCurrent(c):
		return j.d.exists(c)
	}
	return j.free(ctx, c)
}

// bringBack gives the generation the name of the box, and starts it.
func (j *job) bringBack(ctx context.Context, c *change) error {
	name := j.spec.Box.Name
	j.say("bringing box %s back from %s", name, c.back.Name)
	if err := j.rename(ctx, c.back, name); err != nil {
		return fmt.Errorf("bringing box %s back from %s: %w", name, c.back.Name, err)
	}
	j.out.After = at(c.back, name)
	return j.start(ctx, j.out.After, nil)
}
