package hierarchy_test

import (
	"maps"
	"strings"
	"testing"

	"github.com/klmcwhirter/ocisi/hierarchy"
)

func TestLabelValue(t *testing.T) {
	for plain, want := range map[string]string{
		"fedora-zig:0.14.0":              "fedora-zig:0.14.0",
		"/home/dev/.config/ocisi/x.yaml": "/home/dev/.config/ocisi/x.yaml",
		"ghcr.io/x/base@sha256:0":        "ghcr.io/x/base@sha256:0",
		"100%":                           "100%25",
		"%41":                            "%2541",
		`{"a":"$HOME"}`:                  "%7B%22a%22:%22%24HOME%22%7D",
		`back\slash 'n' "quote"`:         "back%5Cslash%20%27n%27%20%22quote%22",
		"a,b":                            "a%2Cb",
		"Größe ☃":                        "Größe%20%E2%98%83",
	} {
		got := hierarchy.LabelValue(plain)
		if got != want || strings.ContainsAny(got, " \"'\\$`{},*?&;|<>#") {
			t.Errorf("%s: got %s, want %s", plain, got, want)
		}
		labels := map[string]string{hierarchy.LabelInputs: got, "other": "50%25"}
		if back := hierarchy.PlainLabels(labels); !maps.Equal(back, map[string]string{hierarchy.LabelInputs: plain, "other": "50%25"}) {
			t.Errorf("%s: back %q", plain, back)
		}
		if labels[hierarchy.LabelInputs] != want {
			t.Error("the labels of the store have changed")
		}
	}
	// What somebody else wrote there stays.
	if back := hierarchy.PlainLabels(map[string]string{hierarchy.LabelImage: "100%"}); back[hierarchy.LabelImage] != "100%" {
		t.Errorf("back %q", back)
	}
}
