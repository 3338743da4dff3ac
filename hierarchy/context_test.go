package hierarchy_test

import (
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/moby/patternmatcher"

	"github.com/klmcwhirter/ocisi/hierarchy"
)

// look reads the build context /c/d for Containerfile.im.
func look(files fs.FS, m hierarchy.Manager) (hierarchy.Image, error) {
	c, err := hierarchy.ParseConfig("/c/ocisi.yaml", []byte("- {name: im, path: d, enabled: true}\n"))
	if err != nil {
		return hierarchy.Image{}, err
	}
	g, err := c.Graph(hierarchy.Host{Files: files, Manager: m})
	if err != nil {
		return hierarchy.Image{}, err
	}
	if err := g.Read(files); err != nil {
		return hierarchy.Image{}, err
	}
	return g.Images[0], nil
}

func inputs(t *testing.T, files fs.FS) hierarchy.Inputs {
	t.Helper()
	return inputsOf(t, files, hierarchy.Docker)
}

func inputsOf(t *testing.T, files fs.FS, m hierarchy.Manager) hierarchy.Inputs {
	t.Helper()
	im, err := look(files, m)
	if err != nil {
		t.Fatal(err)
	}
	return im.Inputs
}

// context returns a file system with a Containerfile and files of its context.
func context(containerfile string, texts map[string]string) fstest.MapFS {
	out := files(map[string]string{"/c/d/Containerfile.im": containerfile})
	for name, text := range texts {
		out["c/d/"+name] = &fstest.MapFile{Data: []byte(text), Mode: 0o644}
	}
	return out
}

func tree() map[string]string {
	return map[string]string{"top": "1", "tip": "2", "a/b/f": "3", "a/g": "4", "a/c/f": "5", "d/x": "6", ".h": "7"}
}

// visible returns the files, not the directories, whose edit changes the sum.
func visible(t *testing.T, files fstest.MapFS, m hierarchy.Manager) []string {
	t.Helper()
	before := inputsOf(t, files, m).Context
	var out []string
	for name, f := range files {
		name, ok := strings.CutPrefix(name, "c/d/")
		if !ok || name == "Containerfile.im" {
			continue
		}
		old := *f
		f.Data = append(slices.Clone(f.Data), '\n')
		if inputsOf(t, files, m).Context != before {
			out = append(out, name)
		}
		*f = old
	}
	slices.Sort(out)
	return out
}

func TestVisible(t *testing.T) {
	const all = ".h a/b/f a/c/f a/g d/x tip top"
	for _, c := range []struct{ name, containerfile, ignore, want string }{
		{"nothing", "RUN x", "", ""},
		{"a file", "COPY top /", "", "top"},
		{"a directory", "COPY a /", "", "a/b/f a/c/f a/g"},
		{"by slashes", "COPY /a/b/ /", "", "a/b/f"},
		{"out and in again", "COPY ../../top /", "", "top"},
		{"pattern", "COPY t?p /", "", "tip top"},
		{"pattern of directories", "COPY a/*/f /", "", "a/b/f a/c/f"},
		{"pattern at the top", "COPY * /", "", all},
		{"a pattern's star does not cross", "COPY a*f /", "", ""},
		{"a star matches a dot", "COPY .* /", "", ".h"},
		{"any depth", "COPY --parents a/**/f /", "", "a/b/f a/c/f a/g"},
		{"bad pattern", "COPY t[ /", "", all},
		{"missing", "COPY nope a/nope nope/x top/x /d/", "", ""},
		{"whole", "COPY . /", "", all},
		{"mount", "RUN --mount=source=a/b,target=/t x", "", "a/b/f"},
		{"mount of all", "RUN --mount=target=/t x", "", all},

		{"ignored", "COPY . /", "top\na/b", ".h a/c/f a/g d/x tip"},
		{"ignored with slashes", "COPY . /", "/top\n./tip\nd/\n", ".h a/b/f a/c/f a/g"},
		{"blanks and comments", "COPY . /", "\ufeff#x\n\n  top  \r\n", ".h a/b/f a/c/f a/g d/x tip"},
		{"ignored names are whole paths", "COPY . /", "f\ng", all},
		{"ignored at any depth", "COPY . /", "**/f", ".h a/g d/x tip top"},
		{"ignored in a source", "COPY a /", "a/b", "a/c/f a/g"},
		{"the source is ignored", "COPY a /", "a", ""},
		{"what a pattern matches is ignored", "COPY a/* /", "a/g", "a/b/f a/c/f"},
		{"brought back", "COPY . /", "a\n!a/b/f", ".h a/b/f d/x tip top"},
		{"brought back by a pattern", "COPY . /", "*\n!a/*/f", "a/b/f a/c/f"},
		{"brought back with blanks", "COPY a /", "a\n! a/b", "a/b/f"},
		{"brought back too early", "COPY a /", "!a/b/f\na", ""},
		{"brought back, and not", "COPY a /", "a\n!a/b\na/b/f", ""},
		{"all but one", "COPY . /", "**\n!top", "top"},
		{"ignoring the context itself", "COPY top /", ".", "top"},
	} {
		for _, m := range []hierarchy.Manager{hierarchy.Docker, hierarchy.Podman} {
			if got := visibleBut(t, c.containerfile, c.ignore, m); got != c.want {
				t.Errorf("%s: %s sees %q, want %q", c.name, m, got, c.want)
			}
		}
	}
}

