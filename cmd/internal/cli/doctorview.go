package cli

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/klmcwhirter/ocisi/bootstrap/doctor"
)

const (
	areaWidth   = 11 // "distrobox" and two blanks
	doctorWidth = 100
)

// show writes results for people: what is fine in a few lines for each area, then
// what is not, nearest to where one types. With -v, or when somebody asks for
// checks by name, each has a line.
func (o *doctorOptions) show(results []doctor.Result, ids []string) {
	if o.globals.verbose || len(ids) > 0 || len(results) == 1 {
		o.env.listResults(results)
		return
	}
	for _, area := range doctor.Areas() {
		o.env.showArea(area, results)
	}
	o.env.showResults(problems(results))
	o.env.countResults(results)
}

func problems(results []doctor.Result) []doctor.Result {
	bad := slices.DeleteFunc(slices.Clone(results), func(r doctor.Result) bool { return r.Status != doctor.Warn && r.Status != doctor.Fail })
	slices.SortStableFunc(bad, func(a, b doctor.Result) int {
		order := []doctor.Status{doctor.Warn, doctor.Fail} // the worst last
		return cmp.Compare(slices.Index(order, a.Status), slices.Index(order, b.Status))
	})
	return bad
}

// showArea writes what is fine in an area.
func (env Env) showArea(area doctor.Area, results []doctor.Result) {
	var fine []string
	bad := 0
	for _, r := range results {
		switch {
		case r.Area != area:
		case r.Status == doctor.OK:
			fine = append(fine, r.Detail)
		case r.Status == doctor.Info:
			fact, _, _ := strings.Cut(r.Detail, ";") // what follows explains it
			fine = append(fine, fact)
		case r.Status != doctor.Skip:
			bad++
		}
	}
	if len(fine) == 0 && bad == 0 {
		return
	}
	c := env.colours()
	colour := c.green
	if bad > 0 {
		colour = c.yellow
		fine = append(fine, count(bad, "problem, see below", "problems, see below"))
	}
	fmt.Fprintf(env.Stdout, "%s%-*s%s%s\n", colour, areaWidth, area, c.off, wrapped(fine, doctorWidth-areaWidth, strings.Repeat(" ", areaWidth)))
}

// wrapped joins phrases into lines of at most so many characters, but for a word
// that is longer.
func wrapped(phrases []string, width int, indent string) string {
	var lines []string
	line := ""
	for i, phrase := range phrases {
		words := strings.Fields(phrase)
		if last := len(words) - 1; last >= 0 && i < len(phrases)-1 {
			words[last] += " ·"
		}
		for _, word := range words {
			if line != "" && len([]rune(line))+1+len([]rune(word)) > width {
				lines, line = append(lines, line), ""
			}
			line = strings.TrimPrefix(line+" "+word, " ")
		}
	}
	return strings.Join(append(lines, line), "\n"+indent)
}

// marks are how statuses are written, in four columns.
func (env Env) marks() map[doctor.Status]string {
	c := env.colours()
	return map[doctor.Status]string{
		doctor.OK: c.green + "ok  " + c.off, doctor.Info: "info", doctor.Warn: c.yellow + "warn" + c.off,
		doctor.Fail: c.red + "FAIL" + c.off, doctor.Skip: "-   ",
	}
}

// showResults writes each result with its id, and its fix below.
func (env Env) showResults(results []doctor.Result) {
	for _, r := range results {
		detail := strings.ReplaceAll(r.Detail, "\n", "\n      ")
		fmt.Fprintf(env.Stdout, "%s  %s: %s\n", env.marks()[r.Status], r.ID, detail)
		env.showFix(r, "      ")
	}
}

// listResults writes results as a table.
func (env Env) listResults(results []doctor.Result) {
	width := 0
	for _, r := range results {
		width = max(width, len(r.ID))
	}
	indent := strings.Repeat(" ", width+8)
	for _, r := range results {
		fmt.Fprintf(env.Stdout, "%s  %-*s  %s\n", env.marks()[r.Status], width, r.ID, strings.ReplaceAll(r.Detail, "\n", "\n"+indent))
		env.showFix(r, indent)
	}
}

func (env Env) showFix(r doctor.Result, indent string) {
	for _, fix := range r.Fix {
		fmt.Fprintf(env.Stdout, "%s$ %s\n", indent, fix)
	}
}

// countResults writes the last line.
func (env Env) countResults(results []doctor.Result) {
	n := map[doctor.Status]int{}
	for _, r := range results {
		n[r.Status]++
	}
	parts := []string{fmt.Sprintf("%d fine", n[doctor.OK]+n[doctor.Info])}
	if n[doctor.Skip] > 0 {
		parts = append(parts, fmt.Sprintf("%d not needed here", n[doctor.Skip]))
	}
	if n[doctor.Warn] > 0 {
		parts = append(parts, count(n[doctor.Warn], "warning", "warnings"))
	}
	if n[doctor.Fail] > 0 {
		parts = append(parts, fmt.Sprintf("%d failed", n[doctor.Fail]))
	}
	fmt.Fprintf(env.Stdout, "%s. 'ocisi doctor -v' lists each with its id\n", strings.Join(parts, ", "))
}
