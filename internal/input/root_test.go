package input_test

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"testing/fstest"

	"github.com/klmcwhirter/ocisi/internal/input"
)

func TestRoot(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "sub", "file"), []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("sub/file", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if err := fstest.TestFS(input.Root(dir), "sub/file"); err != nil {
		t.Error(err)
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/dev/zero", filepath.Join(dir, "device")); err != nil {
		t.Fatal(err)
	}
	socket, err := net.Listen("unix", filepath.Join(dir, "socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = socket.Close() }()
	files := input.Root(dir)
	for _, name := range []string{"pipe", "device", "socket"} {
		_, err := fs.ReadFile(files, name)
		pe, ok := errors.AsType[*fs.PathError](err)
		if !errors.Is(err, input.ErrNotRegular) || !ok || pe.Path != name {
			t.Errorf("%s: %v", name, err)
		}
	}
	if data, err := fs.ReadFile(files, "link"); string(data) != "text" || err != nil {
		t.Errorf("link: %q, %v", data, err)
	}
	if _, err := files.Open("none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("none: %v", err)
	}
	if info, err := fs.Lstat(files, "link"); err != nil || info.Mode().Type() != fs.ModeSymlink {
		t.Errorf("link: %v, %v", info, err)
	}
}

func TestReadPathRelative(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("auth.json", []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if data, err := input.ReadPath("auth.json", 10); err != nil || string(data) != "{}" {
		t.Errorf("%q, %v", data, err)
	}
}
