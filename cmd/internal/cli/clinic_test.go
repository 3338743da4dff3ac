package cli

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/klmcwhirter/ocisi/bootstrap/doctor"
	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/engine"
)

// Every check has its paragraph, in the order of the areas, and no paragraph is
// about a check that is gone.
func TestTroubleshootingHasEveryCheck(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "troubleshooting.md"))
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	for _, m := range regexp.MustCompile(`(?m)^### (\S+)\n\n\S`).FindAllStringSubmatch(string(data), -1) {
		told = append(told, m[1])
	}
	var ids []string
	for _, area := range doctor.Areas() {
		for _, c := range new(clinic).checks() {
			if c.Area == area {
				ids = append(ids, c.ID)
			}
		}
	}
	if !slices.Equal(told, ids) {
		t.Errorf("docs/troubleshooting.md has\n%s\nand the checks are\n%s", strings.Join(told, "\n"), strings.Join(ids, "\n"))
	}
}

// The table of all checks, as that of package doctor.
func TestChecks(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range new(clinic).checks() {
		if c.ID == "" || c.What == "" || c.Run == nil || seen[c.ID] || !slices.Contains(doctor.Areas(), c.Area) {
			t.Errorf("check %q of %q, %q", c.ID, c.Area, c.What)
		}
		seen[c.ID] = true
	}
	for id := range new(doctorOptions).mends() {
		if !seen[id] {
			t.Errorf("--fix mends %s, which is no check", id)
		}
	}
}

func TestSetupLooksAtWhatMatters(t *testing.T) {
	var ids []string
	for _, c := range setupChecks() {
		ids = append(ids, c.ID)
	}
	for _, id := range []string{"podman.userns", "docker.group.user", "distrobox.bin", "storage.free", "home.shell"} {
		if !slices.Contains(ids, id) {
			t.Errorf("setup does not look at %s", id)
		}
	}
	if slices.Contains(ids, "vscode.links") || slices.Contains(ids, "timer") {
		t.Errorf("setup looks at %q", ids)
	}
}

func TestWhatTheConfigWants(t *testing.T) {
	silent := func() (*engine.Engine, error) { return nil, errors.New("silent") }
	c := &clinic{
		env: Env{LookPath: func(string) (string, error) { return "", errors.New("none") }},
		graph: &hierarchy.Graph{Images: []hierarchy.Image{
			{Name: "a", Manager: hierarchy.Docker, Box: &hierarchy.Box{Name: "a", Home: "/boxes/a"}},
			{Name: "b", Manager: hierarchy.Docker, Box: &hierarchy.Box{Name: "b", Home: "~/b"}},
			{Name: "c", Manager: hierarchy.Docker},
		}},
		engines: map[hierarchy.Manager]func() (*engine.Engine, error){hierarchy.Docker: silent, hierarchy.Podman: silent},
	}
	if d := c.diagnose(t.Context(), hierarchy.Docker); !d.Wanted || d.Boxes != 2 || d.Installed || d.Err == nil {
		t.Errorf("docker: %+v", d)
	}
	if d := c.diagnose(t.Context(), hierarchy.Podman); d.Wanted || d.Boxes != 0 {
		t.Errorf("podman: %+v", d)
	}
	if homes := c.facts().Homes; len(homes) != 1 || homes["a"] != "/boxes/a" {
		t.Errorf("homes %v", homes)
	}
}

func TestWrapped(t *testing.T) {
	for _, test := range []struct {
		phrases []string
		want    string
	}{
		{nil, ""},
		{[]string{"one"}, "one"},
		{[]string{"one", "two"}, "one · two"},
		{[]string{"eleven char", "more"}, "eleven\n> char · more"}, // a dot stays with the word before it
		{[]string{"averyveryverylongword", "x"}, "averyveryverylongword ·\n> x"},
		{[]string{"été à la mère"}, "été à la\n> mère"}, // characters count, not bytes
	} {
		if got := wrapped(test.phrases, 12, "> "); got != test.want {
			t.Errorf("%q: %q, want %q", test.phrases, got, test.want)
		}
	}
}

func TestCallerOf(t *testing.T) {
	dir := t.TempDir()
	c := &clinic{env: Env{Files: os.DirFS("/"), Getenv: func(string) string { return "" }}}
	for text, called := range map[string]bool{
		"jq . x": true, "  jq\n": true, "a | jq .": true, "x=$(jq .)": true, "x=`jq .`": true, `eval "$(fzf --bash)"; jq`: true,
		"# jq .": false, "a # jq": false, "jqx": false, "a-jq": false, "/opt/jq": false, "jq=1": false, "": false,
	} {
		file := filepath.Join(dir, "rc")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := callerOf(c.facts().Host, []string{"/nowhere", file}, "jq") != ""; got != called {
			t.Errorf("%q: %v", text, got)
		}
	}
}
