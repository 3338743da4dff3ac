package enginetest_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/engine"
	"github.com/klmcwhirter/ocisi/hierarchy/engine/enginetest"
	"github.com/klmcwhirter/ocisi/internal/process"
)

// build stands in for ocisi: it builds the image NAME:TAG from the
// Containerfile of that name in the working directory.
func build() { os.Exit(runBuild()) }

// runBuild returns the exit status, so that its deferred calls end podman's service.
func runBuild() int {
	ctx := context.Background()
	m := hierarchy.Manager(os.Args[1])
	e, err := engine.Open(ctx, m, engine.Options{Runner: process.System{}, Getenv: os.Getenv})
	if err == nil {
		defer func() { _ = e.Close() }()
		name, _, _ := strings.Cut(os.Args[2], ":")
		dir, _ := os.Getwd()
		file := filepath.Join(dir, "Containerfile."+name)
		var text []byte
		if text, err = os.ReadFile(file); err == nil {
			_, err = e.Build(ctx, hierarchy.Recipe{
				Ref: os.Args[2], Context: dir, Containerfile: file, Text: text, Labels: map[string]string{hierarchy.LabelImage: os.Args[2]},
			}, func(p hierarchy.Progress) { println(p.Step, p.Steps, p.Title, p.Cached, p.Log) })
		}
	}
	if err != nil {
		println("build:", err.Error())
		return 1
	}
	return 0
}

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"build": build, "podman": enginetest.Podman, "docker": enginetest.Docker,
		"distrobox": enginetest.Distrobox, "distrobox-enter": enginetest.DistroboxEnter,
	})
}

// state writes what a store holds to the file state.
func state(ts *testscript.TestScript, _ bool, args []string) {
	server, _ := ts.Value("server").(*enginetest.Server)
	held := server.Docker()
	if args[0] == "podman" {
		held = server.Podman()
	}
	data, err := json.MarshalIndent(held, "", " ")
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs("state"), data, 0o600))
}

func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(env *testscript.Env) error {
			server, err := enginetest.Start(env.WorkDir)
			if err != nil {
				return err
			}
			env.Defer(server.Close)
			env.Vars = append(env.Vars, server.Env()...)
			env.Values["server"] = server
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){"state": state},
	})
}

func TestNothingLeft(t *testing.T) {
	before, _ := filepath.Glob(filepath.Join(os.TempDir(), "enginetest-*"))
	s, err := enginetest.Start(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	after, _ := filepath.Glob(filepath.Join(os.TempDir(), "enginetest-*"))
	for _, dir := range after {
		if !slices.Contains(before, dir) && strings.HasPrefix(s.DockerHost(), "unix://"+dir) {
			t.Errorf("%s is left", dir)
		}
	}
}
