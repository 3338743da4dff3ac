package host

import (
	"io"
	"io/fs"
	"path"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/klmcwhirter/ocisi/internal/input"
)

// maxText is the largest file that Text returns, in bytes.
const maxText = 4 << 20

// Text returns the text of the file at an absolute path, or "" if it cannot be read
// or is too large.
func (h Host) Text(name string) string {
	data, _ := input.ReadFile(h.Root, relative(name), maxText)
	return string(data)
}

// Head returns the first n bytes of the file at an absolute path, or "" if it cannot
// be read.
func (h Host) Head(name string, n int64) string {
	file, err := h.Root.Open(relative(name))
	if err != nil {
		return ""
	}
	defer func() { _ = file.Close() }()
	data, _ := io.ReadAll(io.LimitReader(file, n))
	return string(data)
}

// List returns the entries of the directory at an absolute path, sorted by name. It
// returns none if the directory cannot be read.
func (h Host) List(name string) []fs.DirEntry {
	entries, _ := fs.ReadDir(h.Root, relative(name))
	return entries
}

// Find returns the paths of all programs of a name in PATH, in the order of PATH.
func (h Host) Find(name string) []string {
	var found []string
	for _, dir := range filepath.SplitList(h.Getenv("PATH")) {
		at := path.Join(dir, name)
		info, err := fs.Stat(h.Root, relative(at))
		if path.IsAbs(at) && err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			found = append(found, at)
		}
	}
	return found
}

// ConfigHome returns $XDG_CONFIG_HOME, or its default.
func (h Host) ConfigHome() string {
	if dir := h.Getenv("XDG_CONFIG_HOME"); path.IsAbs(dir) {
		return dir
	}
	return path.Join(h.User.Home, ".config")
}

// maxLinks is the number of symlinks that the kernel follows in a path.
const maxLinks = 40

// Real returns an absolute path with its symlinks resolved. Components that do not
// exist are kept.
func (h Host) Real(name string) string {
	done, rest := "/", strings.Split(relative(name), "/")
	for links := 0; len(rest) > 0 && links < maxLinks; {
		next := path.Join(done, rest[0])
		rest = rest[1:]
		target, err := fs.ReadLink(h.Root, relative(next))
		if err != nil || next == "/" {
			done = next
			continue
		}
		links++
		if path.IsAbs(target) {
			done = "/"
		}
		rest = append(strings.Split(target, "/"), rest...)
	}
	return path.Join(done, path.Join(rest...))
}

// Owner returns the UID of the owner of an absolute path, and false if it is unknown.
func (h Host) Owner(name string) (uid int, ok bool) {
	info, err := fs.Stat(h.Root, relative(name))
	if err != nil {
		return 0, false
	}
	return owner(info)
}

func owner(info fs.FileInfo) (uid int, ok bool) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return int(stat.Uid), true
}

// OwnedByRoot returns the first file or directory in dir that root owns, or "". It
// descends at most the given number of levels.
func (h Host) OwnedByRoot(dir string, levels int) string {
	found := ""
	base := relative(dir)
	_ = fs.WalkDir(h.Root, base, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return fs.SkipDir // the user cannot read the directory
		}
		if ownedByRoot(entry) {
			found = "/" + name
			return fs.SkipAll
		}
		if entry.IsDir() && strings.Count(strings.TrimPrefix(name, base), "/") >= levels {
			return fs.SkipDir
		}
		return nil
	})
	return found
}

func ownedByRoot(entry fs.DirEntry) bool {
	info, err := entry.Info()
	if err != nil {
		return false // it was removed meanwhile
	}
	uid, ok := owner(info)
	return ok && uid == 0
}
