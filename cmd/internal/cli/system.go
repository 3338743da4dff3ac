package cli

import (
	"cmp"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"syscall"
	"time"

	"github.com/adrg/xdg"
	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"

	"github.com/klmcwhirter/ocisi/bootstrap/host"
	"github.com/klmcwhirter/ocisi/embed/defaults"
	"github.com/klmcwhirter/ocisi/internal/disk"
	"github.com/klmcwhirter/ocisi/internal/input"
	"github.com/klmcwhirter/ocisi/internal/process"
	"github.com/klmcwhirter/ocisi/justfiles"
	"github.com/klmcwhirter/ocisi/packaging/systemd"
)

// Env is everything a command can reach outside its own memory.
type Env struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Terminal       bool // questions can be asked: standard input and output are terminals
	Screen         bool // standard output is a terminal
	Colour         bool // standard output takes colour
	Getenv         func(string) string
	LookPath       func(string) (string, error)
	Now            func() time.Time
	Space          func(path string) (host.Space, error) // in the file system of a path
	Runner         process.Runner
	Disk           disk.Disk
	Patience       time.Duration // with an engine that does not answer a question; 0: the engine package's
	ListPatience   time.Duration // with a list of docker's, before images are asked for one by one; 0: the engine package's
	Files          fs.FS         // the file system, rooted at /
	Defaults       fs.FS         // what setup writes below $XDG_CONFIG_HOME/ocisi
	Recipes        fs.FS         // of just
	Units          fs.FS         // of systemd, in the folder user
	Program        string        // path of this program, symlinks resolved
	Dir            string
	Home           string // the user's, symlinks resolved; "": unknown, and so are those of the following that are not set
	ConfigDir      string // $XDG_CONFIG_HOME/ocisi
	StateDir       string // $XDG_STATE_HOME/ocisi
	DataHome       string // $XDG_DATA_HOME
	User           string
	UID, GID       int
	Groups         []int // of this process
	CPUs           int
	Version        string

	streams streams // set by Main
}

// System returns the Env of this process.
func System() Env {
	env := Env{
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		Terminal: isatty.IsTerminal(os.Stdin.Fd()) && isatty.IsTerminal(os.Stdout.Fd()),
		Screen:   isatty.IsTerminal(os.Stdout.Fd()),
		Colour:   isatty.IsTerminal(os.Stdout.Fd()) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb",
		Getenv:   os.Getenv,
		LookPath: process.LookPath,
		Now:      time.Now,
		Space:    space,
		Runner:   process.System{},
		Files:    input.Root("/"),
		UID:      os.Getuid(), GID: os.Getgid(),
		CPUs:    runtime.NumCPU(),
		Version: version(),
	}
	env.Defaults, _ = fs.Sub(defaults.FS, "config") // the name is valid, so this cannot fail
	env.Recipes, env.Units = justfiles.FS, systemd.FS
	env.Program, _ = os.Executable()
	env.Dir, _ = os.Getwd()
	env.setDirs()
	env.User = os.Getenv("USER")
	if u, err := user.Current(); err == nil { // asks /etc/passwd before it believes $USER
		env.User = cmp.Or(u.Username, env.User)
	}
	env.Groups, _ = os.Getgroups()
	if !slices.Contains(env.Groups, env.GID) {
		env.Groups = append(env.Groups, env.GID)
	}
	return env
}

// setDirs sets the user's directories. Values that are not absolute count as not
// set, as the XDG base directory specification has it. Without a home, package
// xdg takes / or the working directory, so only what is set counts.
func (env *Env) setDirs() {
	home := filepath.IsAbs(env.Getenv("HOME"))
	dir := func(key, path, below string) string {
		if !home && !filepath.IsAbs(env.Getenv(key)) {
			return ""
		}
		return filepath.Join(path, below)
	}
	if home {
		env.Home = resolved(xdg.Home)
	}
	env.ConfigDir = dir("XDG_CONFIG_HOME", xdg.ConfigHome, "ocisi")
	env.StateDir = dir("XDG_STATE_HOME", xdg.StateHome, "ocisi")
	env.DataHome = dir("XDG_DATA_HOME", xdg.DataHome, "")
}

// homeError says that the home directory is unknown.
type homeError struct{ value string }

func (e *homeError) Error() string {
	if e.value == "" {
		return "HOME is not set"
	}
	return fmt.Sprintf("HOME is not an absolute path: %q", e.value)
}

// checkDirs returns an error for a command that needs a directory which is
// unknown.
func (env Env) checkDirs(cmd *cobra.Command) error {
	need := accessOf(cmd).needs
	if need == nothing || env.Home != "" || need == configDir && env.ConfigDir != "" {
		return nil
	}
	return &homeError{env.Getenv("HOME")}
}

// resolved follows symlinks: on Bluefin /home is one, and distrobox and ocisi
// must mean the same folder by its name.
func resolved(path string) string {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		return target
	}
	return path
}

func space(path string) (host.Space, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(path, &s); err != nil {
		return host.Space{}, &os.PathError{Op: "statfs", Path: path, Err: err}
	}
	unit := uint64(s.Bsize)
	return host.Space{Free: s.Bavail * unit, Total: s.Blocks * unit}, nil
}

// version is what the go command stamped: a tag when it was built from one. A
// package's own stamp, main.version, goes before it.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
