//go:build e2e

package e2e

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/klmcwhirter/ocisi/internal/process"
)

// testHost is a test host of a suite, apart from the one that people log in to.
type testHost struct {
	suite  string
	name   string
	docker string // "29", or "" for the suite's docker
	store  string // docker's image store: overlay2 or containerd
}

// newHost returns the host that flags and environment name.
func newHost() testHost {
	suite, docker, store := flag.Lookup("suite").Value.String(), os.Getenv("OCISI_HOST_DOCKER"), "overlay2"
	if docker == "29" {
		store = "containerd" // its default
	}
	return testHost{
		suite:  suite,
		name:   cmp.Or(os.Getenv("OCISI_HOST_NAME"), "oc-e2e-"+suite),
		docker: docker,
		store:  cmp.Or(os.Getenv("OCISI_HOST_STORE"), store),
	}
}

// prepare starts the host and installs ocisi in it.
func (h testHost) prepare(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "ocisi-e2e-")
	if err != nil {
		return fmt.Errorf("preparing: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	program := built("ocisi")
	if program == "" {
		program = filepath.Join(dir, "ocisi")
		if err := goBuild(ctx, "build", "-trimpath", "-ldflags", "-s -w", "-o", program, "./cmd/ocisi"); err != nil {
			return err
		}
	}
	if err := h.command(ctx, nil, os.Stderr, os.Stderr, "up", h.suite); err != nil {
		return fmt.Errorf("starting the host: %w", err)
	}
	if err := h.command(ctx, nil, os.Stderr, os.Stderr, "install", h.suite, program); err != nil {
		return fmt.Errorf("installing ocisi: %w", err)
	}
	return h.checkDocker(ctx)
}

// checkDocker verifies docker's image store and API version: a host that was made
// with others would repeat its tests.
func (h testHost) checkDocker(ctx context.Context) error {
	driver := map[string]string{"overlay2": "overlay2", "containerd": "overlayfs"}[h.store]
	if err := h.checkAnswer(ctx, driver, "docker", "info", "--format", "{{.Driver}}"); err != nil {
		return err
	}
	if h.docker != "29" {
		return nil
	}
	return h.checkAnswer(ctx, "1.56", "docker", "version", "--format", "{{.Server.APIVersion}}")
}

// checkAnswer verifies what a command prints in the host.
func (h testHost) checkAnswer(ctx context.Context, want string, command ...string) error {
	var out strings.Builder
	if err := h.command(ctx, nil, &out, os.Stderr, append([]string{"as", h.suite}, command...)...); err != nil {
		return fmt.Errorf("checking the host: %w", err)
	}
	if got := strings.TrimSpace(out.String()); got != want {
		return fmt.Errorf("%s in %s prints %s, not %s; run: test/host/host.sh wipe %s", strings.Join(command, " "), h.name, got, want, h.suite)
	}
	return nil
}

// program installs a test program of a package and returns its path here.
func (h testHost) program(t *testing.T, name, pkg string, tags string) string {
	t.Helper()
	program := built(name)
	if program == "" {
		program = filepath.Join(t.TempDir(), name)
		if err := goBuild(t.Context(), "test", "-c", "-tags", tags, "-o", program, pkg); err != nil {
			t.Fatal(err)
		}
	}
	if err := h.command(t.Context(), nil, io.Discard, os.Stderr, "install", h.suite, program); err != nil {
		t.Fatal(err)
	}
	return program
}

// built returns the path of a program in OCISI_TEST_PROGRAMS, or "" without that
// folder.
func built(name string) string {
	if dir := os.Getenv("OCISI_TEST_PROGRAMS"); dir != "" {
		return filepath.Join(dir, name)
	}
	return ""
}

// goBuild runs the go command at the root of the module, for static programs.
func goBuild(ctx context.Context, args ...string) error {
	err := process.System{}.Run(ctx, process.Cmd{Name: "go", Args: args, Dir: filepath.Join("..", ".."), Env: []string{"CGO_ENABLED=0"}})
	if err != nil {
		return fmt.Errorf("building: %w", err)
	}
	return nil
}

// command runs host.sh.
func (h testHost) command(ctx context.Context, stdin io.Reader, stdout, stderr io.Writer, args ...string) error {
	return process.System{}.Run(ctx, process.Cmd{
		Name: filepath.Join("..", "host", "host.sh"), Args: args,
		Env:   []string{"OCISI_HOST_FRESH=1", "OCISI_HOST_NAME=" + h.name, "OCISI_HOST_DOCKER=" + h.docker, "OCISI_HOST_STORE=" + h.store},
		Stdin: stdin, Stdout: stdout, Stderr: stderr, Timeout: 30 * time.Minute,
	})
}

// script runs a shell script as root of the host.
func (h testHost) script(ctx context.Context, text string) error {
	return h.command(ctx, strings.NewReader(text), nil, nil, "sh", h.suite, "bash", "-eu", "-s")
}

// reset removes what a story left: all containers, all images but the bases,
// the files that ocisi wrote. It keeps build caches, and images that a story pushed
// to the registry. Services that a story stopped are started again.
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
  systemctl --user start podman.socket
  docker ps -aq | xargs -r docker rm -f -v
  podman rm -a -f -v -t 0
  podman ps -aq --external | xargs -r podman rm -f
  for engine in docker podman; do
    $engine images --format "{{.Repository}}:{{.Tag}}" | grep -v -e "^ghcr.io/ublue-os/" -e "<none>" | xargs -r $engine rmi -f
    $engine image prune -f
  done
  systemctl --user disable --now ocisi-recreate.timer 2>/dev/null || true
'
rm -rf /usr/share/ublue-os /usr/share/ocisi /usr/bin/ujust
cd /var/home/dev
su -l dev -s /bin/bash -c "$clean" >/dev/null
rm -rf .config/systemd/user/ocisi-recreate.* .config/just .Justfile
su -l dev -s /bin/bash -c 'systemctl --user daemon-reload && systemctl --user is-active --quiet podman.socket'
rm -rf .config/ocisi .local/state/ocisi .local/share/ocisi .cache/ocisi .local/bin .local/share/applications .local/share/icons .vscode-server story
`
