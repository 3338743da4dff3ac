package cli

import (
	"errors"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// Of each command it is known whether it writes, and root runs none that does.
// A new command belongs in the list; the flags in it exist.
func TestWrites(t *testing.T) {
	t.Parallel()
	root := newRoot(Env{}, &globals{})
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd("completion")
	listed := accesses()
	unseen := accesses()
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		_, path, _ := strings.Cut(cmd.CommandPath(), " ")
		delete(unseen, path)
		a, ok := listed[path]
		if !ok {
			t.Errorf("whether 'ocisi %s' writes is not listed", path)
		}
		for _, given := range a.flags {
			if name, _, _ := strings.Cut(given, "="); cmd.Flags().Lookup(name) == nil {
				t.Errorf("ocisi %s has no flag --%s", path, name)
			}
		}
		if cmd.Flags().Lookup("dry-run") != nil && (!a.writes || len(a.flags) == 0) {
			t.Errorf("ocisi %s has --dry-run, so it writes without", path)
		}
		if cmd.PersistentPreRun != nil || cmd.PersistentPreRunE != nil && cmd != root {
			t.Errorf("ocisi %s replaces the check of the root command", path)
		}
		for _, c := range cmd.Commands() {
			walk(c)
		}
	}
	walk(root)
	delete(unseen, cobra.ShellCompRequestCmd) // cobra adds them when they are run
	delete(unseen, cobra.ShellCompNoDescRequestCmd)
	for path := range unseen {
		t.Errorf("'ocisi %s' is listed and does not exist", path)
	}
}

func TestRootWritesNothing(t *testing.T) {
	t.Parallel()
	for line, refused := range map[string]bool{
		"clean": true, "clean -n": false, "clean --dry-run=false": true, "lock": true, "lock -n": false,
		"rollback": true, "rollback -n": false, "exports": false, "exports repair": true, "exports repair -n": false,
		"process": true, "process --dry_run": false, "recreate": true, "setup": true, "setup --diff": false,
		"copy a": true, "copy -n a": false, "config edit": true, "config path": false, "import a": true, "import --print a": false,
		"timer enable": true, "timer disable": true, "timer status": false, "devcontainer": true, "devcontainer --print": false,
		"devcontainer --check": false, "devcontainer list": false, "just install": true, "just install --mode image": false,
		"just uninstall": true, "doctor": false, "doctor --fix": true, "plan": false, "list": false, "diff a": false, "lint": false,
		"help process": false, "completion bash": false,
	} {
		root := newRoot(Env{UID: 0, Home: "/root"}, &globals{})
		root.InitDefaultHelpCmd()
		root.InitDefaultCompletionCmd("completion")
		cmd, args, err := root.Find(strings.Fields(line))
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.ParseFlags(args); err != nil {
			t.Fatal(err)
		}
		if err := root.PersistentPreRunE(cmd, nil); errors.Is(err, errRoot) != refused {
			t.Errorf("ocisi %s: %v", line, err)
		}
	}
	cmd := newRoot(Env{UID: 1000, Home: "/home/al"}, &globals{})
	if err := cmd.PersistentPreRunE(newProcess(Env{}, &globals{}), nil); err != nil {
		t.Errorf("a user: %v", err)
	}
}
