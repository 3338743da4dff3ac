package systemd_test

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// A package that is installed starts nothing: each user decides.
func TestPreset(t *testing.T) {
	text, err := os.ReadFile("user-preset/90-ocisi.preset")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	lines = slices.DeleteFunc(lines, func(line string) bool { return strings.HasPrefix(line, "#") })
	if !slices.Equal(lines, []string{"disable ocisi-recreate.timer"}) {
		t.Errorf("preset %q", lines)
	}
}
