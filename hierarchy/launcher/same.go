package launcher

import (
	"io/fs"
	"os"
	"path/filepath"
)

// same reports whether two paths are the same file or folder, as those below
// /home and /var/home are.
func (h Host) same(a, b string) bool {
	if filepath.Clean(a) == filepath.Clean(b) {
		return true
	}
	one, err := fs.Stat(h.Files, inFS(a))
	if err != nil {
		return false
	}
	other, err := fs.Stat(h.Files, inFS(b))
	return err == nil && os.SameFile(one, other)
}
