package launcher

import (
	"io/fs"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/internal/disk"
)

// NewProgram returns the script at path that runs a program of a box: an
// absolute path in the box.
func NewProgram(o Owner, d Dirs, program, path string) File { panic("later") }

// NewEntrance returns the script that runs its arguments in a box, or without any
// the user's shell.
func NewEntrance(o Owner, d Dirs) File { panic("later") }

// Apps returns those desktop files of a box that an entry of exported_apps means,
// sorted. Files are the desktop files of the box by their paths in it.
func Apps(what string, files map[string][]byte) []string { panic("later") }

// IconNames returns the icons that a desktop file names, each once, without extension unless they are paths.
func IconNames(desktop []byte) []string { panic("later") }

// IconFiles returns those of a box's files (paths in it) that are the icon of a name: in
// hicolor or another theme, in /usr/share/pixmaps, or the path itself.
func IconFiles(name string, files []string) []string { panic("later") }

// NewApp returns the desktop file that runs an application of a box, which has it as
// fileName (its base name) with the content desktop. Icons for which has reports true get the
// names that NewIcon gives them; nil is none.
func NewApp(o Owner, d Dirs, what, fileName string, desktop []byte, has func(icon string) bool) (File, error) {
	panic("later")
}

// NewIcon returns the file for an icon of a box's application.
func NewIcon(o Owner, d Dirs, what, pathInBox string, data []byte) File { panic("later") }

// Maker is what wrote a launcher.
type Maker string

// The makers.
const (
	Ocisi      Maker = "ocisi"
	Distrobox1 Maker = "distrobox 1"
	Distrobox2 Maker = "distrobox 2"
)

// Found is a launcher that is there.
type Found struct {
	File
	By    Maker
	Calls string // the program of distrobox that it calls, by its path; "" when it looks for it
	Gone  bool   // that program is not there
}

// Read reads what may be a launcher, or returns false when it is none.
func Read(path string, data []byte, exists func(path string) bool) (Found, bool) { panic("later") }

// Scan returns the launchers on the host, sorted by path. Files is the root of the file system;
// bins are folders of programs beside ~/.local/bin (Dirs.Bins).
func Scan(files fs.FS, d Dirs, bins []string) []Found { panic("later") }

// Host is what the state of launchers depends on.
type Host struct {
	Files   fs.FS                          // the root of the file system
	Path    []string                       // the folders of PATH
	Boxes   map[hierarchy.Manager][]string // of every engine that could be asked, including .ocisi-old ones under their box's name
	Default hierarchy.Manager              // where distrobox looks when nobody names a manager
}

// State is what is to be said about a launcher.
type State string

// The states.
const (
	OK       State = "ok"
	Stale    State = "stale box"       // its box is gone
	Foreign  State = "foreign manager" // its box is another manager's than it says, or than distrobox would look in first
	Missing  State = "missing"
	Shadowed State = "shadowed" // not what its name starts in a terminal
	Outdated State = "outdated" // not as ocisi would write it now, or it calls a program that is gone
)

// Status is a launcher and its state.
type Status struct {
	Found
	State State
	Why   string // "" for OK
}

// States returns the state of all that was found, and of what is wanted and
// missing, sorted by path. Wanted may lack what only a look into a box would tell.
func (h Host) States(found []Found, wanted []File) []Status { panic("later") }

// Lacking returns what a box should have on the host and has not, as it should be: paths
// of programs, names of applications as the config has them.
func Lacking(found []Found, o Owner, b hierarchy.Box, d Dirs) []string { panic("later") }

// Reason is why a launcher cannot be written.
type Reason string

// The reasons.
const (
	OtherBox Reason = "other box" // a launcher of another box is there
	NotOurs  Reason = "not ours"  // a file that is no launcher is there
	Problem  Reason = "problem"   // it would hide a program of the host that the host's own start-up calls
	Twice    Reason = "twice"     // two entries of the box want the same file
)

// ConflictError says that a launcher is not written, because of what is there.
type ConflictError struct {
	File   File
	Reason Reason
	Other  string // OtherBox: its name; Problem: the program that would be hidden; Twice: the other entry
}

func (e *ConflictError) Error() string { panic("later") }

// Conflicts returns an error of joined *ConflictErrors for those files that must not be written.
func (h Host) Conflicts(files []File) error { panic("later") }

// Switch writes all files, or none: when one cannot be written, everything is as
// it was. Undo does the same later; it may be called once.
func Switch(d disk.Disk, files []File) (undo func() error, err error) { panic("later") }

// Obsolete returns the launchers of a box that are no longer wanted, ours and distrobox's.
func Obsolete(found []Found, o Owner, files []File) []string { panic("later") }

// Remove removes launchers. Those that are not there are fine.
func Remove(d disk.Disk, paths []string) error { panic("later") }
