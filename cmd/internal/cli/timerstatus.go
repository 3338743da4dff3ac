package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/klmcwhirter/ocisi/bootstrap/ownedfile"
	"github.com/klmcwhirter/ocisi/bootstrap/timer"
)

func newTimerDisable(env Env) *cobra.Command {
	return &cobra.Command{
		Use:   "disable",
		Short: "End it",
		Long: `Stop the timer, and a run that is under way, and remove the units that
'ocisi timer enable' wrote. What you wrote beside them stays.`,
		Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return env.disableTimer(cmd) },
	}
}

func (env Env) disableTimer(cmd *cobra.Command) error {
	ctx, s := cmd.Context(), timer.Systemd{Runner: env.Runner}
	st, err := stateOf(ctx, s)
	if err != nil {
		return err
	}
	files, err := env.timerFiles([]timer.Unit{{Name: timer.Timer}, {Name: timer.Service}})
	if err != nil {
		return err
	}
	written, err := env.written(files, st.Unit)
	if err != nil {
		return err
	}
	if !st.Enabled && !st.Active && !written {
		_, err := fmt.Fprintln(env.Stdout, "nothing to do: the timer is not enabled")
		return err
	}
	if st.Unit != "" {
		if err := s.Disable(ctx); err != nil {
			return err
		}
	}
	removed, err := ownedfile.Remove(env.Disk, files)
	for _, path := range removed {
		fmt.Fprintf(env.Stdout, "removed  %s\n", env.short(path))
	}
	if err = errors.Join(err, s.Reload(ctx)); err != nil {
		return err
	}
	_, err = fmt.Fprintln(env.Stdout, "disabled")
	return err
}

// stateOf asks systemd, and says of one that is not there what that means.
func stateOf(ctx context.Context, s timer.Systemd) (timer.State, error) {
	if _, err := s.Environment(ctx); err != nil {
		return timer.State{}, err
	}
	return s.State(ctx)
}

// written reports whether a unit is on disk that ocisi wrote. That systemd has
// loaded one which somebody else wrote is an error; unit is the file of it.
func (env Env) written(files []ownedfile.File, unit string) (bool, error) {
	found := false
	for _, f := range files {
		ours, _, err := f.State()
		if err != nil {
			return false, err
		}
		if !ours && unit != "" && env.sameFile(f.Path, unit) {
			return false, &ownedfile.ForeignError{Path: f.Path}
		}
		found = found || ours
	}
	return found, nil
}

// timerStatus is what 'timer status' tells.
type timerStatus struct {
	Enabled bool       `json:"enabled"` // it starts with the next login
	Active  bool       `json:"active"`  // it waits for the next run
	Unit    string     `json:"unit,omitempty"`
	Next    *time.Time `json:"next,omitempty"`
	Running bool       `json:"running"`
	Last    *timerRun  `json:"last,omitempty"`
	Battery *time.Time `json:"not_on_battery,omitempty"` // when a run was last not started, because of that
	Log     string     `json:"log"`                      // a command
}

// timerRun is how a run ended.
type timerRun struct {
	Ended  time.Time `json:"ended"`
	Exit   int       `json:"exit"`
	Result string    `json:"result"` // systemd's word
}

func newTimerStatus(env Env) *cobra.Command {
	asJSON := false
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Tell when it runs next, and how it went",
		Args:  usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			st, err := stateOf(cmd.Context(), timer.Systemd{Runner: env.Runner})
			if err != nil {
				return err
			}
			if asJSON {
				return writeJSON(env.Stdout, env.statusOf(st))
			}
			return env.showTimer(st)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "write JSON")
	return cmd
}

func (env Env) statusOf(st timer.State) timerStatus {
	out := timerStatus{Enabled: st.Enabled, Active: st.Active, Unit: st.Unit, Running: st.Running, Log: env.journal(), Next: known(st.Next), Battery: known(st.Unmet)}
	if !st.Ended.IsZero() {
		out.Last = &timerRun{st.Ended, st.Exit, st.Result}
	}
	return out
}

// known is nil for a time that is not.
func known(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func (env Env) showTimer(st timer.State) error {
	enabled := "no; to begin with it: ocisi timer enable"
	switch {
	case st.Enabled && st.Active:
		enabled = "yes"
	case st.Enabled:
		enabled = "yes, but it does not wait for its next run: systemctl --user restart " + timer.Timer
	case st.Active:
		enabled = "only until you log out; to keep it: ocisi timer enable"
	}
	rows := [][]string{{"enabled", enabled}}
	if !st.Next.IsZero() {
		rows = append(rows, []string{"next run", env.moment(st.Next)})
	}
	rows = append(rows, []string{"last run", env.lastRun(st)})
	if !st.Unmet.IsZero() {
		rows = append(rows, []string{"left out", env.moment(st.Unmet) + ": on battery"})
	}
	return table(env.Stdout, append(rows, []string{"log", env.journal()}))
}

func (env Env) lastRun(st timer.State) string {
	at := env.moment(st.Ended) + ": "
	switch {
	case st.Running:
		return "is under way"
	case st.Ended.IsZero():
		return "none since you logged in"
	case st.Exit == exitNotNow:
		return at + "put off, wholly or for a box that somebody was in"
	case st.Result == "timeout":
		return at + "ended, since it took too long"
	case st.Result == "signal":
		return at + "ended by a signal"
	case st.Exit != 0:
		return at + fmt.Sprintf("failed with exit status %d", st.Exit)
	}
	return at + "all went well"
}

// moment writes a time as people read it, in their zone.
func (env Env) moment(t time.Time) string {
	if t.IsZero() {
		return "a day that systemd does not tell"
	}
	return t.In(env.Now().Location()).Format("Mon 2006-01-02 15:04")
}
