package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/klmcwhirter/ocisi/hierarchy/plan"
)

type planOptions struct {
	env      Env
	globals  *globals
	json     bool
	detailed bool
}

func newPlan(env Env, g *globals) *cobra.Command {
	o := &planOptions{env: env, globals: g}
	cmd := &cobra.Command{
		Use:   "plan [NAME…]",
		Short: "Show what process would do, and why",
		Args:  usage(cobra.ArbitraryArgs),
		RunE:  func(cmd *cobra.Command, args []string) error { return o.run(cmd, args) },
	}
	cmd.Flags().BoolVar(&o.json, "json", false, "write JSON")
	cmd.Flags().BoolVar(&o.detailed, "detailed-exitcode", false, "exit with 3 when there is something to do")
	return cmd
}

func (o *planOptions) run(cmd *cobra.Command, names []string) error {
	l, err := o.env.load(o.globals.file, cmd.Flags())
	if err != nil {
		return err
	}
	g, err := o.env.graph(l.config, o.env.Files, names)
	if err != nil {
		return err
	}
	var p plan.Plan
	err = o.env.with(cmd.Context(), g.Managers(), l.config.File, func(ctx context.Context, s *session) error {
		stores, err := s.observe(ctx)
		p = plan.New(g, stores)
		return err
	})
	if err != nil {
		return err
	}
	if o.json {
		err = writeJSON(o.env.Stdout, p)
	} else {
		err = table(o.env.Stdout, planRows(p))
	}
	if err == nil && o.detailed && p.Changes() > 0 {
		return exitError(exitChanges)
	}
	return err
}
