package timer_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klmcwhirter/ocisi/bootstrap/timer"
	"github.com/klmcwhirter/ocisi/internal/process"
)

// says is a systemctl that answers everything the same.
type says struct {
	out   string
	err   error
	asked *[]string
}

func (s says) Run(_ context.Context, c process.Cmd) error {
	if s.asked != nil {
		*s.asked = append(*s.asked, strings.Join(c.Args, " "))
	}
	if !slices.Contains(c.Env, "TZ=UTC") || !slices.Contains(c.Env, "LC_ALL=C") {
		return errors.New("times would be as the user reads them")
	}
	_, err := io.WriteString(c.Stdout, s.out)
	return errors.Join(err, s.err)
}

const answer = `Id=ocisi-recreate.timer
FragmentPath=/home/al/.config/systemd/user/ocisi-recreate.timer
UnitFileState=%s
ActiveState=active
NextElapseUSecRealtime=Mon 2026-11-30 00:20:13 UTC

Restart=on-failure
NRestarts=%d
StartLimitBurst=3
Id=ocisi-recreate.service
ActiveState=%s
Result=%s
ExecMainStatus=%d
ExecMainExitTimestamp=%s
ConditionResult=%s
ConditionTimestamp=%s
`

func TestState(t *testing.T) {
	at := func(day, hour, minute, second int) time.Time {
		return time.Date(2026, 11, day, hour, minute, second, 0, time.UTC)
	}
	const monday, tuesday = "Mon 2026-11-23 08:00:00 UTC", "Tue 2026-11-24 08:00:00 UTC"
	fresh := timer.State{Unit: "/home/al/.config/systemd/user/ocisi-recreate.timer", Enabled: true, Active: true, Next: at(30, 0, 20, 13), Retry: true}
	with := func(change func(*timer.State)) timer.State {
		st := fresh
		change(&st)
		return st
	}
	for name, c := range map[string]struct {
		out  string
		want timer.State
	}{
		"never ran": {fmt.Sprintf(answer, "enabled", 0, "inactive", "success", 0, "n/a", "no", "n/a"), fresh},
		"worked": {fmt.Sprintf(answer, "enabled", 0, "inactive", "success", 0, monday, "yes", monday),
			with(func(st *timer.State) { st.Ended, st.Result = at(23, 8, 0, 0), "success" })},
		"failed, tries again": {fmt.Sprintf(answer, "disabled", 1, "activating", "exit-code", 1, monday, "yes", monday),
			with(func(st *timer.State) {
				st.Ended, st.Result, st.Exit, st.Running, st.Enabled = at(23, 8, 0, 0), "exit-code", 1, true, false
			})},
		"the last try": {fmt.Sprintf(answer, "enabled", 2, "failed", "timeout", 15, monday, "yes", monday),
			with(func(st *timer.State) { st.Ended, st.Result, st.Exit, st.Retry = at(23, 8, 0, 0), "timeout", 15, false })},
		"on battery since": {fmt.Sprintf(answer, "enabled", 0, "inactive", "success", 77, monday, "no", tuesday),
			with(func(st *timer.State) {
				st.Ended, st.Result, st.Exit, st.Unmet = at(23, 8, 0, 0), "success", 77, at(24, 8, 0, 0)
			})},
		"no unit":    {"Id=ocisi-recreate.timer\nFragmentPath=\nUnitFileState=\nActiveState=inactive\n\nId=ocisi-recreate.service\n", timer.State{}},
		"no retries": {"Id=ocisi-recreate.service\nRestart=no\nStartLimitBurst=5\n", timer.State{}},
	} {
		got, err := timer.Systemd{Runner: says{out: c.out}}.State(t.Context())
		if err != nil || got != c.want {
			t.Errorf("%s: %v\n got %+v\nwant %+v", name, err, got, c.want)
		}
	}
	if _, err := (timer.Systemd{Runner: says{err: errors.New("x")}}).State(t.Context()); err == nil {
		t.Error("a systemd that does not answer told a state")
	}
}

func TestVerbs(t *testing.T) {
	var asked []string
	s := timer.Systemd{Runner: says{asked: &asked}}
	if err := errors.Join(s.Reload(t.Context()), s.Enable(t.Context()), s.Disable(t.Context())); err != nil {
		t.Fatal(err)
	}
	want := []string{"--user daemon-reload", "--user enable ocisi-recreate.timer", "--user restart ocisi-recreate.timer", "--user disable --now ocisi-recreate.timer", "--user stop ocisi-recreate.service"}
	if !slices.Equal(asked[:len(want)], want) {
		t.Errorf("asked %q", asked)
	}
	broken := timer.Systemd{Runner: says{err: errors.New("x")}}
	for name, verb := range map[string]func(context.Context) error{"reload": broken.Reload, "enable": broken.Enable, "disable": broken.Disable} {
		if verb(t.Context()) == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestEnvironment(t *testing.T) {
	got, err := timer.Systemd{Runner: says{out: "A=b\nC=d e\n"}}.Environment(t.Context())
	if err != nil || !slices.Equal(got, []string{"A=b", "C=d e"}) {
		t.Errorf("%q, %v", got, err)
	}
	_, err = timer.Systemd{Runner: says{err: &process.Error{Stderr: "Failed to connect to bus: No medium found", Err: errors.New("exit status 1")}}}.Environment(t.Context())
	if _, ok := errors.AsType[*timer.NoSessionError](err); !ok || !strings.HasSuffix(err.Error(), ": Failed to connect to bus: No medium found") {
		t.Errorf("without a bus: %v", err)
	}
	_, err = timer.Systemd{Runner: says{err: &process.NotFoundError{Name: "systemctl"}}}.Environment(t.Context())
	if _, ok := errors.AsType[*timer.NoSessionError](err); ok || err == nil {
		t.Errorf("without systemd: %v", err)
	}
}
