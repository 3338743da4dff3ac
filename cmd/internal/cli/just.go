package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/klmcwhirter/ocisi/bootstrap/block"
	"github.com/klmcwhirter/ocisi/bootstrap/ownedfile"
	"github.com/klmcwhirter/ocisi/internal/process"
)

func newJust(env Env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "just",
		Short: "Have ocisi's recipes in just, or in ujust",
		Long: `Have ocisi-setup, ocisi-doctor, ocisi-recreate and ocisi-toggle-timer as recipes of
just or ujust. They do nothing that ocisi does not do without them.`,
		Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newJustInstall(env), newJustUninstall(env), newJustStatus(env))
	return cmd
}

func newJustInstall(env Env) *cobra.Command {
	mode := "global"
	cmd := &cobra.Command{
		Use:   "install",
		Short: "Bring the recipes in",
		Long: `Bring the recipes in, in one of these ways:

  global  for 'just --global-justfile' (just -g), by an import in the justfile that it
          reads; nothing else in there is touched
  shim    for ujust, by a ujust in ~/.local/bin that stands in front of the system's
  sysext  for the system's ujust, by a system extension: prepares it, and prints what
          root has to type
  image   for the ujust of an image that you build: prints what its Containerfile needs`,
		Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			modes := map[string]func(context.Context) error{
				"global": env.justGlobal, "shim": env.justShim, "sysext": env.justSysext, "image": env.justImage,
			}
			install, ok := modes[mode]
			if !ok {
				return &usageError{cmd: cmd, err: fmt.Errorf("--mode: there is no %q; say global, shim, sysext or image", mode)}
			}
			return install(cmd.Context())
		},
	}
	cmd.Flags().StringVar(&mode, "mode", mode, "global, shim, sysext or image")
	return cmd
}

// justMark says whose the files are that 'just install' writes.
const justMark = "# Written by 'ocisi just install', removed by 'ocisi just uninstall'. What you change here is lost."

// justFile is a shipped file as one of ocisi's at a path.
func (env Env) justFile(name, path string, mode fs.FileMode) (ownedfile.File, error) {
	text, err := fs.ReadFile(env.Recipes, name)
	if err != nil {
		return ownedfile.File{}, err
	}
	first, rest := "", string(text)
	if strings.HasPrefix(rest, "#!") {
		first, rest, _ = strings.Cut(rest, "\n")
		first += "\n"
	}
	return ownedfile.File{Path: path, Mark: justMark, Mode: mode, Text: []byte(first + justMark + "\n" + rest)}, nil
}

// justDir is where the recipes are, of one user.
func (env Env) justDir() string { return filepath.Join(env.DataHome, "ocisi", "just") }

// justRecipes is the file with the recipes.
func (env Env) justRecipes() (ownedfile.File, error) {
	return env.justFile("ocisi.just", filepath.Join(env.justDir(), "ocisi.just"), 0o644)
}

// justError says that just does not take a justfile.
type justError struct {
	file string
	when string // " as it is", say
	err  error
}

func (e *justError) Error() string {
	why := e.err.Error()
	if failed, ok := errors.AsType[*process.Error](e.err); ok && failed.Stderr != "" {
		why, _, _ = strings.Cut(failed.Stderr, "\n") // what follows is a drawing
	}
	return fmt.Sprintf("just does not take %s%s: %s", e.file, e.when, strings.TrimPrefix(why, "error: "))
}

func (e *justError) Unwrap() error { return e.err }

// recipesIn returns the names of a justfile's public recipes, with those that it
// imports.
func (env Env) recipesIn(ctx context.Context, file string) ([]string, error) {
	out, err := process.Output(ctx, env.Runner, process.Cmd{
		Name: "just", Args: []string{"--justfile", file, "--summary"}, Timeout: 10 * time.Second,
	})
	return strings.Fields(out), err
}

