package box

import (
	"context"
	"errors"

	"github.com/klmcwhirter/ocisi/hierarchy"
)

// rename gives a container another name. An engine that was asked and did not
// answer may have done it.
func (j *job) rename(ctx context.Context, c hierarchy.StoredBox, name string) error {
	if err := j.verify(ctx, c); err != nil {
		return err
	}
	err := j.store.RenameContainer(ctx, c.ID, name)
	if err == nil {
		return nil
	}
	if now, found, lookErr := j.store.Container(ctx, name); lookErr == nil && found && now.ID == c.ID {
		return nil
	}
	return err
}

// stop stops a container.
func (j *job) stop(ctx context.Context, c hierarchy.StoredBox) error {
	if err := j.verify(ctx, c); err != nil {
		return err
	}
	return j.store.StopContainer(ctx, c.ID, stopGrace)
}

// remove removes a container.
func (j *job) remove(ctx context.Context, c hierarchy.StoredBox) error {
	if err := j.verify(ctx, c); err != nil {
		return err
	}
	return j.store.RemoveContainer(ctx, c.ID)
}

// verify returns a *ChangedError if a container no longer has its name.
func (j *job) verify(ctx context.Context, c hierarchy.StoredBox) error {
	now, found, err := j.store.Container(ctx, c.Name)
	switch {
	case err != nil:
		return &lookError{err}
	case !found || now.ID != c.ID:
		return &ChangedError{Name: c.Name, Planned: c.ID, ID: now.ID}
	}
	return nil
}

// at is a box under another name.
func at(c hierarchy.StoredBox, name string) hierarchy.StoredBox {
	c.Name = name
	return c
}

// isNew reports whether a container is the one that this run created.
func (j *job) isNew(c hierarchy.StoredBox) bool {
	return c.Labels[hierarchy.LabelNonce] == j.spec.nonce
}

// is reports whether an error is or wraps one of a type.
func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}
