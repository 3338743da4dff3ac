package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/plan"
)

// showPlan writes a whole plan as a table: what is kept, too, and what the
// config no longer wants. freed is the bytes that all its removals set free.
func (env Env) showPlan(p plan.Plan, freed int64, config string) error {
	rows := [][]string{{"ACTION", "MANAGER", "WHAT", "NAME", "REASON"}}
	rows = append(rows, planRows(p.Steps)...)
	rows = append(rows, planRows(p.Orphans)...)
	if err := table(env.Stdout, rows); err != nil {
		return err
	}
	env.showRemovals(p, freed)
	if n := len(p.Orphans); n > 0 {
		fmt.Fprintf(env.Stdout, "process leaves what is to be removed (%d) alone; to remove it: %s clean\n", n, env.self(config))
	}
	return nil
}

// showChanges writes what a plan changes as a table, and counts the rest.
func (env Env) showChanges(p plan.Plan, freed int64) error {
	changes := slices.DeleteFunc(slices.Clone(p.Steps), func(s plan.Step) bool { return !s.Action.Changes() })
	if err := table(env.Stdout, append([][]string{{"ACTION", "MANAGER", "WHAT", "NAME", "REASON"}}, planRows(changes)...)); err != nil {
		return err
	}
	env.showRemovals(p, freed)
	if kept := upToDate(p); kept != "" {
		fmt.Fprintln(env.Stdout, kept)
	}
	fmt.Fprintln(env.Stdout)
	return nil
}

// showRemovals says what the removal of images sets free, and why that is not
// the sum of their sizes.
func (env Env) showRemovals(p plan.Plan, freed int64) {
	removals := slices.DeleteFunc(slices.Concat(p.Steps, p.Orphans), func(s plan.Step) bool { return s.Action != plan.Remove })
	if len(removals) == 0 {
		return
	}
	fmt.Fprintf(env.Stdout, "to be freed: %s; layers that another image uses stay, so a parent's name costs nothing\n", about(freed, slices.ContainsFunc(removals, isEstimated)))
	isDockers := func(s plan.Step) bool { return s.Manager == hierarchy.Docker && s.Kind == plan.Image }
	if freed > 0 && slices.ContainsFunc(removals, isDockers) {
		fmt.Fprintln(env.Stdout, "docker's build cache may hold on to them until: docker builder prune")
	}
}

func isEstimated(s plan.Step) bool { return s.Estimated }

func planRows(steps []plan.Step) [][]string {
	var rows [][]string
	for _, s := range steps {
		reason := append([]string{s.Reason}, asides(s)...)
		rows = append(rows, []string{string(s.Action), string(s.Manager), string(s.Kind), s.Name, strings.Join(reason, "; ")})
	}
	return rows
}

// asides are what a person wants to know before a step is done, besides why.
func asides(s plan.Step) []string {
	var out []string
	if s.Action == plan.Remove {
		out = append(out, about(s.Bytes, s.Estimated)+" of its own")
	}
	if s.Drift != nil {
		out = append(out, drifted(*s.Drift))
	}
	switch {
	case s.Sessions > 0 && s.Action == plan.Remove:
		out = append(out, "in use ("+count(s.Sessions, "session", "sessions")+"), so it is skipped")
	case s.Sessions > 0:
		out = append(out, "somebody is in there ("+count(s.Sessions, "command", "commands")+"), so it is left alone without --force")
	}
	switch {
	case s.Adds > 0 && s.From != "":
		out = append(out, fmt.Sprintf("adds about %s to %s, which shares no layers with %s", size(s.Adds), s.Manager, s.From))
	case s.Adds > 0:
		out = append(out, "adds about "+size(s.Adds))
	}
	if s.Fetches > 0 {
		out = append(out, "at most "+size(s.Fetches)+" to fetch")
	}
	if s.Copy > 0 {
		out = append(out, "podman copies its image, about "+size(s.Copy))
	}
	return out
}

// drifted says what of a box goes when it is replaced.
func drifted(d hierarchy.Drift) string {
	text := "drifted: " + size(d.Bytes)
	switch {
	case d.Hidden:
		text += ", packages that nobody can name while it is stopped"
	case len(d.Packages) > 0:
		text += ", " + count(len(d.Packages), "package", "packages")
	}
	return text + "; asks first, and is skipped without a terminal or --replace-drifted"
}

// upToDate counts the images, copies and boxes that a plan leaves as they are; "" when
// there are none.
func upToDate(p plan.Plan) string {
	n, copies := map[plan.Kind]int{}, 0
	for _, s := range p.Steps {
		switch {
		case s.Action.Changes():
		case s.From != "":
			copies++
		default:
			n[s.Kind]++
		}
	}
	var parts []string
	if n[plan.Image] > 0 {
		parts = append(parts, count(n[plan.Image], "image", "images"))
	}
	if copies > 0 {
		parts = append(parts, count(copies, "copy", "copies"))
	}
	if n[plan.Box] > 0 {
		parts = append(parts, count(n[plan.Box], "box", "boxes"))
	}
	switch {
	case len(parts) == 0:
		return ""
	case n[plan.Image]+n[plan.Box]+copies == 1:
		return parts[0] + " is up to date"
	}
	text := parts[len(parts)-1]
	if rest := parts[:len(parts)-1]; len(rest) > 0 {
		text = strings.Join(rest, ", ") + " and " + text
	}
	return text + " are up to date"
}

// count writes a number with what is counted.
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
