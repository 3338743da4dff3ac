package box

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/internal/process"
)

// Recover completes or undoes what a killed Replace or Rollback left of one box: the
// old one becomes a generation if the other one works; otherwise it gets its name
// back, and the other one becomes a generation. Containers are renamed and stopped,
// never removed. If it cannot be determined whether the other one works, nothing
// changes, and the error is an *UnknownError.
//
// boxes are those of the store as they were seen lately; when none of them waits
// for this box, nothing is asked and nothing is done. Of the spec it needs the
// manager, and the box's name and root; what else the config knows makes for a
// better check.
//
// Create, Replace and Rollback do this by themselves.
func (d *Distrobox) Recover(ctx context.Context, eng Engine, s Spec, boxes []hierarchy.StoredBox, emit func(hierarchy.Progress)) error {
	j := d.newJob(eng, s, emit)
	j.boxes = boxes
	return j.resume(ctx)
}

func (j *job) recover(ctx context.Context) (err error) {
	if j.boxes, err = j.store.Boxes(ctx); err != nil {
		return fmt.Errorf("looking for what an earlier run left of box %s: %w", j.spec.Box.Name, err)
	}
	return j.resume(ctx)
}

func (j *job) resume(ctx context.Context) error {
	for _, b := range j.boxes {
		of, role, n := b.Role()
		if of != j.spec.Box.Name || role != hierarchy.Waiting || j.d.Owner.Box(b) != hierarchy.Owned {
			continue
		}
		c := &change{old: at(b, of), aside: b.Name, n: n}
		err := j.putRight(ctx, c)
		if is[*UnknownError](err) {
			return err
		}
		if err != nil {
			return fmt.Errorf("putting box %s right, which an earlier run left as %s: %w", of, b.Name, err)
		}
	}
	return nil
}

// putRight brings a change to its end, or undoes it.
func (j *job) putRight(ctx context.Context, c *change) error {
	name := j.spec.Box.Name
	now, found, err := j.store.Container(ctx, name)
	switch {
	case err != nil:
		return err
	case !found:
		if err := j.rename(ctx, at(c.old, c.aside), name); err != nil {
			return err
		}
		j.say("the old box %s is back: an earlier run was stopped", name)
		return j.relaunch(ctx, c.old)
	case !j.d.isCurrent(now):
		j.say("an earlier run was stopped while it replaced box %s, and somebody made another one since", name)
		return j.finish(ctx, c)
	}
	j.say("an earlier run was stopped while it replaced box %s", name)
	works, err := j.works(ctx, c, now)
	switch {
	case err != nil:
		return err
	case works:
		return errors.Join(j.finish(ctx, c), j.relaunch(ctx, now))
	}
	shelved, err := j.dismiss(ctx, c, now)
	if err != nil {
		return err
	}
	if err := j.rename(ctx, at(c.old, c.aside), name); err != nil {
		return err
	}
	j.say("the old box %s is back", name)
	j.rest(ctx, shelved)
	return j.relaunch(ctx, c.old)
}

// works reports whether the box that has the name can be entered and is the
// user's. One that somebody works in can. The error is an *UnknownError if that
// could not be determined.
func (j *job) works(ctx context.Context, c *change, now hierarchy.StoredBox) (bool, error) {
	if n, err := j.store.Sessions(ctx, now.ID); err != nil || n > 0 {
		return n > 0, err
	}
	var check []string
	if c.n == 0 && now.Labels[hierarchy.LabelSpec] == j.spec.Box.Spec() {
		check = j.spec.Box.Check
	}
	err := j.try(ctx, now, check)
	switch {
	case err == nil:
		return true, nil
	case ctx.Err() != nil:
		return false, context.Cause(ctx)
	case !j.isEvidence(ctx, now, err):
		return false, &UnknownError{Manager: j.spec.Manager, Root: j.spec.rootful(), Name: now.Name, Old: c.aside, Err: err}
	}
	j.emit(hierarchy.Progress{Log: err.Error()})
	return false, nil
}

// isEvidence reports whether the error of a start shows that the box itself does
// not work: it was entered and is not as it must be, it did not answer in time, or
// the engine started it and it ended, or cannot start it. A missing program, or an engine that does
// not answer, shows nothing.
func (j *job) isEvidence(ctx context.Context, c hierarchy.StoredBox, err error) bool {
	switch {
	case is[*lookError](err), is[*process.NotFoundError](err):
		return false
	case is[*CheckError](err), is[*process.TimeoutError](err):
		return true
	}
	now, found, err := j.store.Container(ctx, c.Name)
	switch {
	case err != nil || !found || now.ID != c.ID || now.Running:
		return false
	case now.Started != c.Started:
		return true
	}
	// distrobox did not get as far as that: is it the box, or distrobox?
	started, err := j.store.Starts(ctx, c.ID)
	return err == nil && !started
}

// try starts a box. One that fails at once is asked twice: an engine that is
// being started anew is no reason to give a box up.
func (j *job) try(ctx context.Context, c hierarchy.StoredBox, check []string) error {
	begun := time.Now()
	err := j.start(ctx, c, check)
	if err == nil || time.Since(begun) > patience {
		return err
	}
	select {
	case <-time.After(2 * pause):
		return j.start(ctx, c, check)
	case <-ctx.Done():
		return err
	}
}

// finish makes a generation of the box that waits.
func (j *job) finish(ctx context.Context, c *change) error {
	if err := j.commit(ctx, c); err != nil {
		return err
	}
	return j.settle(ctx, c)
}

// dismiss frees the name of a box that does not work: it becomes a generation,
// under the number of the one that was brought back or the next one, and is returned
// under that name. It is never removed: the check may be wrong.
func (j *job) dismiss(ctx context.Context, c *change, now hierarchy.StoredBox) (hierarchy.StoredBox, error) {
	kept := hierarchy.KeptAs(now.Name, c.n)
	_, taken, err := j.store.Container(ctx, kept)
	if err == nil && (taken || c.n == 0) {
		kept, err = j.nextGeneration(ctx, c.n)
	}
	if err == nil {
		err = j.rename(ctx, now, kept)
	}
	if err != nil {
		return hierarchy.StoredBox{}, err
	}
	j.say("the new box %s does not work; kept as %s", now.Name, kept)
	return at(now, kept), nil
}

// relaunch makes the launchers those of a box that has its name again.
func (j *job) relaunch(ctx context.Context, c hierarchy.StoredBox) error {
	links, err := j.launchersOf(c)
	if links == nil || err != nil {
		return err
	}
	return place(ctx, links, c)
}
