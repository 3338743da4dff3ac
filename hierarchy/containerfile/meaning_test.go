package containerfile_test

import (
	"strings"
	"testing"

	"github.com/klmcwhirter/ocisi/hierarchy/containerfile"
)

func TestMeaning(t *testing.T) {
	const file = "# syntax=docker/dockerfile:1\nFROM a\nRUN one && \\\n  two\nCOPY <<EOF /x\n# text\nEOF\n"
	of := func(text string) string {
		f, err := containerfile.Parse([]byte(text), nil)
		if err != nil {
			t.Fatal(err)
		}
		return string(f.Meaning())
	}
	want := of(file)
	for name, c := range map[string]struct {
		from, to string
		same     bool
	}{
		"comment":              {"FROM a\n", "# why\nFROM a\n\n", true},
		"comment in a command": {"  two", "  # why\n  two", true},
		"line break":           {"&& \\\n  two", "&&   two", true},
		"blank in a command":   {"  two", "   two", false},
		"heredoc":              {"# text", "# other", false},
		"heredoc expanded":     {"<<EOF", "<<'EOF'", false},
		"syntax":               {"dockerfile:1", "dockerfile:2", false},
		"command":              {"one", "1", false},
		"form of a command":    {"RUN one && \\\n  two", `RUN ["one && two"]`, false},
	} {
		if got := of(strings.Replace(file, c.from, c.to, 1)); (got == want) != c.same {
			t.Errorf("%s: %s", name, got)
		}
	}
}
