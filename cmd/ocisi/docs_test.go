package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/klmcwhirter/ocisi/hierarchy"
)

func readFile(t *testing.T, elements ...string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(append([]string{"..", ".."}, elements...)...))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestPrinciplesNameEveryRule: a rule of lint without a principle behind it is
// only an opinion.
func TestPrinciplesNameEveryRule(t *testing.T) {
	t.Parallel()
	rule := regexp.MustCompile(`\n\tRule\w+ += "(\w+)"`)
	rules := map[string]bool{}
	for _, m := range rule.FindAllStringSubmatch(readFile(t, "hierarchy", "layers", "advice.go"), -1) {
		rules[m[1]] = true
	}
	if len(rules) < 8 {
		t.Fatalf("only these rules were found: %v", rules)
	}
	told := map[string]bool{}
	for line := range strings.Lines(readFile(t, "docs", "principles.md")) {
		cells := strings.Split(strings.TrimSpace(line), " | ")
		if len(cells) != 3 {
			continue
		}
		for _, m := range regexp.MustCompile("`(\\w+)`").FindAllStringSubmatch(strings.Split(cells[2], ":")[0], -1) {
			told[m[1]] = true
			if !rules[m[1]] {
				t.Errorf("principles.md names the rule %s, which there is not", m[1])
			}
		}
	}
	for r := range rules {
		if !told[r] {
			t.Errorf("principles.md does not say what the rule %s is for", r)
		}
	}
}

// TestConfigPageHasEveryKey looks for each key of the schema in the tables of
// docs/config.md.
func TestConfigPageHasEveryKey(t *testing.T) {
	t.Parallel()
	type mapping struct{ Properties map[string]any }
	var schema struct {
		AnyOf       []mapping
		Definitions map[string]mapping
	}
	if err := json.Unmarshal(hierarchy.Schema(), &schema); err != nil {
		t.Fatal(err)
	}
	page := readFile(t, "docs", "config.md")
	keys := 0
	for _, m := range append(schema.AnyOf, schema.Definitions["image"], schema.Definitions["box"]) {
		for key := range m.Properties {
			keys++
			if !strings.Contains(page, "\n| `"+key+"` |") {
				t.Errorf("docs/config.md has no row for %s", key)
			}
		}
	}
	if keys < 30 {
		t.Errorf("only %d keys were looked for", keys)
	}
}

// TestLinksLead looks whether what a page leads to is there.
func TestLinksLead(t *testing.T) {
	t.Parallel()
	link := regexp.MustCompile(`\]\(([^)#:]+)(?:#[^)]*)?\)`)
	for _, page := range []string{"migration.md", "principles.md", filepath.Join("decisions", "0026-generated.md"), filepath.Join("cli", "ocisi.md")} {
		dir := filepath.Dir(filepath.Join("..", "..", "docs", page))
		links := link.FindAllStringSubmatch(readFile(t, "docs", page), -1)
		if len(links) == 0 {
			t.Errorf("%s leads nowhere", page)
		}
		for _, m := range links {
			if _, err := os.Stat(filepath.Join(dir, m[1])); err != nil {
				t.Errorf("%s: %v", page, err)
			}
		}
	}
}

// TestSecurityPageNamesTests wants a test behind each item of docs/security.md: a
// test function, or a story with the text of the link's title.
func TestSecurityPageNamesTests(t *testing.T) {
	t.Parallel()
	page := readFile(t, "docs", "security.md")
	item := regexp.MustCompile(`(?m)^\* .*(\n  .*)*`)
	row := regexp.MustCompile(`(?m)^\|.*\|$`)
	link := regexp.MustCompile(`\[([^]]+)\]\s*\((\.\./[^) ]+(?:_test\.go|\.txtar))(?: "([^"]*)")?\)`)
	claims := item.FindAllString(page, -1)
	tested := false // whether the table has a column for tests
	for _, r := range row.FindAllString(page, -1) {
		switch {
		case strings.HasPrefix(r, "|---"):
		case strings.HasSuffix(r, "| test |"):
			tested = true
		case strings.HasPrefix(r, "| what |"), strings.HasPrefix(r, "| in a box"):
			tested = false
		case tested:
			claims = append(claims, r)
		}
	}
	if len(claims) < 40 {
		t.Errorf("only %d claims were found", len(claims))
	}
	for _, c := range claims {
		if !link.MatchString(c) {
			t.Errorf("no test is named: %s", c)
		}
	}
	for _, l := range link.FindAllStringSubmatch(page, -1) {
		if err := testExists(filepath.Join("..", "..", "docs", l[2]), l[1], `(?m)^# .*`+regexp.QuoteMeta(l[3])); err != nil {
			t.Error(err)
		}
	}
}