// visibleBut returns what is visible of the tree with an ignore file.
func visibleBut(t *testing.T, containerfile, ignore string, m hierarchy.Manager) string {
	t.Helper()
	texts := tree()
	if ignore != "" {
		texts[".dockerignore"] = ignore
	}
	got := visible(t, context("FROM x\n"+containerfile+"\n", texts), m)
	return strings.Join(slices.DeleteFunc(got, func(name string) bool { return name == ".dockerignore" }), " ")
}

// As measured on docker 28.5 and podman 5.8.
func TestEnginesDiffer(t *testing.T) {
	for _, c := range []struct{ name, containerfile, ignore, docker, podman string }{
		{"a directory brought back", "COPY a /", "a/b\n!a", "a/c/f a/g", "a/b/f a/c/f a/g"},
		{"an ignored file in a mount", "RUN --mount=source=a/b,target=/t x", "a/b", "", "a/b/f"},
		{"in a mount of all", "RUN --mount=target=/t x", "a\n*p", ".h d/x", ".h a/b/f a/c/f a/g d/x tip top"},
		{"a mount by an argument", "ARG V=op\nRUN --mount=source=t$V,target=/t x", "a\nd\ntip", "top", ".h a/b/f a/c/f a/g d/x tip top"},
		{"beside a mount", "RUN --mount=source=top,target=/t x\nCOPY . /", "top\na", ".h d/x tip", ".h d/x tip top"},
	} {
		docker := visibleBut(t, c.containerfile, c.ignore, hierarchy.Docker)
		podman := visibleBut(t, c.containerfile, c.ignore, hierarchy.Podman)
		if docker != c.docker || podman != c.podman {
			t.Errorf("%s: docker sees %q, want %q; podman sees %q, want %q", c.name, docker, c.docker, podman, c.podman)
		}
	}
}

// What the engines' caches count was measured on docker 28.5 and podman 5.8.
func TestEdits(t *testing.T) {
	const containerfile = "FROM x\nCOPY a top /d/\n"
	for _, c := range []struct {
		name string
		edit func(fstest.MapFS)
		want bool
	}{
		{"nothing", func(fstest.MapFS) {}, false},
		{"content", func(m fstest.MapFS) { m["c/d/a/g"].Data = []byte("x") }, true},
		{"time", func(m fstest.MapFS) { m["c/d/a/g"].ModTime = time.Unix(1, 0) }, false},
		{"executable", func(m fstest.MapFS) { m["c/d/top"].Mode = 0o755 }, true},
		{"writable by the group", func(m fstest.MapFS) { m["c/d/a/g"].Mode = 0o664 }, true},
		{"set user", func(m fstest.MapFS) { m["c/d/a/g"].Mode |= fs.ModeSetuid }, true},
		{"mode of a directory", func(m fstest.MapFS) { m["c/d/a/b"] = &fstest.MapFile{Mode: fs.ModeDir | 0o700} }, true},
		{"mode of another directory", func(m fstest.MapFS) { m["c/d/d"] = &fstest.MapFile{Mode: fs.ModeDir | 0o700} }, false},
		{"mode of the context itself", func(m fstest.MapFS) { m["c/d"] = &fstest.MapFile{Mode: fs.ModeDir | 0o700} }, false},
		{"a new file", func(m fstest.MapFS) { m["c/d/a/n"] = &fstest.MapFile{} }, true},
		{"a new empty directory", func(m fstest.MapFS) { m["c/d/a/n"] = &fstest.MapFile{Mode: fs.ModeDir} }, true},
		{"a file gone", func(m fstest.MapFS) { delete(m, "c/d/a/g") }, true},
		{"a source gone", func(m fstest.MapFS) { delete(m, "c/d/top") }, true},
		{"a file renamed", func(m fstest.MapFS) { m["c/d/a/G"] = m["c/d/a/g"]; delete(m, "c/d/a/g") }, true},
		{"a file renamed, in the same order", func(m fstest.MapFS) { m["c/d/a/h"] = m["c/d/a/g"]; delete(m, "c/d/a/g") }, true},
		{"two files swapped", func(m fstest.MapFS) { m["c/d/a/g"], m["c/d/top"] = m["c/d/top"], m["c/d/a/g"] }, true},
		{"a file becomes a link", func(m fstest.MapFS) {
			m["c/d/a/g"] = &fstest.MapFile{Data: []byte("b"), Mode: fs.ModeSymlink | 0o777}
		}, true},
		{"a pipe", func(m fstest.MapFS) { m["c/d/a/p"] = &fstest.MapFile{Mode: fs.ModeNamedPipe} }, true},
		{"a comment elsewhere", func(m fstest.MapFS) { m["c/d/d/x"].Data = []byte("# x\n6") }, false},
		{"another Containerfile", func(m fstest.MapFS) { m["c/d/Containerfile.other"] = &fstest.MapFile{Data: []byte("FROM y")} }, false},
		{"ignoring what is not seen", func(m fstest.MapFS) { m["c/d/.dockerignore"] = &fstest.MapFile{Data: []byte("d")} }, false},
		{"ignoring what is seen", func(m fstest.MapFS) { m["c/d/.dockerignore"] = &fstest.MapFile{Data: []byte("a/g")} }, true},
	} {
		m := context(containerfile, tree())
		before := inputs(t, m)
		c.edit(m)
		after := inputs(t, m)
		if got := after.Context != before.Context; got != c.want {
			t.Errorf("%s: seen %t, want %t", c.name, got, c.want)
		}
		if same := maps.Equal(before.Files, after.Files); same == c.want {
			t.Errorf("%s: the files tell otherwise: %v, %v", c.name, before.Files, after.Files)
		}
		if after.File != before.File {
			t.Errorf("%s: the Containerfile did not change", c.name)
		}
	}
}

