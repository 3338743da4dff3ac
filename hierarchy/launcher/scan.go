package launcher

import (
	"cmp"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/klmcwhirter/ocisi/internal/input"
)

// A larger file is no launcher. Desktop files have translations.
const (
	maxScript  = 64 << 10
	maxDesktop = 1 << 20
	maxIcon    = 8 << 20
)

// leftover is the name that package disk gives to a file that it writes.
var leftover = regexp.MustCompile(`^\..+\.ocisi-[0-9]+$`)

// unfinished reports whether a file of that name is what an earlier process was
// killed over. One of this process's is being written, for another box.
func unfinished(name string) bool {
	return leftover.MatchString(name) && !strings.HasSuffix(name, ".ocisi-"+strconv.Itoa(os.Getpid()))
}

// Scan returns the launchers on the host, sorted by path. Files is the root of
// its file system; bins are folders of programs beside ~/.local/bin (Dirs.Bins).
// Folders that cannot be read count as empty.
func Scan(files fs.FS, d Dirs, bins []string) []Found {
	s := scanner{files: files}
	for _, names := range distinct(files, append([]string{filepath.Join(d.Home, ".local", "bin")}, bins...)) {
		s.folder(names[0], "", maxScript, names[1:]...)
	}
	s.folder(d.Entrances(), "", maxScript)
	s.folder(d.Apps(), ".desktop", maxDesktop)
	s.icons(d.Icons())
	slices.SortFunc(s.found, func(a, b Found) int { return cmp.Compare(a.Path, b.Path) })
	return s.found
}

// distinct returns folders with all the names that they have in a list. A folder
// that is looked at twice would have launchers that nobody wants, under the name
// that nobody gave them.
func distinct(files fs.FS, folders []string) [][]string {
	var all [][]string
	for _, folder := range folders {
		folder = filepath.Clean(folder)
		i := slices.IndexFunc(all, func(names []string) bool { return same(files, names[0], folder) })
		switch {
		case i < 0:
			all = append(all, []string{folder})
		case !slices.Contains(all[i], folder):
			all[i] = append(all[i], folder)
		}
	}
	return all
}

type scanner struct {
	files fs.FS
	found []Found
}

// inFS returns the name of a path in a file system that begins at the root.
func inFS(path string) string {
	if name := strings.TrimPrefix(filepath.Clean(path), "/"); name != "" {
		return name
	}
	return "."
}

// exists reports whether something is at a path.
func exists(files fs.FS) func(path string) bool {
	return func(path string) bool {
		_, err := fs.Stat(files, inFS(path))
		return err == nil
	}
}

// folder finds what is in a folder, which may have more names.
func (s *scanner) folder(folder, extension string, limit int64, names ...string) {
	entries, _ := fs.ReadDir(s.files, inFS(folder))
	for _, e := range entries {
		at := filepath.Join(folder, e.Name())
		if unfinished(e.Name()) {
			s.found = append(s.found, Found{By: Ocisi, File: File{Kind: Leftover, Path: at}})
			continue
		}
		if extension != "" && path.Ext(at) != extension {
			continue
		}
		if f, ok := readAt(s.files, at, limit); ok {
			for _, name := range names {
				f.also = append(f.also, filepath.Join(name, e.Name()))
			}
			s.found = append(s.found, f)
		}
	}
}

// readAt reads what is at a path, or at the end of a symlink there, if it is a
// launcher.
func readAt(files fs.FS, at string, limit int64) (Found, bool) {
	info, err := fs.Stat(files, inFS(at))
	if err != nil || !info.Mode().IsRegular() || info.Size() > limit {
		return Found{}, false
	}
	data, err := input.ReadFile(files, inFS(at), limit)
	if err != nil {
		return Found{}, false
	}
	f, ok := Read(at, data, exists(files))
	f.Mode = info.Mode().Perm()
	f.locate(files)
	return f, ok
}

// readIcon reads what is at the path of an icon with one of ocisi's names. Sealed
// tells whether the application that it belongs to has a checksum.
func readIcon(files fs.FS, at string, sealed bool) Found {
	f := Found{By: Ocisi, File: File{Kind: Icon, Path: at}, Edited: true}
	info, err := fs.Stat(files, inFS(at))
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxIcon {
		return f
	}
	if data, err := input.ReadFile(files, inFS(at), maxIcon); err == nil {
		f.verifyIcon(data, sealed)
		f.locate(files)
	}
	return f
}

// icons finds the icons that are ours, and whose they are: their names do not
// tell it, since a box's name may have a dash.
func (s *scanner) icons(folder string) {
	users := map[string]Found{}
	for _, f := range s.found {
		for _, icon := range f.icons {
			users[icon] = f
		}
	}
	_ = fs.WalkDir(s.files, inFS(folder), func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return fs.SkipDir // what cannot be read has nothing of ours
		}
		if e.IsDir() {
			return nil
		}
		at := "/" + name
		base := iconType.ReplaceAllString(e.Name(), "")
		switch {
		case unfinished(e.Name()):
			s.found = append(s.found, Found{By: Ocisi, File: File{Kind: Leftover, Path: at}})
		case strings.HasPrefix(base, ourPrefix) && base != e.Name():
			user, ok := users[base]
			if !ok {
				user = users[strings.TrimSuffix(base, "-symbolic")]
			}
			icon := readIcon(s.files, at, user.sealed)
			icon.What, icon.Owner = user.What, user.Owner
			s.found = append(s.found, icon)
		}
		return nil
	})
}
