package cli

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The oldest logs are removed, also below a path that a glob pattern would read
// as a set of characters.
func TestOldLogs(t *testing.T) {
	t.Parallel()
	env := Env{StateDir: filepath.Join(t.TempDir(), "a[b-c]*?"), Now: time.Now}
	dir := filepath.Join(env.StateDir, "logs")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for i := range 2 * logsKept {
		if err := os.WriteFile(fmt.Sprintf("%s/19990101T%06d.000Z-process.log", dir, i), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	other := filepath.Join(dir, "0-notes.txt")
	if err := os.WriteFile(other, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, log, err := env.openLog("process", false)
	if err != nil {
		t.Fatal(err)
	}
	log.close()
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != logsKept+1 || left[0].Name() != filepath.Base(other) || left[1].Name()[:15] != fmt.Sprintf("19990101T%06d", logsKept+1) {
		t.Errorf("%d files are left, %v: %v", len(left), left, err)
	}
}

// A log ends with a line about it, in whichever way its lines come, and the run
// goes on.
func TestLogLimit(t *testing.T) {
	t.Parallel()
	env := Env{StateDir: t.TempDir(), Now: time.Now}
	_, log, err := env.openLog("process", false)
	if err != nil {
		t.Fatal(err)
	}
	defer log.close()
	line := strings.Repeat("x", 1<<20)
	for range logLimit>>20 + 1 {
		log.printf("%s", line)
	}
	log.log.Info("more")
	log.printf("less")
	data, err := os.ReadFile(log.path)
	if err != nil {
		t.Fatal(err)
	}
	if end := []byte("x\nthe log is truncated here: it has reached 64 MiB\n"); !bytes.HasSuffix(data, end) || len(data) > logLimit+len(end) {
		t.Errorf("%d bytes, which end in %q", len(data), data[len(data)-100:])
	}
}
