package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/klmcwhirter/ocisi/hierarchy/layers"
)

type lintOptions struct {
	env     Env
	globals *globals
	json    bool
}

func newLint(env Env, g *globals) *cobra.Command {
	o := &lintOptions{env: env, globals: g}
	cmd := &cobra.Command{
		Use:   "lint",
		Short: "Look for what makes images larger than they need be",
		Long: `Look at the images of the config that are built, and at their boxes, for what takes
more room or time than it need: the same line in several images, thin layers that
are not, caches and files that only lower layers still have, bases in two versions,
images in the stores of both managers, boxes that have written much.

The engines write the images out for that, which takes about a second for each
200 MB. Nothing is changed, and advice is no failure: the exit status is 0.`,
		Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd) },
	}
	cmd.Flags().BoolVar(&o.json, "json", false, "write JSON")
	return cmd
}

func (o *lintOptions) run(cmd *cobra.Command) error {
	l, g, err := o.env.hierarchy(o.globals.file, cmd.Flags())
	if err != nil {
		return err
	}
	var d layers.Document
	err = o.env.with(cmd.Context(), g.Managers(), l.config.File, func(ctx context.Context, s *session) error {
		all, err := s.measure(ctx, g)
		if err != nil {
			return err
		}
		d = document(all)
		for _, one := range all {
			contents, err := s.engines[one.manager].Contents(ctx, one.listed())
			if err != nil {
				return err
			}
			d.Add(of(one.manager, layers.Inspect(one.images, one.report, contents)))
		}
		return nil
	})
	if err != nil {
		return err
	}
	if o.json {
		return writeJSON(o.env.Stdout, d.Advice)
	}
	if len(d.Advice) == 0 {
		_, err := fmt.Fprintln(o.env.Stdout, "nothing to advise")
		return err
	}
	o.env.adviceText(d.Advice, "")
	return nil
}

// adviceText writes advice, and where there may be more of it.
func (env Env) adviceText(advice []layers.Advice, self string) {
	c := env.colours()
	for _, a := range advice {
		saves := ""
		if a.Bytes > 0 {
			saves = size(a.Bytes)
		}
		where := strings.Join(append([]string{a.Manager}, a.Images...), " ")
		fmt.Fprintf(env.Stdout, "%s%-9s %-8s%s  %s\n", c.bold, saves, a.Rule, c.off, where)
		fmt.Fprintf(env.Stdout, "          %s\n          %s\n", cut(a.Text, 2*treeWidth), a.Do)
	}
	if self != "" {
		fmt.Fprintf(env.Stdout, "to look into the layers as well: %s lint\n", self)
	}
}
