package hierarchy

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/moby/patternmatcher"
)

// sight looks at a build context as a build does.
type sight struct {
	files   fs.FS
	root    string // absolute
	manager Manager
	ignore  *patternmatcher.PatternMatcher // nil: nothing is ignored
	whole   bool                           // all of the context may be read
	found   map[string][]byte              // path below root → hash
	unsent  string                         // the first path that no engine can be sent; "" when there is none
}

// place is a file or directory below the root.
type place struct {
	path    string // "" is the root
	info    fs.FileInfo
	ignored bool
	match   patternmatcher.MatchInfo // for what is below it, with docker
}

func (p place) dir() bool { return p.path == "" || p.info.IsDir() }

// in returns a path of the context as the file system has it.
func (s *sight) in(p string) string {
	if full := strings.TrimPrefix(path.Join(s.root, p), "/"); full != "" {
		return full
	}
	return "."
}

// failed names the file by its absolute path, which a rooted file system leaves out.
func (s *sight) failed(p string, err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return fmt.Errorf("%s %s: %w", e.Op, path.Join(s.root, p), e.Err)
	}
	return fmt.Errorf("%s: %w", path.Join(s.root, p), err)
}

// source finds what a path or pattern names below a place, component by
// component, as both engines match. A link on the way may lead anywhere in the
// context. What does not exist is left for the engine to complain about.
func (s *sight) source(at place, pattern []string) error {
	if strings.Contains(pattern[0], "**") { // of COPY --parents: any depth
		_, err := s.tree(at)
		return err
	}
	children, err := s.children(at, pattern[0])
	if err != nil {
		return err
	}
	for _, c := range children {
		switch {
		case !utf8.ValidString(c.path):
			_, err = s.tree(c)
		case c.info.Mode().Type() == fs.ModeSymlink:
			s.whole = true
		case len(pattern) == 1:
			_, err = s.tree(c)
		case c.dir():
			err = s.within(c, pattern[1:])
		}
		if err != nil || s.whole {
			return err
		}
	}
	return nil
}

// within finds what a pattern names below a directory. The directory counts too
// when that is anything: COPY --parents makes it anew, with its mode.
func (s *sight) within(dir place, pattern []string) error {
	before := len(s.found)
	if err := s.source(dir, pattern); err != nil || len(s.found) == before {
		return err
	}
	return s.add(dir)
}

