package bootstrap_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/klmcwhirter/ocisi/bootstrap"
	"github.com/klmcwhirter/ocisi/internal/disk"
)

// folder is a config folder and the record that belongs to it.
type folder struct {
	t      *testing.T
	dir    string
	record bootstrap.Record
}

func newFolder(t *testing.T) *folder {
	t.Helper()
	return &folder{t: t, dir: filepath.Join(t.TempDir(), "config", "ocisi")}
}

func ship(files map[string]string) fstest.MapFS {
	shipped := fstest.MapFS{}
	for path, text := range files {
		shipped[path] = &fstest.MapFile{Data: []byte(text), Mode: 0o444}
	}
	return shipped
}

func (f *folder) path(name string) string { return filepath.Join(f.dir, name) }

func (f *folder) plan(files map[string]string) bootstrap.Plan {
	f.t.Helper()
	plan, err := bootstrap.Compare(ship(files), f.dir, f.record)
	if err != nil {
		f.t.Fatal(err)
	}
	return plan
}

func (f *folder) apply(plan bootstrap.Plan) map[string]bootstrap.Action {
	f.t.Helper()
	done, record, err := plan.Apply(f.t.Context(), disk.Disk{})
	if err != nil {
		f.t.Fatal(err)
	}
	f.record = record
	return actions(done)
}

func (f *folder) setup(files map[string]string) map[string]bootstrap.Action {
	f.t.Helper()
	return f.apply(f.plan(files))
}

func (f *folder) write(name, text string) {
	f.t.Helper()
	if err := os.MkdirAll(filepath.Dir(f.path(name)), 0o755); err != nil {
		f.t.Fatal(err)
	}
	if err := os.WriteFile(f.path(name), []byte(text), 0o600); err != nil {
		f.t.Fatal(err)
	}
}

// read returns a file's text, or "-" when there is none.
func (f *folder) read(name string) string {
	f.t.Helper()
	data, err := os.ReadFile(f.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return "-"
	}
	if err != nil {
		f.t.Fatal(err)
	}
	return string(data)
}

func (f *folder) remove(name string) {
	f.t.Helper()
	if err := os.RemoveAll(f.path(name)); err != nil {
		f.t.Fatal(err)
	}
}

func actions(changes []bootstrap.Change) map[string]bootstrap.Action {
	found := map[string]bootstrap.Action{}
	for _, c := range changes {
		found[c.Path] = c.Action
	}
	return found
}

func TestThreeWay(t *testing.T) {
	const written, newer, own = "written\n", "newer\n", "own\n"
	missing := "-"
	for _, test := range []struct {
		name     string
		recorded bool // setup wrote "written" before
		disk     string
		shipped  string
		want     bootstrap.Action
		after    string
	}{
		{"first run", false, missing, newer, bootstrap.Create, newer},
		{"own file in the way", false, own, newer, bootstrap.Edited, own},
		{"record lost, file as shipped", false, newer, newer, bootstrap.Keep, newer},
		{"record lost, older file", false, written, newer, bootstrap.Edited, written},
		{"nothing new", true, written, written, bootstrap.Keep, written},
		{"update", true, written, newer, bootstrap.Update, newer},
		{"edited", true, own, newer, bootstrap.Edited, own},
		{"edited, nothing new", true, own, written, bootstrap.Edited, own},
		{"edited into the new one", true, newer, newer, bootstrap.Keep, newer},
		{"deleted", true, missing, newer, bootstrap.Removed, missing},
		{"deleted, nothing new", true, missing, written, bootstrap.Removed, missing},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFolder(t)
			f.write("another", "keeps the folder from looking new\n")
			other := map[string]string{"another": "keeps the folder from looking new\n"}
			if test.recorded {
				f.setup(map[string]string{"sub/file": written, "another": other["another"]})
			}
			f.remove("sub/file")
			if test.disk != missing {
				f.write("sub/file", test.disk)
			}
			plan := f.plan(map[string]string{"sub/file": test.shipped, "another": other["another"]})
			if got := actions(plan.Changes)["sub/file"]; got != test.want {
				t.Errorf("planned %s, want %s", got, test.want)
			}
			if got := f.apply(plan)["sub/file"]; got != test.want {
				t.Errorf("did %s, want %s", got, test.want)
			}
			if got := f.read("sub/file"); got != test.after {
				t.Errorf("the file holds %q, want %q", got, test.after)
			}
		})
	}
}

