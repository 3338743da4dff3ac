package box

import (
	"context"
	"errors"
	"fmt"

	"github.com/klmcwhirter/ocisi/hierarchy"
)

// change is a box that takes the place of another one.
type change struct {
	old   hierarchy.StoredBox // has the name until then; without an ID: nobody
	aside string              // where it waits
	back  hierarchy.StoredBox // the generation that is brought back; without an ID: a new box is made
	n     int                 // its number
	links launchers
	undo  func() error // of the launchers
}

// create makes a box where there is none. Exports that fail are no reason to
// remove it.
func (j *job) create(ctx context.Context) error {
	c := &change{}
	if err := j.bring(ctx, c); err != nil {
		return errors.Join(err, insist(ctx, func(ctx context.Context) error { return j.putBack(ctx, c) }))
	}
	return j.keep(ctx)
}

// replace makes a box while the old one waits aside.
func (j *job) replace(ctx context.Context, old hierarchy.StoredBox) error {
	if j.spec.Protect != nil {
		return j.spec.Protect
	}
	if err := j.free(ctx, old); err != nil {
		return err
	}
	c := &change{old: old, aside: old.Name + hierarchy.Aside, links: j.links}
	if err := j.exchange(ctx, c, j.bring); err != nil {
		return err
	}
	return errors.Join(j.settle(ctx, c), j.surplus(ctx))
}

// free makes sure that nobody works in a box.
func (j *job) free(ctx context.Context, c hierarchy.StoredBox) error {
	if j.spec.Force {
		return nil
	}
	n, err := j.store.Sessions(ctx, c.ID)
	if err != nil {
		return fmt.Errorf("looking who uses box %s: %w", c.Name, err)
	}
	if n > 0 {
		return &InUseError{Box: c.Name, Sessions: n}
	}
	return nil
}

// exchange sets the old box aside, brings another one under its name, and
// switches the launchers. That the old one becomes a generation, by another
// name, is the point of no return; all that goes wrong before is undone.
func (j *job) exchange(ctx context.Context, c *change, bring func(context.Context, *change) error) error {
	err := j.tryExchange(ctx, c, bring)
	if err == nil {
		return nil
	}
	if c.undo != nil {
		if undoErr := c.undo(); undoErr != nil {
			err = errors.Join(err, fmt.Errorf("putting the launchers of box %s back: %w", j.spec.Box.Name, undoErr))
		}
	}
	backErr := insist(ctx, func(ctx context.Context) error { return j.putBack(ctx, c) })
	if is[*TakenError](err) && is[*TakenError](backErr) { // the latter also has the name of the old box
		return backErr
	}
	return errors.Join(err, backErr)
}

func (j *job) tryExchange(ctx context.Context, c *change, bring func(context.Context, *change) error) error {
	name := j.spec.Box.Name
	if c.old.ID != "" {
		j.say("setting box %s aside", name)
		if err := j.rename(ctx, c.old, c.aside); err != nil {
			return fmt.Errorf("setting box %s aside: %w", name, err)
		}
	}
	if err := bring(ctx, c); err != nil {
		return err
	}
	if c.links != nil {
		undo, err := c.links.write(ctx, j.out.After)
		if c.undo = undo; err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if c.old.ID == "" {
		return nil
	}
	return j.commit(ctx, c)
}

// commit makes a generation of the box that waits.
func (j *job) commit(ctx context.Context, c *change) error {
	ctx, cancel := afterwards(ctx)
	defer cancel()
	kept, err := j.nextGeneration(ctx, c.n)
	if err == nil {
		err = j.rename(ctx, at(c.old, c.aside), kept)
	}
	if err != nil {
		return fmt.Errorf("keeping the old box %s: %w", j.spec.Box.Name, err)
	}
	c.aside = kept
	return nil
}

// nextGeneration returns the name of the next generation, which is later than
// all that are there and than one that was brought back.
func (j *job) nextGeneration(ctx context.Context, n int) (string, error) {
	boxes, err := j.store.Boxes(ctx)
	if err != nil {
		return "", err
	}
	for _, g := range hierarchy.Generations(boxes, j.spec.Box.Name) {
		_, _, m := g.Role()
		n = max(n, m)
	}
	for {
		n++
		name := hierarchy.KeptAs(j.spec.Box.Name, n)
		if _, taken, err := j.store.Container(ctx, name); !taken {
			return name, err
		}
	}
}

// settle does what is left when the other box has taken over: it ends what runs
// in the old one, and removes launchers that the other does not have. Neither is
// a reason to go back.
func (j *job) settle(ctx context.Context, c *change) error {
	ctx, cancel := afterwards(ctx)
	defer cancel()
	var errs []error
	if c.old.ID != "" {
		errs = append(errs, j.retire(ctx, at(c.old, c.aside)))
	}
	if c.links != nil {
		if err := c.links.prune(); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// retire stops a generation, unless somebody went on to work in it.
func (j *job) retire(ctx context.Context, c hierarchy.StoredBox) error {
	err := j.free(ctx, c)
	if _, inUse := errors.AsType[*InUseError](err); inUse {
		j.say("box %s goes on for those who use it, as %s", j.spec.Box.Name, c.Name)
		return nil
	}
	if err == nil {
		err = j.stop(ctx, c)
	}
	if err != nil {
		return fmt.Errorf("stopping the old box %s: %w", c.Name, err)
	}
	if j.spec.Keep > 0 {
		j.say("box %s kept as %s for a rollback", j.spec.Box.Name, c.Name)
	}
	return nil
}

// surplus removes the generations that are more than the spec keeps, the oldest
// first, but none that somebody uses or that is Drifted. Those of another config do not count.
func (j *job) surplus(ctx context.Context) error {
	ctx, cancel := afterwards(ctx)
	defer cancel()
	boxes, err := j.store.Boxes(ctx)
	if err != nil {
		return fmt.Errorf("looking for generations of box %s: %w", j.spec.Box.Name, err)
	}
	all := j.d.generations(boxes, j.spec.Box.Name)
	var errs []error
	for i := len(all) - 1; i >= max(j.spec.Keep, 0); i-- {
		n, err := j.store.Sessions(ctx, all[i].ID)
		if n > 0 {
			continue
		}
		drifted := false
		if err == nil && j.spec.Drifted != nil {
			drifted, err = j.spec.Drifted(ctx, all[i])
		}
		if drifted {
			j.say("keeping the old box %s: it contains packages or files that its image does not have", all[i].Name)
			continue
		}
		if err == nil {
			j.say("removing the old box %s", all[i].Name)
			err = j.remove(ctx, all[i])
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("removing the old box %s: %w", all[i].Name, err))
			continue
		}
		j.out.Removed = append(j.out.Removed, all[i])
	}
	return errors.Join(errs...)
}
