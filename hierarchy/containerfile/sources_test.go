package containerfile_test

import (
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/klmcwhirter/ocisi/hierarchy/containerfile"
)

func TestBase(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"plain", "FROM a:1\n", "a:1"},
		{"the last stage's", "FROM a:1\nFROM b:1\n", "b:1"},
		{"of the stage it starts from", "FROM a:1 AS X\nFROM b:1 AS y\nFROM x\n", "a:1"},
		{"of the stage that one starts from", "FROM a:1 AS x\nFROM x AS y\nFROM b:1\nFROM y\n", "a:1"},
		{"scratch", "FROM a:1\nFROM scratch\n", ""},
		{"scratch in the end", "FROM scratch AS x\nFROM x\n", ""},
		{"a name taken twice", "FROM a:1 AS x\nFROM b:1 AS x\nFROM x\n", "b:1"},
		{"argument", "ARG V=1\nFROM a:$V\n", "a:1"},
		{"a stage named by an argument", "ARG S=x\nFROM a:1 AS x\nFROM b:1\nFROM $S\n", "a:1"},
		{"a later name is an image", "FROM b\nFROM a AS b\n", "a"},
	} {
		f, err := containerfile.Parse([]byte(c.text), nil)
		if err != nil || f.Base != c.want {
			t.Errorf("%s: got %q, %v, want %q", c.name, f.Base, err, c.want)
		}
	}
}

// seen returns the sources, and a dot where the whole context may be read.
func seen(f *containerfile.File) string {
	words := f.Sources
	if f.Whole {
		words = append(slices.Clone(words), ".")
	}
	return strings.Join(words, " ")
}

func TestSources(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"none", "FROM a\nRUN x\n", ""},
		{"copy", "FROM a\nCOPY x y/z /d/\n", "x y/z"},
		{"json", "FROM a\nCOPY [\"x y\", \"/d/\"]\n", "x y"},
		{"each once, sorted", "FROM a\nCOPY z /\nCOPY /x/ /\nCOPY ./x /\n", "x z"},
		{"cleaned", "FROM a\nCOPY /a/./b/../c// /\n", "a/c"},
		{"not out of the context", "FROM a\nCOPY ../../x ../y/../../z /\n", "x z"},
		{"whole", "FROM a\nCOPY . /\n", "."},
		{"whole as root", "FROM a\nCOPY / /\n", "."},
		{"whole as nothing", "FROM a\nARG E=\nCOPY [\"$E\", \"/\"]\n", "."},
		{"whole by going up", "FROM a\nCOPY a/.. /\n", "."},
		{"pattern", "FROM a\nCOPY * a/?[b-c] /\n", "* a/?[b-c]"},
		{"quoted", "FROM a\nCOPY \"x\" /\n", "x"},
		{"escape", "FROM a\nCOPY x\\\\*y /\n", "."},
		{"of a stage", "FROM a AS s\nFROM a\nCOPY --from=s x /\n", ""},
		{"of an image", "FROM a\nCOPY --from=quay.io/b x /\n", ""},
		{"flags", "FROM a\nCOPY --chown=1:1 --link x /\n", "x"},
		{"parents", "FROM a\nCOPY --parents x/./y/**/z /\n", "x/y/**/z"},
		{"exclude", "FROM a\nCOPY --exclude=z x /\n", "x"},
		{"here document", "FROM a\nCOPY <<E x /d/\ny\nE\n", "x"},
		{"add", "FROM a\nADD x.tar /\n", "x.tar"},
		{"add from elsewhere", "FROM a\nADD http://x/y https://x/y git://x/y ssh://git@x/y git@x:y.git /d/\n", ""},
		{"add from where an argument says", "FROM a\nARG U=https://x\nADD $U/y /d/\n", ""},
		{"copy of what looks like a URL", "FROM a\nCOPY http://x /d/\n", "http:/x"},
		{"onbuild", "FROM a\nONBUILD COPY x /\n", ""},
		{"all stages", "FROM a\nCOPY x /\nFROM b\nCOPY y /\n", "x y"},

		{"mount", "FROM a\nRUN --mount=type=bind,source=x,target=/t ls\n", "x"},
		{"mount is bind by default", "FROM a\nRUN --mount=src=/x/,target=/t ls\n", "x"},
		{"mount without source", "FROM a\nRUN --mount=target=/t ls\n", "."},
		{"mount of a stage", "FROM a AS s\nFROM a\nRUN --mount=from=s,target=/t,source=x ls\n", ""},
		{"other mounts", "FROM a\nRUN --mount=type=cache,source=x,target=/t --mount=type=tmpfs,target=/u --mount=type=secret,id=s ls\n", ""},
		{"second mount", "FROM a\nRUN --mount=type=cache,target=/t --mount=source=x,target=/u ls\n", "x"},
		{"mount has no patterns", "FROM a\nRUN --mount=source=x*,target=/u ls\n", "."},
		{"mount by an argument", "FROM a\nARG D=x\nRUN --mount=source=$D,target=/u ls\n", "x"},
		{"mount by something unknown", "FROM a\nRUN --mount=source=$D,target=/u ls\n", "."},
		{"mount that is none", "FROM a\nARG T=nope\nRUN --mount=type=$T,target=/u ls\n", "."},
	} {
		f, err := containerfile.Parse([]byte(c.text), nil)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got := seen(f); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

func TestMounts(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"none", "FROM a\nCOPY x . /d/\nRUN --mount=type=cache,target=/t ls\n", ""},
		{"some, sorted", "FROM a\nCOPY w /\nRUN --mount=source=/y/,target=/t --mount=source=x,target=/u ls\nRUN --mount=source=x,target=/t ls\n", "x y"},
		{"whole", "FROM a\nRUN --mount=target=/t ls\n", "."},
		{"unknown", "FROM a\nRUN --mount=target=/t,source=x$U ls\n", "."},
		{"none that can be read", "FROM a\nRUN --mount=target=/t,nonsense=1 ls\n", "."},
	} {
		f, err := containerfile.Parse([]byte(c.text), nil)
		if got := strings.Join(f.Mounts, " "); err != nil || got != c.want {
			t.Errorf("%s: got %q, %v, want %q", c.name, got, err, c.want)
		}
	}
}

