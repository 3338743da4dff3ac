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

// A justfile that its user saves while ocisi is about to write it is his.
func TestJustfileChangedMeanwhile(t *testing.T) {
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
	env.Runner = answers{
		"just --justfile " + justfile + " --summary": "a\n",
		"just --justfile " + recipes + " --summary":  "ocisi-setup\n",
	}
	env.Disk = disk.Disk{Watch: func(op disk.Op, path string, done bool) error {
		if op == disk.Create && done && strings.HasPrefix(filepath.Base(path), ".") && filepath.Dir(path) == home {
			return os.WriteFile(justfile, []byte("b:\n"), 0o600)
		}
		return nil
	}}
	if got := cli.Main(t.Context(), env, []string{"just", "install"}); got != 1 {
		t.Errorf("exit status %d\n%s%s", got, &out, &errs)
	}
	if text, err := os.ReadFile(justfile); err != nil || string(text) != "b:\n" {
		t.Errorf("%q, %v", text, err)
	}
	if _, err := os.Stat(recipes); err == nil {
		t.Error("the recipes were left")
	}
	if !strings.Contains(errs.String(), "was changed meanwhile") {
		t.Errorf("said %q", &errs)
	}
}
