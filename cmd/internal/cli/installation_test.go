package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestInstallation(t *testing.T) {
	t.Parallel()
	env := Env{StateDir: filepath.Join(t.TempDir(), "state")}
	id := env.installation()
	if again := env.installation(); len(id) < 20 || again != id {
		t.Errorf("the IDs are %q and %q", id, again)
	}
	info, err := os.Stat(filepath.Join(env.StateDir, "installation"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("its file: %v, %v", info, err)
	}
	other := Env{StateDir: filepath.Join(t.TempDir(), "state")}
	if other.installation() == id {
		t.Error("two installations have the same ID")
	}
	if err := os.WriteFile(filepath.Join(other.StateDir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	other.StateDir = filepath.Join(other.StateDir, "file", "state")
	var stderr bytes.Buffer
	other.Stderr = &stderr
	if id := other.installation(); id != "" || !strings.HasPrefix(stderr.String(), "ocisi: warning: ") {
		t.Errorf("the ID %q is written nowhere: %s", id, stderr.String())
	}
}
