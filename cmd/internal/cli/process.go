package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/apply"
	"github.com/klmcwhirter/ocisi/hierarchy/plan"
)

type processOptions struct {
	env        Env
	globals    *globals
	prune      bool
	skipClean  bool
	skipPodman bool
	keepPodman bool // nothing is removed from podman's store
	orphans    bool
	refresh    bool
	force      bool
	drifted    bool
	takeBack   bool
	yes        bool
	dryRun     bool
	brief      io.Writer // takes one line when all went well; nil: nobody does
}

func newProcess(env Env, g *globals) *cobra.Command {
	o := &processOptions{env: env, globals: g}
	cmd := &cobra.Command{
		Use:   "process [NAME…]",
		Short: "Build the images and make the boxes, as far as something changed",
		Long: `Build the enabled images of the config, parents first, and make their boxes; what
did not change stays as it is. 'ocisi plan' shows what would be done, and why.

With names of images or boxes, only those and what they are built from. A box is
replaced when the layers of its image or its box: keys changed, and only when the
new image has been built and the new box entered; its home is never touched.`,
		Args: usage(cobra.ArbitraryArgs),
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd, args) },
	}
	f := cmd.Flags()
	f.BoolVarP(&o.prune, "prune", "p", false, "first remove what nobody uses: stopped containers, images and build cache, also those that ocisi did not make; asks before it does")
	f.BoolVar(&o.force, "force", false, "replace boxes that somebody is in, too: asks, since that ends what runs in there; with --refresh, also build all images anew, whatever their age")
	f.BoolVar(&o.refresh, "refresh", false, "also look for newer bases, and build anew what is older than its max_age, as 'ocisi recreate' does")
	f.BoolVar(&o.takeBack, "take-back", false, "also replace the boxes NAME… that 'distrobox migrate' has recreated, so that they share layers again; what they were stays as a generation")
	o.addFlags(cmd)
	return cmd
}

// addFlags adds the flags that process and recreate have in common.
func (o *processOptions) addFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.BoolVarP(&o.skipClean, "skip-clean", "s", false, "keep the images of boxes that were replaced")
	f.BoolVar(&o.skipPodman, "skip-podman", false, "skip the images and boxes of podman")
	f.BoolVar(&o.keepPodman, skipPodmanCleanUp, false, "build for podman, but remove nothing from its store, as ocisictl did")
	cobra.CheckErr(f.MarkHidden(skipPodmanCleanUp))
	f.BoolVar(&o.orphans, "prune-orphans", false, "also remove what ocisi made and the config no longer wants, as 'ocisi clean' does")
	f.BoolVar(&o.drifted, "replace-drifted", false, "also replace boxes with packages or files that their image does not have; without it, ocisi asks, and skips them where there is no terminal")
	f.BoolVarP(&o.yes, "yes", "y", false, "do not ask before boxes or what nobody uses is removed")
	f.BoolVarP(&o.dryRun, "dry-run", "n", false, "show what would be done, and stop")
	addJobs(cmd)
}

// skipPodmanCleanUp is ocisictl's flag of this name. It skipped podman in the
// clean-up after process, and built podman's images nevertheless.
const skipPodmanCleanUp = "skip_podman"

func addJobs(cmd *cobra.Command) {
	cmd.Flags().IntP("jobs", "j", 0, "how many images and boxes are worked on at once (default: one for each CPU, at least 4)")
}

func (o *processOptions) run(cmd *cobra.Command, names []string) error {
	if o.takeBack && len(names) == 0 {
		return &usageError{cmd: cmd, err: errors.New("--take-back needs the names of boxes")}
	}
	l, all, err := o.env.hierarchy(o.globals.file, cmd.Flags())
	if err != nil {
		return err
	}
	wanted, err := o.env.wanted(all, names)
	if err != nil {
		return err
	}
	if o.skipPodman {
		if skipped := countIn(wanted, hierarchy.Podman); skipped > 0 {
			fmt.Fprintf(o.env.Stdout, "skipped: %s\n", count(skipped, "podman image", "podman images"))
		}
		wanted = wanted.Of([]hierarchy.Manager{hierarchy.Docker})
	}
	r := &processRun{
		verb: cmd.Name(), env: o.env, loaded: l, all: all, wanted: wanted, keepPodman: o.keepPodman, verbose: o.globals.verbose,
		dryRun: o.dryRun, clean: !o.skipClean, prune: o.prune, yes: o.yes,
		orphans: o.orphans, refresh: o.refresh, force: o.force, drifted: o.drifted, takeBack: o.takeBack, brief: o.brief,
	}
	return r.run(cmd.Context())
}

