package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/klmcwhirter/ocisi/cmd/internal/cli"
)

var repository = filepath.Join("..", "..")

func documents(t *testing.T) map[string][]byte {
	t.Helper()
	files, err := cli.Documents()
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestCommitted fails when a command, a flag or a key of the config was changed,
// and the documents were not.
func TestCommitted(t *testing.T) {
	t.Parallel()
	files := documents(t)
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join(repository, name))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not what follows from the commands: run 'make docs' (%v)", name, err)
		}
	}
	if old := stale(repository, files); len(old) > 0 {
		t.Errorf("%q are of commands that are no more: run 'make docs'", old)
	}
}

func TestWritesAndRemoves(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	gone := filepath.Join(root, "docs", "cli", "ocisi_gone.md")
	kept := filepath.Join(root, "docs", "config.md")
	for _, file := range []string{gone, kept} {
		if err := write(root, map[string][]byte{strings.TrimPrefix(file, root): []byte("x")}); err != nil {
			t.Fatal(err)
		}
	}
	if err := run(root, "", "", "2026-01-02"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(gone); err == nil {
		t.Error("the page of a command that is no more is still there")
	}
	if _, err := os.Stat(kept); err != nil {
		t.Error(err)
	}
	for name, want := range documents(t) {
		if got, err := os.ReadFile(filepath.Join(root, name)); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s was not written: %v", name, err)
		}
	}
}

func packaged(t *testing.T) map[string]string {
	t.Helper()
	dir := t.TempDir()
	if err := run(repository, dir, "v1.2.3", "2026-01-02"); err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(filepath.Join(dir, name))
		files[name] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestEveryCommandHasAPage(t *testing.T) {
	t.Parallel()
	files := packaged(t)
	pages := 0
	for name := range documents(t) {
		command, ok := strings.CutPrefix(name, "docs/cli/")
		if !ok {
			continue
		}
		pages++
		words := strings.Split(strings.TrimSuffix(command, ".md"), "_")
		page := files["man/"+strings.Join(words, "-")+".1"]
		if !strings.Contains(page, `\fB`+strings.Join(words, " ")) {
			t.Errorf("the man page of %q: %q", strings.Join(words, " "), page)
		}
	}
	for _, verb := range []string{"process", "setup", "config-edit", "completion-bash"} {
		if files["man/ocisi-"+verb+".1"] == "" {
			t.Errorf("%s has no page", verb)
		}
	}
	if n := len(files); n != pages+3 {
		t.Errorf("%d files for %d commands and 3 shells", n, pages)
	}
}

// macros are those of man(7) that the pages use. A line that begins with a dot or
// an apostrophe and is none of them would vanish, or be a warning of groff.
var macros = regexp.MustCompile(`^\.(nh|TH "[^"]+" "1" "Jan 2026" "ocisi v1\.2\.3" "ocisi"|SH [A-Z ]+|SS .+|PP|EX|EE|IP .*|RS|RE|TP)$`)

func TestPagesAreRoff(t *testing.T) {
	t.Parallel()
	for name, text := range packaged(t) {
		if !strings.HasPrefix(name, "man/") {
			continue
		}
		var heads []string
		open := 0
		for n, l := range strings.Split(text, "\n") {
			if l != "" && (l[0] == '\'' || l[0] == '.' && !macros.MatchString(l)) {
				t.Errorf("%s:%d: %s", name, n+1, l)
			}
			if strings.ContainsFunc(l, func(r rune) bool { return r > '~' }) {
				t.Errorf("%s:%d: not ASCII: %s", name, n+1, l)
			}
			if strings.HasPrefix(l, ".SH ") {
				heads = append(heads, l[len(".SH "):])
			}
			switch l {
			case ".EX":
				open++
			case ".EE":
				open--
			}
			if open < 0 || open > 1 {
				t.Errorf("%s:%d: examples within each other", name, n+1)
			}
		}
		if open != 0 || len(heads) < 4 || !slices.Equal(heads[:2], []string{"NAME", "SYNOPSIS"}) || !strings.Contains(text, ".TH ") {
			t.Errorf("%s has the heads %q, examples left open: %d", name, heads, open)
		}
	}
}

func TestCompletions(t *testing.T) {
	t.Parallel()
	files := packaged(t)
	for name, want := range map[string]string{"ocisi.bash": "complete -o default -o nospace -F __start_ocisi ocisi", "_ocisi": "#compdef ocisi", "ocisi.fish": "complete -c ocisi"} {
		if !strings.Contains(files["completions/"+name], want) {
			t.Errorf("%s has no %q", name, want)
		}
	}
}

func TestSameBytesTwice(t *testing.T) {
	t.Parallel()
	first, second := packaged(t), packaged(t)
	if fmt.Sprint(first) != fmt.Sprint(second) {
		t.Error("two runs wrote different files")
	}
}

func TestDayThatIsNone(t *testing.T) {
	t.Parallel()
	if err := run(repository, t.TempDir(), "v1", "yesterday"); err == nil {
		t.Error("no error")
	}
}
