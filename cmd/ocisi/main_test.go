package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/klmcwhirter/ocisi/bootstrap/host"
	"github.com/klmcwhirter/ocisi/cmd/internal/cli"
	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/engine/enginetest"
	"github.com/klmcwhirter/ocisi/hierarchy/launcher"
)

// TestMain puts ocisi and fakes of what it runs on the scripts' PATH.
func TestMain(m *testing.M) {
	programs := map[string]func(){
		"ocisi":      asAl,
		"docker":     func() {},
		"docker-cli": enginetest.Docker, // what somebody types behind ocisi's back
		"podman":     enginetest.Podman,
		"podman-cli": enginetest.Podman,
		"distrobox":  enginetest.Distrobox,
	}
	// What tells about the host: the machine that tests run on is nobody's story.
	for _, name := range []string{"getent", "ujust", "getenforce", "matchpathcon"} {
		programs[name] = asAnswered
	}
	for name, otherwise := range map[string]func(){
		"busctl": talker("busctl"), "just": just, "notify-send": talker("notify-send"), "systemctl": systemctl, "systemd-analyze": talker("systemd-analyze"),
	} {
		programs[name] = func() {
			if os.Getenv("TEST_HOST") != "" {
				asAnswered()
			} else {
				otherwise()
			}
		}
	}
	testscript.Main(m, programs)
}

// asAnswered prints what a story's file answers/COMMAND LINE has in the folder
// TEST_HOST, and fails as getent does when there is none.
func asAnswered() {
	name := strings.Join(append([]string{filepath.Base(os.Args[0])}, os.Args[1:]...), " ")
	data, err := os.ReadFile(filepath.Join(os.Getenv("TEST_HOST"), "answers", name))
	if err != nil {
		os.Exit(2)
	}
	_, _ = os.Stdout.Write(data)
}

// asAl is ocisi for the user al, whoever runs the tests, with a terminal when
// the script says so (input then comes from the script's stdin), and as much
// later as it says. TEST_MYSELF makes it for whoever runs it after all, which is
// for test/e2e, and TEST_FATE is for the tests of faults.
func asAl() {
	env := al(cli.System())
	if os.Getenv("TEST_MYSELF") != "" {
		env = cli.System()
	}
	env.Terminal = os.Getenv("TEST_TERMINAL") != ""
	if os.Getenv("TEST_ROOT") != "" {
		env.UID = 0
	}
	if later, err := time.ParseDuration(os.Getenv("TEST_LATER")); err == nil {
		env.Now = func() time.Time { return time.Now().Add(later) }
	}
	if text := os.Getenv("TEST_FATE"); text != "" {
		env = underFate(env, text)
	}
	os.Exit(run(env))
}

// al makes it his.
func al(env cli.Env) cli.Env {
	env.User, env.UID, env.GID = "al", 1000, 1000
	env.Groups = []int{1000, 18}
	env.CPUs = 2
	env.Space = func(string) (host.Space, error) { return host.Space{Free: 50 << 30, Total: 100 << 30}, nil }
	env.Version = "v0.0.0-test"
	env.Files = withBattery{withIDs{env.Files}}
	if program := os.Getenv("TEST_PROGRAM"); program != "" {
		env.Program = program
	}
	return env
}

// withIDs is the file system with ids for al's containers, and of a host: the
// machine that tests run on may well be a container. TEST_HOST is a folder with
// the host's files, which then are all there are of the system.
type withIDs struct{ fs.FS }

func (w withIDs) Open(name string) (fs.File, error) {
	if root := os.Getenv("TEST_HOST"); root != "" && ofSystem(name) {
		return os.DirFS(root).Open(name)
	}
	switch name {
	case "etc/subuid", "etc/subgid":
		return fstest.MapFS{name: {Data: []byte("al:100000:65536\n")}}.Open(name)
	case ".dockerenv", "run/.containerenv":
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return w.FS.Open(name)
}

// ReadLink and Lstat make links known, as os.DirFS does.
func (w withIDs) ReadLink(name string) (string, error) { return fs.ReadLink(w.FS, name) }

// Lstat implements fs.ReadLinkFS.
func (w withIDs) Lstat(name string) (fs.FileInfo, error) { return fs.Lstat(w.FS, name) }

// ofSystem reports whether a file is not a user's.
func ofSystem(name string) bool {
	first, _, _ := strings.Cut(name, "/")
	return slices.Contains([]string{".dockerenv", "etc", "usr", "run", "proc", "sys"}, first) || strings.HasPrefix(name, "home/linuxbrew")
}

func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:           filepath.Join("testdata", "script"),
		UpdateScripts: os.Getenv("UPDATE_SCRIPTS") != "",
		Setup:         setupScript,
		Cmds:          map[string]func(ts *testscript.TestScript, neg bool, args []string){"launcher": writeLauncher},
	})
}

// writeLauncher implements "launcher MANAGER BOX PROGRAM FILE", which writes the
// launcher of a program as ocisi does.
func writeLauncher(ts *testscript.TestScript, _ bool, args []string) {
	o := launcher.Owner{Manager: hierarchy.Manager(args[0]), Box: args[1], Image: "gone-dx:latest", Config: "/ocisi.yaml"}
	f := launcher.NewProgram(o, launcher.Dirs{Home: ts.Getenv("HOME")}, args[2], ts.MkAbs(args[3]))
	ts.Check(os.MkdirAll(filepath.Dir(f.Path), 0o755))
	ts.Check(os.WriteFile(f.Path, f.Data, f.Mode))
}

// setupScript gives a story its engines, and a home.
func setupScript(env *testscript.Env) error {
	server, err := enginetest.Start(env.WorkDir)
	if err != nil {
		return err
	}
	env.Defer(server.Close)
	home := filepath.Join(env.WorkDir, "home")
	if err := os.MkdirAll(home, 0o755); err != nil {
		return err
	}
	env.Vars = append(env.Vars, server.Env()...)
	env.Vars = append(env.Vars,
		"HOME="+home, "USER=al", "SHELL=/bin/bash",
		"CONTAINER_HOST="+server.PodmanHost(),
		// Without it, each ocisi sleeps a second at its end under -race.
		"GORACE=atexit_sleep_ms=0",
	)
	return nil
}