// justfiles returns the justfiles that 'just -g' takes the first of that is there,
// in its order, and the first as it is called where there is none. The case of
// their names does not matter to just.
func (env Env) justfiles() (there []string, first string) {
	config := filepath.Dir(env.ConfigDir)
	first = filepath.Join(config, "just", "justfile")
	for _, place := range []struct {
		dir   string
		names []string
	}{
		{filepath.Join(config, "just"), []string{"justfile"}},
		{filepath.Join(env.Home, ".config", "just"), []string{"justfile"}},
		{env.Home, []string{"justfile", ".justfile"}},
	} {
		entries, _ := fs.ReadDir(env.Files, strings.TrimPrefix(place.dir, "/")) // none in what is not there
		for _, name := range place.names {
			for _, e := range entries {
				if path := filepath.Join(place.dir, e.Name()); strings.EqualFold(e.Name(), name) && !slices.Contains(there, path) {
					there = append(there, path)
				}
			}
		}
	}
	return there, first
}

func newJustUninstall(env Env) *cobra.Command {
	return &cobra.Command{
		Use:   "uninstall",
		Short: "Take the recipes out again",
		Long:  `Take out what 'ocisi just install' wrote, in whichever way, and nothing else.`,
		Args:  usage(cobra.NoArgs),
		RunE:  func(cmd *cobra.Command, _ []string) error { return env.justUninstall(cmd.Context()) },
	}
}

func (env Env) justUninstall(ctx context.Context) error {
	done := false
	there, _ := env.justfiles()
	for _, file := range there {
		taken, err := env.takeOut(ctx, file)
		if err != nil {
			return err
		}
		done = done || taken
	}
	files, err := env.justOwn()
	if err != nil {
		return err
	}
	removed, err := ownedfile.Remove(env.Disk, files)
	for _, path := range removed {
		fmt.Fprintf(env.Stdout, "removed  %s\n", env.short(path))
	}
	if env.exists(extension) {
		done = true
		fmt.Fprintf(env.Stdout, "What root put in place is left. To be rid of it, type:\n\n%s", withdrawal)
	}
	if err != nil || done || len(removed) > 0 {
		return err
	}
	_, err = fmt.Fprintln(env.Stdout, "nothing to do: there are no recipes of ocisi")
	return err
}

// justOwn are all files that the ways to install write, but for the user's own
// justfile.
func (env Env) justOwn() ([]ownedfile.File, error) {
	var all []ownedfile.File
	for _, of := range []func() ([]ownedfile.File, error){env.shimFiles, env.sysextFiles} {
		files, err := of()
		if err != nil {
			return nil, err
		}
		all = append(all, files...)
	}
	return all, nil
}

// takeOut takes what is ocisi's out of a justfile of the user's. A file that was
// made for it goes when there is nothing else in it.
func (env Env) takeOut(ctx context.Context, file string) (bool, error) {
	text, err := env.readFile(file)
	if err != nil || !block.Has(text) {
		return false, err
	}
	rest, err := block.Cut(text)
	switch {
	case err != nil:
		return false, &blockError{file, err}
	case rest == nil:
		if err := env.Disk.Remove(file); err != nil {
			return false, err
		}
		fmt.Fprintf(env.Stdout, "removed  %s\n", env.short(file))
		return true, nil
	}
	if err := env.Disk.Write(file, rest, 0o644, env.still(file, text)); err != nil {
		return false, err
	}
	fmt.Fprintf(env.Stdout, "edited   %s\n", env.short(file))
	if _, err := env.recipesIn(ctx, file); err != nil && !is[*process.NotFoundError](err) {
		fmt.Fprintf(env.Stderr, "ocisi: warning: %v\n", &justError{env.short(file), " without ocisi's recipes", err})
	}
	return true, nil
}

// blockError says that nobody knows what is ocisi's in a file.
type blockError struct {
	file string
	err  error
}

func (e *blockError) Error() string { return e.file + ": " + e.err.Error() }
func (e *blockError) Unwrap() error { return e.err }