func TestBlind(t *testing.T) {
	for _, c := range []struct {
		text string
		want bool
	}{
		{"RUN --mount=source=x,target=/t ls", true},
		{"RUN --mount=type=bind,source=x,target=/t \\\n  --mount=source=y,target=/u ls", true},
		{"RUN --mount=source=x,target=/t,type=bind ls", false},
		{"RUN --mount=type=cache,target=/t --mount=type=bind,target=/u ls", false},
		{"RUN --mount=from=b,target=/t ls", false},
	} {
		f, err := containerfile.Parse([]byte("FROM a\n"+c.text+"\n"), nil)
		if err != nil || f.Blind != c.want {
			t.Errorf("%s: got %t, %v, want %t", c.text, f.Blind, err, c.want)
		}
	}
}

func TestSourcesByVariable(t *testing.T) {
	given := map[string]string{"GIVEN": "g", "BOTH": "g"}
	for _, c := range []struct {
		name, text, want string
		shadowed         bool
	}{
		{"default", "FROM a\nARG V=x\nCOPY $V /\n", "x", true},
		{"given", "FROM a\nARG GIVEN=x\nCOPY $GIVEN /\n", "g", true},
		{"given and not declared", "FROM a\nCOPY $GIVEN /\n", ".", false},
		{"before the first stage", "ARG V=x\nFROM a\nARG V\nCOPY $V /\n", "x", true},
		{"before the first stage only", "ARG V=x\nFROM a\nCOPY $V /\n", ".", false},
		{"declared, no value", "FROM a\nARG V\nCOPY x$V /\n", ".", false},
		{"default in the braces", "FROM a\nCOPY ${V:-x} /\n", ".", false},
		{"environment", "FROM a\nENV V=x\nCOPY $V /\n", "x", false},
		{"environment, old form", "FROM a\nENV V x\nCOPY $V /\n", "x", false},
		{"environment from an argument", "FROM a\nARG W=x\nENV V=$W\nCOPY $V /\n", "x", true},
		{"environment over an argument", "FROM a\nARG V=y\nENV V=x\nCOPY $V /\n", "x", false},
		{"environment of an argument's name", "FROM a\nARG V=x\nENV V=$V\nCOPY $V /\n", "x", true},
		{"argument over environment", "FROM a\nENV V=x\nARG V=y\nCOPY $V /\n", ".", false},
		{"given over environment", "FROM a\nENV BOTH=x\nARG BOTH\nCOPY $BOTH /\n", ".", false},
		{"environment of the image below", "FROM a\nENV P=/x:$P\nCOPY $P /\n", ".", false},
		{"no longer known", "FROM a\nENV V=x\nENV V=$P\nCOPY $V /\n", ".", false},
		{"known again", "FROM a\nENV V=$P\nENV V=x\nCOPY $V /\n", "x", false},
		{"one ENV, old values", "FROM a\nENV V=x\nENV V=y W=$V\nCOPY $W $V /d/\n", "x y", false},
		{"a name that is not known", "FROM a\nENV V=x\nENV $P=y\nCOPY $V /\n", ".", false},
		{"not set yet", "FROM a\nCOPY $V /\nENV V=x\n", ".", false},
		{"environment of the stage below", "FROM a AS s\nENV V=x\nFROM s\nCOPY $V /\n", "x", false},
		{"of the one below that", "FROM a AS s\nENV V=x\nFROM s AS t\nFROM t\nCOPY $V /\n", "x", false},
		{"of another stage", "FROM a AS s\nENV V=x\nFROM a\nCOPY $V /\n", ".", false},
		{"argument of the stage below", "FROM a AS s\nARG V=x\nFROM s\nCOPY $V /\n", ".", false},
		{"set after the stage below", "FROM a AS s\nENV V=x\nFROM s AS t\nENV V=y\nFROM s\nCOPY $V /\n", "x", false},
		{"platform", "FROM a\nARG TARGETOS\nCOPY $TARGETOS /\n", "linux", true},
		{"platform, not declared", "FROM a\nCOPY $TARGETOS /\n", ".", false},
		{"platform with a default", "FROM a\nARG TARGETOS=x\nCOPY $TARGETOS /\n", ".", false},
		{"single quotes", "FROM a\nCOPY '$V' /\n", "$V", false},
		{"not a word", "FROM a\nCOPY ${V /\n", ".", false},
	} {
		f, err := containerfile.Parse([]byte(c.text), given)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got := seen(f); got != c.want || f.Shadowed != c.shadowed {
			t.Errorf("%s: got %q, shadowed %t, want %q, %t", c.name, got, f.Shadowed, c.want, c.shadowed)
		}
	}
}

// checkSources reports sources that are not what File promises.
func checkSources(t *testing.T, f *containerfile.File) {
	t.Helper()
	if !slices.IsSorted(f.Sources) || len(slices.Compact(slices.Clone(f.Sources))) != len(f.Sources) {
		t.Fatalf("not sorted, or twice: %q", f.Sources)
	}
	for _, s := range f.Sources {
		if s == "" || s != strings.TrimPrefix(path.Clean("/"+s), "/") {
			t.Fatalf("not clean: %q", s)
		}
	}
}
