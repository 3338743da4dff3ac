package hierarchy_test

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/fstest"
	"unicode/utf8"

	"github.com/klmcwhirter/ocisi/hierarchy"
)

// watched counts what is opened, and refuses some of it.
type watched struct {
	fstest.MapFS
	refuse string
	mu     sync.Mutex
	opened []string
}

func (w *watched) Open(name string) (fs.File, error) {
	w.mu.Lock()
	w.opened = append(w.opened, name)
	w.mu.Unlock()
	if name == w.refuse {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	return w.MapFS.Open(name)
}

func (w *watched) ReadFile(name string) ([]byte, error) { return fs.ReadFile(struct{ fs.FS }{w}, name) }
func (w *watched) ReadDir(name string) ([]fs.DirEntry, error) {
	return fs.ReadDir(struct{ fs.FS }{w}, name)
}

func TestOnlyWhatIsSeenIsOpened(t *testing.T) {
	texts := tree()
	texts[".dockerignore"] = "a/c\n!d\n"
	m := context("FROM x\nCOPY a t*p /x/\n", texts)
	m["c/d/a/pipe"] = &fstest.MapFile{Mode: fs.ModeNamedPipe}
	m["c/d/a/socket"] = &fstest.MapFile{Mode: fs.ModeSocket}
	m["c/d/a/null"] = &fstest.MapFile{Mode: fs.ModeDevice | fs.ModeCharDevice}
	w := &watched{MapFS: m}
	inputs(t, w)
	slices.Sort(w.opened)
	want := []string{"c/d", "c/d/.dockerignore", "c/d/Containerfile.im", "c/d/a", "c/d/a/b", "c/d/a/b/f", "c/d/a/g", "c/d/tip", "c/d/top"}
	if got := slices.Compact(w.opened); !slices.Equal(got, want) {
		t.Errorf("opened %q, want %q", got, want)
	}
}

func TestUnreadable(t *testing.T) {
	for _, c := range []struct{ refuse, ignore, want string }{
		{"c/d/a/g", "", "reading the build context of im:latest: open /c/d/a/g: permission denied"},
		{"c/d/a/b", "", "reading the build context of im:latest: open /c/d/a/b: permission denied"},
		{"c/d/.dockerignore", "x", "reading the build context of im:latest: open /c/d/.dockerignore: permission denied"},
		{"", "a[", "/c/d/.dockerignore: syntax error in pattern"},
		{"c/d", "a[", "/c/d/.dockerignore: syntax error in pattern"}, // found although its directory cannot be listed
		{"c/d/top", "", ""},
		{"c/d/a/g", "a/g", ""},
		{"c/d/a/b", "a/b\n!top", ""},
	} {
		texts := tree()
		if c.ignore != "" {
			texts[".dockerignore"] = c.ignore
		}
		_, err := look(&watched{MapFS: context("FROM x\nCOPY a /\n", texts), refuse: c.refuse}, hierarchy.Docker)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s, ignoring %q: got %v, want %q", c.refuse, c.ignore, err, c.want)
		}
		if strings.Contains(c.want, "denied") && !errors.Is(err, fs.ErrPermission) {
			t.Errorf("%s: %v is not fs.ErrPermission", c.refuse, err)
		}
	}
	m := context("FROM x\nRUN x\n", nil)
	m["c/d/.dockerignore"] = &fstest.MapFile{Mode: fs.ModeNamedPipe}
	if _, err := look(m, hierarchy.Docker); err == nil || !strings.Contains(err.Error(), "/c/d/.dockerignore: not a regular file") {
		t.Errorf("a pipe for an ignore file: %v", err)
	}
}

