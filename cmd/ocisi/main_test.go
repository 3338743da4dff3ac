package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/klmcwhirter/ocisi/cmd/internal/cli"
	"github.com/klmcwhirter/ocisi/hierarchy/engine/enginetest"
)

// TestMain puts ocisi and fakes of what it runs on the scripts' PATH.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"ocisi":      asAl,
		"docker":     func() {},
		"docker-cli": enginetest.Docker, // what somebody types behind ocisi's back
		"podman":     enginetest.Podman,
		"podman-cli": enginetest.Podman,
		"distrobox":  enginetest.Distrobox,
	})
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
	env.CPUs = 2
	env.Version = "v0.0.0-test"
	env.Files = withIDs{env.Files}
	return env
}

// withIDs is the file system with ids for al's containers.
type withIDs struct{ fs.FS }

func (w withIDs) Open(name string) (fs.File, error) {
	if name == "etc/subuid" || name == "etc/subgid" {
		return fstest.MapFS{name: {Data: []byte("al:100000:65536\n")}}.Open(name)
	}
	return w.FS.Open(name)
}

func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:           filepath.Join("testdata", "script"),
		UpdateScripts: os.Getenv("UPDATE_SCRIPTS") != "",
		Setup:         setupScript,
	})
}

// setupScript gives a story its engines, and a home.
func setupScript(env *testscript.Env) error {
	server, err := enginetest.Start(env.WorkDir)
	if err != nil {
		return err
	}
	env.Defer(server.Close)
	home := filepath.Join(env.WorkDir, "home")
	if err := os.Mkdir(home, 0o755); err != nil {
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
