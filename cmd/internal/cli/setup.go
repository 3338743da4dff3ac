package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/klmcwhirter/ocisi/bootstrap"
	"github.com/klmcwhirter/ocisi/bootstrap/doctor"
	"github.com/klmcwhirter/ocisi/hierarchy"
)

type setupOptions struct {
	env     Env
	globals *globals
	yes     bool
	dryRun  bool
	noBuild bool
	diff    bool
	only    []string
}

func newSetup(env Env, g *globals) *cobra.Command {
	o := &setupOptions{env: env, globals: g}
	cmd := &cobra.Command{
		Use:   "setup",
		Short: "Write the default config and Containerfiles, build them and make the boxes",
		Long: `Check the machine, write the default config and Containerfiles, build the images
and make the boxes.

Files that you edited or deleted are left alone; --diff shows how they differ.
Setup can be run again at any time.`,
		Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd) },
	}
	f := cmd.Flags()
	f.BoolVarP(&o.yes, "yes", "y", false, "do not ask")
	f.BoolVarP(&o.dryRun, "dry-run", "n", false, "show what would be done, and stop")
	f.BoolVar(&o.noBuild, "no-build", false, "write the files, and stop")
	f.BoolVar(&o.diff, "diff", false, "show how your files differ from the shipped ones, and stop")
	f.StringSliceVar(&o.only, "only", nil, "only the images or boxes of these `NAMES`, and what they are built from")
	addJobs(cmd)
	return cmd
}

func (o *setupOptions) run(cmd *cobra.Command) error {
	files, err := o.compare()
	if err != nil {
		return err
	}
	if o.diff {
		return o.showDiff(files)
	}
	r, err := o.plan(cmd, files)
	if err != nil {
		return err
	}
	o.showFiles(files)
	if err := o.check(cmd.Context(), r); err != nil {
		return err
	}
	if o.dryRun {
		return o.rehearse(cmd.Context(), r)
	}
	if yes, err := o.confirm(cmd, files, r); err != nil || !yes {
		return err
	}
	return o.apply(cmd.Context(), files, r)
}

// compare plans what is written.
func (o *setupOptions) compare() (bootstrap.Plan, error) {
	record, err := bootstrap.ReadRecord(o.recordPath())
	if err != nil {
		fmt.Fprintf(o.env.Stderr, "ocisi: warning: %v\n", err)
	}
	return bootstrap.Compare(o.env.Defaults, o.env.ConfigDir, record)
}

// rehearse shows the plan.
func (o *setupOptions) rehearse(ctx context.Context, r *processRun) error {
	if o.noBuild {
		return nil
	}
	fmt.Fprintln(o.env.Stdout)
	return r.run(ctx)
}

func (o *setupOptions) apply(ctx context.Context, files bootstrap.Plan, r *processRun) error {
	if err := o.write(ctx, files); err != nil {
		return err
	}
	if o.noBuild {
		o.next("edit " + filepath.Join(o.env.ConfigDir, "ocisi.yaml") + " if you like, then: ocisi process")
		return nil
	}
	if err := r.run(ctx); err != nil {
		return err
	}
	o.next(enterCommand(r.wanted))
	o.env.offerRecipes(ctx)
	return nil
}

func (o *setupOptions) recordPath() string { return filepath.Join(o.env.StateDir, "files.json") }

// plan resolves the config as it will be once the files are written.
func (o *setupOptions) plan(cmd *cobra.Command, files bootstrap.Plan) (*processRun, error) {
	env := o.env
	env.Files = o.overlay(files)
	l, all, err := env.hierarchy(o.globals.file, cmd.Flags())
	if err != nil {
		return nil, err
	}
	wanted, err := env.wanted(all, o.only)
	if err != nil {
		return nil, err
	}
	return &processRun{
		verb: "setup", env: o.env, loaded: l, all: all, wanted: wanted, verbose: o.globals.verbose,
		dryRun: o.dryRun, clean: true, yes: o.yes,
	}, nil
}

// overlay is the file system as it will be once the files are written.
type overlay struct {
	fs.FS
	shipped fs.FS
	written map[string]string // name → name in shipped
}

func (o *setupOptions) overlay(files bootstrap.Plan) fs.FS {
	out := overlay{FS: o.env.Files, shipped: o.env.Defaults, written: map[string]string{}}
	for _, c := range files.Changes {
		if c.Action == bootstrap.Create || c.Action == bootstrap.Update {
			out.written[strings.TrimPrefix(c.Target, "/")] = c.Path
		}
	}
	return out
}

