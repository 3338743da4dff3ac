package box

import (
	"context"
	"fmt"

	"github.com/klmcwhirter/ocisi/hierarchy"
)

// putBack undoes a change, however far it came: it removes the new box, or makes
// a generation again of the one that was brought back, and gives the old one its
// name. Only what is there counts, not what was answered: a call that failed may
// have been done, and one may be done late.
func (j *job) putBack(ctx context.Context, c *change) error {
	name := j.spec.Box.Name
	now, found, err := j.store.Container(ctx, name)
	switch {
	case err != nil:
		return j.lost(c, err)
	case found && now.ID == c.old.ID:
		return nil
	}
	from, err := j.whereabouts(ctx, c)
	if err != nil {
		return j.lost(c, err)
	}
	shelved := hierarchy.StoredBox{}
	if found {
		if shelved, err = j.giveWay(ctx, c, now); err != nil {
			return j.lost(c, err)
		}
	}
	if c.old.ID != "" {
		if err := j.rename(ctx, at(c.old, from), name); err != nil {
			return j.lost(c, err)
		}
		j.say("the old box %s is back", name)
	}
	j.rest(ctx, shelved)
	return nil
}

// rest stops a generation that was to come back, when there is one. That it goes
// on running hurts nobody.
func (j *job) rest(ctx context.Context, c hierarchy.StoredBox) {
	if c.ID == "" {
		return
	}
	if err := j.stop(ctx, c); err != nil {
		j.say("%s was not stopped: %v", c.Name, err)
	}
}

// lost says where the old box is while it has not its name.
func (j *job) lost(c *change, err error) error {
	if is[*TakenError](err) {
		return err // it has the name
	}
	if c.old.ID == "" {
		return fmt.Errorf("removing what is left of box %s: %w", j.spec.Box.Name, err)
	}
	return fmt.Errorf("putting the old box %s back, which is now called %s: %w", j.spec.Box.Name, c.aside, err)
}

// whereabouts returns the name that the old box has now. When it is gone, the
// other one stays.
func (j *job) whereabouts(ctx context.Context, c *change) (string, error) {
	if c.old.ID == "" {
		return "", nil
	}
	now, found, err := j.store.Container(ctx, c.aside)
	if err != nil || found && now.ID == c.old.ID {
		return c.aside, err
	}
	// It may have become a generation without an answer.
	boxes, err := j.store.Boxes(ctx)
	if err != nil {
		return "", err
	}
	for _, b := range boxes {
		if of, role, _ := b.Role(); b.ID == c.old.ID && of == j.spec.Box.Name && role == hierarchy.Kept {
			return b.Name, nil
		}
	}
	return "", &finalError{fmt.Errorf("it is gone; box %s stays as it is", j.spec.Box.Name)}
}

// giveWay frees the name of the box for the old one: only of the container that
// this run has created, which it removes, and of the generation that it brought
// back, which it returns under its own name.
func (j *job) giveWay(ctx context.Context, c *change, now hierarchy.StoredBox) (kept hierarchy.StoredBox, err error) {
	switch {
	case c.back.ID != "" && now.ID == c.back.ID:
		kept = at(now, hierarchy.KeptAs(j.spec.Box.Name, c.n))
		return kept, j.rename(ctx, now, kept.Name)
	case c.back.ID == "" && j.isNew(now):
		// An engine may finish a create after the program that asked is gone.
		return kept, j.remove(ctx, now)
	case c.old.ID == "":
		return kept, nil // the name was free, and another program took it
	}
	return kept, &finalError{&TakenError{Manager: j.spec.Manager, Root: j.spec.rootful(), Name: now.Name, ID: now.ID, Old: c.aside}}
}
