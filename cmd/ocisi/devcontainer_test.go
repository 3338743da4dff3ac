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

// devContainerOf runs ocisi devcontainer for a project with a file, and returns
// its exit status, what it wrote on standard error, and the file.
func devContainerOf(t *testing.T, text string, watch func(file string) func(disk.Op, string, bool) error, args ...string) (int, string, string) {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "p", ".devcontainer.json")
	for name, text := range map[string]string{
		file:                                       text,
		filepath.Join(dir, "ocisi.yaml"):           "- {name: go, path: ., enabled: true}\n- {name: go-dx, path: ., enabled: true}\n",
		filepath.Join(dir, "Containerfile.go"):     "FROM ghcr.io/x/base:1\n",
		filepath.Join(dir, "Containerfile.img-dx"): "ARG IMG\nARG TAG\nFROM ${IMG}:${TAG}\nARG USER\nARG UID\nARG GID\n",
	} {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	var out, errs bytes.Buffer
	env := al(cli.System())
	env.Stdout, env.Stderr = &out, &errs
	env.Dir, env.Home, env.DataHome, env.StateDir = dir, dir, filepath.Join(dir, "data"), filepath.Join(dir, "state")
	env.Getenv = func(string) string { return "" }
	if watch != nil {
		env.Disk.Watch = watch(file)
	}
	status := cli.Main(t.Context(), env, append([]string{"devcontainer", "-f", "./ocisi.yaml"}, args...))
	now, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	return status, errs.String(), string(now)
}

// A file that its user saves while ocisi writes it is left alone.
func TestProjectFileChangedMeanwhile(t *testing.T) {
	saved := `{"image": "other"}`
	save := func(file string) func(disk.Op, string, bool) error {
		return func(op disk.Op, _ string, done bool) error {
			if op == disk.Create && done {
				return os.WriteFile(file, []byte(saved), 0o640)
			}
			return nil
		}
	}
	status, errs, now := devContainerOf(t, `{"image": "go-dx"}`, save, "p")
	if status != 1 || !strings.Contains(errs, "was changed meanwhile") || now != saved {
		t.Errorf("%d, %s, %s", status, errs, now)
	}
	if status, errs, now := devContainerOf(t, `{"image": "go-dx"}`, nil, "p"); status != 0 || !strings.Contains(now, `"image": "go-dx:latest"`) {
		t.Errorf("%d, %s, %s", status, errs, now)
	}
}

func TestDevContainerStatus(t *testing.T) {
	for args, want := range map[string]int{
		"p --check": 1, "p --print": 0, "list --check": 1, "list": 0, "list gone": 2, "gone": 2, "p q": 2,
		"p --image go": 2, "p --image nosuch": 2, "p --check --print": 2, "list --json": 0,
	} {
		status, errs, now := devContainerOf(t, `{"image": "go-dx"}`, nil, strings.Fields(args)...)
		if status != want || now != `{"image": "go-dx"}` {
			t.Errorf("%s: %d, want %d: %s, %s", args, status, want, errs, now)
		}
	}
}
