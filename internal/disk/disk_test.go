package disk_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/klmcwhirter/ocisi/internal/disk"
)

// names returns the file names in a directory.
func names(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return strings.Join(all, " ")
}

func TestWrite(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a", "b")
	file := filepath.Join(dir, "file")
	var seen []string
	d := disk.Disk{Watch: func(op disk.Op, path string, done bool) error {
		seen = append(seen, fmt.Sprint(op, " ", strings.HasPrefix(filepath.Base(path), "."), " ", done))
		return nil
	}}
	for _, text := range []string{"one", "another"} {
		if err := d.Write(file, []byte(text), 0o755, nil); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(file)
		if err != nil || string(got) != text {
			t.Errorf("%q, %v", got, err)
		}
	}
	if got := names(t, dir); got != "file" {
		t.Errorf("left: %s", got)
	}
	want := "mkdir false false, mkdir false true, create true false, create true true, rename false false, rename false true, " +
		"create true false, create true true, rename false false, rename false true"
	if got := strings.Join(seen, ", "); got != want {
		t.Errorf("seen %s\nwant %s", got, want)
	}
	if err := d.Remove(file); err != nil {
		t.Error(err)
	}
	if err := d.Remove(file); err != nil || names(t, dir) != "" {
		t.Errorf("a second time: %v, left: %s", err, names(t, dir))
	}
}

// A failed write leaves the old content and no temporary file.
func TestWriteFails(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		op   disk.Op
		done bool
	}{{disk.Create, false}, {disk.Create, true}, {disk.Rename, false}} {
		dir := t.TempDir()
		file := filepath.Join(dir, "file")
		if err := os.WriteFile(file, []byte("old"), 0o600); err != nil {
			t.Fatal(err)
		}
		d := disk.Disk{Watch: func(op disk.Op, _ string, done bool) error {
			if op == c.op && done == c.done {
				return syscall.ENOSPC
			}
			return nil
		}}
		if err := d.Write(file, []byte("new"), 0o644, nil); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("%v: %v", c, err)
		}
		if got, _ := os.ReadFile(file); string(got) != "old" || names(t, dir) != "file" {
			t.Errorf("%v: %q, left: %s", c, got, names(t, dir))
		}
	}
}

// Write respects its precondition and keeps symlinks and permissions.
func TestWriteExisting(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, link := filepath.Join(dir, "file"), filepath.Join(dir, "link")
	if err := os.WriteFile(file, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	refused := errors.New("no")
	var d disk.Disk
	if err := d.Write(link, []byte("new"), 0o644, func() error { return refused }); !errors.Is(err, refused) {
		t.Error(err)
	}
	if got, _ := os.ReadFile(file); string(got) != "old" {
		t.Errorf("%q", got)
	}
	if err := d.Write(link, []byte("new"), 0o755, nil); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if to, err := os.Readlink(link); err != nil || to != file || names(t, dir) != "file link" {
		t.Errorf("the link leads to %q, %v; left: %s", to, err, names(t, dir))
	}
}

// Write removes temporary files of processes that no longer exist, and keeps others.
func TestStaleTemps(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const unused = 1<<22 - 1 // the largest PID on Linux
	alive := fmt.Sprint(".file.ocisi-", os.Getppid())
	for _, name := range []string{fmt.Sprint(".file.ocisi-", unused), alive, ".other.ocisi-1", ".file.ocisi-x"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := (disk.Disk{}).Write(filepath.Join(dir, "file"), nil, 0o644, nil); err != nil {
		t.Fatal(err)
	}
	if got, want := names(t, dir), alive+" .file.ocisi-x .other.ocisi-1 file"; got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}

// Write never replaces a symlink. It writes the target, or creates it where its
// directory exists; otherwise the error names link and target.
func TestWriteThroughSymlinks(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, to, at string }{
		{"relative", "dotfiles/file", "dotfiles/file"},
		{"absolute", "/dotfiles/file", "dotfiles/file"},
		{"of a symlink", "chain", "dotfiles/chained"},
		{"through a symlinked directory", "folder/../up", "dotfiles/up"},
		{"to a directory that does not exist", "none/file", ""},
		{"to itself", "link", ""},
		{"to nothing below a file", "regular/file", ""},
	} {
		root := t.TempDir()
		for _, dir := range []string{"/dotfiles/deep", "/bin"} {
			if err := os.MkdirAll(root+dir, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		to := c.to
		if filepath.IsAbs(to) {
			to = root + to
		} else if to != "link" {
			to = "../" + to
		}
		for link, to := range map[string]string{"/chain": "dotfiles/chained", "/folder": "dotfiles/deep", "/bin/link": to} {
			if err := os.Symlink(to, root+link); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(root+"/regular", nil, 0o600); err != nil {
			t.Fatal(err)
		}
		for range 2 { // the second time it does not dangle
			err := disk.Disk{}.Write(root+"/bin/link", []byte("text"), 0o644, nil)
			if got, _ := os.Readlink(root + "/bin/link"); got != to {
				t.Errorf("%s: the symlink was replaced", c.name)
			}
			if c.at == "" {
				if e, ok := errors.AsType[*disk.LinkError](err); !ok || e.Path != root+"/bin/link" || !strings.Contains(err.Error(), root+"/bin/link to "+root) {
					t.Errorf("%s: %v", c.name, err)
				}
				continue
			}
			if got, readErr := os.ReadFile(filepath.Join(root, c.at)); err != nil || readErr != nil || string(got) != "text" {
				t.Errorf("%s: %v, %v, %q", c.name, err, readErr, got)
			}
		}
	}
}
