package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/ocisictl"
)

type importOptions struct {
	env     Env
	globals *globals
	output  string
	manager string
	print   bool
	force   bool
	copy    bool
}

func newImport(env Env, g *globals) *cobra.Command {
	o := &importOptions{env: env, globals: g}
	cmd := &cobra.Command{
		Use:   "import OCISICTL_YAML [DISTROBOX_INI]",
		Short: "Turn the files of ocisictl into one config",
		Long: `Turn a list of images as ocisictl has it, and the distrobox.ini that belongs to it,
into one config. Without a second file, it is the distrobox.ini beside the first,
when there is one. Comments are kept. What had to be guessed, and what has no place
in a config, is said with the line that it stands in.

The old files are not touched, and nothing is built. The Containerfiles stay where
they are, and the config leads there; with --copy their folders are copied beside it.`,
		Args: usage(cobra.RangeArgs(1, 2)),
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd, args) },
	}
	f := cmd.Flags()
	f.StringVarP(&o.output, "output", "o", "", "write `FILE` (default $XDG_CONFIG_HOME/ocisi/ocisi.yaml)")
	f.StringVar(&o.manager, "manager", "", "docker or podman, for images that name neither")
	f.BoolVar(&o.print, "print", false, "print it, and write nothing")
	f.BoolVar(&o.copy, "copy", false, "copy the folders of the Containerfiles beside the config")
	f.BoolVar(&o.force, "force", false, "replace files that are there; they are kept under another name")
	return cmd
}

func (o *importOptions) run(cmd *cobra.Command, args []string) error {
	if err := atMostOne(cmd, "print", "copy"); err != nil {
		return err
	}
	list, ini, err := o.read(cmd, args)
	if err != nil {
		return err
	}
	options, err := o.options(cmd)
	if err != nil {
		return err
	}
	r, err := ocisictl.Convert(list, ini, options)
	if err != nil {
		return err
	}
	for _, n := range r.Notes {
		n.Pos.File = o.env.short(n.Pos.File)
		fmt.Fprintln(o.env.Stderr, n)
	}
	if o.print {
		_, err := o.env.data().Write(r.Text)
		return err
	}
	if err := o.write(cmd.Context(), r, options); err != nil {
		return err
	}
	if err := o.env.validate(cmd, options.To); err != nil {
		return fmt.Errorf("the config is written, and this is to be mended:\n%w", err)
	}
	_, err = fmt.Fprintf(o.env.Stdout, "\nnext: %s plan\n", o.env.self(options.To))
	return err
}

// read reads the old files.
func (o *importOptions) read(cmd *cobra.Command, args []string) (list ocisictl.File, ini *ocisictl.File, err error) {
	file := func(path string) (ocisictl.File, error) {
		if !filepath.IsAbs(path) {
			path = filepath.Join(o.env.Dir, path)
		}
		data, err := o.env.readFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			err = &usageError{cmd: cmd, err: fmt.Errorf("%s does not exist", path)}
		}
		return ocisictl.File{Path: path, Data: data}, err
	}
	if list, err = file(args[0]); err != nil {
		return list, nil, err
	}
	beside := filepath.Join(filepath.Dir(list.Path), "distrobox.ini")
	switch {
	case len(args) > 1:
		beside = args[1]
	case !o.env.mayExist(beside):
		return list, nil, nil
	}
	boxes, err := file(beside)
	return list, &boxes, err
}

func (o *importOptions) options(cmd *cobra.Command) (ocisictl.Options, error) {
	env := o.env
	out := ocisictl.Options{
		To: filepath.Join(env.ConfigDir, "ocisi.yaml"), Homes: []string{env.Home}, Getenv: env.Getenv, Copy: o.copy,
	}
	if home := env.Getenv("HOME"); home != env.Home && home != "" {
		out.Homes = append(out.Homes, home)
	}
	if o.output != "" {
		if out.To = filepath.Clean(o.output); !filepath.IsAbs(out.To) {
			out.To = filepath.Join(env.Dir, o.output)
		}
	}
	if filepath.Dir(out.To) == env.ConfigDir && !o.print {
		out.Schema = schemaFile
	}
	var err error
	out.Manager, out.ManagerWhy, err = o.whose(cmd)
	return out, err
}

// whose returns the manager of images that name none, and why it is that one.
func (o *importOptions) whose(cmd *cobra.Command) (hierarchy.Manager, string, error) {
	if o.manager != "" {
		m, err := hierarchy.ParseManager(o.manager)
		if err != nil {
			err = &usageError{cmd: cmd, err: fmt.Errorf("--manager: %w; write docker or podman", err)}
		}
		return m, "--manager says so", err
	}
	m, err := o.env.manager("")
	switch dbx := o.env.Getenv("DBX_CONTAINER_MANAGER"); {
	case dbx != "" && dbx != "autodetect":
		return m, "$DBX_CONTAINER_MANAGER says so, as it did to ocisictl", err
	case m == hierarchy.Docker:
		return m, "docker is installed, and older versions of ocisictl took it; newer ones took podman, as --manager podman does", err
	}
	return m, "there is no docker, and newer versions of ocisictl took podman; older ones took docker, as --manager docker does", err
}