// children returns what a component of a pattern matches in a directory.
func (s *sight) children(at place, pattern string) ([]place, error) {
	if !strings.ContainsAny(pattern, `*?[`) {
		if !utf8.ValidString(pattern) { // a fs.FS has no such name
			s.refuse(path.Join(at.path, pattern))
			return nil, nil
		}
		info, err := fs.Lstat(s.files, s.in(path.Join(at.path, pattern)))
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		if err != nil {
			return nil, s.failed(path.Join(at.path, pattern), err)
		}
		c, err := s.child(at, pattern, info)
		return []place{c}, err
	}
	if _, err := path.Match(pattern, ""); err != nil {
		s.whole = true
		return nil, nil //nolint:nilerr // the engine will say so, if it minds
	}
	entries, err := fs.ReadDir(s.files, s.in(at.path))
	if err != nil {
		return nil, s.failed(at.path, err)
	}
	var out []place
	for _, e := range entries {
		if ok, _ := path.Match(pattern, e.Name()); !ok {
			continue
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) { // gone by now
			continue
		}
		if err != nil {
			return nil, s.failed(path.Join(at.path, e.Name()), err)
		}
		c, err := s.child(at, e.Name(), info)
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, nil
}

// child applies the rules to what is in a directory. The engines differ in what
// a rule of a directory does to rules of what is in it: of a/b, !a only podman
// sees a/b/c.
func (s *sight) child(at place, name string, info fs.FileInfo) (c place, err error) {
	c = place{path: path.Join(at.path, name), info: info}
	switch {
	case s.ignore == nil:
	case s.manager == Podman:
		c.ignored, err = s.ignore.MatchesOrParentMatches(c.path)
	default:
		c.ignored, c.match, err = s.ignore.MatchesUsingParentResults(c.path, at.match)
	}
	return c, err
}

// tree finds a file, or a directory with all below it, and reports whether any
// of it is seen. A directory that is ignored is seen when something in it is.
func (s *sight) tree(at place) (seen bool, err error) {
	if at.ignored && (!at.dir() || !s.mayHold(at.path)) {
		return false, nil
	}
	if !at.dir() || !utf8.ValidString(at.path) {
		return true, s.add(at)
	}
	if seen, err = s.below(at); err != nil {
		return false, err
	}
	if at.path == "" || at.ignored && !seen {
		return seen, nil
	}
	return true, s.add(at)
}

// below finds all below a directory, and reports whether any of it is seen.
func (s *sight) below(at place) (seen bool, err error) {
	children, err := s.children(at, "*")
	if err != nil {
		return false, err
	}
	for _, c := range children {
		one, err := s.tree(c)
		if err != nil {
			return false, err
		}
		seen = seen || one
	}
	return seen, nil
}

// mayHold reports whether a rule that begins with ! can bring back something
// within an ignored directory.
func (s *sight) mayHold(dir string) bool {
	for _, p := range s.ignore.Patterns() {
		if !p.Exclusion() {
			continue
		}
		plain, pattern := p.String(), false
		if i := strings.IndexAny(plain, `*?[\`); i >= 0 {
			plain, pattern = plain[:i], true
		}
		if strings.HasPrefix(plain, dir+"/") || pattern && strings.HasPrefix(dir+"/", plain) {
			return true
		}
	}
	return false
}

// add hashes what is at a place. Sockets, pipes and devices are never opened.
func (s *sight) add(at place) error {
	if _, ok := s.found[at.path]; ok {
		return nil
	}
	mode := at.info.Mode()
	h := sha256.New()
	var err error
	switch {
	case !utf8.ValidString(at.path):
		s.refuse(at.path)
		fmt.Fprintf(h, "%v\n%d\n", mode, at.info.Size())
	case mode.Type() == fs.ModeSymlink:
		var target string
		target, err = fs.ReadLink(s.files, s.in(at.path))
		if s.manager == Docker && !utf8.ValidString(target) {
			s.refuse(at.path + " -> " + target)
		}
		fmt.Fprintf(h, "link\n%s", target)
	case mode.IsRegular():
		fmt.Fprintf(h, "%v\n", mode)
		err = s.content(h, at.path)
	default:
		fmt.Fprintf(h, "%v\n", mode)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist): // gone by now
		return nil
	case err != nil:
		return s.failed(at.path, err)
	}
	s.found[at.path] = h.Sum(nil)
	return nil
}

// refuse notes a path that cannot be part of a build.
func (s *sight) refuse(p string) {
	if s.unsent == "" || p < s.unsent {
		s.unsent = p
	}
}

func (s *sight) content(to io.Writer, p string) error {
	f, err := s.files.Open(s.in(p))
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	_, err = io.Copy(to, f)
	return err
}

// sum returns the hash of all that was found, and of each file when they are few.
func (s *sight) sum() (string, map[string]string) {
	if len(s.found) == 0 {
		return "", nil
	}
	h := sha256.New()
	var files map[string]string
	if len(s.found) <= fewFiles {
		files = map[string]string{}
	}
	for _, p := range slices.Sorted(maps.Keys(s.found)) {
		fmt.Fprintf(h, "%s\x00%x\n", p, s.found[p])
		if files != nil {
			files[printable(p)] = hex.EncodeToString(s.found[p][:6])
		}
	}
	return hex.EncodeToString(h.Sum(nil)), files
}

// printable returns a path as it is in a label: quoted when it is not UTF-8, which
// JSON cannot have.
func printable(p string) string {
	if utf8.ValidString(p) {
		return p
	}
	return strconv.Quote(p)
}

// A ContextNameError says that an image cannot be built because its build context
// has a name, or a symlink to one, that is not UTF-8.
type ContextNameError struct {
	Context string // absolute path of the build context
	Path    string // in it; of a symlink also what it leads to
}

func (e *ContextNameError) Error() string {
	return fmt.Sprintf("build context %s: %s: name is not UTF-8", e.Context, strconv.Quote(e.Path))
}

// CheckContext returns a *ContextNameError when no engine can be sent the build
// context. BuildKit has names as UTF-8 text. Graph.Read must have been called.
func (im Image) CheckContext() error {
	if im.unsent == "" {
		return nil
	}
	return &ContextNameError{Context: im.Context, Path: im.unsent}
}
