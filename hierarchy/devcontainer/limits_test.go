package devcontainer_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/klmcwhirter/ocisi/hierarchy/devcontainer"
)

func TestLimits(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		strings.Repeat("[", 1<<20):                              "1:101: nested deeper than 100 levels",
		"\ufeff{\n\"a\":" + strings.Repeat("[", 1000):           "2:104: nested deeper than 100 levels",
		strings.Repeat(`{"a":`, 1000):                           "1:501: nested deeper than 100 levels",
		`{"a":"` + strings.Repeat("x", 1<<20) + `"}`:            "1:1: larger than 1 MiB",
		`{"image":"x" /* ` + strings.Repeat("[", 999) + "*/}":   "",
		`{"image":"x", "a":"` + strings.Repeat("[", 999) + `"}`: "",
	} {
		_, err := devcontainer.ImageOf([]byte(in))
		_, isSyntax := errors.AsType[*devcontainer.SyntaxError](err)
		if want == "" && err != nil || want != "" && (!isSyntax || err.Error() != want) {
			t.Errorf("%.30q: got %v, want %s", in, err, want)
		}
		if _, _, err := project.Update([]byte(in)); (err != nil) != (want != "") {
			t.Errorf("%.30q: %v", in, err)
		}
	}
	deep := strings.Repeat("[", 500) + strings.Repeat("]", 500)
	for _, parent := range []string{deep, `[{"a":"` + strings.Repeat("x", 1<<20) + `"}]`} {
		if got := devcontainer.Metadata(parent, `{"b":1}`); got != `[{"b":1}]` {
			t.Errorf("%.30q: %.100s", parent, got)
		}
	}
}
