package launcher

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klmcwhirter/ocisi/internal/disk"
)

// snapshot returns every file below a folder with its mode and content.
func snapshot(t *testing.T, root string) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		data, err := os.ReadFile(path)
		all.WriteString(strings.TrimPrefix(path, root) + " " + info.Mode().String() + " " + string(data) + "\n")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}

func switching(t *testing.T) (root string, files []File) {
	t.Helper()
	root = t.TempDir()
	for name, text := range map[string]string{"old": "old", "same": "same", "target": "linked"} {
		if err := os.WriteFile(root+"/"+name, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("target", root+"/link"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a/b/new", "old", "same", "link", "a/new2"} {
		text := "new " + name
		if name == "same" {
			text = "same"
		}
		files = append(files, File{Path: root + "/" + name, Data: []byte(text), Mode: 0o755})
	}
	return root, files
}

func TestSwitch(t *testing.T) {
	t.Parallel()
	root, files := switching(t)
	before := snapshot(t, root)
	touched := map[string]bool{}
	d := disk.Disk{Watch: func(_ disk.Op, path string, _ bool) error {
		touched[strings.TrimPrefix(path, root)] = true
		return nil
	}}
	undo, err := Switch(d, files)
	if err != nil {
		t.Fatal(err)
	}
	if touched["/same"] {
		t.Error("a file was written that was as it should be")
	}
	want := "/a/b/new -rwxr-xr-x new a/b/new\n/a/new2 -rwxr-xr-x new a/new2\n"
	if after := snapshot(t, root); !strings.HasPrefix(after, want) || !strings.Contains(after, "/old -rwxr-xr-x new old\n") || !strings.Contains(after, "/target -rwxr-xr-x new link\n") {
		t.Errorf("got %s", after)
	}
	if err := undo(); err != nil {
		t.Error(err)
	}
	if after := snapshot(t, root); after != before {
		t.Errorf("undone, got\n%s\nwant\n%s", after, before)
	}
}

// Whatever fails first: everything is as it was.
func TestSwitchIsAllOrNothing(t *testing.T) {
	t.Parallel()
	fault := errors.New("no space left")
	for n := 0; ; n++ {
		root, files := switching(t)
		before := snapshot(t, root)
		count, renamed := 0, false
		d := disk.Disk{Watch: func(op disk.Op, _ string, _ bool) error {
			renamed = renamed || op == disk.Rename
			if op == disk.Create && renamed && count <= n {
				t.Error("a file got its name before all were on the disk")
			}
			if count++; count == n+1 {
				return fault
			}
			return nil
		}}
		_, err := Switch(d, files)
		if err == nil {
			if n < 10 {
				t.Errorf("only %d points to fail at", n)
			}
			return
		}
		if !errors.Is(err, fault) || strings.Count(err.Error(), "writing launcher "+root) != 1 {
			t.Errorf("at %d: %v", n, err)
		}
		if after := snapshot(t, root); after != before {
			t.Errorf("at %d, got\n%s\nwant\n%s", n, after, before)
		}
	}
}

// An empty file is not a missing one.
func TestSwitchUndoesEmptyFiles(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	if err := os.WriteFile(root+"/empty", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	before := snapshot(t, root)
	undo, err := Switch(disk.Disk{}, []File{{Path: root + "/empty", Data: []byte("x"), Mode: 0o644}, {Path: root + "/new", Mode: 0o644}})
	if err != nil {
		t.Fatal(err)
	}
	if after := snapshot(t, root); !strings.Contains(after, "/new -rw-r--r-- \n") {
		t.Errorf("the empty file was not written: %s", after)
	}
	if err := os.Remove(root + "/empty"); err != nil {
		t.Fatal(err)
	}
	if err := undo(); err != nil {
		t.Error(err)
	}
	if after := snapshot(t, root); after != before {
		t.Errorf("undone, got\n%s\nwant\n%s", after, before)
	}
}

// A second failure leaves what cannot be put back, and tells both.
func TestSwitchCannotPutBack(t *testing.T) {
	t.Parallel()
	root, files := switching(t)
	fault, broken := errors.New("fault"), false
	d := disk.Disk{Watch: func(op disk.Op, path string, done bool) error {
		broken = broken || op == disk.Rename && done && strings.HasSuffix(path, "/target")
		if broken {
			return fault
		}
		return nil
	}}
	_, err := Switch(d, files)
	if err == nil || !strings.Contains(err.Error(), "writing launcher "+root) || !strings.Contains(err.Error(), "putting back launcher "+root) {
		t.Errorf("got %v", err)
	}
}

func TestSwitchWantsFiles(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	if _, err := Switch(disk.Disk{}, []File{{Path: root, Data: []byte("x")}}); err == nil {
		t.Error("a folder was replaced")
	}
	if err := os.Symlink(root, root+"/self"); err != nil {
		t.Fatal(err)
	}
	var dup []File
	for _, path := range []string{"/d", "/self/d", "/d"} {
		dup = append(dup, File{Path: root + path, Data: []byte(path), Mode: 0o644})
	}
	if _, err := Switch(disk.Disk{}, dup); err != nil {
		t.Error(err)
	}
	if data, err := os.ReadFile(root + "/d"); err != nil || string(data) != "/d" {
		t.Errorf("got %s, %v: the last one counts", data, err)
	}
	noexec := File{Path: root + "/x", Data: []byte("x"), Mode: 0o755}
	if err := os.WriteFile(noexec.Path, noexec.Data, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Switch(disk.Disk{}, []File{noexec}); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(noexec.Path); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("got %v, %v", info.Mode(), err)
	}
}

func TestRemove(t *testing.T) {
	t.Parallel()
	root, _ := switching(t)
	if err := os.MkdirAll(root+"/full/x", 0o755); err != nil {
		t.Fatal(err)
	}
	err := Remove(disk.Disk{}, []string{root + "/none", root + "/full", root + "/old"})
	if err == nil || !strings.Contains(err.Error(), "removing launcher "+root+"/full") {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(root + "/old"); err == nil {
		t.Error("an error keeps others from being removed")
	}
}
