package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/box"
	"github.com/klmcwhirter/ocisi/hierarchy/launcher"
	"github.com/klmcwhirter/ocisi/hierarchy/plan"
)

type exportsOptions struct {
	env     Env
	globals *globals
	json    bool
	dryRun  bool
	replace bool
}

func newExports(env Env, g *globals) *cobra.Command {
	o := &exportsOptions{env: env, globals: g}
	cmd := &cobra.Command{
		Use:   "exports",
		Short: "List what boxes have on the host, and mend it",
		Long: `List the programs and applications of boxes that can be started on the host, with
what is to be said about them:

  ok               it starts what it says
  edited           you changed it, or it is a copy of another one; ocisi keeps it
  missing          the config wants it, and it is not there
  outdated         not as ocisi would write it now, or it calls a program that is gone
  stale box        its box is gone
  foreign manager  its box is another engine's than it says, or than distrobox looks in first
  shadowed         its name starts something else in a terminal

'ocisi exports repair' mends what can be mended.`,
		Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return o.list(cmd) },
	}
	cmd.Flags().BoolVar(&o.json, "json", false, "write JSON")
	cmd.AddCommand(newExportsRepair(env, g))
	return cmd
}

// exports is what there is to know about launchers.
type exports struct {
	session *session
	graph   *hierarchy.Graph
	host    launcher.Host
	dirs    launcher.Dirs
	bins    []string // folders of programs
	wanted  []launcher.File
	status  []launcher.Status
}

// withExports finds out what there is to know, and calls f with it.
func (env Env) withExports(cmd *cobra.Command, file string, verb func(*session, *loaded), f func(context.Context, *exports) error) error {
	l, g, err := env.hierarchy(file, cmd.Flags())
	if err != nil {
		return err
	}
	// A launcher may be of a box whose manager is no longer in the config.
	managers := env.available(cmd.Context(), []hierarchy.Manager{hierarchy.Docker, hierarchy.Podman}, g.Managers())
	return env.with(cmd.Context(), managers, l.config.File, func(ctx context.Context, s *session) error {
		verb(s, l)
		x := &exports{session: s, graph: g, dirs: env.launcherDirs()}
		if err := x.look(ctx); err != nil {
			return err
		}
		return f(ctx, x)
	})
}

func (env Env) launcherDirs() launcher.Dirs {
	return launcher.Dirs{Home: env.Home, Data: env.DataHome}
}

// look scans the host and asks the engines.
func (x *exports) look(ctx context.Context) error {
	stores, err := x.session.observe(ctx, x.graph, false)
	if err == nil {
		x.compare(stores)
	}
	return err
}

// compare scans the host for what the boxes of some stores should have there.
func (x *exports) compare(stores plan.Stores) {
	s := x.session
	x.host, x.wanted, x.bins = s.env.launcherHost(), nil, nil
	x.host.Boxes = boxNames(stores)
	for _, im := range x.graph.Boxes() {
		made, _ := stores[im.Manager].Box(im.Box.Name)
		wanted := exportsOf(made, im)
		x.wanted = append(x.wanted, launcher.Known(s.owner(im, made), wanted, x.dirs)...)
		for _, bins := range []string{x.dirs.Bins(wanted), x.dirs.Bins(*im.Box)} {
			if !slices.Contains(x.bins, bins) {
				x.bins = append(x.bins, bins)
			}
		}
	}
	x.status = x.host.States(launcher.Scan(s.env.Files, x.dirs, x.bins), x.wanted)
}

// exportsOf returns a box with what it exports: as it was made, since it may have
// been rolled back; as the config has it, while there is none.
func exportsOf(made hierarchy.StoredBox, im hierarchy.Image) hierarchy.Box {
	if b, ok := box.Exports(made); ok {
		return b
	}
	return *im.Box
}

// launcherHost is what launchers depend on, but for the boxes.
func (env Env) launcherHost() launcher.Host {
	host := launcher.Host{Files: env.Files, Path: filepath.SplitList(env.Getenv("PATH")), Default: hierarchy.Podman}
	if m, err := hierarchy.ParseManager(env.Getenv("DBX_CONTAINER_MANAGER")); err == nil {
		host.Default = m
	} else if _, err := env.LookPath(string(hierarchy.Podman)); err != nil {
		host.Default = hierarchy.Docker
	}
	return host
}

