package box

import (
	"context"
	"fmt"

	"github.com/klmcwhirter/ocisi/hierarchy"
)

// Recover puts right what a killed Replace left of one box: the old one gets
// its name back, or goes if the new one can be entered. Create and Replace do
// this by themselves; it is for boxes that have nothing else to be done.
func (d *Distrobox) Recover(ctx context.Context, eng Engine, m hierarchy.Manager, name string, emit func(hierarchy.Progress)) error {
	if emit == nil {
		emit = func(hierarchy.Progress) {}
	}
	j := &job{d: d, spec: Spec{Manager: m, Box: hierarchy.Box{Name: name}}, store: eng, emit: emit}
	return j.recover(ctx)
}

func (j *job) recover(ctx context.Context) error {
	name := j.spec.Box.Name
	old, found, err := j.store.Container(ctx, name+aside)
	if err != nil {
		return fmt.Errorf("looking for an old box %s: %w", name, err)
	}
	if !found || !isBox(old) {
		return nil
	}
	c, found, err := j.store.Container(ctx, name)
	if err != nil {
		return fmt.Errorf("looking for box %s: %w", name, err)
	}
	if !found {
		return j.putBack(ctx, old)
	}
	j.say("an earlier run ended while it replaced box %s", name)
	_, err = j.enter(ctx, startTimeout, "true")
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err == nil {
		if err := j.store.RemoveContainer(ctx, name+aside); err != nil {
			return fmt.Errorf("removing the old box %s: %w", name+aside, err)
		}
		return nil
	}
	if c.Labels[hierarchy.LabelBox] == "" {
		return fmt.Errorf("box %s cannot be entered, and is not ocisi's to replace by %s: %w", name, name+aside, err)
	}
	return j.putBack(ctx, old)
}
