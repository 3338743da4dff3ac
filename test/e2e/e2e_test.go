//go:build e2e

// Package e2e tells stories of ocisi on real engines: an ordinary user of a
// throw-away machine (test/host) types commands, and the story says what must
// come of it. It needs root and Debian; a machine that does not come up is a
// failure, never a skip.
//
//	go test -tags e2e ./test/e2e [-suite trixie] [-keep] [-run TestStories/once/legacy]
//
// OCISI_HOST_NAME is another machine to do it on than oc-e2e-SUITE.
package e2e

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/klmcwhirter/ocisi/internal/process"
)

func TestMain(m *testing.M) {
	suite := flag.String("suite", "forky", "the machine's `SUITE`: forky, trixie or bookworm")
	keep := flag.Bool("keep", false, "leave the machine running, for a look around")
	flag.Parse()
	os.Exit(run(m, machine{*suite}, *keep))
}

func run(m *testing.M, on machine, keep bool) int {
	ctx := context.Background()
	if err := on.prepare(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		return 1
	}
	if !keep {
		defer func() { _ = on.host(ctx, nil, os.Stderr, os.Stderr, "down", on.suite) }()
	}
	return m.Run()
}

// TestStories tells each story once, and those in each/ once per engine. Those in
// node/ too, where there is the Node.js that the devcontainers CLI wants.
func TestStories(t *testing.T) {
	on := machine{flag.Lookup("suite").Value.String()}
	var alone sync.Mutex // stories share the machine
	for _, manager := range []string{"docker", "podman"} {
		t.Run(manager, func(t *testing.T) { on.tell(t, &alone, "each", manager) })
		if on.suite != "bookworm" {
			t.Run("node/"+manager, func(t *testing.T) { on.tell(t, &alone, "node", manager) })
		}
	}
	t.Run("once", func(t *testing.T) { on.tell(t, &alone, "once", "") })
}

// TestPackages runs the tests of packages that need an engine, or a browser, in
// the machine. Only the newest suite has a browser.
func TestPackages(t *testing.T) {
	on := machine{flag.Lookup("suite").Value.String()}
	packages := []string{"hierarchy/engine", "hierarchy/box"}
	if on.suite == "forky" {
		packages = append(packages, "cmd/internal/page")
	}
	for _, pkg := range packages {
		t.Run(path.Base(pkg), func(t *testing.T) { on.test(t, pkg) })
	}
}

func (on machine) test(t *testing.T, pkg string) {
	name := path.Base(pkg) + ".test"
	program := filepath.Join(t.TempDir(), name)
	if err := goBuild(t.Context(), "test", "-c", "-tags", "e2e", "-o", program, "./"+pkg); err != nil {
		t.Fatal(err)
	}
	if err := on.host(t.Context(), nil, io.Discard, os.Stderr, "install", on.suite, program); err != nil {
		t.Fatal(err)
	}
	if err := on.script(t.Context(), reset); err != nil {
		t.Fatal(err)
	}
	out := &strings.Builder{}
	err := on.host(t.Context(), nil, out, out, "as", on.suite, name, "-test.v", "-test.run=^(TestReal|TestE2E)", "-test.timeout=10m")
	t.Log(out)
	if err != nil {
		t.Error(err)
	}
}

// machine is the throw-away machine of a suite, apart from the one that people
// play with.
type machine struct{ suite string }

func (on machine) prepare(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "ocisi-e2e-")
	if err != nil {
		return fmt.Errorf("preparing: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	program := filepath.Join(dir, "ocisi")
	if err := goBuild(ctx, "build", "-trimpath", "-ldflags", "-s -w", "-o", program, "./cmd/ocisi"); err != nil {
		return err
	}
	if err := on.host(ctx, nil, os.Stderr, os.Stderr, "up", on.suite); err != nil {
		return fmt.Errorf("starting the machine: %w", err)
	}
	if err := on.host(ctx, nil, os.Stderr, os.Stderr, "install", on.suite, program); err != nil {
		return fmt.Errorf("installing ocisi: %w", err)
	}
	return nil
}

// goBuild runs the go command at the root of the module, for static programs.
func goBuild(ctx context.Context, args ...string) error {
	err := process.System{}.Run(ctx, process.Cmd{Name: "go", Args: args, Dir: filepath.Join("..", ".."), Env: []string{"CGO_ENABLED=0"}})
	if err != nil {
		return fmt.Errorf("building: %w", err)
	}
	return nil
}

// host runs host.sh.
func (on machine) host(ctx context.Context, stdin io.Reader, stdout, stderr io.Writer, args ...string) error {
	return process.System{}.Run(ctx, process.Cmd{
		Name: filepath.Join("..", "host", "host.sh"), Args: args, Env: []string{"OCISI_HOST_FRESH=1", "OCISI_HOST_NAME=" + cmp.Or(os.Getenv("OCISI_HOST_NAME"), "oc-e2e-"+on.suite)},
		Stdin: stdin, Stdout: stdout, Stderr: stderr, Timeout: 15 * time.Minute,
	})
}

func (on machine) tell(t *testing.T, alone *sync.Mutex, folder, manager string) {
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", folder),
		RequireExplicitExec: true,
		Condition:           func(cond string) (bool, error) { return cond == manager, nil },
		Setup: func(env *testscript.Env) error {
			alone.Lock()
			env.Defer(alone.Unlock)
			env.Setenv("MANAGER", manager)
			env.Setenv("OTHER", map[string]string{"docker": "podman", "podman": "docker"}[manager])
			return on.script(context.Background(), reset)
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"host":     func(ts *testscript.TestScript, neg bool, args []string) { on.command(ts, neg, "as", args) },
			"roothost": func(ts *testscript.TestScript, neg bool, args []string) { on.command(ts, neg, "sh", args) },
			"push":     func(ts *testscript.TestScript, _ bool, args []string) { on.push(ts, args) },
			"status":   status,
			"same":     same,
		},
	})
}