// Open implements fs.FS.
func (o overlay) Open(name string) (fs.File, error) {
	if path, ok := o.written[name]; ok {
		return o.shipped.Open(path)
	}
	return o.FS.Open(name)
}

func (o *setupOptions) showDiff(files bootstrap.Plan) error {
	for _, c := range files.Changes {
		if c.Action == bootstrap.Edited || c.Action == bootstrap.Update {
			if _, err := o.env.Stdout.Write(c.Diff()); err != nil {
				return err
			}
		}
	}
	return nil
}

func (o *setupOptions) showFiles(files bootstrap.Plan) {
	note := map[bootstrap.Action]string{
		bootstrap.Edited:  "  you edited it, so it is left alone; 'ocisi setup --diff' shows how it differs",
		bootstrap.Removed: "  you deleted it, so it stays away",
	}
	for _, c := range files.Changes {
		fmt.Fprintf(o.env.Stdout, "%-7s  %s%s\n", c.Action, o.env.short(c.Target), note[c.Action])
	}
}

// short writes the home as ~.
func (env Env) short(path string) string {
	for _, home := range []string{env.Home, env.Getenv("HOME")} {
		if rest, ok := strings.CutPrefix(path, home+"/"); ok && home != "" {
			return "~/" + rest
		}
	}
	return path
}

// check shows what is wrong with the machine. What fails for certain ends
// setup before anything is written, unless nothing is to be built.
func (o *setupOptions) check(ctx context.Context, r *processRun) error {
	clinic := o.env.clinic(ctx, o.env.configPath(o.globals.file))
	defer clinic.close()
	clinic.graph = r.wanted
	results := doctor.Run(ctx, clinic.facts(), setupChecks())
	for i := range results {
		if results[i].ID == "host.container" && results[i].Status == doctor.Fail {
			results[i].Status = doctor.Warn // engines may answer in there all the same
		}
	}
	bad := problems(results)
	if len(bad) > 0 {
		fmt.Fprintln(o.env.Stdout)
		o.env.showResults(bad)
	}
	if doctor.Failed(bad, false) && !o.noBuild && !o.dryRun {
		return errors.New("this machine cannot build the images yet; nothing was written. Type what stands behind the $ above, then run 'ocisi setup' again")
	}
	return ctx.Err()
}

func (o *setupOptions) confirm(cmd *cobra.Command, files bootstrap.Plan, r *processRun) (bool, error) {
	if o.yes {
		return true, nil
	}
	n := 0
	for _, c := range files.Changes {
		if c.Action == bootstrap.Create || c.Action == bootstrap.Update {
			n++
		}
	}
	var parts []string
	if n > 0 {
		parts = append(parts, fmt.Sprintf("write %d files", n))
	}
	if !o.noBuild {
		parts = append(parts, fmt.Sprintf("build %d images", len(r.wanted.Images)))
	}
	if len(parts) == 0 {
		return true, nil
	}
	question := strings.Join(parts, " and ")
	return o.env.ask(cmd, strings.ToUpper(question[:1])+question[1:]+"?")
}

func (o *setupOptions) write(ctx context.Context, files bootstrap.Plan) error {
	release, err := o.env.lock("setup")
	if err != nil {
		return err
	}
	defer release()
	_, record, err := files.Apply(ctx, o.env.Disk)
	return errors.Join(err, record.Write(o.env.Disk, o.recordPath()))
}

func (o *setupOptions) next(command string) {
	if command != "" {
		fmt.Fprintf(o.env.Stdout, "\nnext: %s\n", command)
	}
}

// enterCommand is what to type to enter the first box. distrobox looks for boxes
// in podman when both engines are there, so the manager is said when it is
// docker.
func enterCommand(g *hierarchy.Graph) string {
	for _, im := range g.Images {
		if im.Box == nil {
			continue
		}
		prefix := ""
		if im.Manager == hierarchy.Docker {
			prefix = "DBX_CONTAINER_MANAGER=docker "
		}
		root := ""
		if im.Box.Root {
			root = "--root "
		}
		return prefix + "distrobox enter " + root + cmp.Or(im.Box.Name, im.Name)
	}
	return ""
}
