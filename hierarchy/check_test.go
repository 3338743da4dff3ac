package hierarchy

import (
	"strings"
	"testing"
)

func TestCheckTag(t *testing.T) {
	tests := map[string]bool{
		"latest": true, "3.10": true, "_x": true, "V1-rc.2": true, strings.Repeat("a", 128): true,
		"": false, ".x": false, "-x": false, "a b": false, "a/b": false, "a:b": false, "x\n": false, strings.Repeat("a", 129): false,
	}
	for tag, want := range tests {
		if got := checkTag(tag) == ""; got != want {
			t.Errorf("%q: fit %v", tag, got)
		}
	}
}
