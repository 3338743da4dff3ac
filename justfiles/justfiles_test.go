package justfiles_test

import (
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/klmcwhirter/ocisi/justfiles"
)

func read(t *testing.T, name string) string {
	t.Helper()
	data, err := fs.ReadFile(justfiles.FS, name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

var recipe = regexp.MustCompile(`^([a-z-]+)( .*)?:$`)

// Anything else at the top level - a setting, a variable, an alias, an import -
// can break the recipes of those who import this file.
func TestRecipesOnly(t *testing.T) {
	attributes, comment, body := []string{}, "", map[string]string{}
	name := ""
	for line := range strings.Lines(read(t, "ocisi.just")) {
		line = strings.TrimSuffix(line, "\n")
		m := recipe.FindStringSubmatch(line)
		switch {
		case line == "":
		case strings.HasPrefix(line, " "):
			body[name] += line + "\n"
		case strings.HasPrefix(line, "#"):
			comment, attributes = line, nil
		case strings.HasPrefix(line, "["):
			attributes = append(attributes, line)
		case m != nil:
			name = m[1]
			if want := []string{"[group('Developer')]", "[no-cd]", "[no-exit-message]", "[positional-arguments]"}; !slices.Equal(attributes, want) || comment == "" {
				t.Errorf("%s: attributes %q, comment %q", name, attributes, comment)
			}
			body[name], comment = "", ""
		default:
			t.Errorf("%q is no recipe", line)
		}
	}
	if got, want := slices.Sorted(maps.Keys(body)), []string{"ocisi-doctor", "ocisi-recreate", "ocisi-setup", "ocisi-toggle-timer"}; !slices.Equal(got, want) {
		t.Errorf("recipes %q", got)
	}
	for name, text := range body {
		if !strings.HasPrefix(text, "    #!/usr/bin/env bash\n") || strings.Contains(text, "{{") {
			t.Errorf("%s: the shell of others, or a value that is pasted into the script:\n%s", name, text)
		}
	}
}

// What brings the recipes in names them as they are installed.
func TestImports(t *testing.T) {
	for name, line := range map[string]string{
		"60-custom.just": `import "/usr/share/ocisi/just/ocisi.just"`,
		"ujust.just":     `import "ocisi.just"`,
		"ujust":          `justfile="${XDG_DATA_HOME:-$HOME/.local/share}/ocisi/just/ujust.just"`,
	} {
		if !strings.Contains(read(t, name), "\n"+line+"\n") {
			t.Errorf("%s lacks %s", name, line)
		}
	}
	if text := read(t, "user.just"); strings.Contains(text, "import") || !strings.Contains(text, "\n[private]\n_") {
		t.Errorf("user.just:\n%s", text)
	}
}
