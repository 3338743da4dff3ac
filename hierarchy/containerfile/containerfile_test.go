package containerfile_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/klmcwhirter/ocisi/hierarchy/containerfile"
)

func ExampleParse() {
	f, _ := containerfile.Parse([]byte("ARG IMG\nARG TAG=latest\nFROM ${IMG}:$TAG\nARG USER\nRUN id $USER\n"),
		map[string]string{"IMG": "fedora-go"})
	fmt.Println(f.Images, f.Args)
	// Output: [{fedora-go:latest FROM 3}] [IMG TAG USER]
}

func TestImages(t *testing.T) {
	for _, c := range []struct {
		name, text, want string
		args             map[string]string
	}{
		{"plain", "FROM a:1", "a:1@1", nil},
		{"lower case and tabs", "from\ta:1", "a:1@1", nil},
		{"a comment and a continuation", "# FROM x\nFROM \\\n  a:1\n", "a:1@2", nil},
		{"platform", "FROM --platform=linux/amd64 a:1 AS b", "a:1@1", nil},
		{"a stage is no image", "FROM a:1 AS B\nFROM b\nCOPY --from=0 /x /x\nCOPY --from=B /x /x\n", "a:1@1", nil},
		{"a stage of a later name is", "FROM b\nFROM a AS b\n", "b@1 a@2", nil},
		{"scratch", "FROM scratch\nCOPY . /\n", "", nil},
		{"copy", "FROM a\nCOPY --chown=1:1 --from=quay.io/x/y:2 /a /b\n", "a@1 quay.io/x/y:2@2", nil},
		{"mount", "FROM a\nRUN --mount=type=bind,from=tools:3,target=/t ls\n", "a@1 tools:3@2", nil},
		{"each once", "FROM a AS x\nFROM a\nCOPY --from=a / /\n", "a@1", nil},
		{"default", "ARG V=42\nFROM f:$V", "f:42@2", nil},
		{"given", "ARG V=42\nFROM f:$V", "f:43@2", map[string]string{"V": "43"}},
		{"default from another", "ARG A=f\nARG B=${A}:9\nFROM $B", "f:9@3", nil},
		{"default in the braces", "FROM ${NONE:-f:7}", "f:7@1", nil},
		{"stage argument inherits", "ARG T=t:1\nFROM a\nARG T\nRUN --mount=from=t:1,target=/t ls", "a@2 t:1@4", nil},
		{"digest", "FROM a@sha256:" + strings.Repeat("0", 64), "a@sha256:" + strings.Repeat("0", 64) + "@1", nil},
		{"escape directive", "# escape=`\nFROM `\n a:1", "a:1@2", nil},
	} {
		f, err := containerfile.Parse([]byte(c.text), c.args)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		var got []string
		for _, im := range f.Images {
			got = append(got, fmt.Sprintf("%s@%d", im.Ref, im.Line))
		}
		if g := strings.Join(got, " "); g != c.want {
			t.Errorf("%s: got %q, want %q", c.name, g, c.want)
		}
	}
}

func TestSyntaxError(t *testing.T) {
	for _, c := range []struct {
		text string
		line int
		want string
	}{
		{"FROM a\nRUNN x\n", 2, "unknown instruction"},
		{"", 0, "no instructions"},
		{"\n\nFROM ${IMG}:${TAG}\n", 3, `comes to ":"`},
		{"ARG IMG=x\nFROM ${IMG}:${TAG}\n", 2, `comes to "x:"`},
		{"FROM ${A:?unset}\n", 1, "unset"},
		{"ARG B=${A:?unset}\nFROM x\n", 1, "unset"},
	} {
		_, err := containerfile.Parse([]byte(c.text), nil)
		e, ok := errors.AsType[*containerfile.SyntaxError](err)
		if !ok || e.Line != c.line || !strings.Contains(e.Error(), c.want) {
			t.Errorf("%q: got %v, want line %d: …%s…", c.text, err, c.line, c.want)
		}
	}
}

func TestReplace(t *testing.T) {
	text := "ARG IMG=base\nFROM ${IMG}:1 AS base-x\n# base:1\nRUN echo ${IMG}:1\n" +
		"COPY --from=tool:2 /a /b\nRUN --mount=type=bind,from=tool:2,target=/t echo tool:2\nFROM \\\n  keep:1\n"
	want := "ARG IMG=base\nFROM localhost/base:1 AS base-x\n# base:1\nRUN echo ${IMG}:1\n" +
		"COPY --from=localhost/tool:2 /a /b\nRUN --mount=type=bind,from=localhost/tool:2,target=/t echo tool:2\nFROM \\\n  kept:1\n"
	f, err := containerfile.Parse([]byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	got := f.Replace(map[string]string{"base:1": "localhost/base:1", "tool:2": "localhost/tool:2", "keep:1": "kept:1"})
	if string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if same := f.Replace(nil); string(same) != text {
		t.Errorf("replacing nothing changed the text:\n%s", same)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("ARG A=1\nFROM a:$A AS b\nCOPY --from=b /x /y\nRUN --mount=from=c,target=/t <<EOF\nx\nEOF\n", "A", "2")
	f.Add("FROM \\\n# comment\n a", "", "")
	f.Add("ARG A=$A$A\nARG A=$A$A\nFROM $A\nONBUILD onbuild RUN x\n", "A", "xx")
	f.Add("FROM a AS b\nENV V=../x\nADD /../$V/*/ /y/\nFROM b\nARG W\nCOPY [\"$W\",\"..\",\"z\"]\nRUN --mount=src=$V,target=/t x\n", "W", "//")
	f.Fuzz(func(t *testing.T, text, name, value string) {
		file, err := containerfile.Parse([]byte(text), map[string]string{name: value})
		if err != nil {
			if _, ok := errors.AsType[*containerfile.SyntaxError](err); !ok {
				t.Fatalf("%T: %v", err, err)
			}
			return
		}
		if !slices.IsSorted(file.Args) {
			t.Fatalf("args not sorted: %q", file.Args)
		}
		checkSources(t, file)
		if string(file.Replace(nil)) != text {
			t.Fatal("replacing nothing changed the text")
		}
	})
}
