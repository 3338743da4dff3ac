package cli

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"github.com/klmcwhirter/ocisi/hierarchy"
)

// Documents returns what is generated and committed, by paths below the
// repository's root: a page in docs/cli for each command, and the schema that
// setup writes.
func Documents() (map[string][]byte, error) {
	files := map[string][]byte{"embed/defaults/config/" + schemaFile: hierarchy.Schema()}
	err := eachCommand(func(cmd *cobra.Command) error {
		var out bytes.Buffer
		err := doc.GenMarkdown(cmd, &out)
		files["docs/cli/"+strings.ReplaceAll(cmd.CommandPath(), " ", "_")+".md"] = out.Bytes()
		return err
	})
	return files, err
}

// Packaged returns what a package of ocisi has beside the program: man pages, of
// a version and a day, and completions for bash, zsh and fish. It depends on
// nothing else, so that a package can be built twice with the same bytes.
func Packaged(version string, day time.Time) (map[string][]byte, error) {
	files := map[string][]byte{}
	err := eachCommand(func(cmd *cobra.Command) error {
		var out bytes.Buffer
		err := doc.GenMan(cmd, &doc.GenManHeader{Section: "1", Source: "ocisi " + version, Manual: "ocisi", Date: &day}, &out)
		files["man/"+strings.ReplaceAll(cmd.CommandPath(), " ", "-")+".1"] = roff(out.String())
		return err
	})
	if err != nil {
		return nil, err
	}
	root := newRoot(Env{Stdout: io.Discard}, &globals{})
	for name, generate := range map[string]func(io.Writer) error{
		"ocisi.bash": func(w io.Writer) error { return root.GenBashCompletionV2(w, true) },
		"_ocisi":     root.GenZshCompletion,
		"ocisi.fish": func(w io.Writer) error { return root.GenFishCompletion(w, true) },
	} {
		var out bytes.Buffer
		if err := generate(&out); err != nil {
			return nil, err
		}
		files["completions/"+name] = out.Bytes()
	}
	return files, nil
}

// roff writes what is not ASCII as groff and mandoc know it, whatever locale they
// are run in: groff_char(7).
func roff(page string) []byte {
	var out bytes.Buffer
	for _, r := range page {
		if r < utf8.RuneSelf {
			out.WriteRune(r)
			continue
		}
		fmt.Fprintf(&out, `\[u%04X]`, r)
	}
	return out.Bytes()
}

// eachCommand calls f with each command that has a help text of its own.
func eachCommand(f func(*cobra.Command) error) error {
	root := newRoot(Env{Stdout: io.Discard}, &globals{})
	root.DisableAutoGenTag = true // it has a date
	var err error
	each(root, func(cmd *cobra.Command) {
		if err == nil && (cmd.IsAvailableCommand() || cmd == root) {
			cmd.DisableAutoGenTag = true
			cmd.Long = tables(cmd.Long)
			err = f(cmd)
		}
	})
	return err
}

// tables makes lines that are set off by two blanks what Markdown leaves as it
// is: four.
func tables(long string) string {
	lines := strings.Split(long, "\n")
	for i, l := range lines {
		if strings.HasPrefix(l, "  ") {
			lines[i] = "  " + l
		}
	}
	return strings.Join(lines, "\n")
}