// owner returns the owner of the launchers of an image's box. What the box that
// exists was made for counts: two configs may share a box.
func (s *session) owner(im hierarchy.Image, made hierarchy.StoredBox) launcher.Owner {
	o := launcher.Owner{Manager: im.Manager, Box: im.Box.Name, Image: im.Ref(), Config: s.config, Root: im.Box.Root && im.Manager == hierarchy.Podman}
	if _, ok := box.Exports(made); ok {
		o.Image, o.Config = made.Labels[hierarchy.LabelImage], made.Labels[hierarchy.LabelConfig]
	}
	return o
}

// listedExport is a row of exports.
type listedExport struct {
	State   launcher.State    `json:"state"`
	Why     string            `json:"why,omitempty"`
	Kind    launcher.Kind     `json:"kind"`
	What    string            `json:"what,omitempty"` // as the config has it
	Box     string            `json:"box"`
	Manager hierarchy.Manager `json:"manager,omitempty"` // that it names
	Image   string            `json:"image,omitempty"`
	By      launcher.Maker    `json:"by,omitempty"` // who wrote it
	Path    string            `json:"path"`
}

func (o *exportsOptions) list(cmd *cobra.Command) error {
	rows := []listedExport{}
	err := o.env.withExports(cmd, o.globals.file, func(*session, *loaded) {}, func(_ context.Context, x *exports) error {
		for _, st := range x.status {
			rows = append(rows, listedExport{
				State: st.State, Why: st.Why, Kind: st.Kind, What: st.What, Box: st.Owner.Box, Manager: st.Owner.Manager,
				Image: st.Owner.Image, By: st.By, Path: st.Path,
			})
		}
		return nil
	})
	if err != nil {
		return err
	}
	if o.json {
		return writeJSON(o.env.Stdout, rows)
	}
	return o.show(rows)
}

func (o *exportsOptions) show(rows []listedExport) error {
	if len(rows) == 0 {
		_, err := fmt.Fprintln(o.env.Stdout, "nothing of a box is exported")
		return err
	}
	cells := [][]string{{"STATE", "BOX", "MANAGER", "LAUNCHER", "WHY"}}
	bad, edited := 0, 0
	for _, r := range rows {
		cells = append(cells, []string{string(r.State), r.Box, string(r.Manager), o.env.short(r.Path), r.Why})
		switch r.State {
		case launcher.OK, launcher.Shadowed:
		case launcher.Edited:
			edited++
		default:
			bad++
		}
	}
	err := table(o.env.Stdout, cells)
	if bad > 0 {
		fmt.Fprintf(o.env.Stdout, "to mend what is not ok: %s exports repair\n", o.env.self(o.env.configPath(o.globals.file)))
	}
	if edited > 0 {
		fmt.Fprintf(o.env.Stdout, "to replace edited launchers: %s exports repair --overwrite-edited\n", o.env.self(o.env.configPath(o.globals.file)))
	}
	return err
}

func newExportsRepair(env Env, g *globals) *cobra.Command {
	o := &exportsOptions{env: env, globals: g}
	cmd := &cobra.Command{
		Use:   "repair",
		Short: "Mend the launchers of boxes",
		Long: `Write the launchers that are missing or outdated again, for the boxes of the config
as they are now, and remove those of boxes that are gone. Launchers that distrobox
wrote are left alone, unless their box is ocisi's, or they call a distrobox that is
no longer there and their box is: then they are written anew.

Launchers that you edited are kept. --overwrite-edited replaces those that the config
wants; copies under other names stay.`,
		Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return o.repair(cmd) },
	}
	cmd.Flags().BoolVarP(&o.dryRun, "dry-run", "n", false, "show what would be done, and stop")
	cmd.Flags().BoolVar(&o.replace, "overwrite-edited", false, "replace launchers that you edited")
	return cmd
}

