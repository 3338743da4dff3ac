package hierarchy_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/klmcwhirter/ocisi/hierarchy"
)

func compileSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(string(hierarchy.Schema())))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("ocisi.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("ocisi.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// fits reports whether a schema takes a file, as an editor sees it: the YAML
// turned into JSON.
func fits(t *testing.T, s *jsonschema.Schema, text string) error {
	t.Helper()
	data, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(string(data)))
	if err != nil {
		t.Fatalf("%s: %v", data, err)
	}
	return s.Validate(v)
}

// mappings are the mappings of a config: how a key and a value get into one.
// Whoever adds a key that is a mapping with keys of its own adds a line.
var mappings = map[string]func(pair string) string{
	"config": func(pair string) string { return "{images: [], " + pair + "}" },
	"image":  func(pair string) string { return "[{name: x-dx, path: p, enabled: true, " + pair + "}]" },
	"box":    func(pair string) string { return "[{name: x-dx, path: p, enabled: true, box: {" + pair + "}}]" },
	"wish": func(pair string) string {
		return "[{name: x-dx, path: p, enabled: true, devcontainer: {" + pair + "}}]"
	},
}

// values are one value or more of each kind. A key that takes none of them wants
// one that it does.
var values = []string{
	"word", "/usr/bin/word", "7d", "15m", "docker", `"7"`, "3.10", "-1", "0", "7", "true", "no", "null", `""`,
	"[word]", "[/usr/bin/word]", "[3.10]", "[true]", "[null]", "[[word]]", "[{word: word}]", "[docker, podman]", "[]",
	"{word: word}", "{word: 3.10}", "{word: true}", "{word: null}", "{word: [word]}", "{}",
	"[word.word]", "[/word:/word]", "[/word:/word:ro]", "[/word:/word:rw]", "{HOME: word}", "{wo-rd: word}", "{word: {word: [1]}}",
}

// beyond are refused by ParseConfig for what a schema does not say: text that no
// engine or shell takes.
var beyond = regexp.MustCompile(`is empty|is not absolute|is no image tag|is no container name|"-1" is no image name|no image reference`)

// knownKeys asks the decoder which keys a mapping has.
func knownKeys(t *testing.T, in func(string) string) []string {
	t.Helper()
	_, err := hierarchy.ParseConfig("f", []byte(in("nosuchkeyatall: 1")))
	e, ok := errors.AsType[*hierarchy.ConfigError](err)
	if !ok {
		t.Fatalf("an unknown key is no error: %v", err)
	}
	list, ok := strings.CutPrefix(e.Advice, "known keys: ")
	if !ok {
		t.Fatalf("advice %q", e.Advice)
	}
	return strings.Split(list, ", ")
}

// TestSchemaIsTheDecoders gives every key that the decoder knows a value of every
// kind: both must say the same of it.
func TestSchemaIsTheDecoders(t *testing.T) {
	t.Parallel()
	s := compileSchema(t)
	for name, in := range mappings {
		if fits(t, s, in("nosuchkeyatall: 1")) == nil {
			t.Errorf("the schema takes an unknown key in %s", name)
		}
		for _, key := range knownKeys(t, in) {
			taken := 0
			for _, value := range values {
				text := in(key + ": " + value)
				if key == "name" || key == "path" || key == "enabled" || key == "images" {
					text = replaceKey(text, key, value)
				}
				_, err := hierarchy.ParseConfig("f", []byte(text))
				schemaErr := fits(t, s, text)
				switch {
				case err == nil && schemaErr != nil:
					t.Errorf("%s: the schema refuses what is right: %v", text, schemaErr)
				case err != nil && schemaErr == nil && !beyond.MatchString(err.Error()):
					t.Errorf("%s: the schema takes it, and it is wrong: %v", text, err)
				}
				if err == nil {
					taken++
				}
			}
			if taken == 0 {
				t.Errorf("%s in %s: no value of the test is right; add one", key, name)
			}
		}
	}
}

// replaceKey gives the required key another value, where in would write it twice.
func replaceKey(text, key, value string) string {
	text = strings.Replace(text, ", "+key+": "+value+"}", "}", 1)
	first := regexp.MustCompile(`([{ ])` + key + `: (\[\]|[a-z-]+)([,}])`)
	return first.ReplaceAllString(text, "${1}"+key+": "+strings.ReplaceAll(value, "$", "$$")+"${3}")
}

func TestSchemaWantsWhatIsRequired(t *testing.T) {
	t.Parallel()
	s := compileSchema(t)
	for _, text := range []string{
		"[{path: p, enabled: true}]", "[{name: n, enabled: true}]", "[{name: n, path: p}]", "{manager: docker}",
		"word", "[word]", "{images: {}}", "[{name: N, path: p, enabled: true}]", "{images: [], max_age: 3y}", "{images: [], start_timeout: 3d}",
	} {
		if _, err := hierarchy.ParseConfig("f", []byte(text)); err == nil {
			t.Errorf("%s is right", text)
		}
		if fits(t, s, text) == nil {
			t.Errorf("the schema takes %s", text)
		}
	}
}

// TestConfigsFit looks at every config of the repository: what ParseConfig takes,
// the schema does.
func TestConfigsFit(t *testing.T) {
	t.Parallel()
	s := compileSchema(t)
	looked := 0
	for name, text := range allConfigs(t) {
		if _, err := hierarchy.ParseConfig(name, []byte(text)); err != nil {
			continue
		}
		looked++
		if err := fits(t, s, text); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if looked < 50 {
		t.Errorf("only %d configs were looked at", looked)
	}
}

var archived = regexp.MustCompile(`(?m)^-- (.*) --$\n`)

// allConfigs returns the YAML files of the repository and of its scripts.
func allConfigs(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, glob := range []string{"../embed/defaults/config/*.yaml", "../cmd/ocisi/testdata/*/*.txtar", "../test/e2e/testdata/*/*.txtar"} {
		files, err := filepath.Glob(glob)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %v, %v", glob, files, err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasSuffix(file, ".txtar") {
				all[file] = string(data)
				continue
			}
			heads := archived.FindAllStringSubmatchIndex(string(data), -1)
			for i, h := range heads {
				end := len(data)
				if i+1 < len(heads) {
					end = heads[i+1][0]
				}
				all[file+":"+string(data[h[2]:h[3]])] = string(data[h[1]:end])
			}
		}
	}
	return all
}

func TestSchemaDescribesEveryKey(t *testing.T) {
	t.Parallel()
	var doc struct {
		AnyOf       []struct{ Properties map[string]map[string]any }
		Definitions map[string]struct{ Properties map[string]map[string]any }
	}
	if err := json.Unmarshal(hierarchy.Schema(), &doc); err != nil {
		t.Fatal(err)
	}
	tables := []map[string]map[string]any{doc.AnyOf[0].Properties}
	for _, d := range doc.Definitions {
		tables = append(tables, d.Properties)
	}
	known := 0
	for _, in := range mappings {
		known += len(knownKeys(t, in))
	}
	n := 0
	for _, table := range tables {
		n += len(table)
		for key, s := range table {
			if s["$ref"] == nil && s["description"] == nil {
				t.Errorf("%s has no description", key)
			}
		}
	}
	if n != known {
		t.Errorf("%d keys in the schema, %d in the decoder", n, known)
	}
}
