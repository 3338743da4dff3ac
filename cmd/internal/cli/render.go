package cli

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/docker/go-units"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/apply"
	"github.com/klmcwhirter/ocisi/hierarchy/box"
	"github.com/klmcwhirter/ocisi/hierarchy/plan"
)

// table writes rows in columns. No colour: the columns count every byte.
func table(w io.Writer, rows [][]string) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for _, row := range rows {
		fmt.Fprintln(t, strings.Join(row, "\t"))
	}
	return t.Flush()
}

func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// size writes bytes as people read them, in units of 1000.
func size(n int64) string {
	return units.CustomSize("%.4g %s", float64(n), 1000, []string{"B", "kB", "MB", "GB", "TB"})
}

// about writes bytes, and whether they are estimated.
func about(n int64, estimated bool) string {
	if estimated {
		return "about " + size(n)
	}
	return size(n)
}

func took(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }

// progress shows a run as it goes: a line for each image and box when it
// starts, at each of its steps, and when it ends. Everything goes to the run
// log too, there with what the steps print.
type progress struct {
	out     io.Writer
	colours colours
	log     *runLog
	verbose bool
	width   int // of the name column
}

func (env Env) progress(p plan.Plan, log *runLog, verbose bool) *progress {
	pr := &progress{out: env.Stdout, colours: env.colours(), log: log, verbose: verbose}
	for _, s := range p.Steps {
		pr.width = max(pr.width, len(s.Name))
	}
	return pr
}

const stepWidth = 100

func (p *progress) show(e apply.Event) {
	name := fmt.Sprintf("%-*s", p.width, e.Step.Name)
	switch e.State {
	case apply.Started:
		p.line(name, p.colours.bold, "start", starting(e.Step))
	case apply.Working:
		p.working(name, e.Progress)
	case apply.Done:
		p.done(name, e.Result)
	case apply.Failed:
		p.line(name, p.colours.red, "failed", oneLine(brief(e.Result)))
	case apply.Skipped:
		p.line(name, p.colours.yellow, "skipped", oneLine(e.Result.Err.Error()))
	}
}

// starting says what begins. Why was in the plan.
func starting(s plan.Step) string {
	what := string(s.Manager) + " " + string(s.Kind)
	if s.From != "" {
		what += ", a copy of " + string(s.From) + "'s"
	}
	if s.NoCache {
		what += ", every step anew"
	}
	return what
}

func (p *progress) done(name string, r apply.Result) {
	verb := map[plan.Action]string{
		plan.Pull: "pulled", plan.Build: "built", plan.Rebuild: "built", plan.Copy: "copied",
		plan.Create: "created", plan.Recreate: "recreated", plan.RollBack: "back", plan.Export: "exported", plan.Trim: "trimmed", plan.Remove: "removed", plan.Keep: "kept",
	}[r.Action]
	if !r.Step.Action.Changes() {
		p.log.printf("%s %s: %s", name, r.Step.Action, r.Step.Reason)
		return
	}
	detail := took(r.Took)
	if r.Action == plan.Keep {
		detail += ", nothing changed"
	}
	p.line(name, p.colours.green, verb, detail)
}

func (p *progress) working(name string, pr hierarchy.Progress) {
	if pr.Total > 0 {
		p.line(name, "", fmt.Sprintf("%d %%", 100*pr.Bytes/pr.Total), fmt.Sprintf("%s of about %s", size(pr.Bytes), size(pr.Total)))
		return
	}
	if pr.Title == "" {
		p.log.printf("%s | %s", name, pr.Log)
		if p.verbose {
			fmt.Fprintf(p.out, "%s  | %s\n", name, pr.Log)
		}
		return
	}
	word := ""
	if pr.Steps > 0 {
		word = fmt.Sprintf("%d/%d", pr.Step, pr.Steps)
	}
	// BuildKit says docker.io of every name without a registry, a managed image's too.
	title := strings.Replace(oneLine(pr.Title), "FROM docker.io/library/", "FROM ", 1)
	if pr.Cached {
		title = "cached: " + title
	}
	// A run with nothing to do is not worth a screen.
	if !p.verbose && (pr.Cached || pr.Steps > 0 && !works(title)) {
		p.log.printf("%s %s %s", name, word, title)
		return
	}
	p.line(name, "", word, title)
}