func (o *exportsOptions) repair(cmd *cobra.Command) error {
	env, log, end, err := o.env.begin("exports", o.globals.verbose, o.dryRun)
	if err != nil {
		return err
	}
	defer end()
	begun := func(s *session, l *loaded) {
		s.configure(l, false, o.dryRun)
		s.boxes.Host.Replace = o.replace
	}
	return env.withExports(cmd, o.globals.file, begun, func(ctx context.Context, x *exports) error {
		r := x.repairs()
		err := x.repair(ctx, r, o.dryRun)
		if rows := slices.Concat(r.rows, r.kept); len(rows) > 0 {
			err = errors.Join(table(o.env.Stdout, rows), err)
		}
		if len(r.rows) == 0 && err == nil {
			if !o.dryRun {
				log.discard()
			}
			fmt.Fprintln(o.env.Stdout, "nothing to do")
		}
		return err
	})
}

// repair does what r says, unless it is a dry run.
func (x *exports) repair(ctx context.Context, r repairs, dryRun bool) error {
	if dryRun {
		return nil
	}
	s := x.session
	errs := []error{launcher.Remove(s.env.Disk, r.remove)}
	if len(r.write) > 0 {
		_, err := launcher.Switch(s.env.Disk, r.write)
		errs = append(errs, err)
	}
	for _, im := range x.graph.Boxes() {
		if r.boxes[im.Box.Name] {
			errs = append(errs, s.boxes.Export(ctx, s.engines[im.Manager], s.spec(im), nil))
		}
	}
	return errors.Join(errs...)
}

// repairs is what is to be done about launchers.
type repairs struct {
	rows   [][]string // what is done, for people
	kept   [][]string // edited launchers, to which nothing is done
	remove []string
	write  []launcher.File
	boxes  map[string]bool // whose launchers are written anew
}

func (x *exports) repairs() repairs {
	r := repairs{boxes: map[string]bool{}}
	for _, st := range x.status {
		verb := "write"
		switch {
		case st.State == launcher.OK || st.State == launcher.Shadowed:
			continue
		case st.State == launcher.Edited && !x.overwrites(st):
			r.kept = append(r.kept, []string{"keep", x.session.env.short(st.Path), string(st.State)})
			continue
		case st.Kind == launcher.Leftover, st.State == launcher.Stale && st.By == launcher.Ocisi:
			verb = "remove"
			r.remove = append(r.remove, st.Path)
		case x.wants(st.Owner.Box):
			r.boxes[st.Owner.Box] = true
		default:
			f, ok := x.rewritten(st)
			if !ok {
				continue
			}
			r.write = append(r.write, f)
		}
		r.rows = append(r.rows, []string{verb, x.session.env.short(st.Path), string(st.State)})
	}
	return r
}

// overwrites reports whether an edited launcher is to be replaced: one that is in
// the place of a launcher that the config wants.
func (x *exports) overwrites(st launcher.Status) bool {
	replace := x.session.boxes.Host.Replace && st.CopyOf == "" && x.wants(st.Owner.Box)
	return replace && (st.Kind == launcher.App || st.Kind == launcher.Icon ||
		slices.ContainsFunc(x.wanted, func(w launcher.File) bool { return w.Path == st.Path }))
}

// wants reports whether a box is the config's.
func (x *exports) wants(box string) bool {
	return slices.ContainsFunc(x.graph.Boxes(), func(im hierarchy.Image) bool { return im.Box.Name == box })
}

// rewritten returns a program's launcher that distrobox wrote, and that calls a
// distrobox that is gone, as ocisi writes it, when one engine has its box.
func (x *exports) rewritten(st launcher.Status) (launcher.File, bool) {
	if st.By == launcher.Ocisi || !st.Gone || st.Kind != launcher.Program || st.What == "" {
		return launcher.File{}, false
	}
	o := st.Owner
	for m, names := range x.host.Boxes {
		if !slices.Contains(names, o.Box) {
			continue
		}
		if o.Manager != "" && o.Manager != m {
			return launcher.File{}, false // in two engines: nobody knows which is meant
		}
		o.Manager = m
	}
	return launcher.NewProgram(o, x.dirs, st.What, st.Path), o.Manager != ""
}
