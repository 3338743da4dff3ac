package timer

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/klmcwhirter/ocisi/internal/process"
)

// timeout bounds a call of systemctl.
const timeout = 30 * time.Second

// Systemd is the systemd instance of the current user.
type Systemd struct{ Runner process.Runner }

// NoSessionError reports that the current session has no systemd instance.
type NoSessionError struct{ Err error }

func (e *NoSessionError) Error() string {
	why := e.Err.Error()
	if failed, ok := errors.AsType[*process.Error](e.Err); ok && failed.Stderr != "" {
		why = failed.Stderr
	}
	return "you have no systemd of your own in this session: " + why
}

func (e *NoSessionError) Unwrap() error { return e.Err }

// Environment returns the environment of all units as KEY=VALUE, with values quoted
// as in a shell. The error is a [*NoSessionError], or a [*process.NotFoundError] on a
// machine without systemd.
func (s Systemd) Environment(ctx context.Context) ([]string, error) {
	out, err := s.run(ctx, "show-environment")
	if _, missing := errors.AsType[*process.NotFoundError](err); err == nil || missing || ctx.Err() != nil {
		return strings.Split(out, "\n"), err
	}
	return nil, &NoSessionError{err}
}

// Reload makes systemd read the unit files again.
func (s Systemd) Reload(ctx context.Context) error {
	_, err := s.run(ctx, "daemon-reload")
	return err
}

// Enable starts the timer now and at each login.
func (s Systemd) Enable(ctx context.Context) error {
	if _, err := s.run(ctx, "enable", Timer); err != nil {
		return err
	}
	// A changed calendar takes effect at the next start.
	_, err := s.run(ctx, "restart", Timer)
	return err
}

// stopTimeout bounds the stop of a run: the TimeoutStopSec of the service and a
// margin.
const stopTimeout = 4 * time.Minute

// Disable reverts [Systemd.Enable] and stops a current run. It also resets the state
// that systemd keeps: a failed run, and the last time of the timer, because a later
// Enable would start a missed run.
func (s Systemd) Disable(ctx context.Context) error {
	_, err := s.run(ctx, "disable", "--now", Timer)
	if err == nil {
		err = s.stop(ctx)
		_, _ = s.run(ctx, "clean", "--what=state", Timer) // they fail if there is no state
		_, _ = s.run(ctx, "reset-failed", Timer, Service)
	}
	return err
}

func (s Systemd) stop(ctx context.Context) error {
	_, err := s.runFor(ctx, stopTimeout, "stop", Service)
	return err
}

// State is the state of the timer and the result of its last run. A time is zero if
// it is unknown.
type State struct {
	Unit    string    // path of the timer's unit file; "" if there is none
	Enabled bool      // starts at login
	Active  bool      // waits for the next run
	Next    time.Time // time of the next run
	Running bool      // a run is in progress
	Ended   time.Time // end of the last run
	Exit    int       // exit status of the last run
	Result  string    // result in systemd's words: "success", "exit-code", "timeout"
	Unmet   time.Time // when a run was last skipped, on battery power
	Retry   bool      // systemd restarts the current run if it fails
}

// State returns the state of both units with one call.
func (s Systemd) State(ctx context.Context) (State, error) {
	out, err := s.run(ctx, "show", "--property=Id,FragmentPath,UnitFileState,ActiveState,NextElapseUSecRealtime,Result,ExecMainStatus,ExecMainExitTimestamp,ConditionResult,ConditionTimestamp,Restart,NRestarts,StartLimitBurst", Timer, Service)
	if err != nil {
		return State{}, err
	}
	units := map[string]map[string]string{Timer: {}, Service: {}}
	for part := range strings.SplitSeq(out, "\n\n") {
		values := map[string]string{}
		for line := range strings.SplitSeq(part, "\n") {
			key, value, _ := strings.Cut(line, "=")
			values[key] = value
		}
		units[values["Id"]] = values
	}
	return stateOf(units[Timer], units[Service]), nil
}

func stateOf(timer, service map[string]string) State {
	st := State{
		Unit:    timer["FragmentPath"],
		Enabled: timer["UnitFileState"] == "enabled",
		Active:  timer["ActiveState"] == "active",
		Next:    parseTime(timer["NextElapseUSecRealtime"]),
		Running: service["ActiveState"] == "activating",
		Ended:   parseTime(service["ExecMainExitTimestamp"]),
	}
	if !st.Ended.IsZero() {
		st.Result = service["Result"]
		st.Exit, _ = strconv.Atoi(service["ExecMainStatus"])
	}
	if at := parseTime(service["ConditionTimestamp"]); service["ConditionResult"] == "no" && at.After(st.Ended) {
		st.Unmet = at
	}
	tries, _ := strconv.Atoi(service["NRestarts"])
	limit, _ := strconv.Atoi(service["StartLimitBurst"])
	st.Retry = service["Restart"] != "" && service["Restart"] != "no" && tries+1 < limit
	return st
}

// parseTime parses a time of systemctl with LC_ALL=C and TZ=UTC.
func parseTime(text string) time.Time {
	t, _ := time.Parse("Mon 2006-01-02 15:04:05 MST", text) // zero for "n/a" and ""
	return t
}

func (s Systemd) run(ctx context.Context, args ...string) (string, error) {
	return s.runFor(ctx, timeout, args...)
}

func (s Systemd) runFor(ctx context.Context, timeout time.Duration, args ...string) (string, error) {
	out, err := process.Output(ctx, s.Runner, process.Cmd{
		Name: "systemctl", Args: append([]string{"--user"}, args...), Env: []string{"LC_ALL=C", "TZ=UTC"}, Timeout: timeout,
	})
	if err != nil && ctx.Err() == nil {
		err = fmt.Errorf("asking systemd: %w", err)
	}
	return out, err
}
