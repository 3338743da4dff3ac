package hierarchy_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/klmcwhirter/ocisi/hierarchy"
)

var (
	digestA = "sha256:" + strings.Repeat("a", 64)
	digestB = "sha256:" + strings.Repeat("b", 64)
)

const toolbox = "ghcr.io/ublue-os/fedora-toolbox:latest"

func TestLockPath(t *testing.T) {
	t.Parallel()
	for config, want := range map[string]string{
		"/c/ocisi/ocisi.yaml":        "/c/ocisi/ocisi.lock",
		"/c/ocisi/ocisi-system.yaml": "/c/ocisi/ocisi-system.lock",
		"work.yml":                   "work.lock",
		"/c/zig.0.14.yaml":           "/c/zig.0.14.lock",
		"/c/ocisi":                   "/c/ocisi.lock",
		"/c/ocisi.conf":              "/c/ocisi.conf.lock",
		"/c.yaml/ocisi":              "/c.yaml/ocisi.lock",
	} {
		if got := hierarchy.LockPath(config); got != want {
			t.Errorf("LockPath(%q) = %q, want %q", config, got, want)
		}
	}
}

func TestParseLock(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		text string
		want map[string]string
	}{
		"empty":          {"", nil},
		"blank":          {"\n\n", nil},
		"comments":       {"# opted in\n# nothing yet\n", nil},
		"no bases":       {"bases:\n", nil},
		"no bases {}":    {"bases: {}\n", nil},
		"one":            {"bases:\n  " + toolbox + ": " + digestA + "\n", map[string]string{toolbox: digestA}},
		"short names":    {"bases:\n  alpine: " + digestA + "\n  debian:13: " + digestB, map[string]string{"docker.io/library/alpine:latest": digestA, "docker.io/library/debian:13": digestB}},
		"quoted":         {"bases: {\"" + toolbox + "\": \"" + digestA + "\"}", map[string]string{toolbox: digestA}},
		"a port":         {"bases:\n  localhost:5000/x:1: " + digestA, map[string]string{"localhost:5000/x:1": digestA}},
		"a number":       {"bases:\n  123: " + digestA, map[string]string{"docker.io/library/123:latest": digestA}},
		"null":           {"bases:\n  'null': " + digestA + "\n  true: " + digestB, map[string]string{"docker.io/library/null:latest": digestA, "docker.io/library/true:latest": digestB}},
		"DOS line ends":  {"bases:\r\n  " + toolbox + ": " + digestA + "\r\n", map[string]string{toolbox: digestA}},
		"comment behind": {"---\nbases: # all\n  " + toolbox + ": " + digestA + " # why\n", map[string]string{toolbox: digestA}},
	} {
		l, err := hierarchy.ParseLock("/c/ocisi.lock", []byte(tt.text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !maps.Equal(l.Bases, tt.want) || l.File != "/c/ocisi.lock" {
			t.Errorf("%s: %+v, want %v", name, l, tt.want)
		}
	}
}

func TestParseLockErrors(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ text, want string }{
		"misspelt key":  {"base:\n  a: b\n", "/l:1:1: unknown key base in the lock file\n  base:\n  ^\n  did you mean bases?"},
		"unknown key":   {"images: []\n", "/l:1:1: unknown key images in the lock file\n  images: []\n  ^\n  known keys: bases"},
		"a list":        {"- a\n", "/l:1:1: the lock file wants a mapping of keys to values, not a list\n  - a\n  ^"},
		"a word":        {"bases\n", "/l:1:1: the lock file wants a mapping of keys to values, not \"bases\"\n  bases\n  ^"},
		"bases a list":  {"bases: [a]\n", "/l:1:8: bases wants a mapping of images to digests, not a list\n  bases: [a]\n         ^\n  write REGISTRY/NAME:TAG: sha256:…"},
		"short digest":  {"bases:\n  x: sha256:abc\n", "/l:2:6: x wants a digest, sha256: and 64 hexadecimal digits, not sha256:abc\n    x: sha256:abc\n       ^"},
		"upper case":    {"bases:\n  x: " + strings.ToUpper(digestA) + "\n", "/l:2:6: x wants a digest, sha256: and 64 hexadecimal digits, not SHA256:" + strings.Repeat("A", 64)},
		"no digest":     {"bases:\n  x:\n", "/l:2:6: x wants text, not nothing"},
		"a number":      {"bases:\n  x: 12\n", "/l:2:6: x wants a digest, sha256: and 64 hexadecimal digits, not 12\n    x: 12\n       ^"},
		"a mapping":     {"bases:\n  x: {y: z}\n", "/l:2:7: x wants text, not a mapping"},
		"same key":      {"bases:\n  x: " + digestA + "\n  x: " + digestA + "\n", "/l:3:3: not YAML: mapping key \"x\" already defined at [2:3]"},
		"same image":    {"bases:\n  x: " + digestA + "\n  docker.io/library/x:latest: " + digestA + "\n", "/l:3:3: a second entry for docker.io/library/x:latest; the first is in line 2"},
		"by digest":     {"bases:\n  x@" + digestA + ": " + digestA + "\n", "/l:2:3: x@" + digestA + " is locked by itself: it has a digest"},
		"local":         {"bases:\n  localhost/x:1: " + digestA + "\n", "/l:2:3: localhost/x:1 is in no registry"},
		"no reference":  {"bases:\n  Ab/C: " + digestA + "\n", "/l:2:3: Ab/C is no image reference"},
		"two documents": {"bases: {}\n---\nbases: {}\n", "/l:3:1: a second YAML document"},
		"not YAML":      {"bases: [\n", "/l:1:8: not YAML: "},
	} {
		_, err := hierarchy.ParseLock("/l", []byte(tt.text))
		if _, ok := errors.AsType[*hierarchy.ConfigError](err); !ok {
			t.Errorf("%s: %v is no ConfigError", name, err)
			continue
		}
		if !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%s:\n%v\nwant\n%s", name, err, tt.want)
		}
	}
}

