package launcher

import (
	"io/fs"
	"os"
	"path/filepath"
)

// same reports whether two paths are the same file or folder, as those below
// /home and /var/home are.
func same(files fs.FS, a, b string) bool {
	if filepath.Clean(a) == filepath.Clean(b) {
		return true
	}
	one, err := fs.Stat(files, inFS(a))
	if err != nil {
		return false
	}
	other, err := fs.Stat(files, inFS(b))
	return err == nil && os.SameFile(one, other)
}