// command is "host CMD…" and "roothost CMD…": what CMD prints is there for
// stdout and stderr, its status for status. With $MANAGER, that is what ocisi
// takes for its default.
func (on machine) command(ts *testscript.TestScript, neg bool, as string, args []string) {
	all := []string{as, on.suite}
	if m := ts.Getenv("MANAGER"); m != "" {
		all = append(all, "env", "DBX_CONTAINER_MANAGER="+m)
	}
	begun := time.Now()
	err := on.host(context.Background(), nil, ts.Stdout(), ts.Stderr(), append(all, args...)...)
	ts.Logf("[%.1f s]", time.Since(begun).Seconds())
	exit := 0
	if pe, ok := errors.AsType[*process.Error](err); ok {
		exit = pe.Exit
	} else {
		ts.Check(err)
	}
	ts.Setenv("status", strconv.Itoa(exit))
	if neg != (exit != 0) {
		ts.Fatalf("%s ended with status %d", strings.Join(args, " "), exit)
	}
}

// push is "push FILE…": it copies files and folders of the story to the user's
// home.
func (on machine) push(ts *testscript.TestScript, args []string) {
	from, to := io.Pipe()
	go func() {
		to.CloseWithError(process.System{}.Run(context.Background(), process.Cmd{
			Name: "tar", Args: append([]string{"-C", ts.MkAbs("."), "-cf", "-"}, args...), Stdout: to,
		}))
	}()
	ts.Check(on.host(context.Background(), from, io.Discard, ts.Stderr(), "as", on.suite, "tar", "--no-same-owner", "-xf", "-"))
}

// status is "status N": the last command of host ended with N.
func status(ts *testscript.TestScript, _ bool, args []string) {
	if got := ts.Getenv("status"); len(args) != 1 || got != args[0] {
		ts.Fatalf("status %s, want %v", got, args)
	}
}

// same is "same FILE": stdout is what the file holds, which is written first
// with "cp stdout FILE".
func same(ts *testscript.TestScript, neg bool, args []string) {
	if neg == (ts.ReadFile("stdout") == ts.ReadFile(args[0])) {
		ts.Fatalf("stdout and %s: same is %v", args[0], neg)
	}
}

// script runs a shell script as root of the machine.
func (on machine) script(ctx context.Context, text string) error {
	return on.host(ctx, strings.NewReader(text), nil, nil, "sh", on.suite, "bash", "-eu", "-s")
}

// reset removes what a story left: all containers, all images but the bases,
// what ocisi wrote. Build caches stay, and what a story pushed to the registry.
const reset = `
systemctl stop story-registry 2>/dev/null || true
systemctl start ocisi-registry
usermod -aG docker dev
gpasswd -d dev sudo >/dev/null 2>&1 || true
[ ! -e /usr/bin/distrobox-export.moved ] || mv /usr/bin/distrobox-export.moved /usr/bin/distrobox-export
if [ -e /root/way-out ]; then
  ip route add $(cat /root/way-out)
  rm /root/way-out
fi
clean='
  docker ps -aq | xargs -r docker rm -f -v
  podman rm -a -f -v -t 0
  for manager in docker podman; do
    $manager images --format "{{.Repository}}:{{.Tag}}" | grep -v -e "^ghcr.io/ublue-os/" -e "<none>" | xargs -r $manager rmi -f
    $manager image prune -f
  done
'
su -l dev -s /bin/bash -c "$clean" >/dev/null
su -l dev -s /bin/bash -c 'systemctl --user disable --now ocisi-recreate.timer' 2>/dev/null || true
rm -rf /usr/share/ublue-os /usr/share/ocisi /usr/bin/ujust
cd /var/home/dev
rm -rf .config/systemd/user/ocisi-recreate.* .config/just .Justfile
su -l dev -s /bin/bash -c 'systemctl --user daemon-reload'
rm -rf .config/ocisi .local/state/ocisi .local/share/ocisi .cache/ocisi .local/bin .local/share/applications .local/share/icons .vscode-server story
`
