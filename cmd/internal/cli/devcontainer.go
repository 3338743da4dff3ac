package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/diff"
	"github.com/spf13/cobra"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/devcontainer"
	"github.com/klmcwhirter/ocisi/internal/process"
)

type devContainerOptions struct {
	env     Env
	globals *globals
	image   string
	print   bool
	check   bool
}

func newDevContainer(env Env, g *globals) *cobra.Command {
	o := &devContainerOptions{env: env, globals: g}
	cmd := &cobra.Command{
		Use:   "devcontainer [DIR]",
		Short: "Write the devcontainer.json of a project",
		Long: `Write the devcontainer.json of the project in DIR, or in this folder, for a -dx image
of the config. DIR may also be the file itself, where a project has several. A file that is there is put right, and keeps all that is not ocisi's:
comments, other keys, the order.

The file is short: user, home, environment, mounts and extensions are in a label of
the image (devcontainer: in the config), which tools for dev containers read.

Without --image, it is the image that the file names, else the only -dx image that is
enabled. 'ocisi devcontainer list' shows the projects below a folder.`,
		Args: usage(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := atMostOne(cmd, "print", "check"); err != nil {
				return err
			}
			return o.run(cmd, strings.Join(args, ""))
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.image, "image", "", "the `NAME` of a -dx image, with its tag or without, or of its box")
	f.BoolVar(&o.print, "print", false, "write the file to standard output, and stop")
	f.BoolVar(&o.check, "check", false, "write what is wrong with the file, and exit with 1 when anything is")
	cmd.AddCommand(newDevContainerList(env, g))
	return cmd
}

// projectFile is the devcontainer.json of a project.
type projectFile struct {
	path  string // absolute
	dir   string // of the project, absolute
	found bool
	data  []byte
}

// noFolderError says that there is no folder of a name.
type noFolderError struct{ dir string }

func (e *noFolderError) Error() string { return "there is no folder " + e.dir }

// projectFileError says that a project's file cannot be read as one.
type projectFileError struct {
	file string
	err  error
}

func (e *projectFileError) Error() string {
	if se, ok := errors.AsType[*devcontainer.SyntaxError](e.err); ok {
		return fmt.Sprintf("%s:%v", e.file, se)
	}
	return e.err.Error()
}

func (e *projectFileError) Unwrap() error { return e.err }

func (o *devContainerOptions) run(cmd *cobra.Command, dir string) error {
	_, g, err := o.env.hierarchy(o.globals.file, cmd.Flags())
	if err != nil {
		return err
	}
	file, err := o.env.projectFile(dir)
	if err != nil {
		return err
	}
	im, err := o.choose(g, file)
	if err != nil {
		return err
	}
	p := devcontainer.Project{Folder: file.dir, Image: *im.Dev}
	text, changes := p.New(), []string{"there is no devcontainer.json"}
	if file.found {
		if text, changes, err = p.Update(file.data); err != nil {
			return &projectFileError{file.path, err}
		}
	}
	if err := o.warn(p, file.path, text); err != nil {
		return err
	}
	switch {
	case o.print:
		_, err := o.env.data().Write(text)
		return err
	case o.check:
		return o.report(im, file, changes)
	}
	return o.write(im, file, text, changes)
}

// projectFile reads the file of the project in a folder, if it has one. The file
// itself can be named, too: a project may have several.
func (env Env) projectFile(name string) (projectFile, error) {
	if !filepath.IsAbs(name) {
		name = filepath.Join(env.Dir, name)
	}
	info, err := fs.Stat(env.Files, strings.TrimPrefix(name, "/"))
	named := err == nil && info.Mode().IsRegular() && devcontainer.IsFile(name)
	f := projectFile{path: name, dir: name, found: named}
	if named {
		f.dir = devcontainer.ProjectOf(name)
	}
	if f.dir, err = env.folder(f.dir); err != nil {
		return projectFile{}, err
	}
	if !named {
		f.path, f.found = devcontainer.File(env.Files, strings.TrimPrefix(f.dir, "/"))
		f.path = "/" + f.path
	}
	if f.found {
		f.data, err = env.readFile(f.path)
	}
	return f, err
}

// folder returns a folder that somebody named by its real path; "" is the
// working directory.
func (env Env) folder(dir string) (string, error) {
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(env.Dir, dir)
	}
	dir = resolved(dir)
	info, err := fs.Stat(env.Files, strings.TrimPrefix(dir, "/"))
	switch {
	case errors.Is(err, fs.ErrNotExist) || err == nil && !info.IsDir():
		return "", &noFolderError{dir}
	case err != nil:
		return "", err
	}
	return dir, nil
}

func (o *devContainerOptions) warn(p devcontainer.Project, file string, text []byte) error {
	warnings, err := p.Warnings(text)
	for _, w := range warnings {
		fmt.Fprintf(o.env.Stderr, "ocisi: warning: %s: %s\n", o.env.short(file), w)
	}
	return err
}

// report writes what is wrong with a file.
func (o *devContainerOptions) report(im hierarchy.Image, file projectFile, changes []string) error {
	for _, c := range changes {
		fmt.Fprintf(o.env.Stdout, "%s: %s\n", o.env.short(file.path), c)
	}
	if len(changes) > 0 {
		return exitError(exitFailed)
	}
	return o.right(im, file)
}

func (o *devContainerOptions) right(im hierarchy.Image, file projectFile) error {
	_, err := fmt.Fprintf(o.env.Stdout, "nothing to do: %s is right for %s\n", o.env.short(file.path), im.Ref())
	return err
}

// write writes the file, and makes the folders that its container wants.
func (o *devContainerOptions) write(im hierarchy.Image, file projectFile, text []byte, changes []string) error {
	o.env.devFolders([]hierarchy.Image{im})
	if len(changes) == 0 {
		return o.right(im, file)
	}
	unchanged := func() error {
		if now, err := o.env.readFile(file.path); file.found && (err != nil || string(now) != string(file.data)) {
			return fmt.Errorf("%s was changed meanwhile; nothing was written", file.path)
		}
		return nil
	}
	if err := o.env.Disk.Write(file.path, text, 0o644, unchanged); err != nil {
		return err
	}
	verb := "wrote"
	if file.found {
		verb = "changed"
		if _, err := o.env.Stdout.Write(diff.Diff(file.path, file.data, file.path+" (now)", text)); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(o.env.Stdout, "%s %s for %s\n\nnext: %s, or \"Reopen in Container\" in VS Code\n", verb, o.env.short(file.path), im.Ref(), upCommand(im, file.dir))
	return err
}

// upCommand is what to type to start a project's dev container.
func upCommand(im hierarchy.Image, dir string) string {
	cmd := process.Cmd{Name: "devcontainer", Args: []string{"up", "--workspace-folder", dir}}
	if im.Manager == hierarchy.Podman {
		cmd.Args = append(cmd.Args, "--docker-path", "podman")
	}
	return cmd.String()
}