func TestParseLockReportsAll(t *testing.T) {
	t.Parallel()
	_, err := hierarchy.ParseLock("/l", []byte("bases:\n  x: 1\n  localhost/y: z\nimages: []\n"))
	for _, want := range []string{"/l:2:6: ", "/l:3:3: ", "/l:4:1: "} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v\nlacks %s", err, want)
		}
	}
}

func ExampleLock_Encode() {
	l := &hierarchy.Lock{}
	fmt.Printf("%s", l.Encode())
	l.Update(map[string]string{toolbox: digestA, "alpine": digestB})
	fmt.Printf("%s", l.Encode())
	// Output:
	// # Written by 'ocisi lock': the exact image that each base is. Builds use these and no newer
	// # ones, here and wherever this file is. 'ocisi lock --update' moves them; keep it with the config.
	// bases: {}
	// # Written by 'ocisi lock': the exact image that each base is. Builds use these and no newer
	// # ones, here and wherever this file is. 'ocisi lock --update' moves them; keep it with the config.
	// bases:
	//   docker.io/library/alpine:latest: sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb
	//   ghcr.io/ublue-os/fedora-toolbox:latest: sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
}

func TestLockUpdate(t *testing.T) {
	t.Parallel()
	l := &hierarchy.Lock{Bases: map[string]string{toolbox: digestA, "docker.io/library/alpine:3": digestA}}
	got := l.Update(map[string]string{"ghcr.io/ublue-os/fedora-toolbox": digestB, "alpine:3": digestA, "debian": digestB})
	want := []hierarchy.LockChange{{"docker.io/library/debian:latest", "", digestB}, {toolbox, digestA, digestB}}
	if !slices.Equal(got, want) {
		t.Errorf("changes %v, want %v", got, want)
	}
	bases := map[string]string{toolbox: digestB, "docker.io/library/alpine:3": digestA, "docker.io/library/debian:latest": digestB}
	if !maps.Equal(l.Bases, bases) {
		t.Errorf("then %v, want %v", l.Bases, bases)
	}
	if gone := l.Keep([]string{"debian", toolbox}); !slices.Equal(gone, []string{"docker.io/library/alpine:3"}) || len(l.Bases) != 2 {
		t.Errorf("removed %v, left %v", gone, l.Bases)
	}
}

