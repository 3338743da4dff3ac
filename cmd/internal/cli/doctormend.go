package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/klmcwhirter/ocisi/bootstrap/doctor"
	"github.com/klmcwhirter/ocisi/internal/process"
)

// mend is what --fix can do about a check: without root, and so that it can be
// undone.
type mend struct {
	what string // in the imperative
	do   func(*cobra.Command) error
}

// mends are what can be done, by the check that says it is wanted.
func (o *doctorOptions) mends() map[string]mend {
	setup := mend{"write the files of 'ocisi setup' that are missing", o.mendFiles}
	return map[string]mend{
		"config":        setup,
		"xdg.setup":     setup,
		"launchers":     {"write launchers that are missing or outdated again, remove those of boxes that are gone", o.mendLaunchers},
		"vscode.links":  {"remove the links in ~/.vscode-server/bin that lead nowhere", o.mendLinks},
		"podman.socket": {"switch the user's podman.socket on", o.mendSocket},
	}
}

// mend does what it can about what is wrong, when the user agrees, and reports
// whether it did anything. What it cannot do has been shown.
func (o *doctorOptions) mend(cmd *cobra.Command, results []doctor.Result) (bool, error) {
	var todo []mend
	left := 0
	for _, r := range problems(results) {
		m, ok := o.mends()[r.ID]
		if !ok || !o.mendable(r) {
			left++
			continue
		}
		todo = append(todo, m)
	}
	fmt.Fprintln(o.env.Stdout)
	if left > 0 {
		fmt.Fprintf(o.env.Stdout, "%s for you to mend: type what stands behind the $ above\n", count(left, "problem is", "problems are"))
	}
	if len(todo) == 0 {
		fmt.Fprintln(o.env.Stdout, "there is nothing that ocisi can mend")
		return false, nil
	}
	for _, m := range todo {
		fmt.Fprintf(o.env.Stdout, "to do: %s\n", m.what)
	}
	if !o.yes {
		if yes, err := o.env.ask(cmd, "Do that?"); err != nil || !yes {
			return false, err
		}
	}
	var errs []error
	for _, m := range todo {
		errs = append(errs, m.do(cmd))
	}
	fmt.Fprintln(o.env.Stdout)
	return true, errors.Join(errs...)
}

// mendable reports whether it is by what ocisi does that a problem is mended. A
// config that is wrong is its user's to correct, and setup writes the default one
// only; what distrobox wrote, exports repair leaves alone.
func (o *doctorOptions) mendable(r doctor.Result) bool {
	switch r.ID {
	case "config":
		return r.Status == doctor.Warn && o.env.sameFile(o.env.configPath(o.globals.file), o.env.configPath(""))
	case "launchers":
		return len(r.Fix) > 0 && strings.HasSuffix(r.Fix[0], " exports repair")
	}
	return true
}

func (o *doctorOptions) mendLaunchers(cmd *cobra.Command) error {
	repair := &exportsOptions{env: o.env, globals: o.globals}
	return repair.repair(cmd)
}

func (o *doctorOptions) mendFiles(cmd *cobra.Command) error {
	setup := &setupOptions{env: o.env}
	files, err := setup.compare()
	if err != nil {
		return err
	}
	setup.showFiles(files)
	return setup.write(cmd.Context(), files)
}

func (o *doctorOptions) mendLinks(cmd *cobra.Command) error {
	c := o.env.clinic(cmd.Context(), o.env.configPath(o.globals.file))
	var errs []error
	for _, link := range doctor.DanglingLinks(c.facts()) {
		errs = append(errs, o.env.Disk.Remove(link))
		fmt.Fprintf(o.env.Stdout, "remove   %s\n", o.env.short(link))
	}
	return errors.Join(errs...)
}

func (o *doctorOptions) mendSocket(cmd *cobra.Command) error {
	return o.env.typed(cmd.Context(), doctor.SocketFix)
}

// typed runs a command of a fix that needs no shell.
func (env Env) typed(ctx context.Context, command string) error {
	words := strings.Fields(command)
	return env.Runner.Run(ctx, process.Cmd{Name: words[0], Args: words[1:]})
}
