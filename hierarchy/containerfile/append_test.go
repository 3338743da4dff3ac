package containerfile_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/klmcwhirter/ocisi/hierarchy/containerfile"
)

const label = "LABEL ocisi.image=a:latest"

func TestAppend(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, want string }{
		"newline at the end":     {"FROM a\nRUN b\n", "FROM a\nRUN b\n" + label + "\n"},
		"no newline at the end":  {"FROM a\nRUN b", "FROM a\nRUN b\n" + label + "\n"},
		"carriage returns":       {"FROM a\r\nRUN b\r\n", "FROM a\r\nRUN b\n" + label + "\n"},
		"continued":              {"FROM a\nRUN b \\\n", "FROM a\nRUN b \n" + label + "\n"},
		"continued by a comment": {"FROM a\nRUN b \\\n# c\n", "FROM a\nRUN b \n" + label + "\n"},
		"other escape":           {"# escape=`\nFROM a\nRUN b `", "# escape=`\nFROM a\nRUN b \n" + label + "\n"},
		"heredoc":                {"FROM a\nRUN <<E\nb\nE", "FROM a\nRUN <<E\nb\nE\n" + label + "\n"},
		"comment with an escape": {"FROM a\n# b \\", "FROM a\n# b \\\n" + label + "\n"},
		"stages":                 {"FROM a AS x\nRUN b\nFROM c\n", "FROM a AS x\nRUN b\nFROM c\n" + label + "\n"},
		"not a Containerfile":    {"FROM a\nRUN <<E\nb", "FROM a\nRUN <<E\nb"},
	} {
		if got := string(containerfile.Append([]byte(c.text), label)); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// What parses has one instruction more afterwards, and the same ones before it.
func FuzzAppend(f *testing.F) {
	for _, text := range []string{"FROM a\nRUN b \\\n\\", "FROM a\nRUN <<E\nb\nE\n", "# escape=`\nFROM a\nRUN b ` \n`", "FROM a\nRUN b \\\n# c\n\n", "FROM a\nRUN b \\\\", "FROM a\nRUN b \\ \\"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		before, err := containerfile.Parse([]byte(text), nil)
		if err != nil {
			return
		}
		after, err := containerfile.Parse(containerfile.Append([]byte(text), label), nil)
		if err != nil {
			t.Fatal(err)
		}
		// An escape character at the very end continues nothing, and may go.
		short := func(meaning []byte) string { return strings.TrimRight(string(meaning), " \t\\`\"\n") }
		last := "\"" + label + "\"\n"
		was, is := before.Meaning(), after.Meaning()
		if rest, ok := bytes.CutSuffix(is, []byte(last)); !ok || short(rest) != short(was) {
			t.Errorf("%q: %q became %q", text, was, is)
		}
	})
}