func TestUpdatesFollowEachOther(t *testing.T) {
	f := newFolder(t)
	for i, text := range []string{"1\n", "2\n", "3\n"} {
		want := bootstrap.Update
		if i == 0 {
			want = bootstrap.Create
		}
		if got := f.setup(map[string]string{"a": text})["a"]; got != want || f.read("a") != text {
			t.Errorf("%q: %s, file %q", text, got, f.read("a"))
		}
	}
}

func TestKeptFileIsAdopted(t *testing.T) {
	f := newFolder(t)
	f.write("a", "1\n")
	f.setup(map[string]string{"a": "1\n"})
	if got := f.setup(map[string]string{"a": "2\n"})["a"]; got != bootstrap.Update {
		t.Errorf("a file that was as shipped is %s by the next version, want update", got)
	}
}

func TestEmptiedFolderIsNew(t *testing.T) {
	f := newFolder(t)
	f.setup(map[string]string{"a": "1\n", "b/c": "1\n"})
	f.remove("")
	got := f.setup(map[string]string{"a": "1\n", "b/c": "1\n"})
	if got["a"] != bootstrap.Create || got["b/c"] != bootstrap.Create {
		t.Errorf("after the folder was deleted: %v", got)
	}
}

func TestEditBetweenPlanAndApply(t *testing.T) {
	files := map[string]string{"create": "new\n", "delete": "new\n", "same": "new\n", "update": "new\n", "quiet": "new\n"}
	f := newFolder(t)
	f.setup(map[string]string{"update": "old\n", "delete": "old\n", "same": "old\n", "quiet": "old\n"})
	plan := f.plan(files)
	f.write("create", "own\n")
	f.write("update", "own\n")
	f.write("same", "new\n")
	f.remove("delete")
	got := f.apply(plan)
	for name, want := range map[string]struct {
		action bootstrap.Action
		text   string
	}{
		"create": {bootstrap.Edited, "own\n"},
		"update": {bootstrap.Edited, "own\n"},
		"same":   {bootstrap.Keep, "new\n"},
		"delete": {bootstrap.Removed, "-"},
		"quiet":  {bootstrap.Update, "new\n"},
	} {
		if got[name] != want.action || f.read(name) != want.text {
			t.Errorf("%s: %s, %q; want %s, %q", name, got[name], f.read(name), want.action, want.text)
		}
	}
	// nothing of it may be taken for setup's own next time
	for name, action := range f.setup(map[string]string{"create": "newer\n", "update": "newer\n"}) {
		if action != bootstrap.Edited {
			t.Errorf("%s afterwards: %s, want edited", name, action)
		}
	}
}

func TestSymlinks(t *testing.T) {
	f := newFolder(t)
	dotfiles := t.TempDir()
	f.setup(map[string]string{"a": "1\n", "b": "1\n"})
	if err := os.Rename(f.path("a"), filepath.Join(dotfiles, "a")); err != nil {
		t.Fatal(err)
	}
	f.remove("b")
	for link, target := range map[string]string{"a": filepath.Join(dotfiles, "a"), "b": filepath.Join(dotfiles, "gone")} {
		if err := os.Symlink(target, f.path(link)); err != nil {
			t.Fatal(err)
		}
	}
	got := f.setup(map[string]string{"a": "2\n", "b": "2\n"})
	if got["a"] != bootstrap.Update || got["b"] != bootstrap.Edited {
		t.Errorf("got %v", got)
	}
	if info, err := os.Lstat(f.path("a")); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("the link became %v, %v", info.Mode(), err)
	}
	if data, err := os.ReadFile(filepath.Join(dotfiles, "a")); err != nil || string(data) != "2\n" {
		t.Errorf("the file that it leads to holds %q, %v", data, err)
	}
	if _, err := os.Lstat(filepath.Join(dotfiles, "gone")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a dangling link was written through: %v", err)
	}
}

