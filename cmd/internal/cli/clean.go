package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/apply"
	"github.com/klmcwhirter/ocisi/hierarchy/engine"
	"github.com/klmcwhirter/ocisi/hierarchy/plan"
)

type cleanOptions struct {
	env        Env
	globals    *globals
	boxless    bool
	skipPodman bool
	yes        bool
	dryRun     bool
}

func newClean(env Env, g *globals) *cobra.Command {
	o := &cleanOptions{env: env, globals: g}
	cmd := &cobra.Command{
		Use:   "clean",
		Short: "Remove what ocisi made and the config does not need",
		Long: `Remove boxes and images that ocisi made from this config and that are no longer in
it, or disabled, and images without a name that runs left which were killed.

Images that only serve as parents stay: their layers are those of their children,
so they cost nothing, and without them the next build begins anew.

Nothing that ocisi did not make is touched. Homes are never removed.`,
		Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd) },
	}
	f := cmd.Flags()
	f.BoolVar(&o.boxless, "boxless", false, "also remove images that no box is made from, as ocisictl did")
	f.BoolVar(&o.skipPodman, "skip-podman", false, "skip the images and boxes of podman")
	f.BoolVar(&o.skipPodman, skipPodmanCleanUp, false, "the same, as ocisictl spells it")
	cobra.CheckErr(f.MarkHidden(skipPodmanCleanUp))
	f.BoolVarP(&o.yes, "yes", "y", false, "do not ask before boxes are removed")
	f.BoolVarP(&o.dryRun, "dry-run", "n", false, "show what would be removed, and stop")
	return cmd
}

func (o *cleanOptions) run(cmd *cobra.Command) (err error) {
	l, g, err := o.env.hierarchy(o.globals.file, cmd.Flags())
	if err != nil {
		return err
	}
	env, log, end, err := o.env.begin("clean", o.globals.verbose, o.dryRun)
	if err != nil {
		return err
	}
	defer end()
	among := []hierarchy.Manager{hierarchy.Docker, hierarchy.Podman}
	if o.skipPodman {
		among = among[:1]
	}
	managers := env.available(cmd.Context(), among, l.config.Managers())
	return env.with(cmd.Context(), managers, l.config.File, func(ctx context.Context, s *session) error {
		s.configure(l, false, o.dryRun)
		return o.clean(ctx, cmd, s, g, log)
	})
}

// available returns those managers that the config names, and those that
// answer: what is to be cleaned may be of a manager that is no longer in it.
func (env Env) available(ctx context.Context, among, named []hierarchy.Manager) []hierarchy.Manager {
	return slices.DeleteFunc(among, func(m hierarchy.Manager) bool {
		if slices.Contains(named, m) {
			return false
		}
		if _, err := env.LookPath(string(m)); err != nil {
			return true
		}
		e, err := env.openEngine(ctx, m, nil)
		return err != nil || e.Close() != nil
	})
}

func (o *cleanOptions) clean(ctx context.Context, cmd *cobra.Command, s *session, g *hierarchy.Graph, log *runLog) error {
	stores, err := s.observe(ctx, g, true)
	if err != nil {
		return err
	}
	p, err := s.orphans(ctx, g, stores, plan.CleanOptions{Boxless: o.boxless, Generations: true})
	if err != nil {
		return err
	}
	working, err := o.cleanInterrupted(ctx, s)
	if err != nil {
		return err
	}
	if len(p.Steps) == 0 {
		if working == 0 {
			_, err = fmt.Fprintln(o.env.Stdout, "nothing to do")
		}
		return err
	}
	freed, err := s.weigh(ctx, stores, p.Steps)
	if err != nil {
		return err
	}
	if err := o.env.showPlan(p, freed, s.config); err != nil || o.dryRun {
		return err
	}
	return o.apply(ctx, cmd, s, p, log)
}

func (o *cleanOptions) apply(ctx context.Context, cmd *cobra.Command, s *session, p plan.Plan, log *runLog) error {
	if yes, err := o.env.confirmRemoval(cmd, p, false, o.yes); err != nil || !yes {
		return err
	}
	results := o.env.apply(ctx, s, p, 1, log, o.globals.verbose)
	s.removeSuperseded(ctx)
	for _, r := range results {
		if r.State == apply.Failed || ctx.Err() != nil {
			return errFailed
		}
	}
	return o.env.postponed(results, func(string, error) string {
		return "exit its shells and programs, then run: " + o.env.self(s.config) + " clean"
	})
}

