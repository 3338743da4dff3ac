package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/box"
	"github.com/klmcwhirter/ocisi/hierarchy/layers"
	"github.com/klmcwhirter/ocisi/hierarchy/plan"
)

// describe adds to the steps of boxes that are about to be replaced what is lost
// with the old one, and whether somebody is in there; to those of boxes that are made
// what they cost besides their image; and to builds what they are expected to add.
// It takes an engine up to a second a box, so boxes that stay are not looked at.
func (s *session) describe(ctx context.Context, stores plan.Stores, steps []plan.Step) error {
	if err := errors.Join(s.price(ctx, stores, steps), s.expect(ctx, stores, steps), s.weighCopies(ctx, stores, steps)); err != nil {
		return err
	}
	for i := range steps {
		st := &steps[i]
		if st.Kind != plan.Box || st.Action != plan.Recreate && st.Action != plan.RollBack {
			continue
		}
		b, found := stores[st.Manager].Box(st.Name)
		if !found {
			continue // root's, or an earlier run was stopped
		}
		if err := s.describeBox(ctx, st, b); err != nil {
			return err
		}
	}
	return nil
}

func (s *session) describeBox(ctx context.Context, st *plan.Step, b hierarchy.StoredBox) (err error) {
	e := s.engines[st.Manager]
	if st.Sessions, err = e.Sessions(ctx, b.Name); err != nil {
		return err
	}
	if st.Action == plan.RollBack {
		return nil // nothing is lost
	}
	d, err := box.Drift(ctx, e, b, st.Image.Box.AdditionalPackages)
	if err != nil {
		return err
	}
	if d.Bytes > layers.MuchWritten || len(d.Packages) > 0 || d.Hidden {
		st.Drift = &d
	}
	return nil
}

// price sets what new boxes cost in a store that copies images: the size of the
// image, unless the copy is there, or another new box pays for it. While an image
// is yet to be built, that is about what it was, or what it is built from.
func (s *session) price(ctx context.Context, stores plan.Stores, steps []plan.Step) error {
	var made []*plan.Step // of each image the first
	for i := range steps {
		st := &steps[i]
		isMade := st.Kind == plan.Box && (st.Action == plan.Create || st.Action == plan.Recreate)
		if !isMade || st.Manager != hierarchy.Podman || st.Image.Box.Root {
			continue
		}
		if !slices.ContainsFunc(made, func(x *plan.Step) bool { return x.Image.Ref() == st.Image.Ref() }) {
			made = append(made, st)
		}
	}
	if len(made) == 0 {
		return nil
	}
	info, err := s.engines[hierarchy.Podman].Info(ctx)
	if err != nil || !info.Copies {
		return err
	}
	for _, st := range made {
		st.Copy = s.copyOf(ctx, stores[hierarchy.Podman], steps, st.Image.Ref())
	}
	return nil
}

// copyOf returns the bytes of the copy that podman will make of an image; 0 when
// it has one.
func (s *session) copyOf(ctx context.Context, store hierarchy.Store, steps []plan.Step, ref string) int64 {
	im, ok := store.Image(store.Manager.StoreRef(ref))
	stays := slices.ContainsFunc(steps, func(st plan.Step) bool {
		return st.Kind == plan.Image && st.Manager == store.Manager && st.Name == ref && !st.Action.Changes()
	})
	if ok && stays {
		if mapped, err := s.engines[store.Manager].Mapped(ctx, im.ID); mapped || err != nil {
			return 0
		}
	}
	return aboutSize(store, steps, ref)
}

// aboutSize returns the bytes of an image, or of what it will be built on.
func aboutSize(store hierarchy.Store, steps []plan.Step, ref string) int64 {
	if im, ok := store.Image(store.Manager.StoreRef(ref)); ok {
		return im.Size
	}
	i := slices.IndexFunc(steps, func(st plan.Step) bool {
		return st.Kind == plan.Image && st.Manager == store.Manager && st.Name == ref
	})
	if i < 0 {
		return 0
	}
	switch im := steps[i].Image; {
	case len(im.Parents) > 0:
		return aboutSize(store, steps[:i], im.Parents[0].As) // parents come first
	case len(im.Bases) > 0:
		base, _ := store.Image(hierarchy.FullRef(im.Bases[0].Pinned()))
		return base.Size
	}
	return 0
}

// confirmForce asks before --force ends what runs in boxes. Without a yes they
// are left alone, and the rest is done.
func (s *session) confirmForce(cmd *cobra.Command, p plan.Plan, yes bool) (err error) {
	var busy []string
	for _, st := range p.Steps {
		if st.Sessions > 0 {
			busy = append(busy, st.Name)
		}
	}
	if !s.force || yes || len(busy) == 0 {
		return nil
	}
	s.force, err = s.env.ask(cmd, fmt.Sprintf("Somebody is in %s. End what runs in there?", strings.Join(busy, ", ")))
	return err
}
