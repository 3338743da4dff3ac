package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/klmcwhirter/ocisi/bootstrap/doctor"
	"github.com/klmcwhirter/ocisi/hierarchy"
)

type doctorOptions struct {
	env     Env
	globals *globals
	json    bool
	strict  bool
	fix     bool
	yes     bool
}

func newDoctor(env Env, g *globals) *cobra.Command {
	o := &doctorOptions{env: env, globals: g}
	cmd := &cobra.Command{
		Use:   "doctor [ID...]",
		Short: "Check whether this machine can build images and run boxes",
		Long: `Check the machine, the engines, distrobox, the config and what boxes left in the
home, and say what to type where something is wrong. IDs are checks, or the words
that ids begin with: 'ocisi doctor docker' is all about docker. -v lists every check
with its id; docs/troubleshooting.md has a paragraph on each.

Nothing is changed, but by --fix: after a question it does what needs no root and
can be undone, prints the rest, and looks again. Exits with 1 when a check failed.`,
		RunE: func(cmd *cobra.Command, ids []string) error { return o.run(cmd, ids) },
	}
	f := cmd.Flags()
	f.BoolVar(&o.json, "json", false, "write JSON")
	f.BoolVar(&o.strict, "strict", false, "exit with 1 when a check warned, too")
	f.BoolVar(&o.fix, "fix", false, "mend what can be mended without root")
	f.BoolVarP(&o.yes, "yes", "y", false, "with --fix: do not ask")
	return cmd
}

func (o *doctorOptions) run(cmd *cobra.Command, ids []string) error {
	if err := atMostOne(cmd, "json", "fix"); err != nil {
		return err
	}
	results, err := o.look(cmd, ids)
	if err != nil {
		return err
	}
	if o.json {
		err = writeJSON(o.env.Stdout, examined{Version: examinedVersion, Checks: results})
	} else {
		o.show(results, ids)
	}
	if err == nil && o.fix {
		var mended bool
		if mended, err = o.mend(cmd, results); mended && err == nil {
			if results, err = o.look(cmd, ids); err == nil {
				o.show(results, ids)
			}
		}
	}
	if err == nil && doctor.Failed(results, o.strict) {
		return exitError(exitFailed)
	}
	return err
}

// examinedVersion is that of examined in JSON. It grows when a field goes or
// changes its meaning.
const examinedVersion = 1

// examined is what --json writes.
type examined struct {
	Version int             `json:"version"`
	Checks  []doctor.Result `json:"checks"`
}

// look runs the checks of some ids.
func (o *doctorOptions) look(cmd *cobra.Command, ids []string) ([]doctor.Result, error) {
	c := o.env.clinic(cmd.Context(), o.env.configPath(o.globals.file))
	defer c.close()
	c.loaded, c.err = o.env.load(o.globals.file, cmd.Flags())
	if c.err == nil {
		c.graph, c.err = o.env.graph(c.loaded)
	}
	checks, unknown := doctor.Select(c.checks(), ids)
	if len(unknown) > 0 {
		return nil, &usageError{cmd: cmd, err: unknownCheck(unknown[0], doctor.Names(c.checks()))}
	}
	return c.examine(cmd.Context(), checks), nil
}

func unknownCheck(id string, known []string) error {
	if near := hierarchy.Nearest(id, known); near != "" {
		return fmt.Errorf("there is no check %s; did you mean %s?", id, near)
	}
	return fmt.Errorf("there is no check %s; there are %s", id, strings.Join(known, ", "))
}

// examine runs checks. In a container there is but one, and the others would
// tell about the container.
func (c *clinic) examine(ctx context.Context, checks []doctor.Check) []doctor.Result {
	facts := c.facts()
	if facts.Host.Container() != "" {
		checks, _ = doctor.Select(doctor.Checks(), []string{"host.container"})
	}
	return doctor.Run(ctx, facts, checks)
}
