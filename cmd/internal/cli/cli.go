// Package cli is ocisi's command line: one file a verb. It is the only package
// that sees all the others, and the only one that prints, asks and decides the
// exit status.
package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Exit statuses.
const (
	exitDone     = 0
	exitFailed   = 1
	exitUsage    = 2  // of the command line or the config
	exitChanges  = 3  // plan --detailed-exitcode: there is something to do
	exitNotNow   = 77 // a condition is not met
	exitNotFound = 127
)

// Main runs ocisi with arguments and returns its exit status.
func Main(ctx context.Context, env Env, args []string) int {
	g := &globals{}
	env, flush := env.filtered(ctx)
	defer flush()
	cmd := newRoot(env, g)
	cmd.SetArgs(args)
	cmd.SetIn(env.Stdin)
	cmd.SetOut(env.Stdout)
	cmd.SetErr(env.Stderr)
	announced := env.announceStop(ctx)
	err := cmd.ExecuteContext(ctx)
	announced()
	return report(ctx, env, env.configPath(g.file), err)
}

// globals are the flags that every verb has.
type globals struct {
	file    string
	verbose bool
}

func newRoot(env Env, g *globals) *cobra.Command {
	root := &cobra.Command{
		Use:   "ocisi",
		Short: "One hierarchy of OCI images for distroboxes and dev containers",
		Long: `ocisi keeps one hierarchy of OCI images and makes distroboxes from them, so that
almost every layer is stored once.

Begin with 'ocisi setup'. What it writes to ` + "$XDG_CONFIG_HOME/ocisi" + ` is yours to edit;
'ocisi process' then brings images and boxes up to date.`,
		Version:       env.Version,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          usage(cobra.NoArgs),
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },

		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			return cmp.Or(env.refuseRoot(cmd), env.checkDirs(cmd))
		},
	}
	root.SetFlagErrorFunc(flagError)
	// ocisictl's --skip_podman is a flag of its own: it skips less than --skip-podman.
	root.SetGlobalNormalizationFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		if name == skipPodmanCleanUp {
			return skipPodmanCleanUp
		}
		return pflag.NormalizedName(strings.ReplaceAll(name, "_", "-"))
	})
	root.PersistentFlags().StringVarP(&g.file, "file", "f", "", "config `FILE`; a bare name is also looked up beside the default one (default $XDG_CONFIG_HOME/ocisi/ocisi.yaml)")
	root.PersistentFlags().BoolVarP(&g.verbose, "verbose", "v", false, "show the output of every step and every program that is run")
	root.AddCommand(
		newSetup(env, g), newProcess(env, g), newRecreate(env, g), newPlan(env, g), newLock(env, g), newList(env, g),
		newClean(env, g), newRollback(env, g), newDiff(env, g), newLint(env, g), newExports(env, g), newDevContainer(env, g),
		newDoctor(env, g), newConfig(env, g), newImport(env, g), newTimer(env, g), newJust(env), newCopy(env, g),
		newVersion(env),
	)
	complete(root, env, g)
	return root
}

func newVersion(env Env) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  usage(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintln(env.Stdout, "ocisi", env.Version)
			return err
		},
	}
}

// usageError says that the command line, or a setting in its place, is wrong.
type usageError struct {
	cmd *cobra.Command // whose help tells more; nil: nobody's
	err error
}

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

// usage makes cobra's argument errors usage errors; its FlagErrorFunc does not
// see them.
func usage(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return &usageError{cmd: cmd, err: err}
		}
		return nil
	}
}

// flagError makes pflag's errors usage errors, in words that are no Go.
func flagError(cmd *cobra.Command, err error) error {
	if e, ok := errors.AsType[*pflag.InvalidValueError](err); ok && e.GetFlag().Value.Type() == "int" {
		err = fmt.Errorf("--%s: %q is not a number", e.GetFlag().Name, e.GetValue())
	}
	return &usageError{cmd: cmd, err: err}
}

// atMostOne reports flags that exclude each other as a usage error, which
// cobra's own check does not.
func atMostOne(cmd *cobra.Command, names ...string) error {
	var given []string
	for _, name := range names {
		if cmd.Flags().Changed(name) {
			given = append(given, "--"+name)
		}
	}
	if len(given) > 1 {
		return &usageError{cmd: cmd, err: fmt.Errorf("%s exclude each other", strings.Join(given, " and "))}
	}
	return nil
}

// errRoot is the error of a run by root: its boxes would be root's.
var errRoot = errors.New("run ocisi as yourself, without sudo: images and boxes are made for the user who runs it")

// errFailed is the error of a run whose failures have been shown already.
var errFailed = errors.New("some steps failed")
