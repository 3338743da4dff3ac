package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/plan"
)

type planOptions struct {
	env        Env
	globals    *globals
	checkBases bool
	json       bool
	detailed   bool
}

func newPlan(env Env, g *globals) *cobra.Command {
	o := &planOptions{env: env, globals: g}
	cmd := &cobra.Command{
		Use:   "plan [NAME…]",
		Short: "Show what process would do, and why",
		Long: `Show what process would do with each image and box, and why, and do nothing.

Without names, what ocisi made and the config no longer wants is shown as well;
process leaves it alone, 'ocisi clean' removes it. With --check-bases, the
registries are asked whether the bases have moved: what follows from that is done
by 'ocisi recreate', which also builds anew what is older than its max_age
('ocisi recreate --dry-run' shows that).`,
		Args: usage(cobra.ArbitraryArgs),
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd, args) },
	}
	cmd.Flags().BoolVar(&o.checkBases, "check-bases", false, "ask the registries whether the bases have moved")
	cmd.Flags().BoolVar(&o.json, "json", false, "write JSON")
	cmd.Flags().BoolVar(&o.detailed, "detailed-exitcode", false, "exit with 3 when there is something to do")
	return cmd
}

func (o *planOptions) run(cmd *cobra.Command, names []string) error {
	l, all, err := o.env.hierarchy(o.globals.file, cmd.Flags())
	if err != nil {
		return err
	}
	g, err := o.env.wanted(all, names)
	if err != nil {
		return err
	}
	var p plan.Plan
	var freed int64
	err = o.env.with(cmd.Context(), g.Managers(), l.config.File, func(ctx context.Context, s *session) error {
		p, freed, err = o.plan(ctx, s, l, g, len(names) == 0)
		return err
	})
	if err != nil {
		return err
	}
	if o.json {
		err = writeJSON(o.env.Stdout, p)
	} else {
		err = o.env.showPlan(p, freed, l.config.File)
	}
	if err == nil && o.detailed && p.Changes() > 0 {
		return exitError(exitChanges)
	}
	return err
}

func (o *planOptions) plan(ctx context.Context, s *session, l *loaded, g *hierarchy.Graph, orphans bool) (plan.Plan, int64, error) {
	stores, err := s.observeLocked(ctx, g, orphans, l.lock, true)
	if err != nil {
		return plan.Plan{}, 0, err
	}
	s.warnHidden(ctx, stores)
	options := s.options()
	if o.checkBases {
		options.Remote = s.remote(ctx, g, stores, true)
		o.env.warnUnknown(options.Remote)
	}
	p, err := s.proved(ctx, stores, func(foreign map[string]bool) plan.Plan {
		options.Foreign = foreign
		return plan.New(g, stores, options)
	})
	if err != nil {
		return plan.Plan{}, 0, err
	}
	if o.checkBases {
		s.weighPulls(ctx, p.Steps)
	}
	if err := s.describe(ctx, stores, p.Steps); err != nil || !orphans {
		return p, 0, err
	}
	found, err := s.orphans(ctx, g, stores, plan.CleanOptions{})
	if err != nil {
		return p, 0, err
	}
	p.Orphans = found.Steps
	freed, err := s.weigh(ctx, stores, p.Orphans)
	return p, freed, err
}
