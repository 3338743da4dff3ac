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
	Info Status = "info" // worth knowing, and nothing is wrong
	Warn Status = "warn" // it works, with a catch
	Fail Status = "fail" // setup would fail
	Skip Status = "skip" // it does not matter here
)

// Area is the part of the machine that a check looks at.
type Area string

// The areas, in the order of a person who looks for a fault: from the machine to
// the engines to what runs on them.
const (
	Machine   Area = "machine"
	Podman    Area = "podman"
	Docker    Area = "docker"
	Distrobox Area = "distrobox"
	Ocisi     Area = "ocisi"
	Home      Area = "home"
)

// Areas returns the areas in their order.
func Areas() []Area { return []Area{Machine, Podman, Docker, Distrobox, Ocisi, Home} }

// Result is what a check found.
type Result struct {
	ID     string   `json:"id"`
	Area   Area     `json:"area"`
	What   string   `json:"what"`
	Status Status   `json:"status"`
	Detail string   `json:"message"` // a sentence without capital and full stop
	Fix    []string `json:"fix"`     // commands to type, in this order; never nil
}

// Check is one thing to look at. Run leaves ID, Area and What of its result empty.
type Check struct {
	ID   string // dotted, from the general to the special: "docker.group"
	Area Area
	What string // a few words
	Run  func(context.Context, Facts) Result
}

// Facts is what checks look at.
type Facts struct {
	Host   host.Host
	Docker func(context.Context) Engine // asked once for all checks
	Podman func(context.Context) Engine // the same
	Config string                       // absolute path of the config, there or not
	Homes  map[string]string            // of boxes that have one of their own, by box, as the config has them
}

// Engine is how a container engine was found.
type Engine struct {
	Wanted    bool   // an enabled image is built with it, or it is the default
	Boxes     int    // that the config wants in it
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
	result.ID, result.Area, result.What = check.ID, check.Area, check.What
	return result.tilde(facts.Host)
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

func info(detail string, fix ...string) Result {
	return Result{Status: Info, Detail: detail, Fix: fix}
}

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
