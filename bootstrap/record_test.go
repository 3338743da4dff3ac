package bootstrap_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/klmcwhirter/ocisi/bootstrap"
	"github.com/klmcwhirter/ocisi/internal/disk"
)

func TestRecordIsKept(t *testing.T) {
	f := newFolder(t)
	f.setup(map[string]string{"a": "1\n"})
	file := filepath.Join(t.TempDir(), "state", "files.json")
	if err := f.record.Write(disk.Disk{}, file); err != nil {
		t.Fatal(err)
	}
	var err error
	if f.record, err = bootstrap.ReadRecord(file); err != nil {
		t.Fatal(err)
	}
	if got := f.setup(map[string]string{"a": "2\n"})["a"]; got != bootstrap.Update {
		t.Errorf("with the stored record: %s, want update", got)
	}
}

func TestBadRecordIsEmpty(t *testing.T) {
	for name, text := range map[string]string{
		"empty": "", "cut off": `{"version":1,"files":{"a":`, "a list": "[]",
		"another version": `{"version":2,"files":{"a":"b"}}`, "wrong type": `{"version":1,"files":["a"]}`,
	} {
		file := filepath.Join(t.TempDir(), "files.json")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		record, err := bootstrap.ReadRecord(file)
		if err == nil {
			t.Errorf("%s: no warning", name)
		}
		f := newFolder(t)
		f.record = record
		if got := f.setup(map[string]string{"a": "1\n"})["a"]; got != bootstrap.Create {
			t.Errorf("%s: %s, want create", name, got)
		}
	}
	if _, err := bootstrap.ReadRecord(t.TempDir()); err == nil {
		t.Error("a folder for a record: no warning")
	}
	if _, err := bootstrap.ReadRecord(filepath.Join(t.TempDir(), "none")); err != nil {
		t.Errorf("no record yet: %v", err)
	}
}
