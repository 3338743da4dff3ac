package doctor_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/klmcwhirter/ocisi/bootstrap/doctor"
)

func check(id string, run func(context.Context, doctor.Facts) doctor.Result) doctor.Check {
	return doctor.Check{ID: id, What: "about " + id, Run: run}
}

func TestRunKeepsTheOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var checks []doctor.Check
		for i, id := range []string{"slow", "slower", "fast"} {
			checks = append(checks, check(id, func(context.Context, doctor.Facts) doctor.Result {
				time.Sleep([]time.Duration{time.Second, 2 * time.Second, 0}[i])
				return doctor.Result{Status: doctor.OK, Detail: id}
			}))
		}
		start := time.Now()
		for i, r := range doctor.Run(t.Context(), doctor.Facts{}, checks) {
			if r.ID != checks[i].ID || r.Detail != r.ID || r.What != "about "+r.ID {
				t.Errorf("%d: %+v", i, r)
			}
		}
		if took := time.Since(start); took != 2*time.Second {
			t.Errorf("took %s, want as long as the slowest", took)
		}
	})
}

func TestRunLeavesHangingChecksBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		start := time.Now()
		got := doctor.Run(t.Context(), doctor.Facts{}, []doctor.Check{
			check("hangs", func(context.Context, doctor.Facts) doctor.Result { <-release; return doctor.Result{} }),
			check("fine", func(context.Context, doctor.Facts) doctor.Result { return doctor.Result{Status: doctor.OK} }),
		})
		if took := time.Since(start); took != 5*time.Second {
			t.Errorf("took %s", took)
		}
		if got[0].Status != doctor.Fail || got[0].Detail != "no answer after 5s" || got[0].ID != "hangs" || got[1].Status != doctor.OK {
			t.Errorf("got %+v", got)
		}
		close(release)
	})
}

func TestRunEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("interrupted"))
	got := doctor.Run(ctx, doctor.Facts{}, []doctor.Check{
		check("waits", func(context.Context, doctor.Facts) doctor.Result { select {} }),
	})
	if got[0].Status != doctor.Fail || got[0].Detail != "interrupted" {
		t.Errorf("got %+v", got)
	}
}

func TestEnginesAreAskedOnce(t *testing.T) {
	var asked atomic.Int32
	facts := doctor.Facts{Docker: func(context.Context) doctor.Engine { asked.Add(1); return doctor.Engine{Version: "28"} }}
	look := func(ctx context.Context, f doctor.Facts) doctor.Result {
		return doctor.Result{Detail: f.Docker(ctx).Version + f.Podman(ctx).Version}
	}
	got := doctor.Run(t.Context(), facts, []doctor.Check{check("a", look), check("b", look), check("c", look)})
	for _, r := range got {
		if r.Detail != "28" {
			t.Errorf("got %+v", r)
		}
	}
	if asked.Load() != 1 {
		t.Errorf("asked %d times", asked.Load())
	}
}

func TestFailed(t *testing.T) {
	of := func(statuses ...doctor.Status) []doctor.Result {
		var results []doctor.Result
		for _, s := range statuses {
			results = append(results, doctor.Result{Status: s})
		}
		return results
	}
	for _, test := range []struct {
		results          []doctor.Result
		failed, strictly bool
	}{
		{of(), false, false},
		{of(doctor.OK, doctor.Skip), false, false},
		{of(doctor.OK, doctor.Warn), false, true},
		{of(doctor.Fail, doctor.OK), true, true},
	} {
		if got, strict := doctor.Failed(test.results, false), doctor.Failed(test.results, true); got != test.failed || strict != test.strictly {
			t.Errorf("%v: %v, strict %v", test.results, got, strict)
		}
	}
}

func TestResultAsJSON(t *testing.T) {
	data, err := json.Marshal(doctor.Result{ID: "a.b", Area: doctor.Home, What: "w", Status: doctor.Warn, Detail: "d", Fix: []string{"f"}})
	if want := `{"id":"a.b","area":"home","what":"w","status":"warn","message":"d","fix":["f"]}`; err != nil || string(data) != want {
		t.Errorf("got %s, %v", data, err)
	}
}

func TestTable(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range doctor.Checks() {
		if c.ID == "" || c.What == "" || c.Run == nil || seen[c.ID] || strings.ToLower(c.ID) != c.ID {
			t.Errorf("check %q, %q", c.ID, c.What)
		}
		seen[c.ID] = true
	}
}
