package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/box"
	"github.com/klmcwhirter/ocisi/hierarchy/plan"
)

// muchWritten is what a box may have written, in bytes, before a word is lost
// about it. A package manager's lists alone can be more.
const muchWritten = 50_000_000

// describe adds to the steps of boxes that are about to be replaced what is lost
// with the old one, and whether somebody is in there. It takes an engine up to a
// second a box, so boxes that stay are not looked at.
func (s *session) describe(ctx context.Context, stores plan.Stores, steps []plan.Step) error {
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
	d, _, err := box.Drift(ctx, e, b, st.Wanted.Box.AdditionalPackages)
	if err != nil {
		return err
	}
	if d.Bytes > muchWritten || len(d.Packages) > 0 || d.Hidden {
		st.Drift = &d
	}
	return nil
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
