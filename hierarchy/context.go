package hierarchy

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"

	"github.com/klmcwhirter/ocisi/hierarchy/containerfile"
	"github.com/klmcwhirter/ocisi/internal/input"
)

// buildContext is what a build can see besides its parents.
type buildContext struct {
	file   string            // SHA-256 of what the Containerfile means, in hex
	sum    string            // SHA-256 of all files that it can see; "" when there are none
	files  map[string]string // path → the first 12 digits of its hash; nil when there are many
	ignore []byte            // contents of the ignore file; nil when there is none
	unsent string            // a path that no engine can be sent; "" when there is none
}

// fewFiles is how many files of a context a label tells apart.
const fewFiles = 32

// context reads what the image's Containerfile can see of its build context.
// Paths, types, modes, the targets of links and contents count, times do not: as
// in the engines' own caches. What is seen is never less than what the engine
// that builds the image sees; it is more where the engines differ.
func (im Image) context(files fs.FS, dirs *listings) (buildContext, error) {
	sum := sha256.Sum256(im.file.Meaning())
	c := buildContext{file: hex.EncodeToString(sum[:])}
	s := sight{files: files, root: im.Context, manager: im.Manager, found: map[string][]byte{}}
	name, text, err := s.ignoreFile(filepath.Base(im.Containerfile), dirs)
	if err != nil {
		return c, err
	}
	c.ignore = text
	s.whole = im.file.Whole || im.Manager == Podman && im.file.Shadowed
	if !s.whole && len(im.file.Sources) == 0 {
		return c, nil
	}
	if s.ignore, err = rules(text); err != nil {
		return c, fmt.Errorf("%s: %w", filepath.Join(im.Context, name), err)
	}
	if err := s.see(im.file.Sources); err != nil {
		return c, err
	}
	if im.Manager == Podman {
		if err := s.mounts(im.file); err != nil {
			return c, err
		}
	}
	c.sum, c.files = s.sum()
	c.unsent = s.unsent
	return c, nil
}

// rules reads the contents of an ignore file; nil when it ignores nothing.
func rules(text []byte) (*patternmatcher.PatternMatcher, error) {
	patterns, err := ignorefile.ReadAll(bytes.NewReader(text))
	if err != nil || len(patterns) == 0 {
		return nil, err
	}
	return patternmatcher.New(patterns)
}

// listings tells which ignore files directories have. Many images share a
// directory, and asking for each of the four names of each image takes longer
// than all else that is done for an image that sees nothing.
type listings struct {
	files fs.FS
	dirs  sync.Map // path → func() map[string]bool
}

// mayHold reports whether there is an ignore file of a name in a directory. When
// the directory cannot be listed, there may be.
func (l *listings) mayHold(dir, name string) bool {
	list, _ := l.dirs.LoadOrStore(dir, sync.OnceValue(func() map[string]bool {
		entries, err := fs.ReadDir(l.files, dir)
		if err != nil {
			return nil
		}
		names := map[string]bool{}
		for _, e := range entries {
			if strings.HasSuffix(e.Name(), "ignore") {
				names[e.Name()] = true
			}
		}
		return names
	}))
	names := list.(func() map[string]bool)() // nothing else is stored
	return names == nil || names[name]
}

// ignoreFile returns the name and the contents of the file that says what of
// the context a Containerfile does not see; nil contents when there is none. The
// engines are handed the contents, so that they agree on which file it is.
func (s *sight) ignoreFile(of string, dirs *listings) (name string, text []byte, err error) {
	for _, name := range []string{of + ".containerignore", ".containerignore", of + ".dockerignore", ".dockerignore"} {
		if !dirs.mayHold(s.in("."), name) {
			continue
		}
		info, err := fs.Stat(s.files, s.in(name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil && !info.Mode().IsRegular() {
			err = errors.New("not a regular file")
		}
		if err != nil {
			return name, nil, s.failed(name, err)
		}
		text, err := input.ReadFile(s.files, s.in(name), input.MaxSize)
		if err != nil {
			return name, nil, s.failed(name, err)
		}
		return name, append([]byte{}, text...), nil
	}
	return "", nil, nil
}

// see finds all that the sources name, or all that there is.
func (s *sight) see(sources []string) error {
	for _, source := range sources {
		if s.whole {
			break
		}
		if err := s.source(place{}, strings.Split(source, "/")); err != nil {
			return err
		}
	}
	if s.whole {
		_, err := s.tree(place{})
		return err
	}
	return nil
}

// mounts finds what podman mounts: also what is ignored, and the directory that
// is mounted with its mode.
func (s *sight) mounts(f *containerfile.File) error {
	if len(f.Mounts) == 0 {
		return nil
	}
	s.ignore, s.whole = nil, f.Shadowed || slices.Contains(f.Mounts, ".")
	if err := s.see(f.Mounts); err != nil || !s.whole {
		return err
	}
	info, err := fs.Stat(s.files, s.in("."))
	if err != nil {
		return s.failed(".", err)
	}
	return s.add(place{path: ".", info: info})
}
