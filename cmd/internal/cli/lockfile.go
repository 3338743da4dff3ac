package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/plan"
)

type lockOptions struct {
	env     Env
	globals *globals
	update  bool
	dryRun  bool
}

func newLock(env Env, g *globals) *cobra.Command {
	o := &lockOptions{env: env, globals: g}
	cmd := &cobra.Command{
		Use:   "lock [--update [BASE…]]",
		Short: "Hold the bases at exactly what they are now",
		Long: `Write the lock file beside the config: for each base, the digest of what it is
now, in the store or else in its registry. From then on builds use exactly that,
on every machine that has the file, and 'ocisi recreate' does not move it.

With --update, the entries are moved to what the registries have: all of them, or
those of the bases that are named. 'ocisi process' then pulls and builds. To unlock
the bases again, delete the file.`,
		Args: usage(cobra.ArbitraryArgs),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 && !o.update {
				return &usageError{cmd: cmd, err: errors.New("to move the entries of " + args[0] + ", pass --update")}
			}
			return o.run(cmd, args)
		},
	}
	cmd.Flags().BoolVar(&o.update, "update", false, "move entries to what the registries have now")
	cmd.Flags().BoolVarP(&o.dryRun, "dry-run", "n", false, "show what would be written, and stop")
	return cmd
}

func (o *lockOptions) run(cmd *cobra.Command, bases []string) error {
	l, g, err := o.env.hierarchy(o.globals.file, cmd.Flags())
	if err != nil {
		return err
	}
	lock := l.lock
	if lock == nil {
		lock = &hierarchy.Lock{File: hierarchy.LockPath(l.config.File), Bases: map[string]string{}}
	}
	return o.env.with(cmd.Context(), g.Managers(), l.config.File, func(ctx context.Context, s *session) error {
		stores, err := s.observe(ctx, g, false)
		if err != nil {
			return err
		}
		known := withDigest(g.Lockable(), plan.Known(g, stores, true))
		update, err := o.chosen(bases, known)
		if err != nil {
			return err
		}
		return o.move(ctx, &baseLock{s, g, stores, known, lock}, update)
	})
}

// chosen returns the bases to update by full name.
func (o *lockOptions) chosen(bases, known []string) ([]string, error) {
	if o.update && len(bases) == 0 {
		return known, nil
	}
	var update []string
	for _, b := range bases {
		if !slices.Contains(known, hierarchy.FullRef(b)) {
			return nil, &unknownBaseError{base: b, known: known}
		}
		update = append(update, hierarchy.FullRef(b))
	}
	return update, nil
}

// baseLock is a lock file and what its entries are taken from.
type baseLock struct {
	*session
	graph  *hierarchy.Graph
	stores plan.Stores
	bases  []string // that it can hold
	file   *hierarchy.Lock
}

// unknownBaseError says that a name is no base of the config.
type unknownBaseError struct {
	base  string
	known []string
}

func (e *unknownBaseError) Error() string {
	return fmt.Sprintf("%s is no base of an enabled image", e.base)
}

// move sets the entries of a lock file: those that are missing, and those to
// update. Bases that no image is built from any more lose theirs. What cannot be
// asked about stays as it is.
func (o *lockOptions) move(ctx context.Context, l *baseLock, update []string) error {
	var failed []error
	digests := map[string]string{}
	answers := o.env.registries().Resolve(ctx, update)
	for _, ref := range update {
		if err := answers[ref].Err; err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", hierarchy.FamiliarRef(ref), err))
			continue
		}
		digests[ref] = answers[ref].Digest
	}
	changes := l.file.Update(digests)
	missing := slices.DeleteFunc(slices.Clone(l.bases), func(ref string) bool {
		return l.file.Bases[ref] != "" || slices.Contains(update, ref)
	})
	digests, err := l.digests(ctx, l.graph, l.stores, missing)
	failed = append(failed, err)
	rows := [][]string{{"BASE", "WAS", "IS"}}
	for _, c := range append(changes, l.file.Update(digests)...) {
		rows = append(rows, []string{hierarchy.FamiliarRef(c.Ref), cmp.Or(c.Old, "-"), c.New})
	}
	for _, ref := range l.file.Keep(l.bases) {
		rows = append(rows, []string{hierarchy.FamiliarRef(ref), "-", "no longer a base"})
	}
	for _, ref := range l.graph.Lockable() {
		if !slices.Contains(l.bases, ref) {
			fmt.Fprintf(o.env.Stderr, "ocisi: warning: base %s was built on this machine, so it has no digest to be locked to\n", hierarchy.FamiliarRef(ref))
		}
	}
	err = errors.Join(failed...)
	if len(rows) == 1 && err != nil {
		return err
	}
	return errors.Join(o.write(l.file, rows), err)
}

func (o *lockOptions) write(lock *hierarchy.Lock, rows [][]string) error {
	if len(rows) == 1 && o.env.exists(lock.File) {
		_, err := fmt.Fprintf(o.env.Stdout, "nothing to do: %s has %s\n", o.env.short(lock.File), count(len(lock.Bases), "base", "bases"))
		return err
	}
	if len(rows) > 1 {
		if err := table(o.env.Stdout, rows); err != nil {
			return err
		}
	}
	if o.dryRun {
		return nil
	}
	return o.env.writeLock(lock)
}
