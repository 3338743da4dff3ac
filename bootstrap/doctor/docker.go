package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/klmcwhirter/ocisi/bootstrap/host"
)

// usePodman is the way out where docker cannot be had.
const usePodman = "export DBX_CONTAINER_MANAGER=podman"

// dockerCLI matters since distrobox makes boxes by the program; ocisi's own
// builds go to the daemon.
func dockerCLI(ctx context.Context, f Facts) Result {
	docker := f.Docker(ctx)
	found := f.Host.Find("docker")
	switch {
	case len(found) == 0 && docker.Boxes > 0:
		return fail("there is no program docker, by which distrobox makes boxes", installDocker(f.Host))
	case len(found) == 0:
		return skip("there is no program docker, and no box wants it")
	case path.Base(f.Host.Real(found[0])) == "podman", disguised(f.Host, found[0]):
		return fault(docker.Boxes > 0, found[0]+" is podman under another name, which distrobox is not told", usePodman)
	}
	return ok(found[0])
}

// disguised reports whether a program is the script that podman-docker installs.
func disguised(h host.Host, program string) bool {
	text := h.Head(program, 1024)
	return strings.HasPrefix(text, "#!") && strings.Contains(text, "podman")
}

// installDocker is how the program gets there; the daemon is another matter.
func installDocker(h host.Host) string {
	if h.Kind() == host.Debian || h.Kind() == host.Ubuntu {
		return "sudo apt install docker.io"
	}
	return usePodman
}

// dockerContext says who decides which docker it is.
func dockerContext(ctx context.Context, f Facts) Result {
	docker := f.Docker(ctx)
	if !docker.Installed {
		return skip("docker is not installed")
	}
	env, current := f.Host.Getenv("DOCKER_HOST"), currentContext(f.Host)
	switch {
	case isPodmans(f, docker.Endpoint):
		return fault(docker.Boxes > 0, docker.Endpoint+" is podman's: images of docker's would be built there, and distrobox does not find them", usePodman)
	case env != "" && current != "" && current != "default":
		return warn("DOCKER_HOST, "+env+", goes before docker's context "+current, "unset DOCKER_HOST")
	case env != "":
		return info("DOCKER_HOST is " + env)
	case current != "" && current != "default":
		return info("docker's context is " + current + where(docker))
	}
	return ok("docker is the system's own" + where(docker))
}

func where(docker Engine) string {
	if docker.Endpoint == "" {
		return ""
	}
	return ", " + docker.Endpoint
}

// currentContext is docker's own answer: the environment, then its settings.
func currentContext(h host.Host) string {
	if name := h.Getenv("DOCKER_CONTEXT"); name != "" {
		return name
	}
	dir := h.Getenv("DOCKER_CONFIG")
	if dir == "" {
		dir = path.Join(h.User.Home, ".docker")
	}
	var settings struct {
		CurrentContext string `json:"currentContext"`
	}
	_ = json.Unmarshal([]byte(h.Text(path.Join(dir, "config.json"))), &settings)
	return settings.CurrentContext
}

func dockerEngine(ctx context.Context, f Facts) Result {
	docker := f.Docker(ctx)
	switch {
	case !docker.Installed && !docker.Wanted:
		return skip("docker is not installed, and no image wants it")
	case !docker.Installed:
		return fail("docker is not installed, and an image wants it", usePodman)
	case docker.Err == nil:
		return ok("docker " + describe(docker))
	case !systemWide(docker):
		return fault(docker.Wanted, docker.Err.Error(), otherDocker(f.Host, docker))
	case errors.Is(docker.Err, fs.ErrPermission):
		return fault(docker.Wanted, "you may not open docker's socket; the checks docker.group tell why", "ocisi doctor docker.group")
	case f.Host.Socket(dockerSocket):
		return fault(docker.Wanted, docker.Err.Error(), "docker version")
	case !f.Host.Exists("/usr/lib/systemd/system/docker.socket"):
		return noDaemon(f.Host, docker)
	}
	if _, there, err := f.Host.Group(ctx, "docker"); err == nil && !there {
		return fault(docker.Wanted, "docker.socket cannot start: there is no group docker (216/GROUP)", "sudo groupadd --system docker", startDocker)
	}
	return fault(docker.Wanted, "docker's daemon is not started: "+docker.Err.Error(), startDocker)
}

const startDocker = "sudo systemctl enable --now docker.socket"

// otherDocker is what to type when the docker that somebody chose does not
// answer: a rootless one is a unit of the user's.
func otherDocker(h host.Host, docker Engine) string {
	if docker.Endpoint != fmt.Sprintf("unix:///run/user/%d/docker.sock", h.User.UID) {
		return "docker context ls"
	}
	for _, unit := range []string{"docker", "dockerd-rootless"} {
		for _, dir := range []string{path.Join(h.ConfigHome(), "systemd/user"), "/usr/lib/systemd/user"} {
			if h.Exists(path.Join(dir, unit+".service")) {
				return "systemctl --user enable --now " + unit
			}
		}
	}
	return "docker context ls"
}

// noDaemon tells of Homebrew's docker, which is the program alone.
func noDaemon(h host.Host, docker Engine) Result {
	whose := "docker"
	if found := h.Find("docker"); len(found) > 0 && strings.HasPrefix(found[0], linuxbrew+"/") {
		whose = "docker is Homebrew's, and"
	}
	return fault(docker.Wanted, whose+" came without a daemon: "+docker.Err.Error(), usePodman)
}

// dockerRootless tells of a limit of distrobox (its issue 223): in a container of
// rootless docker the user is root, and the home is not his.
func dockerRootless(ctx context.Context, f Facts) Result {
	docker := f.Docker(ctx)
	switch {
	case !docker.Installed || docker.Err != nil:
		return skip("docker does not answer")
	case !docker.Rootless:
		return ok("docker runs as root")
	case docker.Boxes > 0:
		return fail("this docker is rootless, and distrobox makes no boxes with that: images can be built, boxes want podman", usePodman)
	}
	return info("this docker is rootless: good for images, but distrobox makes no boxes with it")
}

const dockerSocket = "/run/docker.sock"

// systemWide reports whether docker is the daemon that runs as root on this
// machine, whose socket belongs to group docker.
func systemWide(docker Engine) bool {
	if docker.Rootless {
		return false
	}
	return slices.Contains([]string{"", "unix://" + dockerSocket, "unix:///var" + dockerSocket}, docker.Endpoint)
}

func describe(engine Engine) string {
	words := []string{engine.Version}
	if engine.Rootless {
		words = append(words, "rootless")
	}
	if engine.Endpoint != "" {
		words = append(words, engine.Endpoint)
	}
	return strings.Join(words, ", ")
}