// COPY --parents makes the directories above a file with their modes. Those that
// are ignored, and all in them, are nothing to a build.
func TestModeOfDirectories(t *testing.T) {
	for _, c := range []struct {
		containerfile, dir string
		want               bool
	}{
		{"COPY --parents a/b/f /", "a", true},
		{"COPY --parents a/*/f /", "a/c", true},
		{"COPY --parents a/b/nope /", "a", false},
		{"COPY . /", "a", true},
		{"COPY . /", "d", false},
	} {
		texts := tree()
		texts[".dockerignore"] = "d\n!**/nope"
		m := context("FROM x\n"+c.containerfile+"\n", texts)
		before := inputs(t, m).Context
		m["c/d/"+c.dir] = &fstest.MapFile{Mode: fs.ModeDir | 0o700}
		if got := inputs(t, m).Context != before; got != c.want {
			t.Errorf("%s: the mode of %s is seen: %t, want %t", c.containerfile, c.dir, got, c.want)
		}
	}
}

func TestContainerfileAndContext(t *testing.T) {
	m := context("FROM x\nCOPY top /\n", tree())
	before := inputs(t, m)
	m["c/d/Containerfile.im"].Data = []byte("FROM x\nCOPY top /\nRUN new\n")
	after := inputs(t, m)
	if before.File == after.File || before.Context != after.Context {
		t.Errorf("an instruction more changes %v to %v", before, after)
	}
	whole := func(comment string) hierarchy.Inputs {
		return inputs(t, context("FROM x\nCOPY . /\n"+comment, tree()))
	}
	if whole("").Context == whole("# new\n").Context {
		t.Error("a Containerfile that is copied does not count as a file of the context")
	}
	if in := inputs(t, context("FROM x\nRUN x\n", tree())); in.Context != "" || in.Files != nil {
		t.Errorf("nothing is seen, and yet: %v", in)
	}
}

func TestFilesOfContext(t *testing.T) {
	texts := map[string]string{}
	for i := range 31 {
		texts[fmt.Sprintf("a/%d", i)] = "x"
	}
	in := inputs(t, context("FROM x\nCOPY a /\n", texts))
	if len(in.Files) != 32 || len(in.Files["a"]) != 12 || len(in.Files["a/7"]) != 12 || in.Files["a/1"] != in.Files["a/2"] {
		t.Errorf("got %v", in.Files)
	}
	texts["a/one-more"] = "x"
	if in := inputs(t, context("FROM x\nCOPY a /\n", texts)); in.Files != nil || in.Context == "" {
		t.Errorf("33 files: got %v", in.Files)
	}
}

