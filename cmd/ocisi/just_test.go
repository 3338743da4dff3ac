package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klmcwhirter/ocisi/cmd/internal/cli"
	"github.com/klmcwhirter/ocisi/internal/disk"
)

// What goes wrong after the justfile was read leaves it as it is.
func TestJustfileIsNotLost(t *testing.T) {
	for name, c := range map[string]struct {
		saved string // by its user, while ocisi is about to write it
		want  string // in it at the end
		said  string
	}{
		"its user saves it meanwhile": {"b:\n", "b:\n", "was changed meanwhile"},
		"just does not see a recipe":  {"", "a:\n", "recipe ocisi-setup is not there any more"},
	} {
		t.Run(name, func(t *testing.T) {
			home := t.TempDir()
			justfile, recipes := filepath.Join(home, ".justfile"), filepath.Join(home, ".local/share/ocisi/just/ocisi.just")
			if err := os.WriteFile(justfile, []byte("a:\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			var out, errs bytes.Buffer
			env := al(cli.System())
			env.Files = os.DirFS("/")
			env.Stdout, env.Stderr = &out, &errs
			env.Home, env.ConfigDir, env.StateDir, env.DataHome = home, filepath.Join(home, ".config/ocisi"), t.TempDir(), filepath.Join(home, ".local/share")
			env.LookPath = func(string) (string, error) { return "/usr/bin/just", nil }
			env.Runner = answers{ // the same before and after
				"just --justfile " + justfile + " --summary": "a\n",
				"just --justfile " + recipes + " --summary":  "ocisi-setup\n",
			}
			env.Disk = disk.Disk{Watch: func(op disk.Op, path string, done bool) error {
				if c.saved != "" && op == disk.Create && done && filepath.Dir(path) == home {
					return os.WriteFile(justfile, []byte(c.saved), 0o600)
				}
				return nil
			}}
			if got := cli.Main(t.Context(), env, []string{"just", "install"}); got != 1 || !strings.Contains(errs.String(), c.said) {
				t.Errorf("exit status %d\n%s%s", got, &out, &errs)
			}
			if text, err := os.ReadFile(justfile); err != nil || string(text) != c.want {
				t.Errorf("%q, %v", text, err)
			}
			if info, err := os.Stat(justfile); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("its permissions were changed: %v, %v", info, err)
			}
			if _, err := os.Stat(recipes); err == nil {
				t.Error("the recipes were left")
			}
		})
	}
}
