package cli

import (
	"context"
	"fmt"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/apply"
	"github.com/klmcwhirter/ocisi/hierarchy/box"
	"github.com/klmcwhirter/ocisi/hierarchy/plan"
)

// changedError reports that a box or an image is not the one that was planned.
type changedError struct{ target plan.Target }

func (e *changedError) Error() string {
	return fmt.Sprintf("%s %s changed since the plan", e.target.Kind, e.target.Name)
}

// Remove implements apply.Remover. It removes only what the plan saw: a prompt may
// have waited for long, and another object may have the name since.
func (s *session) Remove(ctx context.Context, st plan.Step) error {
	if st.Kind == plan.Box {
		return s.removeBox(ctx, st)
	}
	e := s.engines[st.Manager]
	if st.Untagged {
		return e.RemoveUntagged(ctx, st.ID)
	}
	im, found, err := e.Inspect(ctx, st.Manager.StoreRef(st.Name))
	if err != nil || !found {
		return err
	}
	im, err = e.Sealed(ctx, im)
	switch {
	case err != nil:
		return err
	case im.ID != st.ID || s.boxes.Owner.Image(im) != hierarchy.Owned:
		return &changedError{st.Target}
	}
	return e.RemoveImage(ctx, st.Name)
}

func (s *session) removeBox(ctx context.Context, st plan.Step) error {
	e := s.engines[st.Manager]
	b, found, err := e.Container(ctx, st.Name)
	switch {
	case err != nil || !found:
		return err
	case b.ID != st.ID || s.boxes.Owner.Box(b) != hierarchy.Owned:
		return &changedError{st.Target}
	}
	if !s.force {
		n, err := e.Sessions(ctx, b.ID)
		if err != nil {
			return err
		}
		if n > 0 {
			return &apply.PostponedError{Err: &box.InUseError{Box: st.Name, Sessions: n}}
		}
	}
	if err := s.boxes.Remove(ctx, e, st.Manager, st.Name, st.ID); err != nil {
		return err
	}
	s.supersede(st.Manager, box.Outcome{Before: b})
	return nil
}
