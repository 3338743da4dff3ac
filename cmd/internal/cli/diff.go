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
)

type diffOptions struct {
	env     Env
	globals *globals
	json    bool
}

func newDiff(env Env, g *globals) *cobra.Command {
	o := &diffOptions{env: env, globals: g}
	cmd := &cobra.Command{
		Use:   "diff BOX",
		Short: "Show what is in a box and not in its image",
		Long: `Show the packages that were installed in a box by hand, and the files that differ
from its image's: what goes when the box is made anew. What distrobox changes in
every box is left out, and so is your home, which stays.

A former box, as 'ocisi list --generations' names it, can be looked at, too.`,
		Args: usage(func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return errors.New("say which box: one name")
			}
			return nil
		}),
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd, args[0]) },
	}
	cmd.Flags().BoolVar(&o.json, "json", false, "write JSON")
	return cmd
}

// boxDiff is what diff writes as JSON.
type boxDiff struct {
	Box     string            `json:"box"` // the container's name
	Manager hierarchy.Manager `json:"manager"`
	hierarchy.Drift
	Changes []hierarchy.Change `json:"changes"`
}

func (o *diffOptions) run(cmd *cobra.Command, name string) error {
	l, g, err := o.env.hierarchy(o.globals.file, cmd.Flags())
	if err != nil {
		return err
	}
	var found *boxDiff
	err = o.env.with(cmd.Context(), g.Managers(), l.config.File, func(ctx context.Context, s *session) error {
		found, err = s.diff(ctx, g, name)
		return err
	})
	switch {
	case err != nil:
		return err
	case found == nil:
		return &noBoxError{name: name}
	case o.json:
		return writeJSON(o.env.Stdout, found)
	}
	return o.show(found)
}

// noBoxError says that there is no box of a name that ocisi made.
type noBoxError struct{ name string }

func (e *noBoxError) Error() string {
	return "there is no box " + e.name + " that ocisi has made from this config"
}

// diff looks a box of ours up and compares it with its image; nil when there is
// none.
func (s *session) diff(ctx context.Context, g *hierarchy.Graph, name string) (*boxDiff, error) {
	stores, err := s.observe(ctx, g, false)
	if err != nil {
		return nil, err
	}
	for _, m := range g.Managers() {
		b, found := stores[m].Box(name)
		of, role, _ := b.Role()
		if !found || role == hierarchy.NoRole {
			continue
		}
		d, changes, err := box.Differences(ctx, s.engines[m], b, packagesOf(g, of))
		if changes == nil {
			changes = []hierarchy.Change{}
		}
		return &boxDiff{Box: name, Manager: m, Drift: d, Changes: changes}, err
	}
	return nil, nil
}

// packagesOf returns the packages that the config installs in a box.
func packagesOf(g *hierarchy.Graph, name string) []string {
	for _, im := range g.Boxes() {
		if im.Box.Name == name {
			return im.Box.AdditionalPackages
		}
	}
	return nil
}

func (o *diffOptions) show(d *boxDiff) error {
	if len(d.Changes) == 0 && len(d.Packages) == 0 && !d.Hidden {
		_, err := fmt.Fprintf(o.env.Stdout, "%s is what its image is\n", d.Box)
		return err
	}
	out := o.env.Stdout
	switch {
	case d.Hidden:
		fmt.Fprintf(out, "packages were installed; which, can be told when the box runs: distrobox enter %s -- true\n", d.Box)
	case len(d.Packages) > 0:
		fmt.Fprintf(out, "%s: %s\n", count(len(d.Packages), "package", "packages"), strings.Join(d.Packages, " "))
	}
	words := map[string]string{"A": "added", "C": "changed", "D": "deleted"}
	rows := [][]string{}
	for _, c := range d.Changes {
		rows = append(rows, []string{words[c.Kind], c.Path})
	}
	slices.SortFunc(rows, func(a, b []string) int { return strings.Compare(a[1], b[1]) })
	if err := table(out, rows); err != nil {
		return err
	}
	fmt.Fprintf(out, "%s in the box's own layer\n", size(d.Bytes))
	if run := d.Run(); run != "" {
		fmt.Fprintf(out, "to have the packages in an image, add to its Containerfile: %s\n", run)
	}
	return nil
}