func TestTwoPathsOfOneFolder(t *testing.T) {
	f := newFolder(t)
	f.setup(map[string]string{"a": "1\n"})
	home := filepath.Dir(filepath.Dir(f.dir))
	alias := filepath.Join(t.TempDir(), "home")
	if err := os.Symlink(home, alias); err != nil {
		t.Fatal(err)
	}
	f.dir = filepath.Join(alias, "config", "ocisi")
	if got := f.setup(map[string]string{"a": "2\n"})["a"]; got != bootstrap.Update {
		t.Errorf("through another path: %s, want update", got)
	}
}

func TestModes(t *testing.T) {
	files := map[string]string{"script": "#!/bin/sh\n", "text": "#comment\n"}
	f := newFolder(t)
	f.setup(files)
	mode := func(name string) fs.FileMode {
		info, err := os.Stat(f.path(name))
		if err != nil {
			t.Fatal(err)
		}
		return info.Mode().Perm()
	}
	if got := mode("script"); got&0o100 == 0 {
		t.Errorf("a script was written with mode %o", got)
	}
	if got := mode("text"); got&0o111 != 0 || got&0o400 == 0 {
		t.Errorf("a text was written with mode %o", got)
	}
	for name := range files {
		if err := os.Chmod(f.path(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f.setup(map[string]string{"script": "#!/bin/bash\n", "text": "other\n"})
	if script, text := mode("script"), mode("text"); script != 0o700 || text != 0o600 {
		t.Errorf("updates of private files left modes %o, %o", script, text)
	}
}

func TestNothingIsLeftBehind(t *testing.T) {
	f := newFolder(t)
	f.setup(map[string]string{"a": "1\n", "b": "1\n"})
	plan := f.plan(map[string]string{"a": "2\n", "b": "2\n"})
	f.write("b", "own\n")
	f.apply(plan)
	entries, err := os.ReadDir(f.dir)
	if err != nil || len(entries) != 2 {
		t.Errorf("the folder holds %v, %v", entries, err)
	}
}

func TestCancel(t *testing.T) {
	f := newFolder(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	reason := errors.New("enough")
	cancel(reason)
	done, _, err := f.plan(map[string]string{"a": "1\n"}).Apply(ctx, disk.Disk{})
	if !errors.Is(err, reason) || len(done) != 0 || f.read("a") != "-" {
		t.Errorf("done %v, error %v", done, err)
	}
}

func TestErrorTellsWhatWasDone(t *testing.T) {
	f := newFolder(t)
	plan := f.plan(map[string]string{"a": "1\n", "b/c": "1\n"})
	f.write("b", "a file where a folder is wanted\n")
	done, record, err := plan.Apply(t.Context(), disk.Disk{})
	if err == nil || !strings.Contains(err.Error(), "writing "+f.path("b/c")) {
		t.Errorf("error %v", err)
	}
	if got := actions(done); len(got) != 1 || got["a"] != bootstrap.Create {
		t.Errorf("done %v", got)
	}
	f.record = record
	f.remove("b")
	if got := f.setup(map[string]string{"a": "2\n"})["a"]; got != bootstrap.Update {
		t.Errorf("what was written before the error was not recorded: %s", got)
	}
}

func TestFolderInPlaceOfFile(t *testing.T) {
	f := newFolder(t)
	f.write("a/b", "own\n")
	_, err := bootstrap.Compare(ship(map[string]string{"a": "1\n"}), f.dir, f.record)
	if err == nil || !strings.Contains(err.Error(), f.path("a")) {
		t.Errorf("error %v", err)
	}
}

func TestDiff(t *testing.T) {
	f := newFolder(t)
	f.write("a", "one\ntwo\n")
	got := string(f.plan(map[string]string{"a": "one\n2\n"}).Changes[0].Diff())
	want := "diff " + f.path("a") + " " + f.path("a") + " (shipped)\n--- " + f.path("a") + "\n+++ " + f.path("a") +
		" (shipped)\n@@ -1,2 +1,2 @@\n one\n-two\n+2\n"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if same := f.plan(map[string]string{"a": "one\ntwo\n"}).Changes[0].Diff(); len(same) != 0 {
		t.Errorf("a diff of equal files: %s", same)
	}
}
