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

// Text returns the text of a file at an absolute path, "" when it cannot be read or
// is too large.
func (h Host) Text(name string) string {
	data, _ := input.ReadFile(h.Root, relative(name), maxText)
	return string(data)
}

// Head returns at most so many bytes from the beginning of a file at an absolute
// path, "" when it cannot be read.
func (h Host) Head(name string, bytes int64) string {
	file, err := h.Root.Open(relative(name))
	if err != nil {
		return ""
	}
	defer func() { _ = file.Close() }()
	data, _ := io.ReadAll(io.LimitReader(file, bytes))
	return string(data)
}

// List returns the entries of a folder at an absolute path, sorted by name; none
// when it cannot be read.
func (h Host) List(name string) []fs.DirEntry {
	entries, _ := fs.ReadDir(h.Root, relative(name))
	return entries
}

// Find returns the programs of a name in PATH, the one that is started first.
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

// ConfigHome is the folder of the user's settings.
func (h Host) ConfigHome() string {
	if dir := h.Getenv("XDG_CONFIG_HOME"); path.IsAbs(dir) {
		return dir
	}
	return path.Join(h.User.Home, ".config")
}

// mostLinks is how many symlinks are followed for one path, as the kernel has it.
const mostLinks = 40

// Real returns an absolute path with its symlinks resolved, as far as what it
// leads to is there.
func (h Host) Real(name string) string {
	done, rest := "/", strings.Split(relative(name), "/")
	for links := 0; len(rest) > 0 && links < mostLinks; {
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

// Owner returns who owns what is at an absolute path; false when that cannot be
// told.
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

// OwnedByRoot returns the first file or folder below an absolute path that is
// root's, at most so many levels down; "" when there is none.
func (h Host) OwnedByRoot(folder string, levels int) string {
	found := ""
	base := relative(folder)
	_ = fs.WalkDir(h.Root, base, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return fs.SkipDir // what the user cannot read is not looked into
		}
		if isRoots(entry) {
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

func isRoots(entry fs.DirEntry) bool {
	info, err := entry.Info()
	if err != nil {
		return false // gone meanwhile
	}
	uid, ok := owner(info)
	return ok && uid == 0
}
