package main

import (
	"debug/elf"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// defects is how many the predecessor had that docs/defects.md tells of.
const defects = 37

// findings is the number of rows of the second table of docs/defects.md.
const findings = 43

// Each row of docs/defects.md names what shows that ocisi does not have a defect:
// a story that has a section of its number, or a test function.
func TestDefectsAreShown(t *testing.T) {
	t.Parallel()
	docs := filepath.Join("..", "..", "docs")
	data, err := os.ReadFile(filepath.Join(docs, "defects.md"))
	if err != nil {
		t.Fatal(err)
	}
	row := regexp.MustCompile(`(?m)^\| (\d+) \|.*\|([^|]*)\|$`)
	link := regexp.MustCompile(`\[([^]]+)\]\(([^)]+)\)`)
	shown := map[string]bool{}
	for _, m := range row.FindAllStringSubmatch(string(data), -1) {
		number, links := m[1], link.FindAllStringSubmatch(m[2], -1)
		if shown[number] || len(links) == 0 {
			t.Errorf("defect %s: a second row, or one that names no test", number)
		}
		shown[number] = true
		for _, l := range links {
			if err := testExists(filepath.Join(docs, l[2]), l[1], `(?m)^# defect (\d+, )*`+number+`[,:]`); err != nil {
				t.Errorf("defect %s: %v", number, err)
			}
		}
	}
	for n := range defects {
		if number := strconv.Itoa(n + 1); !shown[number] {
			t.Errorf("defect %s is missing", number)
		}
	}
	if len(shown) != defects {
		t.Errorf("%d defects", len(shown))
	}
}

// testExists returns an error unless a file has the test function of a name or,
// when it is a story, text that matches a pattern.
func testExists(file, name, story string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	want := `(?m)^func ` + regexp.QuoteMeta(name) + `\(t \*testing\.T\)`
	if strings.HasSuffix(file, ".txtar") {
		want = story
	}
	if !regexp.MustCompile(want).Match(text) {
		return fmt.Errorf("nothing in %s is like %s", file, want)
	}
	return nil
}

// Each row of the second table of docs/defects.md, with a letter and a number,
// links at least one test function or story that exists.
func TestFindingsHaveTests(t *testing.T) {
	t.Parallel()
	docs := filepath.Join("..", "..", "docs")
	data, err := os.ReadFile(filepath.Join(docs, "defects.md"))
	if err != nil {
		t.Fatal(err)
	}
	row := regexp.MustCompile(`(?m)^\| ([A-D]\d+) \|.*\|([^|]*)\|$`)
	link := regexp.MustCompile(`\[([^]]+)\]\(([^)]+)\)`)
	seen := map[string]bool{}
	for _, m := range row.FindAllStringSubmatch(string(data), -1) {
		links := link.FindAllStringSubmatch(m[2], -1)
		if seen[m[1]] || len(links) == 0 {
			t.Errorf("finding %s: a second row, or one without a test", m[1])
		}
		seen[m[1]] = true
		for _, l := range links {
			text, err := os.ReadFile(filepath.Join(docs, l[2]))
			if err != nil {
				t.Errorf("finding %s: %v", m[1], err)
			} else if strings.HasSuffix(l[2], ".go") && !strings.Contains(string(text), "func "+l[1]+"(") {
				t.Errorf("finding %s: no function %s in %s", m[1], l[1], l[2])
			}
		}
	}
	if len(seen) != findings {
		t.Errorf("%d findings, want %d", len(seen), findings)
	}
}

// The program needs nothing beside it: no interpreter, no library, no program,
// no variable but HOME. As "make build" builds it.
func TestProgramStandsAlone(t *testing.T) {
	t.Parallel()
	makes := exec.Command("make", "--dry-run", "--no-print-directory", "-C", filepath.Join("..", ".."), "build")
	text, err := makes.Output()
	if err != nil {
		t.Fatal(err)
	}
	recipe := regexp.MustCompile(`(?m)^(.*) -o bin/ocisi ./cmd/ocisi$`).FindSubmatch(text)
	if recipe == nil {
		t.Fatalf("make build is not what it was: %s", text)
	}
	dir := t.TempDir()
	program := filepath.Join(dir, "ocisi")
	build := exec.Command("sh", "-c", string(recipe[1])+` -o "$0" .`, program)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	file, err := elf.Open(program)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if libraries, err := file.ImportedLibraries(); err != nil || len(libraries) > 0 {
		t.Errorf("libraries %q, %v", libraries, err)
	}
	if slices.ContainsFunc(file.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP }) {
		t.Error("it wants an interpreter")
	}
	config := filepath.Join(dir, "ocisi.yaml")
	if err := os.WriteFile(config, []byte("- {name: go, path: ., enabled: true}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"version"}, {"--help"}, {"list", "-f", config}, {"list", "-f", config, "--json"}} {
		alone := exec.Command(program, args...)
		alone.Env, alone.Dir = []string{"PATH=", "HOME=" + dir}, dir
		if out, err := alone.CombinedOutput(); err != nil {
			t.Errorf("%q: %v\n%s", args, err, out)
		}
	}
}
