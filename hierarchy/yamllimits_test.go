package hierarchy_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/klmcwhirter/ocisi/hierarchy"
)

func keys(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "k%d: v, ", i)
	}
	return b.String()
}

// What would cost the parser or the decoder gigabytes is refused before it runs.
func TestYAMLLimits(t *testing.T) {
	t.Parallel()
	tooDeep := func(column int) string { return fmt.Sprintf("f:1:%d: nested deeper than 100 levels", column) }
	for in, want := range map[string]string{
		strings.Repeat("[", 40_000):                         "f:1:20001: the file has more than 20000 keys, values and signs",
		strings.Repeat("[", 10_000):                         tooDeep(101),
		strings.Repeat("[", 101) + strings.Repeat("]", 101): tooDeep(101),
		strings.Repeat("{a: ", 1000):                        tooDeep(401),
		strings.Repeat("- ", 8000):                          tooDeep(201),
		strings.Repeat("- [", 200):                          tooDeep(300),
		strings.Repeat("? ", 8000):                          tooDeep(201),
		strings.Repeat("&a ", 5000):                         tooDeep(151),
		strings.Repeat("!t ", 8000):                         tooDeep(201),
		strings.Repeat("# [\n", 1<<18) + "[]":               "f:1:1: the file is larger than 1 MiB",
		"{" + keys(9000) + "}":                              "the file has more than 20000 keys",
		"images:\n- &e {name: x, path: y, enabled: true, args: {" + keys(1000) + "}}\n" + strings.Repeat("- *e\n", 500): "aliases make more than 100000 values",
	} {
		for name, parse := range map[string]func() error{
			"config": func() error { _, err := hierarchy.ParseConfig("f", []byte(in)); return err },
			"lock":   func() error { _, err := hierarchy.ParseLock("f", []byte(in)); return err },
		} {
			err := parse()
			if _, ok := errors.AsType[*hierarchy.ConfigError](err); !ok || !strings.Contains(err.Error(), want) && !strings.Contains(want, "aliases") {
				t.Errorf("%s %.20q: got %.200v, want %s", name, in, err, want)
			} else if name == "config" && (!strings.Contains(err.Error(), want) || len(err.Error()) > 1000) {
				t.Errorf("%s %.20q: got %d bytes: %.200v", name, in, len(err.Error()), err)
			}
		}
	}
}

// Brackets and dashes in text do not nest.
func TestYAMLLimitsPass(t *testing.T) {
	t.Parallel()
	const image = "- name: x\n  path: y\n  enabled: true\n  box:\n    init_hooks:\n"
	brackets := strings.Repeat("[{", 300)
	for _, in := range []string{
		image + "    - \"" + brackets + "\"\n    - '" + brackets + "'\n",
		image + "    - |\n      " + brackets + "- - - -\n",
		"# " + brackets + "\n" + image + "    - a # " + brackets + "\n",
		image + strings.Repeat("    - echo a - b\n", 3000),
		strings.Repeat("- {name: x, path: [y], enabled: [true]}\n", 900),
	} {
		if _, err := hierarchy.ParseConfig("f", []byte(in)); err != nil && (strings.Contains(err.Error(), "nested") || strings.Contains(err.Error(), "more than")) {
			t.Errorf("%.80q: %.200v", in, err)
		}
	}
}

// A label of a foreign image is no JSON beyond the limits.
func TestInputsLimits(t *testing.T) {
	t.Parallel()
	deep := `{"version": 1, "x": ` + strings.Repeat("[", 500) + strings.Repeat("]", 500) + "}"
	if _, ok := hierarchy.ReadInputs(map[string]string{hierarchy.LabelImage: "x:1", hierarchy.LabelInputs: deep}, "x:1"); ok {
		t.Error("500 levels are read")
	}
}
