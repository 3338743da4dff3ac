package cli

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/spf13/cobra"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/internal/process"
)

func newConfig(env Env, g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Check, find or edit the config",
		Long: `Check, find or edit the config, or print the schema that editors check it with.

'ocisi setup' writes the schema beside the default config, whose first line names
it: an editor with yaml-language-server then completes keys and marks mistakes.`,
		Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newConfigValidate(env, g), newConfigPath(env, g), newConfigEdit(env, g), newConfigSchema(env))
	return cmd
}

func newConfigValidate(env Env, g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "validate [FILE]",
		Short: "Say what is wrong with the config and its Containerfiles",
		Long: `Read the config and the Containerfiles of its enabled images, and say what is wrong,
with file, line and column. No engine is asked. Exits with 2 when something is wrong.`,
		Args: usage(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			file := g.file
			if len(args) > 0 {
				file = args[0]
			}
			return env.validate(cmd, file)
		},
	}
}

// validate says that a config is fine, or returns what is wrong with it.
func (env Env) validate(cmd *cobra.Command, file string) error {
	l, g, err := env.hierarchy(file, cmd.Flags())
	if err != nil {
		return err
	}
	for _, w := range l.warnings {
		fmt.Fprintf(env.Stderr, "ocisi: warning: %v\n", w)
	}
	_, err = fmt.Fprintf(env.Stdout, "%s: %s, %s: fine\n", env.short(l.config.File), count(len(g.Images), "image", "images"), count(len(g.Boxes()), "box", "boxes"))
	return err
}

func newConfigPath(env Env, g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "path",
		Short: "Print which config file is used",
		Args:  usage(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			path := env.configPath(g.file)
			if !env.mayExist(path) {
				fmt.Fprintln(env.Stderr, "ocisi: warning: it does not exist yet; 'ocisi setup' writes the default one")
			}
			_, err := fmt.Fprintln(env.Stdout, path)
			return err
		},
	}
}

func newConfigSchema(env Env) *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON schema of the config",
		Args:  usage(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			_, err := env.Stdout.Write(hierarchy.Schema())
			return err
		},
	}
}

func newConfigEdit(env Env, g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "edit",
		Short: "Open the config in your editor, and check it afterwards",
		Long: `Open the config in $VISUAL, else $EDITOR, else nano or vi, and check it when the
editor has ended. An edit that is wrong is kept, and what is wrong is said. The
variable may hold arguments; no shell reads it.`,
		Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return env.edit(cmd, g.file) },
	}
}

func (env Env) edit(cmd *cobra.Command, file string) error {
	path := env.configPath(file)
	before, err := env.readFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return &noConfigError{path: path}
	}
	if err != nil {
		return err
	}
	editor, err := env.editor()
	if err != nil {
		return err
	}
	// Whatever signal comes meanwhile is the editor's to obey: what is typed into it
	// must not be lost by its end.
	err = env.Runner.Run(context.WithoutCancel(cmd.Context()), process.Cmd{
		Name: editor[0], Args: append(editor[1:], path), Terminal: true,
		Stdin: env.streams.stdin, Stdout: env.streams.stdout, Stderr: env.streams.stderr,
	})
	if err != nil {
		return fmt.Errorf("the editor: %w", err)
	}
	after, err := env.readFile(path)
	if err != nil {
		return err
	}
	if err := env.validate(cmd, path); err != nil {
		return fmt.Errorf("your edit is kept, and is wrong:\n%w", err)
	}
	if !bytes.Equal(before, after) {
		fmt.Fprintf(env.Stdout, "next: %s plan\n", env.self(path))
	}
	return nil
}

// editor returns the user's editor with its arguments.
func (env Env) editor() ([]string, error) {
	if words := strings.Fields(cmp.Or(env.Getenv("VISUAL"), env.Getenv("EDITOR"))); len(words) > 0 {
		return words, nil
	}
	for _, name := range []string{"nano", "vi"} {
		if _, err := env.LookPath(name); err == nil {
			return []string{name}, nil
		}
	}
	return nil, &usageError{err: errors.New("no editor: neither $VISUAL nor $EDITOR is set, and there is no nano and no vi; type EDITOR=NAME in front of the command")}
}
