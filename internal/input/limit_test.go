package input_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/klmcwhirter/ocisi/internal/input"
)

func TestDepth(t *testing.T) {
	t.Parallel()
	const most = input.MaxDepth
	for text, want := range map[string]input.DepthError{
		strings.Repeat("[", most):                   {},
		strings.Repeat("[", most+1):                 {Line: 1, Column: most + 1},
		strings.Repeat("[", 1<<20):                  {Line: 1, Column: most + 1},
		strings.Repeat("[]", 1000):                  {},
		strings.Repeat(`{"a":`, most+1):             {Line: 1, Column: 5*most + 1},
		strings.Repeat("[\n", most+1):               {Line: most + 1, Column: 1},
		`"` + strings.Repeat("[", 1000) + `"`:       {},
		`"\"` + strings.Repeat("[", 1000) + `\\"`:   {},
		"//" + strings.Repeat("[", 1000) + "\n{}":   {},
		"/*" + strings.Repeat("[\n", 1000) + "*/{}": {},
		"/*\n\n*/ " + strings.Repeat("[", most+1):   {Line: 3, Column: most + 4},
		"// x\n" + strings.Repeat("{", most+1):      {Line: 2, Column: most + 1},
		"\"open\n" + strings.Repeat("[", most+1):    {Line: 2, Column: most + 1},
		"/*/" + strings.Repeat("[", 1000):           {},
		"/" + strings.Repeat("[", most+1):           {Line: 1, Column: most + 2},
		`"` + "\\":                                  {}, "/*": {}, "//": {}, "/": {}, `"`: {}, "]]]]": {},
	} {
		err := input.Depth([]byte(text))
		got := input.DepthError{}
		if e, ok := errors.AsType[*input.DepthError](err); ok {
			got = *e
		}
		if got != want {
			t.Errorf("%.30q: got %v, want %v", text, err, &want)
		}
	}
}

func TestUnmarshal(t *testing.T) {
	t.Parallel()
	var got map[string]string
	if err := input.Unmarshal([]byte(`{"a": "["}`), &got); err != nil || got["a"] != "[" {
		t.Errorf("%v, %v", got, err)
	}
	var value any
	if err := input.Unmarshal([]byte(strings.Repeat("[", 200)+strings.Repeat("]", 200)), &value); err == nil {
		t.Error("200 levels: no error")
	}
	if err := input.Unmarshal([]byte(`"`+strings.Repeat("x", input.MaxSize)+`"`), &value); err == nil {
		t.Error("more than a MiB: no error")
	}
}

func TestReadFile(t *testing.T) {
	t.Parallel()
	files := fstest.MapFS{"most": {Data: make([]byte, 2048)}, "more": {Data: make([]byte, 2049)}}
	if data, err := input.ReadFile(files, "most", 2048); len(data) != 2048 || err != nil {
		t.Errorf("%d bytes, %v", len(data), err)
	}
	if _, err := input.ReadFile(files, "more", 2048); err == nil || err.Error() != "read more: larger than 2 KiB" {
		t.Errorf("%v", err)
	}
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	if data, err := input.ReadPath(path, 10); string(data) != "text" || err != nil {
		t.Errorf("%q, %v", data, err)
	}
	pe, ok := errors.AsType[*fs.PathError](func() error { _, err := input.ReadPath("/dev/zero", 10); return err }())
	if !ok || pe.Path != "/dev/zero" || !errors.Is(pe, input.ErrNotRegular) {
		t.Errorf("%v", pe)
	}
}

// FuzzDepth counts at least the levels of each text that is JSON.
func FuzzDepth(f *testing.F) {
	for _, s := range []string{"", `[{"a":["[",{}]}]`, `"\\\"["`, "//[\n[", "/*[*/[", strings.Repeat("[", 101) + strings.Repeat("]", 101)} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		err := input.Depth(text)
		var v any
		if json.Unmarshal(text, &v) == nil && err == nil && levels(v) > input.MaxDepth {
			t.Errorf("%v, with %d levels", err, levels(v))
		}
	})
}

func levels(v any) int {
	deepest := 0
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			deepest = max(deepest, levels(e))
		}
	case map[string]any:
		for _, e := range v {
			deepest = max(deepest, levels(e))
		}
	default:
		return 0
	}
	return 1 + deepest
}