// works reports whether an instruction takes time; the others, like LABEL, only
// change the image's config.
func works(instruction string) bool {
	word, _, _ := strings.Cut(instruction, " ")
	return slices.Contains([]string{"FROM", "RUN", "COPY", "ADD"}, strings.ToUpper(word))
}

func (p *progress) line(name, colour, word, detail string) {
	p.log.printf("%s %s %s", name, word, detail)
	off := ""
	if colour != "" {
		off = p.colours.off
	}
	fmt.Fprintf(p.out, "%s  %s%-8s%s %s\n", name, colour, word, off, cut(detail, stepWidth))
}

// oneLine joins lines, for a place that has one.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

func cut(s string, width int) string {
	if r := []rune(s); len(r) > width {
		return string(r[:width-1]) + "…"
	}
	return s
}

// failures writes, for each step that failed, all that is known: the log of
// the step that failed in full, the error, and what to do.
func (env Env) failures(results []apply.Result, config string) {
	c := env.colours()
	for _, r := range results {
		if r.State != apply.Failed {
			continue
		}
		fmt.Fprintf(env.Stderr, "\n%s%s %s failed%s\n", c.red, r.Step.Kind, r.Step.Name, c.off)
		for line := range strings.Lines(said(r.Err)) {
			fmt.Fprintf(env.Stderr, "  | %s\n", strings.TrimSuffix(line, "\n"))
		}
		fmt.Fprintf(env.Stderr, "ocisi: %s %s: %s\n", r.Step.Kind, r.Step.Name, brief(r))
		if h := cmp.Or(hint(r.Err, env.self(config)), env.buildHint(r, config)); h != "" {
			fmt.Fprintf(env.Stderr, "hint: %s\n", h)
		}
	}
}

// said is what the step of a build, or the box itself, printed before it failed.
func said(err error) string {
	if be, ok := errors.AsType[*hierarchy.BuildError](err); ok {
		return be.Log
	}
	if se, ok := errors.AsType[*box.StepError](err); ok {
		return se.Container
	}
	return ""
}

// brief is a step's error without what its name says already, and without more
// of a long command than tells which one it is.
func brief(r apply.Result) string {
	if be, ok := errors.AsType[*hierarchy.BuildError](r.Err); ok && be.Step != "" {
		reason := strings.ReplaceAll(oneLine(be.Err.Error()), oneLine(be.Step), "…")
		return cut(oneLine(be.Step), stepWidth) + ": " + cut(reason, 3*stepWidth)
	}
	return strings.TrimPrefix(r.Err.Error(), string(r.Step.Kind)+" "+r.Step.Name+": ")
}

func (env Env) buildHint(r apply.Result, config string) string {
	if r.Step.Kind != plan.Image || r.Step.From != "" {
		return ""
	}
	return fmt.Sprintf("edit %s, then: %s process %s", r.Step.Image.Containerfile, env.self(config), r.Step.Image.Name)
}

// summary is one line: what was done, what failed, what was not tried.
func summary(results []apply.Result, total time.Duration) string {
	n := map[string]int{}
	for _, r := range results {
		switch {
		case !r.Step.Action.Changes():
		case r.State == apply.Failed:
			n["failed"]++
		case r.State == apply.Skipped:
			n["skipped"]++
		case r.Step.Kind != plan.Base:
			n[string(r.Step.Kind)+" "+string(r.Action)]++
		}
	}
	parts := []string{}
	add := func(n int, one, many, verb string) {
		if n > 0 {
			parts = append(parts, count(n, one, many)+" "+verb)
		}
	}
	add(n["image build"]+n["image rebuild"], "image", "images", "built")
	add(n["image copy"], "image", "images", "copied")
	add(n["box create"]+n["box recreate"], "box", "boxes", "made")
	add(n["box rollback"], "box", "boxes", "rolled back")
	add(n["box export"], "box", "boxes", "exported")
	add(n["box trim"], "box", "boxes", "trimmed")
	add(n["box keep"], "box", "boxes", "kept")
	add(n["image remove"], "image", "images", "removed")
	add(n["box remove"], "box", "boxes", "removed")
	add(n["failed"], "step", "steps", "failed")
	add(n["skipped"], "step", "steps", "skipped")
	if len(parts) == 0 {
		parts = []string{"nothing to do"}
	}
	return fmt.Sprintf("%s in %s", strings.Join(parts, ", "), took(total))
}