func TestPin(t *testing.T) {
	t.Parallel()
	graph := func() *hierarchy.Graph {
		return &hierarchy.Graph{Images: []hierarchy.Image{
			{Name: "a", Bases: []hierarchy.Need{{Ref: "x", As: "ghcr.io/ublue-os/fedora-toolbox"}, {Ref: "alpine", As: "alpine"}}},
			{Name: "b", Bases: []hierarchy.Need{{Ref: "alpine", As: "docker.io/alpine:latest"}, {Ref: "y", As: "localhost/y:1"}}},
			{Name: "c", Bases: []hierarchy.Need{{Ref: "z", As: "z@" + digestB}, {Ref: "r", As: "localhost:5000/r"}, {Ref: toolbox, As: "quay.io/mine/box:1"}}},
		}}
	}
	pins := func(g *hierarchy.Graph) (out []string) {
		for _, im := range g.Images {
			for _, b := range im.Bases {
				out = append(out, b.Pinned())
			}
		}
		return out
	}
	g := graph()
	if got, want := g.Lockable(), []string{"docker.io/library/alpine:latest", toolbox, "localhost:5000/r:latest", "quay.io/mine/box:1"}; !slices.Equal(got, want) {
		t.Errorf("lockable: %v, want %v", got, want)
	}
	missing := g.Pin(&hierarchy.Lock{Bases: map[string]string{toolbox: digestA, "docker.io/library/alpine:latest": digestB, "localhost/y:1": digestA}})
	if want := []string{"localhost:5000/r:latest", "quay.io/mine/box:1"}; !slices.Equal(missing, want) {
		t.Errorf("missing %v, want %v", missing, want)
	}
	want := []string{
		"ghcr.io/ublue-os/fedora-toolbox@" + digestA, "alpine@" + digestB,
		"alpine@" + digestB, "localhost/y:1",
		"z@" + digestB, "localhost:5000/r", "quay.io/mine/box:1",
	}
	if got := pins(g); !slices.Equal(got, want) {
		t.Errorf("pinned\n%q, want\n%q", got, want)
	}
	if g.Pin(&hierarchy.Lock{}); pins(g)[1] != "alpine" {
		t.Error("an entry that is gone still pins")
	}
	if got := graph().Pin(nil); got != nil {
		t.Errorf("without a lock file %v is missing", got)
	}
}

func TestLockRoundTrip(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	names := []string{"alpine", "123", "null", "true", "y", "x/y:3.10", "localhost:5000/a:1e3", "ghcr.io/a-b/c__d:v1", "127.0.0.1:5000/z", "0x1f", "a.b/c:0-", "quay.io/f/g:_"}
	for range 500 {
		l := &hierarchy.Lock{File: "/l", Bases: map[string]string{}}
		for _, n := range names {
			if r.IntN(2) == 0 {
				l.Update(map[string]string{n: fmt.Sprintf("sha256:%064x", r.Uint64())})
			}
		}
		checkRoundTrip(t, l)
	}
}

func checkRoundTrip(t *testing.T, l *hierarchy.Lock) {
	t.Helper()
	data := l.Encode()
	again, err := hierarchy.ParseLock(l.File, data)
	if err != nil {
		t.Fatalf("%v\nin\n%s", err, data)
	}
	if !maps.Equal(again.Bases, l.Bases) || again.File != l.File {
		t.Fatalf("%v became %v by way of\n%s", l.Bases, again.Bases, data)
	}
	if string(again.Encode()) != string(data) {
		t.Fatalf("not stable:\n%s\n%s", data, again.Encode())
	}
}

func FuzzParseLock(f *testing.F) {
	for _, s := range []string{
		"", "# x", "bases:", "bases: {}", "bases:\n  " + toolbox + ": " + digestA + "\n", "bases: {a: &x " + digestA + ", b: *x}",
		"bases:\n  <<: {a: b}\n", "bases: [\n", "---\n---\n", "bases:\n  ? x\n  : |\n    y\n", "&a bases: *a",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := hierarchy.ParseLock("/l", data)
		if err != nil {
			if _, ok := errors.AsType[*hierarchy.ConfigError](err); !ok {
				t.Fatalf("%v is no ConfigError", err)
			}
			return
		}
		checkRoundTrip(t, l)
	})
}
