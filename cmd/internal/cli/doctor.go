package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/spf13/cobra"

	"github.com/klmcwhirter/ocisi/bootstrap/doctor"
	"github.com/klmcwhirter/ocisi/bootstrap/host"
	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/engine"
)

type doctorOptions struct {
	env     Env
	globals *globals
	json    bool
	strict  bool
}

func newDoctor(env Env, g *globals) *cobra.Command {
	o := &doctorOptions{env: env, globals: g}
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check whether this machine can build images and run boxes",
		Long: `Check the machine, the engines, distrobox and the config, and say what to type
where something is wrong. Nothing is changed. Exits with 1 when a check failed.`,
		Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd) },
	}
	cmd.Flags().BoolVar(&o.json, "json", false, "write JSON")
	cmd.Flags().BoolVar(&o.strict, "strict", false, "exit with 1 when a check warned, too")
	return cmd
}

func (o *doctorOptions) run(cmd *cobra.Command) error {
	l, err := o.env.load(o.globals.file, cmd.Flags())
	var g *hierarchy.Graph
	if err == nil {
		g, err = o.env.graph(l)
	}
	wanted := map[hierarchy.Manager]bool{}
	if g != nil {
		for _, m := range g.Managers() {
			wanted[m] = true
		}
	}
	results := o.env.examine(cmd.Context(), wanted, configCheck(o.env.configPath(o.globals.file), g, err), o.env.boxesCheck(o.env.configPath(o.globals.file), g))
	if o.json {
		err = writeJSON(o.env.Stdout, results)
	} else {
		err = o.env.showResults(results)
	}
	if err == nil && doctor.Failed(results, o.strict) {
		return exitError(exitFailed)
	}
	return err
}

// configCheck is the check of the config, which doctor knows nothing about.
func configCheck(path string, g *hierarchy.Graph, err error) doctor.Check {
	return doctor.Check{ID: "config", What: "the config is right", Run: func(context.Context, doctor.Facts) doctor.Result {
		switch {
		case is[*noConfigError](err):
			return doctor.Result{Status: doctor.Warn, Detail: err.Error(), Fix: []string{"ocisi setup"}}
		case err != nil:
			return doctor.Result{Status: doctor.Fail, Detail: err.Error(), Fix: []string{"${EDITOR:-vi} " + path}}
		}
		return doctor.Result{Status: doctor.OK, Detail: fmt.Sprintf("%s, %d images", path, len(g.Images))}
	}}
}

// boxesCheck is the check that no box waits under another name for what a run
// that was stopped did not finish.
func (env Env) boxesCheck(path string, g *hierarchy.Graph) doctor.Check {
	return doctor.Check{ID: "boxes", What: "no box was left half replaced", Run: func(ctx context.Context, _ doctor.Facts) doctor.Result {
		if g == nil {
			return doctor.Result{Status: doctor.Skip, Detail: "no config"}
		}
		seen := 0
		var waiting []string
		for _, m := range g.Managers() {
			boxes, err := env.boxesOf(ctx, m)
			if err != nil {
				return doctor.Result{Status: doctor.Skip, Detail: fmt.Sprintf("%s does not say", m)}
			}
			seen += len(boxes)
			for _, b := range boxes {
				if name, role, _ := b.Role(); role == hierarchy.Waiting {
					waiting = append(waiting, fmt.Sprintf("%s is called %s", name, b.Name))
				}
			}
		}
		if len(waiting) == 0 {
			return doctor.Result{Status: doctor.OK, Detail: fmt.Sprintf("%d looked at", seen)}
		}
		return doctor.Result{
			Status: doctor.Warn, Detail: "another ocisi is at work, or one was stopped: " + strings.Join(waiting, ", "), Fix: []string{env.self(path) + " plan"},
		}
	}}
}

func (env Env) boxesOf(ctx context.Context, m hierarchy.Manager) ([]hierarchy.StoredBox, error) {
	e, err := env.openEngine(ctx, m, nil)
	if err != nil {
		return nil, err
	}
	boxes, err := e.Boxes(ctx)
	return boxes, errors.Join(err, e.Close())
}

// examine runs the checks of doctor, and more. wanted are the managers that
// images need.
func (env Env) examine(ctx context.Context, wanted map[hierarchy.Manager]bool, more ...doctor.Check) []doctor.Result {
	facts := doctor.Facts{
		Host: host.Host{
			Root: env.Files, Runner: env.Runner, Getenv: env.Getenv,
			User:   host.User{Name: env.User, UID: env.UID, GIDs: env.Groups, Home: env.Home},
			Statfs: env.Space,
		},
		Docker: func(ctx context.Context) doctor.Engine { return env.diagnose(ctx, hierarchy.Docker, wanted) },
		Podman: func(ctx context.Context) doctor.Engine { return env.diagnose(ctx, hierarchy.Podman, wanted) },
	}
	return doctor.Run(ctx, facts, append(doctor.Checks(), more...))
}

func (env Env) diagnose(ctx context.Context, m hierarchy.Manager, wanted map[hierarchy.Manager]bool) doctor.Engine {
	d := doctor.Engine{Wanted: wanted[m]}
	_, err := env.LookPath(string(m))
	d.Installed = err == nil
	e, err := env.openEngine(ctx, m, nil)
	if err != nil {
		// docker without its program is there all the same when its socket is; only
		// then can it be out of reach for want of a permission.
		d.Installed = d.Installed || errors.Is(err, fs.ErrPermission)
		d.Err = err
		if e, ok := errors.AsType[*engine.UnreachableError](err); ok {
			d.Endpoint = e.Endpoint
		}
		return d
	}
	d.Installed = true
	info, err := e.Info(ctx)
	d.Err = errors.Join(err, e.Close())
	d.Version, d.Endpoint, d.Root, d.Rootless = info.Version, info.Endpoint, info.Root, info.Rootless
	d.FileSystem, d.Copies = info.FileSystem, info.Copies
	return d
}

// showResults writes results as a table, each fix below what it mends.
func (env Env) showResults(results []doctor.Result) error {
	c := env.colours()
	mark := map[doctor.Status]string{
		doctor.OK: c.green + "ok  " + c.off, doctor.Warn: c.yellow + "warn" + c.off,
		doctor.Fail: c.red + "FAIL" + c.off, doctor.Skip: "-   ",
	}
	width := 0
	for _, r := range results {
		width = max(width, len(r.What))
	}
	for _, r := range results {
		detail := strings.ReplaceAll(r.Detail, "\n", "\n"+strings.Repeat(" ", width+8))
		fmt.Fprintf(env.Stdout, "%s  %-*s  %s\n", mark[r.Status], width, r.What, detail)
		for _, fix := range r.Fix {
			fmt.Fprintf(env.Stdout, "      %-*s  $ %s\n", width, "", fix)
		}
	}
	return nil
}
