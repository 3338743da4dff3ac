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

// patience is how long systemd may take to answer.
const patience = 30 * time.Second

// Systemd is the systemd of the user who runs this process.
type Systemd struct{ Runner process.Runner }

// NoSessionError says that the user has no systemd that could be asked.
type NoSessionError struct{ Err error }

func (e *NoSessionError) Error() string {
	why := e.Err.Error()
	if failed, ok := errors.AsType[*process.Error](e.Err); ok && failed.Stderr != "" {
		why = failed.Stderr
	}
	return "you have no systemd of your own in this session: " + why
}

func (e *NoSessionError) Unwrap() error { return e.Err }

// Environment returns what systemd gives to every unit, KEY=VALUE each, quoted
// like in a shell where a value needs it. The error is a *NoSessionError, or a
// *process.NotFoundError where there is no systemd at all.
func (s Systemd) Environment(ctx context.Context) ([]string, error) {
	out, err := s.ask(ctx, "show-environment")
	if _, missing := errors.AsType[*process.NotFoundError](err); err == nil || missing || ctx.Err() != nil {
		return strings.Split(out, "\n"), err
	}
	return nil, &NoSessionError{err}
}

// Reload makes systemd read the units again.
func (s Systemd) Reload(ctx context.Context) error {
	_, err := s.ask(ctx, "daemon-reload")
	return err
}

// Enable starts the timer, now and after every login.
func (s Systemd) Enable(ctx context.Context) error {
	if _, err := s.ask(ctx, "enable", Timer); err != nil {
		return err
	}
	// Another calendar counts only from the next start.
	_, err := s.ask(ctx, "restart", Timer)
	return err
}

// stopping is how long a run may take to end: the service's TimeoutStopSec, and
// some more.
const stopping = 4 * time.Minute

// Disable ends what Enable did, and a run that is under way. What systemd
// remembers is forgotten: a failed run, and when the timer elapsed last, of which
// a later Enable would make a run that was missed.
func (s Systemd) Disable(ctx context.Context) error {
	_, err := s.ask(ctx, "disable", "--now", Timer)
	if err == nil {
		err = s.stop(ctx)
		_, _ = s.ask(ctx, "clean", "--what=state", Timer) // there may be nothing of either
		_, _ = s.ask(ctx, "reset-failed", Timer, Service)
	}
	return err
}

func (s Systemd) stop(ctx context.Context) error {
	_, err := s.askFor(ctx, stopping, "stop", Service)
	return err
}

// State is how the timer is, and how its last run went. Times are zero when there
// is none.
type State struct {
	Unit    string    // file of the timer's unit; "" when there is none
	Enabled bool      // it starts with the next login
	Active  bool      // it waits for the next run
	Next    time.Time // when the timer elapses
	Running bool      // a run is under way
	Ended   time.Time // the last run
	Exit    int       // the exit status it had
	Result  string    // what systemd makes of it: "success", "exit-code", "timeout"
	Unmet   time.Time // when it was last not started, since it was on battery
	Retry   bool      // systemd would try again, should the run that is under way fail
}

// State asks for both units at once.
func (s Systemd) State(ctx context.Context) (State, error) {
	out, err := s.ask(ctx, "show", "--property=Id,FragmentPath,UnitFileState,ActiveState,NextElapseUSecRealtime,Result,ExecMainStatus,ExecMainExitTimestamp,ConditionResult,ConditionTimestamp,Restart,NRestarts,StartLimitBurst", Timer, Service)
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
		Next:    moment(timer["NextElapseUSecRealtime"]),
		Running: service["ActiveState"] == "activating",
		Ended:   moment(service["ExecMainExitTimestamp"]),
	}
	if !st.Ended.IsZero() {
		st.Result = service["Result"]
		st.Exit, _ = strconv.Atoi(service["ExecMainStatus"])
	}
	if at := moment(service["ConditionTimestamp"]); service["ConditionResult"] == "no" && at.After(st.Ended) {
		st.Unmet = at
	}
	tries, _ := strconv.Atoi(service["NRestarts"])
	limit, _ := strconv.Atoi(service["StartLimitBurst"])
	st.Retry = service["Restart"] != "" && service["Restart"] != "no" && tries+1 < limit
	return st
}

// moment reads a time as systemctl writes it in the environment that ask gives
// it.
func moment(text string) time.Time {
	t, _ := time.Parse("Mon 2006-01-02 15:04:05 MST", text) // "n/a" and "" are none
	return t
}

func (s Systemd) ask(ctx context.Context, args ...string) (string, error) {
	return s.askFor(ctx, patience, args...)
}

func (s Systemd) askFor(ctx context.Context, patience time.Duration, args ...string) (string, error) {
	out, err := process.Output(ctx, s.Runner, process.Cmd{
		Name: "systemctl", Args: append([]string{"--user"}, args...), Env: []string{"LC_ALL=C", "TZ=UTC"}, Timeout: patience,
	})
	if err != nil && ctx.Err() == nil {
		err = fmt.Errorf("asking systemd: %w", err)
	}
	return out, err
}