// countIn counts the images and copies of a graph in a manager's store.
func countIn(g *hierarchy.Graph, m hierarchy.Manager) int {
	n := 0
	for _, im := range g.Images {
		if im.In(m) {
			n++
		}
	}
	return n
}

// processRun is what process, recreate and setup have in common: observe, plan,
// show, apply, report.
type processRun struct {
	verb       string
	env        Env
	loaded     *loaded
	keepPodman bool             // nothing is removed from podman's store
	all        *hierarchy.Graph // what the config declares; nothing of it is an orphan
	wanted     *hierarchy.Graph // what the run builds
	verbose    bool
	dryRun     bool
	clean      bool
	prune      bool
	orphans    bool
	refresh    bool
	force      bool
	drifted    bool
	takeBack   bool
	yes        bool
	brief      io.Writer
}

func (r *processRun) run(ctx context.Context) (err error) {
	switch {
	case len(r.all.Images) == 0:
		return r.end("nothing to do: no image is enabled in " + r.loaded.config.File)
	case len(r.wanted.Images) == 0:
		return r.end("nothing to do")
	}
	env, log, end, err := r.env.begin(r.verb, r.verbose, r.dryRun)
	if err != nil {
		return err
	}
	defer end()
	for _, w := range r.loaded.warnings {
		fmt.Fprintf(r.env.Stderr, "ocisi: warning: %s\n", w)
	}
	s, err := env.open(ctx, r.wanted.Managers(), r.loaded.config.File, log.log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	s.configure(r.loaded, r.force, r.dryRun)
	s.replaceDrifted, s.takeBack = r.drifted, r.takeBack
	return r.work(ctx, s, log)
}

// end writes what a run came to that had nothing to do.
func (r *processRun) end(line string) error {
	_, err := fmt.Fprintln(cmp.Or(r.brief, r.env.Stdout), line)
	return err
}

func (r *processRun) work(ctx context.Context, s *session, log *runLog) error {
	if r.prune {
		if err := r.env.prune(ctx, s, r.all, pruneOptions{among: r.cleaned(), yes: r.yes, dryRun: r.dryRun}); err != nil {
			return err
		}
	}
	p, freed, err := r.plan(ctx, s)
	if err != nil {
		return err
	}
	if r.dryRun {
		return r.env.showPlan(p, freed, s.config)
	}
	if p.Changes() == 0 {
		r.env.devFolders(r.wanted.Images)
		if !r.prune && !r.verbose {
			log.discard()
		}
		return r.end("nothing to do: " + upToDate(p))
	}
	if err := r.env.showChanges(p, freed); err != nil {
		return err
	}
	if yes, err := r.confirm(s, p); err != nil || !yes {
		return err
	}
	return r.apply(ctx, s, p, log)
}

// confirm asks about everything in a plan that needs a confirmation.
func (r *processRun) confirm(s *session, p plan.Plan) (bool, error) {
	if err := s.confirmForce(nil, p, r.yes); err != nil {
		return false, err
	}
	if err := s.confirmDrift(nil, p, r.yes); err != nil {
		return false, err
	}
	return r.env.confirmRemoval(nil, p, s.force, r.yes)
}

// plan observes and plans. It also returns how many bytes the removals among
// the steps set free.
func (r *processRun) plan(ctx context.Context, s *session) (plan.Plan, int64, error) {
	stores, err := s.observeLocked(ctx, r.wanted, r.orphans, r.loaded.lock, r.dryRun)
	if err != nil {
		return plan.Plan{}, 0, err
	}
	s.warnHidden(ctx, stores)
	o := s.options()
	o.Refresh, o.Force = r.refresh, r.refresh && r.force
	if r.refresh {
		o.Remote = s.remote(ctx, r.wanted, stores, false)
		r.env.warnUnknown(o.Remote)
	}
	p, err := s.proved(ctx, stores, func(foreign map[string]bool) plan.Plan {
		o.Foreign = foreign
		return plan.New(r.wanted, stores, o)
	})
	if err != nil {
		return plan.Plan{}, 0, err
	}
	if r.refresh {
		s.weighPulls(ctx, p.Steps)
	}
	if err := s.describe(ctx, stores, p.Steps); err != nil || !r.orphans {
		return p, 0, err
	}
	cleaned := maps.Clone(stores)
	maps.DeleteFunc(cleaned, func(m hierarchy.Manager, _ hierarchy.Store) bool { return !slices.Contains(r.cleaned(), m) })
	orphans, err := s.orphans(ctx, r.all, cleaned, plan.CleanOptions{})
	if err != nil {
		return p, 0, err
	}
	freed, err := s.weigh(ctx, stores, orphans.Steps)
	p.Steps = append(p.Steps, orphans.Steps...)
	return p, freed, err
}

// cleaned returns the managers from whose stores the run removes something.
func (r *processRun) cleaned() []hierarchy.Manager {
	return slices.DeleteFunc(r.wanted.Managers(), func(m hierarchy.Manager) bool { return r.keepPodman && m == hierarchy.Podman })
}

func (r *processRun) apply(ctx context.Context, s *session, p plan.Plan, log *runLog) error {
	start := r.env.Now()
	s.logStore(ctx, log)
	s.removeInterrupted(ctx, r.cleaned())
	results := r.env.apply(ctx, s, p, r.loaded.jobs, log, r.verbose)
	if r.brief != nil {
		fmt.Fprintln(r.brief, summary(results, r.env.Now().Sub(start)))
	}
	if ctx.Err() != nil {
		return errFailed
	}
	if r.clean {
		s.removeSuperseded(ctx, r.cleaned()...)
	}
	r.env.devFolders(finished(r.wanted, results))
	// After a failure, what to do about it is the last thing on the screen.
	if err := r.outcome(results, log); err != nil {
		return err
	}
	return errors.Join(r.report(ctx, s), r.env.postponed(results, r.postponedHint(s.config)))
}

func (r *processRun) report(ctx context.Context, s *session) error {
	// An engine that nothing is wanted from was not opened.
	d, err := s.sharing(ctx, r.all.Of(r.wanted.Managers()))
	if err != nil {
		return err
	}
	fmt.Fprintln(r.env.Stdout)
	sharingText(r.env.Stdout, d, r.env.self(s.config))
	return nil
}

func (r *processRun) outcome(results []apply.Result, log *runLog) error {
	for _, res := range results {
		if res.State == apply.Failed {
			fmt.Fprintf(r.env.Stderr, "\nocisi: the whole run is in %s\n", log.path)
			return errFailed
		}
	}
	return nil
}

// apply runs a plan and shows it, and in the end what failed and what was done.
func (env Env) apply(ctx context.Context, s *session, p plan.Plan, jobs int, log *runLog, verbose bool) []apply.Result {
	show := env.progress(p, log, verbose)
	tools := apply.Tools{Puller: s, Builder: s, Boxer: s, Remover: s, Copier: s}
	start := env.Now()
	results := apply.Run(ctx, p, tools, apply.Options{Jobs: jobs, Serial: s.serial, Emit: show.show})
	env.failures(results, s.config)
	fmt.Fprintln(env.Stdout, "\n"+summary(results, env.Now().Sub(start)))
	return results
}

// ask puts a question whose answer is yes or no; the default is no. Without a
// terminal it is an error that names the flag.
func (env Env) ask(cmd *cobra.Command, question string) (bool, error) {
	if !env.Terminal {
		return false, &usageError{cmd: cmd, err: errors.New(question + " There is no terminal to ask on: pass --yes")}
	}
	fmt.Fprint(env.Stdout, question+" [y/N] ")
	var answer string
	if _, err := fmt.Fscanln(env.Stdin, &answer); is[*stoppedError](err) {
		return false, err
	} else if err != nil && answer == "" {
		fmt.Fprintln(env.Stdout)
		return false, nil
	}
	answer = strings.ToLower(answer)
	return answer == "y" || answer == "yes", nil
}
