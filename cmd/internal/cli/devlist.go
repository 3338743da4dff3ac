package cli

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/devcontainer"
)

type devListOptions struct {
	env     Env
	globals *globals
	json    bool
	check   bool
}

func newDevContainerList(env Env, g *globals) *cobra.Command {
	o := &devListOptions{env: env, globals: g}
	cmd := &cobra.Command{
		Use:   "list [DIR]",
		Short: "List the projects below a folder, and whether their devcontainer.json is right",
		Long: `List the projects below DIR, or below this folder, that have a devcontainer.json:

  ok        it is right for its image
  outdated  'ocisi devcontainer PROJECT' would change it, or no enabled image has that tag
  foreign   its image is not of the config
  broken    it cannot be read

Symlinks, node_modules and hidden folders are left out.`,
		Args: usage(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd, strings.Join(args, "")) },
	}
	cmd.Flags().BoolVar(&o.json, "json", false, "write JSON")
	cmd.Flags().BoolVar(&o.check, "check", false, "exit with 1 when one is outdated or broken")
	return cmd
}

// projectState is what devcontainer list writes as JSON.
type projectState struct {
	Project string   `json:"project"`
	File    string   `json:"file"`
	Image   string   `json:"image"` // as the file has it; "" when it names none
	State   string   `json:"state"`
	Wrong   []string `json:"wrong"` // in words
}

// The states of a project's file.
const (
	fileOK       = "ok"
	fileOutdated = "outdated"
	fileForeign  = "foreign"
	fileBroken   = "broken"
)

func (o *devListOptions) run(cmd *cobra.Command, dir string) error {
	_, g, err := o.env.hierarchy(o.globals.file, cmd.Flags())
	if err != nil {
		return err
	}
	if dir, err = o.env.folder(dir); err != nil {
		return err
	}
	all, err := o.find(cmd.Context(), g, dir)
	if err != nil {
		return err
	}
	if err := o.show(all, dir); err != nil {
		return err
	}
	for _, p := range all {
		if o.check && (p.State == fileOutdated || p.State == fileBroken) {
			return exitError(exitFailed)
		}
	}
	return nil
}

// find looks at all projects below a folder.
func (o *devListOptions) find(ctx context.Context, g *hierarchy.Graph, dir string) ([]projectState, error) {
	all := []projectState{}
	root := cmp.Or(strings.TrimPrefix(dir, "/"), ".")
	for name, err := range devcontainer.Find(o.env.Files, root) {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			fmt.Fprintf(o.env.Stderr, "ocisi: warning: %s is left out: %v\n", o.env.short("/"+name), err)
			continue
		}
		all = append(all, o.look(g, "/"+name))
	}
	return all, nil
}

// look compares one file with what it should be.
func (o *devListOptions) look(g *hierarchy.Graph, file string) projectState {
	s := projectState{Project: devcontainer.ProjectOf(file), File: file, State: fileBroken, Wrong: []string{}}
	data, err := o.env.readFile(file)
	if err == nil {
		s.Image, err = devcontainer.ImageOf(data)
	}
	if err != nil {
		s.Wrong = []string{err.Error()}
		return s
	}
	im, err := devImage(g, familiar(s.Image))
	switch {
	case err != nil && o.knows(g, s.Image):
		s.State, s.Wrong = fileOutdated, []string{err.Error()}
		return s
	case err != nil:
		s.State = fileForeign
		return s
	}
	p := devcontainer.Project{Folder: s.Project, Image: *im.Dev}
	wrong, err := p.Check(data)
	switch {
	case err != nil:
		s.Wrong = []string{err.Error()}
	case len(wrong) > 0:
		s.State, s.Wrong = fileOutdated, wrong
	default:
		s.State = fileOK
	}
	return s
}

// knows reports whether an image has the name of one of ours, whatever its tag.
func (o *devListOptions) knows(g *hierarchy.Graph, ref string) bool {
	name, _, _ := strings.Cut(familiar(ref), ":")
	for _, im := range g.Images {
		if im.Name == name {
			return true
		}
	}
	return false
}

func (o *devListOptions) show(all []projectState, dir string) error {
	if o.json {
		return writeJSON(o.env.Stdout, all)
	}
	if len(all) == 0 {
		_, err := fmt.Fprintf(o.env.Stdout, "no project below %s has a devcontainer.json\n", o.env.short(dir))
		return err
	}
	rows := [][]string{{"PROJECT", "IMAGE", "STATE"}}
	for _, p := range all {
		state := p.State
		if len(p.Wrong) > 0 {
			state += ": " + p.Wrong[0]
		}
		if more := len(p.Wrong) - 1; more > 0 {
			state += fmt.Sprintf(" (and %d more)", more)
		}
		rows = append(rows, []string{o.env.short(p.Project), cmp.Or(p.Image, "-"), state})
	}
	return table(o.env.Stdout, rows)
}
