package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/apply"
)

// leftAloneError is the error of a run that skipped boxes, and reported them.
type leftAloneError struct {
	boxes   []string // in use
	drifted []*driftedError
}

func (e *leftAloneError) Error() string {
	names := slices.Clone(e.boxes)
	for _, b := range e.drifted {
		names = append(names, b.box)
	}
	return "skipped: " + strings.Join(names, ", ")
}

func (e *leftAloneError) Unwrap() error { return exitError(exitNotNow) }

// postponedHint returns what to do about a box that is in use, or has drifted.
func (r *processRun) postponedHint(config string) func(box string, err error) string {
	self := r.env.self(config)
	verb := self + " " + r.verb
	return func(box string, err error) string {
		if e, ok := errors.AsType[*driftedError](err); ok {
			return e.hint(self, self+" "+strings.Replace(r.verb, "setup", "process", 1))
		}
		if !slices.ContainsFunc(r.wanted.Boxes(), func(im hierarchy.Image) bool { return im.Box.Name == box }) {
			return orForce(verb + " --prune-orphans --force")
		}
		return orForce(verb + " --force " + box)
	}
}

// orForce is the hint for a box that is in use, where command ends what runs in it.
func orForce(command string) string {
	return "leave it and run ocisi again; or end what runs in there, such as the shells of closed terminals: " + command
}

// postponed reports the boxes that were skipped because they are in use or have
// drifted, with a hint for each.
func (env Env) postponed(results []apply.Result, hint func(box string, err error) string) error {
	left := &leftAloneError{}
	for _, res := range results {
		if !is[*apply.PostponedError](res.Err) {
			continue
		}
		fmt.Fprintf(env.Stderr, "ocisi: %v, so it was left as it is\n", res.Err)
		fmt.Fprintf(env.Stderr, "hint: %s\n", hint(res.Step.Name, res.Err))
		if e, ok := errors.AsType[*driftedError](res.Err); ok {
			left.drifted = append(left.drifted, e)
		} else {
			left.boxes = append(left.boxes, res.Step.Name)
		}
	}
	if len(left.boxes)+len(left.drifted) == 0 {
		return nil
	}
	return left
}
