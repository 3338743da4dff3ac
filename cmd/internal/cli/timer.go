package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/klmcwhirter/ocisi/bootstrap/doctor"
	"github.com/klmcwhirter/ocisi/bootstrap/ownedfile"
	"github.com/klmcwhirter/ocisi/bootstrap/timer"
	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/internal/process"
)

func newTimer(env Env, g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "timer",
		Short: "Have images and boxes brought up to date once a week",
		Long: `Have the systemd of your session run 'ocisi recreate --unattended' once a week: not
on battery, not over a metered network, and only while you are logged in; a run that
was missed is made up for. You hear of it only when it needs you.`,
		Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newTimerEnable(env, g), newTimerDisable(env), newTimerStatus(env))
	return cmd
}

type timerOptions struct {
	env      Env
	globals  *globals
	calendar string
}

func newTimerEnable(env Env, g *globals) *cobra.Command {
	o := &timerOptions{env: env, globals: g}
	cmd := &cobra.Command{
		Use:   "enable",
		Short: "Begin with it",
		Long: `Write the units ocisi-recreate.timer and ocisi-recreate.service below
$XDG_CONFIG_HOME/systemd/user, unless a package has installed the same, and start the
timer. With -f, it is that config that is brought up to date. What the units say can
be changed with 'systemctl --user edit'.`,
		Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return o.enable(cmd) },
	}
	cmd.Flags().StringVar(&o.calendar, "calendar", timer.Weekly, "when, as 'man systemd.time' has it: daily, 'Sat 10:00'")
	return cmd
}

func (o *timerOptions) enable(cmd *cobra.Command) error {
	ctx, s := cmd.Context(), timer.Systemd{Runner: o.env.Runner}
	run, err := o.wanted(ctx, cmd, s)
	if err != nil {
		return err
	}
	units, err := timer.Units(o.env.Units, run)
	if err != nil {
		return err
	}
	files, err := o.env.timerFiles(units)
	if err != nil {
		return err
	}
	if err := o.env.startTimer(ctx, s, files); err != nil {
		return err
	}
	st, err := s.State(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(o.env.Stdout, "enabled: %s; the next run is on %s\n", o.calendar, o.env.moment(st.Next))
	fmt.Fprintln(o.env.Stdout, "It runs while you are logged in, not on battery and not over a metered network.")
	fmt.Fprintln(o.env.Stdout, "How it went: ocisi timer status")
	return nil
}

// startTimer writes the units and starts the timer; or leaves everything as it
// was.
func (env Env) startTimer(ctx context.Context, s timer.Systemd, files []ownedfile.File) error {
	before, err := s.State(ctx)
	if err != nil {
		return err
	}
	undo, err := ownedfile.Write(env.Disk, files)
	if err != nil {
		return err
	}
	if err = s.Reload(ctx); err == nil {
		err = s.Enable(ctx)
	}
	if err == nil {
		return nil
	}
	ctx = context.WithoutCancel(ctx) // a Ctrl-C is no reason to leave half of it
	if !before.Enabled {
		_ = s.Disable(ctx) // as far as it came
	}
	err = errors.Join(err, undo(), s.Reload(ctx))
	if before.Enabled {
		err = errors.Join(err, s.Enable(ctx))
	}
	return err
}

// wanted returns what the timer is to run, or what speaks against one.
func (o *timerOptions) wanted(ctx context.Context, cmd *cobra.Command, s timer.Systemd) (timer.Run, error) {
	run := timer.Run{Calendar: o.calendar}
	if name := o.env.host().Container(); name != "" {
		return run, fmt.Errorf("this is %s: a timer is for the host", name)
	}
	program, err := timer.Stable(o.env.Program, o.env.exists, o.env.Getenv("TMPDIR"))
	if err != nil {
		return run, err
	}
	if err := o.checkCalendar(ctx, cmd); err != nil {
		return run, err
	}
	l, g, err := o.env.hierarchy(o.globals.file, cmd.Flags())
	if err != nil {
		return run, err
	}
	known, err := s.Environment(ctx)
	if err != nil {
		return run, err
	}
	if err := o.env.timerGroups(ctx, g); err != nil {
		return run, err
	}
	run.Program, run.Env = program, o.env.unknownTo(known)
	if !o.env.sameFile(l.config.File, filepath.Join(o.env.ConfigDir, "ocisi.yaml")) {
		run.Args = []string{"-f", l.config.File}
	}
	return run, nil
}

// checkCalendar asks systemd whether it understands a calendar. Where it cannot
// be asked, the timer would not start.
func (o *timerOptions) checkCalendar(ctx context.Context, cmd *cobra.Command) error {
	if o.calendar == timer.Weekly {
		return nil
	}
	err := o.env.Runner.Run(ctx, process.Cmd{Name: "systemd-analyze", Args: []string{"calendar", "--", o.calendar}})
	if failed, ok := errors.AsType[*process.Error](err); ok {
		return &usageError{cmd: cmd, err: fmt.Errorf("--calendar: %s", cmp.Or(failed.Stderr, err.Error()))}
	}
	return ctx.Err()
}

// timerGroupsError says that the timer's runs could not use docker.
type timerGroupsError struct{ found doctor.Result }

func (e *timerGroupsError) Error() string {
	return "a timer could not use docker: " + e.found.Detail
}

// timerGroups looks whether the user's systemd may use docker, if an image needs
// it: it has the groups that the user had when it started.
func (env Env) timerGroups(ctx context.Context, g *hierarchy.Graph) error {
	if !slices.Contains(g.Managers(), hierarchy.Docker) {
		return nil
	}
	c := env.clinic(ctx, "")
	defer c.close()
	c.graph = g
	checks, _ := doctor.Select(doctor.Checks(), []string{"docker.group"})
	for _, r := range doctor.Run(ctx, c.facts(), checks) {
		if r.Status == doctor.Fail || r.Status == doctor.Warn {
			return &timerGroupsError{r}
		}
	}
	return ctx.Err()
}

// unknownTo returns the variables of this process that tell ocisi or an engine
// what to do and where things are, as far as systemd's environment lacks them:
// set in a shell's own files only, they are not there when a timer runs.
func (env Env) unknownTo(known []string) []string {
	var out []string
	for _, key := range []string{
		"OCISI_MANAGER", "OCISI_JOBS", "OCISI_START_TIMEOUT", "DBX_CONTAINER_MANAGER", "DBX_SUDO_PROGRAM",
		"DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "CONTAINER_HOST",
		"XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME",
	} {
		if value := env.Getenv(key); value != "" && !slices.Contains(known, key+"="+value) {
			out = append(out, key+"="+value)
		}
	}
	return out
}

// timerFiles are the units as files. Systemd looks for the user's before it looks
// for those of packages.
func (env Env) timerFiles(units []timer.Unit) ([]ownedfile.File, error) {
	packaged, err := fs.Sub(env.Files, "usr/lib/systemd/user")
	return timer.Files(units, filepath.Join(filepath.Dir(env.ConfigDir), "systemd", "user"), packaged), err
}
