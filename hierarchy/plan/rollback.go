package plan

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/klmcwhirter/ocisi/hierarchy"
)

// NoGenerationError says that there is nothing to roll a box back to.
type NoGenerationError struct {
	Box string
	To  int // the generation that was asked for; 0 is the latest
}

func (e *NoGenerationError) Error() string {
	if e.To > 0 {
		return fmt.Sprintf("box %s has no generation %d", e.Box, e.To)
	}
	return "nothing of box " + e.Box + " is kept to go back to"
}

// Rollback plans to bring former boxes back: of the boxes of these names, the
// latest generation or, when to is not 0, that one; without names, of all boxes
// of the run that were made from its config and have generations. It returns a
// *NoGenerationError for a name that has none.
func Rollback(stores Stores, o hierarchy.Ownership, names []string, to int) (Plan, error) {
	p := Plan{Steps: []Step{}}
	for _, m := range slices.Sorted(maps.Keys(stores)) {
		for _, root := range []bool{false, true} {
			boxes := stores[m].Boxes
			if root {
				boxes = stores[m].RootBoxes
			}
			for _, name := range kept(boxes, o) {
				s, ok := rollback(m, boxes, name, to)
				if s.Root = root; ok && (len(names) == 0 || slices.Contains(names, name)) {
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

// kept returns the names of a run's boxes that have generations, sorted.
func kept(boxes []hierarchy.StoredBox, o hierarchy.Ownership) []string {
	names := map[string]bool{}
	for _, b := range boxes {
		if name, role, _ := b.Role(); role == hierarchy.Kept && o.FromConfig(b.Labels) {
			names[name] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

func rollback(m hierarchy.Manager, boxes []hierarchy.StoredBox, name string, to int) (Step, bool) {
	for _, b := range hierarchy.Generations(boxes, name) {
		_, _, n := b.Role()
		if to > 0 && n != to {
			continue
		}
		made := time.Unix(b.Created, 0).Format("2006-01-02 15:04")
		s := Step{Target: Target{Box, m, name}, ID: idOf(boxes, name), Action: RollBack, Generation: n}
		s.Reason = fmt.Sprintf("to generation %d, made %s from %s", n, made, b.Labels[hierarchy.LabelImage])
		return s, true
	}
	return Step{}, false
}

// idOf returns the ID of the box of a name, or "".
func idOf(boxes []hierarchy.StoredBox, name string) string {
	for _, b := range boxes {
		if b.Name == name {
			return b.ID
		}
	}
	return ""
}
