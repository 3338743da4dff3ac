// Package doctor checks whether a machine can build images and run boxes. A
// check is a line of a table: an id, what is looked at, and a function of the
// facts. It changes nothing; where something is wrong, it says what to type.
//
// Only what the user's images need can fail: on a machine that works with
// podman, a missing docker is no fault.
package doctor

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/klmcwhirter/ocisi/bootstrap/host"
)

// Status is the outcome of a check.
type Status string

// The outcomes.
const (
	OK   Status = "ok"
	Warn Status = "warn" // it works, with a catch
	Fail Status = "fail" // setup would fail
	Skip Status = "skip" // it does not matter here
)

// Result is what a check found.
type Result struct {
	ID     string   `json:"id"`
	What   string   `json:"what"`
	Status Status   `json:"status"`
	Detail string   `json:"detail"`
	Fix    []string `json:"fix,omitempty"` // commands to type, in this order
}

// Check is one thing to look at. Run leaves ID and What of its result empty.
type Check struct {
	ID   string // dotted, from the general to the special: "docker.group"
	What string // a few words
	Run  func(context.Context, Facts) Result
}

// Facts is what checks look at.
type Facts struct {
	Host   host.Host
	Docker func(context.Context) Engine // asked once for all checks
	Podman func(context.Context) Engine // the same
}

// Engine is how a container engine was found.
type Engine struct {
	Wanted    bool   // an enabled image is built with it, or it is the default
	Installed bool   // its program or its socket is there
	Err       error  // why it does not answer
	Version   string // what follows is known only when it answers
	Endpoint  string // unix:///…; "" is the engine's default
	Root      string // folder of its store; "" when that is on another machine
	Rootless  bool

	FileSystem string // below its store, as the engine names it
	Copies     bool   // it copies an image for each map of users that boxes of it have
}

// patience is how long one check may take. Whatever hangs, a doctor that hangs
// is no help.
const patience = 5 * time.Second

// Run runs checks side by side and returns their results in the same order. A
// check that does not end within five seconds fails; so does every check that
// is not done when ctx ends.
func Run(ctx context.Context, facts Facts, checks []Check) []Result {
	facts.Docker, facts.Podman = once(facts.Docker), once(facts.Podman)
	results := make([]Result, len(checks))
	var running sync.WaitGroup
	for i, check := range checks {
		running.Go(func() { results[i] = run(ctx, facts, check) })
	}
	running.Wait()
	return results
}

// run leaves a check that hangs behind: a call that does not heed its context,
// say on a dead network file system, cannot be ended.
func run(ctx context.Context, facts Facts, check Check) Result {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("no answer after %s", patience))
	defer cancel()
	found := make(chan Result, 1)
	go func() { found <- check.Run(ctx, facts) }()
	var result Result
	select {
	case result = <-found:
	case <-ctx.Done():
		result = fail(context.Cause(ctx).Error())
	}
	result.ID, result.What = check.ID, check.What
	return result
}

// once asks an engine at most once. No question is an engine that is not there.
func once(ask func(context.Context) Engine) func(context.Context) Engine {
	var first sync.Once
	var engine Engine
	return func(ctx context.Context) Engine {
		first.Do(func() {
			if ask != nil {
				engine = ask(ctx)
			}
		})
		return engine
	}
}

// Failed reports whether results mean failure: a check failed or, when strict,
// warned.
func Failed(results []Result, strict bool) bool {
	for _, r := range results {
		if r.Status == Fail || strict && r.Status == Warn {
			return true
		}
	}
	return false
}

func ok(detail string) Result { return Result{Status: OK, Detail: detail} }

func skip(detail string) Result { return Result{Status: Skip, Detail: detail} }

func warn(detail string, fix ...string) Result {
	return Result{Status: Warn, Detail: detail, Fix: fix}
}

func fail(detail string, fix ...string) Result {
	return Result{Status: Fail, Detail: detail, Fix: fix}
}

// fault fails when the images need it, and warns when they do not.
func fault(needed bool, detail string, fix ...string) Result {
	if needed {
		return fail(detail, fix...)
	}
	return warn(detail, fix...)
}