// disk writes a context to a real directory; a text that begins with → is the
// target of a link.
func disk(t *testing.T, containerfile string, texts map[string]string) (root string) {
	t.Helper()
	root = t.TempDir()
	all := map[string]string{"Containerfile.im": containerfile}
	maps.Copy(all, texts)
	for name, text := range all {
		file := filepath.Join(root, "c/d", name)
		err := os.MkdirAll(filepath.Dir(file), 0o755)
		if to, ok := strings.CutPrefix(text, "→"); ok {
			err = errors.Join(err, os.Symlink(to, file))
		} else {
			err = errors.Join(err, os.WriteFile(file, []byte(text), 0o644))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestLinks(t *testing.T) {
	for _, c := range []struct {
		name, copied string
		seen         string // a file whose edit must be seen
		unseen       string // and one whose edit must not be; "" when all are
	}{
		{"a link to a file", "link", "top", ""},
		{"through a link", "dir/f", "a/b/f", ""},
		{"through a link that leads nowhere yet", "broken/f", "top", ""},
		{"by a pattern", "l*k", "top", ""},
		{"a link that leads out", "out", "top", ""},
		{"a link in a directory", "l", "l/plain", "top"},
		{"no link", "a", "a/b/f", "top"},
	} {
		root := disk(t, "FROM x\nCOPY "+c.copied+" /x/\n", map[string]string{
			"top": "1", "a/b/f": "2", "l/plain": "3", "l/up": "→../top",
			"link": "→top", "dir": "→a/b", "broken": "→nope", "out": "→/etc/hostname",
		})
		before := inputs(t, os.DirFS(root)).Context
		edited := func(name string) bool {
			file := filepath.Join(root, "c/d", name)
			old, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, append(slices.Clone(old), 'x'), 0o644); err != nil {
				t.Fatal(err)
			}
			after := inputs(t, os.DirFS(root)).Context
			if err := os.WriteFile(file, old, 0o644); err != nil {
				t.Fatal(err)
			}
			return after != before
		}
		if !edited(c.seen) {
			t.Errorf("%s: an edit of %s is not seen", c.name, c.seen)
		}
		if c.unseen != "" && edited(c.unseen) {
			t.Errorf("%s: an edit of %s is seen", c.name, c.unseen)
		}
	}
}

// A name that is not UTF-8 counts as a change, and is an error of its image alone
// when it is part of the build.
func TestNamesThatAreNotUTF8(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, file, copied, ignore string
		podman, docker             string // the path in the error; "" is none
	}{
		{"a file", "a\xff", ".", "", "a\xff", "a\xff"},
		{"by a pattern", "a\xff", "a*", "", "a\xff", "a\xff"},
		{"by its name", "a\xff", "a\xff", "", "a\xff", "a\xff"},
		{"below a folder", "a\xff/b", "a*/b", "", "a\xff", "a\xff"},
		{"another file", "a\xff", "top", "", "", ""},
		{"an ignored file", "a\xff", ".", "a*", "", ""},
		{"an ignored folder", "a\xff/b", ".", "a*", "", ""},
		{"the first of several", "d/\xff", ".", "", "b/\xff", "b/\xff"},
		{"the target of a symlink", "link→a\xff", "li*", "", "", "link -> a\xff"},
		{"the target of a symlink in a folder", "d/link→a\xff", "d", "", "", "d/link -> a\xff"},
	} {
		name, to, link := strings.Cut(c.file, "→")
		texts := map[string]string{"top": "1", ".containerignore": c.ignore}
		if texts[name] = "2"; link {
			texts[name] = "→" + to
		}
		if c.name == "the first of several" {
			texts["b/\xff"] = "3"
		}
		root := disk(t, "FROM x\nCOPY "+c.copied+" /x/\n", texts)
		for m, want := range map[hierarchy.Manager]string{hierarchy.Docker: c.docker, hierarchy.Podman: c.podman} {
			im, err := look(os.DirFS(root), m)
			if err != nil {
				t.Fatalf("%s, %s: %v", c.name, m, err)
			}
			err = im.CheckContext()
			e, ok := errors.AsType[*hierarchy.ContextNameError](err)
			if ok != (want != "") || ok && e.Path != want {
				t.Errorf("%s, %s: %v, want %q", c.name, m, err, want)
			}
			for name := range im.Inputs.Files {
				if !utf8.ValidString(name) {
					t.Errorf("%s: the label has %q", c.name, name)
				}
			}
			if c.name != "a file" {
				continue
			}
			with := im.Inputs.Context
			if err := os.Rename(filepath.Join(root, "c/d/a\xff"), filepath.Join(root, "c/d/a\xfe")); err != nil {
				t.Fatal(err)
			}
			if after := inputsOf(t, os.DirFS(root), m).Context; after == with {
				t.Errorf("%s: the new name is not seen", m)
			}
			if err := os.Rename(filepath.Join(root, "c/d/a\xfe"), filepath.Join(root, "c/d/a\xff")); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestLinkTargetAndPipe(t *testing.T) {
	root := disk(t, "FROM x\nCOPY l /x/\n", map[string]string{"l/up": "→../top", "top": "1"})
	before := inputs(t, os.DirFS(root)).Context
	link := filepath.Join(root, "c/d/l/up")
	if err := errors.Join(os.Remove(link), os.Symlink("../tip", link)); err != nil {
		t.Fatal(err)
	}
	retargeted := inputs(t, os.DirFS(root)).Context
	if retargeted == before {
		t.Error("a link's new target is not seen")
	}
	if err := syscall.Mkfifo(filepath.Join(root, "c/d/l/pipe"), 0o644); err != nil {
		t.Fatal(err)
	}
	if inputs(t, os.DirFS(root)).Context == retargeted { // and does not block
		t.Error("a pipe is not seen")
	}
}

// A context may be reached through a link, as /home is on some systems.
func TestContextBehindLink(t *testing.T) {
	root := disk(t, "FROM x\nCOPY . /x/\n", map[string]string{"a/f": "1"})
	before := inputs(t, os.DirFS(root)).Context
	if err := errors.Join(os.Rename(filepath.Join(root, "c"), filepath.Join(root, "real")), os.Symlink("real", filepath.Join(root, "c"))); err != nil {
		t.Fatal(err)
	}
	if after := inputs(t, os.DirFS(root)).Context; after != before || before == "" {
		t.Errorf("got %q, want %q", after, before)
	}
}
