package ownedfile_test

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/klmcwhirter/ocisi/bootstrap/ownedfile"
	"github.com/klmcwhirter/ocisi/internal/disk"
)

const mark = "# ours"

// files returns two files in a directory that does not exist.
func files(t *testing.T) []ownedfile.File {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "a", "b")
	return []ownedfile.File{
		{Path: filepath.Join(dir, "one"), Mark: mark, Text: []byte(mark + "\none\n"), Mode: 0o644},
		{Path: filepath.Join(dir, "two"), Mark: mark, Text: []byte("#!/bin/sh\n" + mark + "\ntwo\n"), Mode: 0o755},
	}
}

// tree returns the content of the files that exist, by name.
func tree(t *testing.T, files []ownedfile.File) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, f := range files {
		data, err := os.ReadFile(f.Path)
		if err == nil {
			out[filepath.Base(f.Path)] = string(data)
		} else if !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
	}
	return out
}

func write(t *testing.T, files []ownedfile.File) func() error {
	t.Helper()
	undo, err := ownedfile.Write(disk.Disk{}, files)
	if err != nil {
		t.Fatal(err)
	}
	return undo
}

func TestWrite(t *testing.T) {
	all := files(t)
	undo := write(t, all)
	before := tree(t, all)
	if want := map[string]string{"one": mark + "\none\n", "two": "#!/bin/sh\n" + mark + "\ntwo\n"}; !maps.Equal(before, want) {
		t.Fatalf("wrote %q", before)
	}
	if info, err := os.Stat(all[1].Path); err != nil || info.Mode().Perm()&0o111 == 0 {
		t.Errorf("a script cannot be run: %v, %v", info, err)
	}
	if err := undo(); err != nil || len(tree(t, all)) != 0 {
		t.Fatalf("undone: %q, %v", tree(t, all), err)
	}

	write(t, all)
	other := slices.Clone(all)
	other[0].Text, other[1].Text = []byte(mark+"\nother\n"), nil
	undo = write(t, other)
	if got := tree(t, all); len(got) != 1 || got["one"] != mark+"\nother\n" {
		t.Errorf("replaced by %q", got)
	}
	if err := undo(); err != nil || !maps.Equal(tree(t, all), before) {
		t.Errorf("undone: %q, %v", tree(t, all), err)
	}

	removed, err := ownedfile.Remove(disk.Disk{}, all)
	if err != nil || !slices.Equal(removed, []string{all[0].Path, all[1].Path}) || len(tree(t, all)) != 0 {
		t.Errorf("removed %q, %v; left %q", removed, err, tree(t, all))
	}
	if removed, err := ownedfile.Remove(disk.Disk{}, all); err != nil || len(removed) != 0 {
		t.Errorf("again: %q, %v", removed, err)
	}
}

func TestState(t *testing.T) {
	all := files(t)
	state := func() [2]bool {
		ours, current, err := all[0].State()
		if err != nil {
			t.Fatal(err)
		}
		return [2]bool{ours, current}
	}
	if got := state(); got != [2]bool{false, false} {
		t.Errorf("nothing: %v", got)
	}
	write(t, all)
	if got := state(); got != [2]bool{true, true} {
		t.Errorf("written: %v", got)
	}
	all[0].Text = []byte(mark + "\nnewer\n")
	if got := state(); got != [2]bool{true, false} {
		t.Errorf("outdated: %v", got)
	}
	if err := os.WriteFile(all[0].Path, []byte("theirs\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := state(); got != [2]bool{false, false} {
		t.Errorf("theirs: %v", got)
	}
}

func TestForeign(t *testing.T) {
	for name, put := range map[string]func(path string) error{
		"theirs":                func(path string) error { return os.WriteFile(path, []byte("theirs\n"+mark+"\n"), 0o600) },
		"empty":                 func(path string) error { return os.WriteFile(path, nil, 0o600) },
		"a script":              func(path string) error { return os.WriteFile(path, []byte("#!/bin/sh\ntheirs\n"+mark+"\n"), 0o600) },
		"a line that goes on":   func(path string) error { return os.WriteFile(path, []byte(mark+"elves\n"), 0o600) },
		"a unit that is masked": func(path string) error { return os.Symlink("/dev/null", path) },
		"a folder":              func(path string) error { return os.Mkdir(path, 0o700) },
	} {
		all := files(t)
		path := all[1].Path
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), put(path)); err != nil {
			t.Fatal(err)
		}
		before, err := os.Lstat(path)
		if err != nil {
			t.Fatal(err)
		}
		_, err = ownedfile.Write(disk.Disk{}, all)
		if foreign, ok := errors.AsType[*ownedfile.ForeignError](err); !ok || foreign.Path != path {
			t.Errorf("%s: %v", name, err)
		}
		if removed, err := ownedfile.Remove(disk.Disk{}, all); err != nil || len(removed) != 0 {
			t.Errorf("%s: removed %q, %v", name, removed, err)
		}
		if after, err := os.Lstat(path); err != nil || !os.SameFile(before, after) {
			t.Errorf("%s: replaced: %v", name, err)
		}
		if _, err := os.Lstat(all[0].Path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: the other file was written: %v", name, err)
		}
	}
}

// An error while the second file is written restores the first.
func TestWriteFails(t *testing.T) {
	all := files(t)
	full := errors.New("no space")
	to := disk.Disk{Watch: func(op disk.Op, path string, _ bool) error {
		if op == disk.Rename && path == all[1].Path {
			return full
		}
		return nil
	}}
	if _, err := ownedfile.Write(to, all); !errors.Is(err, full) {
		t.Errorf("error %v", err)
	}
	if got := tree(t, all); len(got) != 0 {
		t.Errorf("left %q", got)
	}
}