// cleanInterrupted removes the working containers that killed builds left, and
// returns how many there are. It does not ask: they contain nothing of the user's.
func (o *cleanOptions) cleanInterrupted(ctx context.Context, s *session) (int, error) {
	n, err := s.interrupted(ctx)
	if err != nil || n == 0 {
		return 0, err
	}
	fmt.Fprintf(o.env.Stdout, "remove %s of interrupted builds\n", count(n, "working container", "working containers"))
	if !o.dryRun {
		s.removeInterrupted(ctx, slices.Collect(maps.Keys(s.engines)))
	}
	return n, nil
}

// confirmRemoval asks before boxes are removed. Those in use count only with force.
func (env Env) confirmRemoval(cmd *cobra.Command, p plan.Plan, force, yes bool) (bool, error) {
	boxes := 0
	for _, s := range p.Steps {
		if s.Kind == plan.Box && s.Action == plan.Remove && (force || s.Sessions == 0) {
			boxes++
		}
	}
	if boxes == 0 || yes {
		return true, nil
	}
	return env.ask(cmd, fmt.Sprintf("Remove %s, with what is in there outside your home?", count(boxes, "box", "boxes")))
}

type pruneOptions struct {
	among       []hierarchy.Manager // whose stores are pruned
	yes, dryRun bool
}

// prune removes what nobody uses, and the graph does not declare, after it has
// shown what that is and was told to.
func (env Env) prune(ctx context.Context, s *session, g *hierarchy.Graph, o pruneOptions) error {
	keep := wantedNames(g)
	found := map[hierarchy.Manager]engine.Unused{}
	rows := [][]string{{"MANAGER", "WHAT", "NAME", "SIZE"}}
	for _, m := range o.among {
		u, err := s.engines[m].Unused(ctx, keep)
		if err != nil {
			return err
		}
		if !u.Empty() {
			found[m] = u
			rows = append(rows, unusedRows(m, u)...)
		}
	}
	if len(found) == 0 {
		_, err := fmt.Fprintln(env.Stdout, "nothing to prune")
		return err
	}
	if err := table(env.Stdout, rows); err != nil || o.dryRun {
		return err
	}
	if !o.yes {
		yes, err := env.ask(nil, "Remove all of it, also what ocisi did not make?")
		if err != nil {
			return err
		}
		if !yes {
			return exitError(exitDone)
		}
	}
	return env.pruneFound(ctx, s, found)
}

// wantedNames returns the full names of the images of a graph, of copies and of
// bases, in whichever store.
func wantedNames(g *hierarchy.Graph) map[string]bool {
	names := map[string]bool{}
	for _, im := range g.Images {
		for _, m := range append([]hierarchy.Manager{im.Manager}, im.Also...) {
			names[m.StoreRef(im.Ref())] = true
		}
		for _, b := range im.Bases {
			names[hierarchy.FullRef(b.As)] = true
		}
	}
	return names
}

func (env Env) pruneFound(ctx context.Context, s *session, found map[hierarchy.Manager]engine.Unused) error {
	var errs []error
	for m, u := range found {
		freed, err := s.engines[m].Prune(ctx, u)
		errs = append(errs, err)
		fmt.Fprintf(env.Stdout, "%s: %s freed\n", m, size(freed))
	}
	return errors.Join(errs...)
}

func unusedRows(m hierarchy.Manager, u engine.Unused) [][]string {
	var rows [][]string
	for _, c := range u.Containers {
		rows = append(rows, []string{string(m), "container", c.Name, size(c.Size)})
	}
	for _, im := range u.Images {
		rows = append(rows, []string{string(m), "image", hierarchy.FamiliarRef(im.Name), size(im.Size)})
	}
	if u.Cache > 0 {
		rows = append(rows, []string{string(m), "cache", "build cache", size(u.Cache)})
	}
	return rows
}
