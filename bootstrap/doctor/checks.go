package doctor

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/klmcwhirter/ocisi/bootstrap/host"
	"github.com/klmcwhirter/ocisi/internal/process"
)

// Checks returns the checks of this package. The order is that of a person who
// looks for a fault: from the machine to the engines to what runs on them.
func Checks() []Check {
	return []Check{
		{"host.system", "operating system", system},
		{"host.container", "runs on the host", container},
		{"host.devmode", "developer mode of the image", devMode},
		{"podman.engine", "podman answers", podmanEngine},
		{"podman.subids", "ids for rootless podman", subIDs},
		{"podman.copies", "podman's boxes share layers", podmanCopies},
		{"podman.space", "room for podman's images", podmanSpace},
		{"docker.engine", "docker answers", dockerEngine},
		{"docker.group", "group docker exists", groupExists},
		{"docker.group.user", "user is in group docker", groupUser},
		{"docker.group.session", "this session is in group docker", groupSession},
		{"docker.group.timers", "timers are in group docker", groupTimers},
		{"docker.space", "room for docker's images", dockerSpace},
		{"distrobox", "distrobox", distrobox},
		{"shell", "the boxes have your shell", shell},
	}
}

func system(_ context.Context, f Facts) Result {
	release := f.Host.Release()
	name := release.Name
	if name == "" {
		name = "unknown: there is no os-release"
	}
	if image, is := f.Host.Image(); is {
		name += fmt.Sprintf(", image %s:%s", image.Name, image.Tag)
	}
	return ok(name)
}

func container(_ context.Context, f Facts) Result {
	if name := f.Host.Container(); name != "" {
		return warn("this is "+name+": what is found here is about it, not about the host",
			"distrobox-host-exec ocisi doctor")
	}
	return ok("not in a container")
}

// devMode knows three eras: images with -dx in their name, which are being
// retired; a script that leaves a mark in the home; and bctl, which it hands
// over to by now. None of them is needed for podman.
func devMode(ctx context.Context, f Facts) Result {
	image, is := f.Host.Image()
	if !is {
		return skip("not an image of Universal Blue")
	}
	if image.DX() {
		return ok(image.Name + " has it built in (images like it are being retired)")
	}
	for _, mark := range []string{path.Join(f.Host.User.Home, ".config/bluefin/devmode"), "/etc/ublue-os/devmode"} {
		if f.Host.Exists(mark) {
			return ok("switched on (" + mark + ")")
		}
	}
	docker := f.Docker(ctx)
	if docker.Wanted && !docker.Installed {
		return warn("off, and an image wants docker, which this image comes without", devModeFix(ctx, f.Host))
	}
	return ok("off, and not needed: podman and distrobox come with the image")
}

func devModeFix(ctx context.Context, h host.Host) string {
	recipes := h.Recipes(ctx)
	for _, recipe := range []string{"devmode", "toggle-devmode"} {
		if slices.Contains(recipes, recipe) {
			return "ujust " + recipe
		}
	}
	if h.Exists("/home/linuxbrew/.linuxbrew/bin/bctl") {
		return "bctl devmode --enable"
	}
	return usePodman
}

// wantedSubIDs is what useradd hands out, and what distrobox maps.
const wantedSubIDs = 65536

func subIDs(ctx context.Context, f Facts) Result {
	podman := f.Podman(ctx)
	if !podman.Installed || f.Host.User.UID == 0 {
		return skip("podman is not used without root")
	}
	start, short := 0, []string{}
	for _, file := range []string{"/etc/subuid", "/etc/subgid"} {
		own, free := f.Host.SubIDs(file)
		count := 0
		for _, r := range own {
			count += r.Count
		}
		start = max(start, free)
		if count < wantedSubIDs {
			short = append(short, fmt.Sprintf("%s grants %s %d ids", file, f.Host.User.Name, count))
		}
	}
	if len(short) == 0 {
		return ok(f.Host.User.Name + " has ranges in /etc/subuid and /etc/subgid")
	}
	block := fmt.Sprintf("%d-%d", start, start+wantedSubIDs-1)
	return fault(podman.Wanted, fmt.Sprintf("%s; containers want %d", strings.Join(short, ", "), wantedSubIDs),
		fmt.Sprintf("sudo usermod --add-subuids %s --add-subgids %s %s", block, block, f.Host.User.Name),
		"podman system migrate")
}

const (
	gib         = 1 << 30
	scarceSpace = 10 * gib // a hierarchy and an update of it
	leastSpace  = 2 * gib  // one base image
)

func podmanSpace(ctx context.Context, f Facts) Result { return space(f.Host, f.Podman(ctx)) }
func dockerSpace(ctx context.Context, f Facts) Result { return space(f.Host, f.Docker(ctx)) }

// space looks at the store itself: on an image-based system / is always full.
func space(h host.Host, engine Engine) Result {
	if !engine.Installed || engine.Root == "" {
		return skip("its store is not known")
	}
	room, err := h.Space(engine.Root)
	if err != nil {
		return warn(err.Error())
	}
	detail := fmt.Sprintf("%.1f GiB free of %.1f at %s", float64(room.Free)/gib, float64(room.Total)/gib, engine.Root)
	switch {
	case room.Free < leastSpace:
		return fault(engine.Wanted, detail, "ocisi clean")
	case room.Free < scarceSpace:
		return warn(detail, "ocisi clean")
	}
	return ok(detail)
}

func distrobox(ctx context.Context, f Facts) Result {
	version, err := f.Host.Distrobox(ctx)
	if _, missing := errors.AsType[*process.NotFoundError](err); missing {
		return fail("not installed", install(f.Host, "distrobox"))
	}
	if err != nil {
		return warn(err.Error(), "distrobox version")
	}
	major, minor := numbers(version)
	switch {
	case major < 1 || major == 1 && minor < 4:
		return fail(version+" is too old; 1.4 is the oldest that works", install(f.Host, "distrobox"))
	case major == 1 && minor < 8:
		return warn(version+" works; 1.8 and later are what ocisi is made for", install(f.Host, "distrobox"))
	}
	return ok(version)
}

// numbers returns the first two of a version; what is no number is 0.
func numbers(version string) (major, minor int) {
	fields := strings.Split(version, ".")
	major, _ = strconv.Atoi(fields[0])
	if len(fields) > 1 {
		minor, _ = strconv.Atoi(fields[1])
	}
	return major, minor
}

// shell matters because distrobox does not start a box that lacks the shell of
// the one who creates it.
func shell(_ context.Context, f Facts) Result {
	full := f.Host.Getenv("SHELL")
	switch name := path.Base(full); {
	case full == "":
		return ok("SHELL is not set; boxes use bash")
	case slices.Contains([]string{"bash", "zsh", "fish", "sh"}, name):
		return ok(name)
	default:
		return warn(name+" is not in the default images: add its package to Containerfile.fedora-dev-base and Containerfile.debian, or take bash in the boxes",
			"SHELL=/bin/bash ocisi process")
	}
}

// install is how a program gets onto a host. An image-based one has no package
// manager for that, and layering is not advised there.
func install(h host.Host, program string) string {
	release := h.Release()
	switch {
	case h.Exists("/run/ostree-booted"):
		return "brew install " + program
	case release.Is("fedora"):
		return "sudo dnf install " + program
	case release.Is("debian"):
		return "sudo apt install " + program
	}
	return "brew install " + program
}
