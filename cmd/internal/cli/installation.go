package cli

import (
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// installation returns the random ID of this user's state directory, and makes it
// where there is none. It is "", after a warning, when the file cannot be written:
// the daemon is then sent the build contexts anew.
func (env Env) installation() string {
	path := filepath.Join(env.StateDir, "installation")
	if data, err := os.ReadFile(path); err == nil {
		if id := strings.TrimSpace(string(data)); id != "" {
			return id
		}
	}
	id := rand.Text()
	err := env.Disk.MkdirAll(env.StateDir, 0o700)
	if err == nil {
		err = env.Disk.Write(path, []byte(id+"\n"), 0o600, nil)
	}
	if err != nil {
		fmt.Fprintf(env.Stderr, "ocisi: warning: docker is sent all build contexts anew: cannot write the ID of this installation: %v\n", err)
		return ""
	}
	return id
}
