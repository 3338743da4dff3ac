package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klmcwhirter/ocisi/cmd/internal/cli"
	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/engine/enginetest"
)

// Scripts cannot tell one failure's status from another's.
func TestExitStatus(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return file
	}
	write("docker.json", `{"Images": [{"Refs": ["ghcr.io/x/base:1"]}]}`)
	write("img/Containerfile.good", "FROM ghcr.io/x/base:1\nRUN true\n")
	write("img/Containerfile.none", "FROM ghcr.io/x/none:1\n")
	good := write("good.yaml", "- {name: good, path: img, enabled: true}\n")
	none := write("none.yaml", "- {name: none, path: img, enabled: true}\n")
	bad := write("bad.yaml", "- {nam: good}\n")
	empty := write("empty.yaml", "images: []\n")
	podman := write("podman.yaml", "- {name: good, path: img, manager: podman, enabled: true}\n")
	for _, c := range []struct {
		name string
		want int
		args []string
	}{
		{"help", 0, []string{"--help"}},
		{"version", 0, []string{"version"}},
		{"a verb that does not exist", 2, []string{"lisst"}},
		{"a flag that does not exist", 2, []string{"list", "--nope"}},
		{"a stray argument", 2, []string{"list", "stray"}},
		{"flags that exclude each other", 2, []string{"list", "-a", "-e"}},
		{"a setting that is no number", 2, []string{"process", "-f", good, "--jobs", "0"}},
		{"no config", 2, []string{"list"}},
		{"a bad config", 2, []string{"list", "-f", bad}},
		{"an unknown name", 2, []string{"plan", "-f", good, "nosuch"}},
		{"an unknown check", 2, []string{"doctor", "nosuch"}},
		{"a check that warns", 0, []string{"doctor", "config"}},
		{"a check that warns, strictly", 1, []string{"doctor", "config", "--strict"}},
		{"a check that fails", 1, []string{"doctor", "config", "-f", bad}},
		{"nobody to ask", 2, []string{"setup"}},
		{"a plan", 0, []string{"plan", "-f", good}},
		{"a plan with changes", 3, []string{"plan", "-f", good, "--detailed-exitcode"}},
		{"a plan without", 0, []string{"plan", "-f", empty, "--detailed-exitcode"}},
		{"a base that no registry has", 1, []string{"process", "-f", none}},
		{"a run that works", 0, []string{"process", "-f", good}},
		{"a config that is wrong", 2, []string{"config", "validate", bad}},
		{"a shell that nobody has", 2, []string{"completion", "ksh"}},
		{"podman is missing", 127, []string{"process", "-f", podman}},
	} {
		t.Run(c.name, func(t *testing.T) {
			server, err := enginetest.Start(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer server.Close()
			var out, errs bytes.Buffer
			env := cli.System()
			env.Stdin, env.Stdout, env.Stderr, env.Terminal = nil, &out, &errs, false
			env.Home, env.ConfigDir, env.StateDir = dir, filepath.Join(dir, "config"), filepath.Join(dir, "state")
			env.User, env.UID, env.GID = "al", 1000, 1000
			env.Files = withIDs{env.Files}
			vars := map[string]string{"DOCKER_HOST": server.DockerHost(), "CONTAINER_HOST": server.PodmanHost(), "DBX_CONTAINER_MANAGER": "docker", "SHELL": "/bin/bash", "PATH": os.Getenv("PATH")}
			if c.want == 127 {
				t.Setenv("PATH", dir)
				delete(vars, "CONTAINER_HOST")
			}
			t.Setenv("ENGINETEST_DIR", dir) // where the fakes write what they were asked
			env.Getenv = func(key string) string { return vars[key] }
			if got := cli.Main(t.Context(), env, c.args); got != c.want {
				t.Errorf("exit status %d, want %d\n%s%s", got, c.want, &out, &errs)
			}
		})
	}
}

// A clean that is interrupted fails, also when no step did.
func TestInterruptedClean(t *testing.T) {
	dir := t.TempDir()
	config := filepath.Join(dir, "ocisi.yaml")
	state := fmt.Sprintf(`{"Images": [{"Refs": ["docker.io/library/old:1"], "Labels": {%q: "old:1", %q: %q}}]}`,
		hierarchy.LabelImage, hierarchy.LabelConfig, config)
	for name, text := range map[string]string{config: "images: []\n", filepath.Join(dir, "docker.json"): state} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	server, err := enginetest.Start(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	server.Watch(func(point string, _ bool) enginetest.Verdict {
		if strings.HasPrefix(point, "docker DELETE /images/") {
			cancel()
			return enginetest.Hang
		}
		return enginetest.Pass
	})
	var out, errs bytes.Buffer
	env := al(cli.System())
	env.Stdin, env.Stdout, env.Stderr, env.Terminal = nil, &out, &errs, false
	env.Home, env.ConfigDir, env.StateDir, env.DataHome = dir, filepath.Join(dir, "config"), filepath.Join(dir, "state"), filepath.Join(dir, "data")
	env.Getenv = func(key string) string {
		return map[string]string{"DOCKER_HOST": server.DockerHost(), "DBX_CONTAINER_MANAGER": "docker"}[key]
	}
	code := cli.Main(ctx, env, []string{"clean", "-f", config, "--skip-podman"})
	if want := "ocisi: stopping; a second signal (Ctrl-C) quits at once\nocisi: stopped; what was finished stays\n"; code != 1 || errs.String() != want || len(server.Docker().Images) != 1 {
		t.Errorf("exit status %d, stdout\n%s\nstderr\n%s", code, &out, &errs)
	}
}

// What completes goes where everything else does: cobra's own commands write to
// the process's standard output unless they are told in time.
func TestCompletionIsWrittenToItsEnv(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	env := cli.Env{Stdout: &out, Stderr: &out, Getenv: func(string) string { return "" }}
	if code := cli.Main(t.Context(), env, []string{"completion", "bash"}); code != 0 || !strings.Contains(out.String(), "__start_ocisi") {
		t.Errorf("status %d, wrote %d bytes", code, out.Len())
	}
}
