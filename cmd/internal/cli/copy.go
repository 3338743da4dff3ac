package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/plan"
)

type copyOptions struct {
	env     Env
	globals *globals
	to      string
	dryRun  bool
}

func newCopy(env Env, g *globals) *cobra.Command {
	o := &copyOptions{env: env, globals: g}
	cmd := &cobra.Command{
		Use:   "copy NAME…",
		Short: "Copy images to the store of the other manager",
		Long: `Copy images of the config, or those of boxes, as they are in the store of their
manager to that of the other one, for what only looks there. Nothing is built.

All of them go in one stream from engine to engine. A name moves to the copy when
that is complete and was found to have the same layers. What is already there is
not sent again.

A copy is not kept up to date, and 'ocisi clean' removes it, unless the config has
both managers: manager: [docker, podman] on the image.`,
		Args: usage(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd, args) },
	}
	cmd.Flags().StringVar(&o.to, "to", "", "the `MANAGER` whose store gets the copies: docker or podman")
	cmd.Flags().BoolVarP(&o.dryRun, "dry-run", "n", false, "show what would be copied, and stop")
	return cmd
}

func (o *copyOptions) run(cmd *cobra.Command, names []string) error {
	to, err := hierarchy.ParseManager(o.to)
	if err != nil {
		return &usageError{cmd: cmd, err: fmt.Errorf("--to: say which store gets the copies: --to docker, or --to podman")}
	}
	l, err := o.env.load(o.globals.file, cmd.Flags())
	if err != nil {
		return err
	}
	all, err := o.env.graph(l)
	if err != nil {
		return err
	}
	g, err := copied(all, names, to)
	if err != nil {
		return err
	}
	env, log, end, err := o.env.begin("copy", o.globals.verbose, o.dryRun)
	if err != nil {
		return err
	}
	defer end()
	return env.with(cmd.Context(), g.Managers(), l.config.File, func(ctx context.Context, s *session) error {
		s.configure(l, false, o.dryRun)
		return o.copy(ctx, s, g, l, log)
	})
}

// copied returns the named images, each to have a copy in another store.
func copied(all *hierarchy.Graph, names []string, to hierarchy.Manager) (*hierarchy.Graph, error) {
	out := &hierarchy.Graph{}
	seen := map[hierarchy.Key]bool{}
	for _, name := range names {
		g, err := all.Named([]string{name})
		if err != nil {
			return nil, err
		}
		own := true
		for _, im := range g.Images {
			if im.Manager == to {
				continue
			}
			own = false
			if !seen[im.Key()] {
				seen[im.Key()] = true
				im.Also = []hierarchy.Manager{to}
				out.Images = append(out.Images, im)
			}
		}
		if own {
			return nil, &usageError{err: fmt.Errorf("%s is built by %s, so there is nothing to copy", name, to)}
		}
	}
	return out, nil
}

// notBuiltError says that there is nothing to copy yet.
type notBuiltError struct {
	key     hierarchy.Key
	foreign bool // there is another one of this name
}

func (e *notBuiltError) Error() string {
	if e.foreign {
		return fmt.Sprintf("%s's image %s was not made by ocisi, so it is not copied", e.key.Manager, e.key.Ref)
	}
	return fmt.Sprintf("%s does not have %s", e.key.Manager, e.key.Ref)
}

func (o *copyOptions) copy(ctx context.Context, s *session, g *hierarchy.Graph, l *loaded, log *runLog) error {
	stores, err := s.observe(ctx, g, false)
	if err != nil {
		return err
	}
	for _, im := range g.Images {
		source, there := stores[im.Manager].Image(im.Manager.StoreRef(im.Ref()))
		if foreign := there && source.Labels[hierarchy.LabelImage] != im.Ref(); !there || foreign {
			return &notBuiltError{im.Key(), foreign}
		}
	}
	p, err := s.proved(ctx, stores, func(foreign map[string]bool) plan.Plan {
		options := s.options()
		options.Foreign = foreign
		return plan.Copies(g, stores, options)
	})
	if err != nil {
		return err
	}
	if err := s.weighCopies(ctx, stores, p.Steps); err != nil {
		return err
	}
	if o.dryRun {
		return s.env.showPlan(p, 0, s.config)
	}
	if p.Changes() == 0 {
		var names []string
		for _, st := range p.Steps {
			names = append(names, st.Name)
		}
		_, err := fmt.Fprintf(s.env.Stdout, "nothing to do: already there: %s\n", strings.Join(names, ", "))
		return err
	}
	if err := s.env.showChanges(p, 0); err != nil {
		return err
	}
	run := &processRun{verb: "copy", env: s.env, loaded: l, all: g, wanted: g}
	return run.apply(ctx, s, p, log)
}
