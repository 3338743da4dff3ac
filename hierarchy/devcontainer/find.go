package devcontainer

import (
	"io/fs"
	"iter"
	"path"
	"strings"
)

// The names of a project's file.
const (
	folderName = ".devcontainer"
	fileName   = "devcontainer.json"
	bareName   = ".devcontainer.json"
)

// File returns where a project's file is: the first that there is of
// .devcontainer/devcontainer.json and .devcontainer.json, below dir. It is false,
// with the first, when there is none.
func File(files fs.FS, dir string) (string, bool) {
	places := []string{path.Join(dir, folderName, fileName), path.Join(dir, bareName)}
	for _, name := range places {
		if info, err := fs.Stat(files, name); err == nil && !info.IsDir() {
			return name, true
		}
	}
	return places[0], false
}

// ProjectOf returns the folder of the project that a file (Find) belongs to.
func ProjectOf(file string) string {
	dir := path.Dir(file)
	switch {
	case path.Base(file) == bareName:
		return dir
	case path.Base(dir) == folderName:
		return path.Dir(dir)
	}
	return path.Dir(path.Dir(dir))
}

// Find returns the files of all projects below a folder, in the order of their
// names: .devcontainer/devcontainer.json, .devcontainer.json and
// .devcontainer/NAME/devcontainer.json. What cannot be read comes as an error,
// with the folder, and the search goes on.
//
// It answers as it goes, one folder after the other, and nothing is kept: a
// caller can stop at any time, and does so when somebody has waited enough. It
// follows no symlinks and leaves out node_modules and hidden folders, which is
// most of a large home.
func Find(files fs.FS, dir string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		_ = fs.WalkDir(files, dir, func(name string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				if !yield(name, err) {
					return fs.SkipAll
				}
				return fs.SkipDir
			case d.IsDir():
				if name != dir && skipped(name) {
					return fs.SkipDir
				}
				return nil
			}
			if d.Type().IsRegular() && IsFile(name) && !yield(name, nil) {
				return fs.SkipAll
			}
			return nil
		})
	}
}

// skipped reports whether no project's file can be in a folder.
func skipped(name string) bool {
	base, above := path.Base(name), path.Dir(name)
	switch {
	case path.Base(path.Dir(above)) == folderName:
		return true // deeper than .devcontainer/NAME
	case base == folderName:
		return path.Base(above) == folderName
	}
	return base == "node_modules" || strings.HasPrefix(base, ".")
}

// IsFile reports whether a path is one that a project's file has.
func IsFile(name string) bool {
	dir, base := path.Split(name)
	dir = path.Clean(dir)
	inside := path.Base(dir) == folderName || path.Base(path.Dir(dir)) == folderName
	return base == fileName && inside || base == bareName && !inside
}
