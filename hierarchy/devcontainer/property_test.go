package devcontainer_test

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/tailscale/hujson"
)

// FuzzUpdate makes any file right: what comes out is JSON with comments, right,
// and has all that was in it of its user's.
func FuzzUpdate(f *testing.F) {
	for _, text := range []string{
		"{}", "{ // c\n}", "{/* a */}", `{"image": "a", "b": [1, /* x */ 2,], }`, "{\r\n  \"a\": 1 // x\r\n}", `{"initializeCommand": ["a" /* b */], "c": 1 /* d */, /* e */}`,
		"// top\n{\n\t\"initializeCommand\": {\"project\": \"a\", // b\n}\n\n// end\n}\n// more", `{"image": "a", "image": {"b": 1 // c` + "\n}}", `{"initializeCommand":"","name":null,"\u0069mage":1}`,
	} {
		f.Add([]byte(text))
	}
	f.Add([]byte(`{"a":` + strings.Repeat("[", 200)))
	f.Fuzz(func(t *testing.T, data []byte) { checkUpdate(t, data) })
}

func checkUpdate(t *testing.T, data []byte) {
	t.Helper()
	before := slices.Clone(data)
	got, changes, err := project.Update(data)
	if !bytes.Equal(before, data) {
		t.Fatalf("the file that was given is another one now: %q", data)
	}
	if err != nil {
		return
	}
	if len(changes) == 0 && !bytes.Equal(got, before) {
		t.Fatalf("nothing was wrong with\n%s\nand it became\n%s", before, got)
	}
	again, changes, err := project.Update(got)
	if err != nil || len(changes) > 0 || !bytes.Equal(again, got) {
		t.Fatalf("a second time: %q, %v\n%s\nwas\n%s", changes, err, again, got)
	}
	if was, is := commentsOf(t, before), commentsOf(t, got); !slices.Equal(was, is) {
		t.Fatalf("comments %q became %q in\n%s", was, is, got)
	}
	was, is := loose(before), loose(got)
	command := was["initializeCommand"]
	for _, ours := range []string{"image", "workspaceFolder", "workspaceMount", "initializeCommand"} {
		delete(was, ours)
	}
	for key, value := range was {
		if !reflect.DeepEqual(is[key], value) {
			t.Fatalf("%s was %v and is %v in\n%s", key, value, is[key], got)
		}
	}
	commands, _ := is["initializeCommand"].(map[string]any)
	switch c := command.(type) {
	case map[string]any:
		for key, value := range c {
			if key != "ocisi" && !reflect.DeepEqual(commands[key], value) {
				t.Fatalf("command %s was %v in\n%s", key, value, got)
			}
		}
	case []any, string:
		if c != "" && !reflect.DeepEqual(commands["project"], c) {
			t.Fatalf("the command was %v in\n%s", c, got)
		}
	}
}

// loose reads a file; nil where the standard library does not.
func loose(data []byte) map[string]any {
	plain, err := hujson.Standardize([]byte(strings.TrimPrefix(string(data), "\ufeff") + "\n"))
	var all map[string]any
	if err != nil || json.Unmarshal(plain, &all) != nil {
		return nil
	}
	return all
}

// commentsOf returns the comments of a file, sorted: a scanner of its own.
func commentsOf(t *testing.T, data []byte) []string {
	t.Helper()
	var all []string
	text := string(data) + "\n"
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '"':
			for i++; text[i] != '"'; i++ {
				if text[i] == '\\' {
					i++
				}
			}
		case strings.HasPrefix(text[i:], "//"):
			n := strings.IndexByte(text[i:], '\n')
			all = append(all, strings.TrimRight(text[i:i+n], "\r \t"))
			i += n
		case strings.HasPrefix(text[i:], "/*"):
			n := 2 + strings.Index(text[i+2:], "*/") + 2
			all = append(all, text[i:i+n])
			i += n - 1
		}
	}
	slices.Sort(all)
	return all
}

// Files made of pieces reach what bytes at random do not.
func TestUpdateOfMany(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	pick := func(from ...string) string { return from[r.IntN(len(from))] }
	space := func() string {
		return pick("", "", " ", "\n", "\n\t", "\r\n  ", " // a\n", "/* b */", " /* c\n */\n", "// d\r\n\t")
	}
	var value func(depth int) string
	object := func(depth int, names ...string) string {
		out := "{"
		for i := range r.IntN(5) {
			if i > 0 {
				out += ","
			}
			out += space() + `"` + pick(names...) + `"` + space() + ":" + space() + value(depth-1) + space()
		}
		if !strings.HasSuffix(out, "{") && r.IntN(3) == 0 {
			out += ","
		}
		return out + space() + "}"
	}
	value = func(depth int) string {
		if depth > 0 && r.IntN(3) == 0 {
			return object(depth, "ocisi", "project", "a")
		}
		if depth > 0 && r.IntN(3) == 0 {
			return "[" + space() + value(depth-1) + space() + "]"
		}
		return pick(`""`, `"fedora-python-dx:latest"`, `"${localWorkspaceFolder}"`, "1", "null", mkdir)
	}
	for range 2000 {
		text := space() + object(3, "image", "workspaceFolder", "workspaceMount", "initializeCommand", "name", "x", "y") + space()
		if _, _, err := project.Update([]byte(text)); err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		checkUpdate(t, []byte(text))
	}
}