func TestIgnoreFile(t *testing.T) {
	names := []string{"Containerfile.im.containerignore", ".containerignore", "Containerfile.im.dockerignore", ".dockerignore"}
	texts := map[string]string{"Containerfile.ignore": "no", "im.dockerignore": "no"}
	for _, name := range slices.Backward(names) { // each is preferred to those before
		texts[name] = "# " + name + "\ntop\n"
		im, err := look(context("FROM x\nRUN x\n", texts), hierarchy.Podman)
		if err != nil {
			t.Fatal(err)
		}
		if got := string(im.Recipe("", im.Inputs).Ignore); got != texts[name] {
			t.Errorf("with %s: the engine is handed %q", name, got)
		}
	}
	for _, c := range []struct {
		name  string
		texts map[string]string
		isNil bool
	}{{"none", nil, true}, {"an empty one", map[string]string{".containerignore": "", ".dockerignore": "x"}, false}} {
		im, err := look(context("FROM x\nCOPY . /\n", c.texts), hierarchy.Docker)
		if ignore := im.Recipe("", im.Inputs).Ignore; err != nil || len(ignore) != 0 || (ignore == nil) != c.isNil {
			t.Errorf("%s: got %#v, %v", c.name, ignore, err)
		}
	}
}

// Podman prefers what the image below sets to an argument of the file.
func TestShadowed(t *testing.T) {
	m := context("FROM x\nARG V=op\nCOPY t$V /\n", tree())
	for manager, want := range map[hierarchy.Manager]int{hierarchy.Docker: 1, hierarchy.Podman: 12} {
		im, err := look(m, manager)
		if err != nil || len(im.Inputs.Files) != want {
			t.Errorf("%s: sees %v, %v", manager, im.Inputs.Files, err)
		}
	}
}

func TestModeOfMountedContext(t *testing.T) {
	for m, want := range map[hierarchy.Manager]bool{hierarchy.Docker: false, hierarchy.Podman: true} {
		files := context("FROM x\nRUN --mount=target=/t x\n", tree())
		before := inputsOf(t, files, m).Context
		files["c/d"] = &fstest.MapFile{Mode: fs.ModeDir | 0o700}
		if got := inputsOf(t, files, m).Context != before; got != want {
			t.Errorf("%s: seen %t, want %t", m, got, want)
		}
	}
}

// sees tells, in another way than the walk does, whether a build sees a file.
func sees(t *testing.T, sources, ignore []string, name string, m hierarchy.Manager) bool {
	t.Helper()
	pm, err := patternmatcher.New(ignore)
	if err != nil {
		t.Fatal(err)
	}
	var ignored bool
	var above patternmatcher.MatchInfo
	for i := range name + "/" {
		if i == len(name) || name[i] == '/' { // each directory, and the file
			if ignored, above, err = pm.MatchesUsingParentResults(name[:i], above); err != nil {
				t.Fatal(err)
			}
		}
	}
	if m == hierarchy.Podman {
		if ignored, err = pm.MatchesOrParentMatches(name); err != nil {
			t.Fatal(err)
		}
	}
	return !ignored && slices.ContainsFunc(sources, func(source string) bool {
		for at := name; at != "."; at = path.Dir(at) {
			if ok, _ := path.Match(source, at); ok {
				return true
			}
		}
		return source == "."
	})
}

// An edit of a file is seen if and only if a build sees the file, for random
// trees, sources and rules.
func TestRandomEdits(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	pick := func(from ...string) string { return from[r.IntN(len(from))] }
	some := func(n int, one func() string) []string {
		out := make([]string, n)
		for i := range out {
			out[i] = one()
		}
		return out
	}
	name := func(parts ...string) func() string {
		return func() string {
			return path.Join(some(1+r.IntN(3), func() string { return pick(parts...) })...)
		}
	}
	for round := range 500 {
		manager := []hierarchy.Manager{hierarchy.Docker, hierarchy.Podman}[round%2]
		texts := map[string]string{}
		for _, n := range some(2+r.IntN(8), name("a", "b", "ab", "c")) {
			texts[n+".x"] = n // never the name of a directory
		}
		sources := some(1+r.IntN(2), name("a", "b", "*", "?", "a*", "*.x", "[ab].x", "a.x"))
		if r.IntN(5) == 0 {
			sources[0] = "."
		}
		rules := some(r.IntN(4), func() string {
			return pick("", "", "!") + name("a", "b", "*", "**", "a*", "*.x", "a.x")()
		})
		texts[".dockerignore"] = strings.Join(rules, "\n")
		m := context("FROM x\nCOPY "+strings.Join(sources, " ")+" /d/\n", texts)
		got := visible(t, m, manager)
		for n := range texts {
			if want := sees(t, sources, rules, n, manager); want != slices.Contains(got, n) && n != ".dockerignore" {
				t.Fatalf("seed %d, round %d: %s, COPY %q, ignoring %q, of %q: an edit of %s is seen: %t, want %t",
					seed, round, manager, sources, rules, slices.Sorted(maps.Keys(texts)), n, !want, want)
			}
		}
	}
}
