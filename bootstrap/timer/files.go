package timer

import (
	"bytes"
	"io/fs"
	"path/filepath"

	"github.com/klmcwhirter/ocisi/bootstrap/ownedfile"
)

// mark is the first line of a unit file that ocisi writes.
const mark = "# Written by 'ocisi timer enable', removed by 'ocisi timer disable'. Changes of yours belong beside it: systemctl --user edit "

// Files returns the units as files in dir, the directory of the user's units. A unit
// that a package has installed with the same content, in the directory packaged, is
// returned without Text, so that it does not exist twice.
func Files(units []Unit, dir string, packaged fs.FS) []ownedfile.File {
	var files []ownedfile.File
	for _, u := range units {
		f := ownedfile.File{Path: filepath.Join(dir, u.Name), Mark: mark + u.Name, Mode: 0o644}
		if same, err := fs.ReadFile(packaged, u.Name); err != nil || !bytes.Equal(same, u.Text) {
			f.Text = append([]byte(f.Mark+"\n"), u.Text...)
		}
		files = append(files, f)
	}
	return files
}
