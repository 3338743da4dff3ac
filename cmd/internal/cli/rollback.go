package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/klmcwhirter/ocisi/hierarchy/apply"
	"github.com/klmcwhirter/ocisi/hierarchy/plan"
)

type rollbackOptions struct {
	env     Env
	globals *globals
	to      int
	force   bool
	yes     bool
	dryRun  bool
}

func newRollback(env Env, g *globals) *cobra.Command {
	o := &rollbackOptions{env: env, globals: g}
	cmd := &cobra.Command{
		Use:   "rollback [BOX…]",
		Short: "Bring the former box back",
		Long: `Bring back what a box was before it was replaced: its image, what it was made
with, and all that was in it. What it is now is kept in turn, so that a second
rollback goes forward again. Without a name, all boxes go back that can.

A box that was rolled back stays so until its image or its box: keys change.
'ocisi list --generations' shows what there is to go back to.`,
		Args: usage(cobra.ArbitraryArgs),
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd, args) },
	}
	f := cmd.Flags()
	f.IntVar(&o.to, "to", 0, "the generation to go back to (default: the latest)")
	f.BoolVar(&o.force, "force", false, "also boxes that somebody is in: asks, since that ends what runs in there")
	f.BoolVarP(&o.yes, "yes", "y", false, "do not ask")
	f.BoolVarP(&o.dryRun, "dry-run", "n", false, "show what would be done, and stop")
	return cmd
}

func (o *rollbackOptions) run(cmd *cobra.Command, names []string) (err error) {
	if o.to != 0 && (o.to < 0 || len(names) != 1) {
		return &usageError{cmd: cmd, err: fmt.Errorf("--to wants a number from 1, and one box")}
	}
	l, g, err := o.env.hierarchy(o.globals.file, cmd.Flags())
	if err != nil {
		return err
	}
	env, log, end, err := o.env.begin("rollback", o.globals.verbose, o.dryRun)
	if err != nil {
		return err
	}
	defer end()
	return env.with(cmd.Context(), g.Managers(), l.config.File, func(ctx context.Context, s *session) error {
		s.configure(l, o.force, o.dryRun)
		stores, err := s.observe(ctx, g, false)
		if err != nil {
			return err
		}
		p, err := plan.Rollback(stores, s.env.ownership(s.config), names, o.to)
		if err != nil {
			return err
		}
		return o.apply(ctx, cmd, s, stores, p, len(names) == 0, log)
	})
}

// confirm asks before boxes go back that nobody has named, and before --force ends
// what runs in one.
func (o *rollbackOptions) confirm(cmd *cobra.Command, s *session, p plan.Plan, all bool) (bool, error) {
	if all && !o.yes {
		if yes, err := o.env.ask(cmd, fmt.Sprintf("Roll back %s?", count(len(p.Steps), "box", "boxes"))); err != nil || !yes {
			return false, err
		}
	}
	return true, s.confirmForce(cmd, p, o.yes)
}

func (o *rollbackOptions) apply(ctx context.Context, cmd *cobra.Command, s *session, stores plan.Stores, p plan.Plan, all bool, log *runLog) error {
	if len(p.Steps) == 0 {
		_, err := fmt.Fprintln(o.env.Stdout, "nothing to do: no box was replaced yet, or nothing of it is kept")
		return err
	}
	if err := s.describe(ctx, stores, p.Steps); err != nil {
		return err
	}
	if err := o.env.showPlan(p, 0, s.config); err != nil || o.dryRun {
		return err
	}
	if yes, err := o.confirm(cmd, s, p, all); err != nil || !yes {
		return err
	}
	fmt.Fprintln(o.env.Stdout)
	results := o.env.apply(ctx, s, p, 1, log, o.globals.verbose)
	for _, r := range results {
		if r.State == apply.Failed || ctx.Err() != nil {
			return errFailed
		}
	}
	return o.env.postponed(results, func(box string, _ error) string {
		return orForce(o.env.self(s.config) + " rollback --force " + box)
	})
}
