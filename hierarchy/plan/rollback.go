package plan

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/klmcwhirter/ocisi/hierarchy"
)

// NoGenerationError reports that a box does not have the requested generation.
type NoGenerationError struct {
	Box string
	To  int // the requested generation; 0: the latest
}

func (e *NoGenerationError) Error() string {
	if e.To > 0 {
		return fmt.Sprintf("box %s has no generation %d", e.Box, e.To)
	}
	return "nothing of box " + e.Box + " is kept to go back to"
}

// Rollback plans to restore a generation of each named box: the generation to, or the
// latest if to is 0. Without names it plans all boxes of the run's config that have
// generations. If a named box has none, the error is a [*NoGenerationError]. A box that
// the run may not change is refused.
func Rollback(stores Stores, owner hierarchy.Ownership, names []string, to int) (Plan, error) {
	p := Plan{Steps: []Step{}}
	for _, m := range slices.Sorted(maps.Keys(stores)) {
		for _, root := range []bool{false, true} {
			boxes := stores[m].Boxes
			if root {
				boxes = stores[m].RootBoxes
			}
			for _, name := range kept(boxes, owner) {
				if len(names) > 0 && !slices.Contains(names, name) {
					continue
				}
				s, ok := rollback(Target{Box, m, name}, boxes, owner, to)
				if s.Root = root; ok {
					p.Steps = append(p.Steps, s)
				}
			}
		}
	}
	for _, name := range names {
		if !slices.ContainsFunc(p.Steps, func(s Step) bool { return s.Name == name }) {
			return p, &NoGenerationError{Box: name, To: to}
		}
	}
	return p, nil
}

// kept returns the sorted names of the boxes of a config that have generations.
func kept(boxes []hierarchy.StoredBox, owner hierarchy.Ownership) []string {
	names := map[string]bool{}
	for _, b := range boxes {
		if name, role, _ := b.Role(); role == hierarchy.Kept && owner.OwnsBox(b) {
			names[name] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

func rollback(t Target, boxes []hierarchy.StoredBox, owner hierarchy.Ownership, to int) (Step, bool) {
	for _, b := range hierarchy.Generations(boxes, t.Name) {
		_, _, n := b.Role()
		if to > 0 && n != to || !owner.OwnsBox(b) {
			continue
		}
		made := time.Unix(b.Created, 0).Format("2006-01-02 15:04")
		now := named(boxes, t.Name)
		s := Step{Target: t, ID: now.ID, Action: RollBack, Generation: n}
		s.Reason = fmt.Sprintf("to generation %d, made %s from %s", n, made, b.Labels[hierarchy.LabelImage])
		if refusal := owner.Refusal(now); now.ID != "" && refusal != "" {
			s.Action, s.Reason = Refuse, refusal
		}
		return s, true
	}
	return Step{}, false
}

// named returns the box of a name, or the zero value.
func named(boxes []hierarchy.StoredBox, name string) hierarchy.StoredBox {
	for _, b := range boxes {
		if b.Name == name {
			return b
		}
	}
	return hierarchy.StoredBox{}
}
