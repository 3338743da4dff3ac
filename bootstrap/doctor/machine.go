package doctor

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/klmcwhirter/ocisi/bootstrap/host"
)

// container fails, since every other answer would be about the container.
func container(_ context.Context, f Facts) Result {
	name := f.Host.Container()
	if name == "" {
		return ok("not in a container")
	}
	detail := "this is " + name + ", and what is to be looked at is the host: run it there"
	if f.Host.Getenv("CONTAINER_ID") == "" {
		return fail(detail)
	}
	return fail(detail, "distrobox-host-exec ocisi doctor")
}

// system names what it is. What is no Bluefin is no fault.
func system(_ context.Context, f Facts) Result {
	release, kind := f.Host.Release(), f.Host.Kind()
	name := release.Name
	switch {
	case name == "" && kind == host.Unknown:
		return info("an unknown system; there is no os-release, and ocisi does without")
	case name == "":
		name = string(kind)
	case kind != host.Unknown && !strings.HasPrefix(name, string(kind)):
		name += " (" + string(kind) + ")"
	}
	if slices.Contains([]host.Kind{host.Bluefin, host.BluefinLTS}, kind) {
		return ok(name)
	}
	return info(name + "; not Bluefin, and all of ocisi works there, too")
}

// image says what the image says of itself. The tag that the host follows, only
// bootc knows, and it asks for root's password.
func image(_ context.Context, f Facts) Result {
	image, is := f.Host.Image()
	switch {
	case is:
	case f.Host.Atomic():
		return info("an image, and none of Universal Blue's")
	default:
		return skip("not an image: programs come by a package manager")
	}
	text := image.Name
	if image.Vendor != "" {
		text += " of " + image.Vendor
	}
	if image.Tag != "" {
		text += ", built as " + image.Tag
	}
	if image.DX() {
		text += "; Bluefin gives up its -dx images, developer mode then comes by Homebrew"
	}
	return info(text)
}

const linuxbrew = "/home/linuxbrew/.linuxbrew"

// devMode knows three eras: images with -dx in their name, which are being
// retired; a script that leaves a mark in the home and installs in place; and
// bctl, which it hands over to by now and which looks at the groups. There is no
// single truth, and none of it is needed for podman.
func devMode(ctx context.Context, f Facts) Result {
	image, is := f.Host.Image()
	if !is {
		return skip("only images of Universal Blue have it")
	}
	if image.DX() {
		return ok(image.Name + " has it built in")
	}
	for _, mark := range []string{path.Join(f.Host.ConfigHome(), "bluefin/devmode"), "/etc/ublue-os/devmode"} {
		if f.Host.Exists(mark) {
			return ok("developer mode is on: there is " + mark + traces(ctx, f.Host))
		}
	}
	docker := f.Docker(ctx)
	switch left := traces(ctx, f.Host); {
	case docker.Wanted && !docker.Installed:
		return warn("developer mode is off, and an image wants docker, which this system comes without"+left, devModeFix(ctx, f.Host)...)
	case left != "":
		return info("developer mode has left no mark" + left)
	}
	return info("developer mode is off; podman and distrobox come with the image")
}

// traces tells of what developer mode brings, whoever brought it.
func traces(ctx context.Context, h host.Host) string {
	var groups, tools []string
	for _, name := range []string{"docker", "incus-admin", "libvirt", "dialout"} {
		if group, there, err := h.Group(ctx, name); err == nil && there && h.Active(group) {
			groups = append(groups, name)
		}
	}
	for _, tool := range []string{"/usr/bin/code", linuxbrew + "/bin/code", linuxbrew + "/bin/devcontainer", linuxbrew + "/bin/docker"} {
		if h.Exists(tool) {
			tools = append(tools, tool)
		}
	}
	text := ""
	if len(groups) > 0 {
		text += "; you are in " + strings.Join(groups, ", ")
	}
	if len(tools) > 0 {
		text += "; there is " + strings.Join(tools, ", ")
	}
	return text
}

func devModeFix(ctx context.Context, h host.Host) []string {
	recipes := h.Recipes(ctx)
	for _, recipe := range []string{"devmode", "toggle-devmode"} {
		if slices.Contains(recipes, recipe) {
			return []string{"ujust " + recipe}
		}
	}
	if h.Exists(linuxbrew + "/bin/bctl") {
		return []string{"bctl devmode --enable"}
	}
	return []string{usePodman}
}

// wheel is the group whose members sudo and pkexec believe; Debian calls it sudo.
func wheel(ctx context.Context, f Facts) Result {
	if f.Host.User.UID == 0 {
		return skip("you are root")
	}
	for _, name := range []string{"wheel", "sudo"} {
		group, there, err := f.Host.Group(ctx, name)
		if err == nil && there && (f.Host.Active(group) || f.Host.Listed(ctx, group)) {
			return ok("you are in group " + name)
		}
	}
	return info("you are in neither wheel nor sudo; what begins with sudo, somebody else has to type")
}

func seLinux(ctx context.Context, f Facts) Result {
	mode := f.Host.SELinux(ctx)
	if mode == "" || mode == "Disabled" {
		return skip("not in use")
	}
	mode = "SELinux is " + strings.ToLower(mode)
	store := path.Join(f.Host.User.Home, ".local/share/containers")
	if !f.Host.Exists(store) {
		return ok(mode)
	}
	for _, at := range []string{store, path.Join(store, "storage/overlay")} {
		if wrong := f.Host.Mislabeled(ctx, at); wrong != "" {
			return warn(mode+", and containers may be kept from their files: "+wrong, "restorecon -R -v "+store)
		}
	}
	return ok(mode + ", the labels of podman's store are right")
}

// metered matters to runs that nobody watches only.
func metered(ctx context.Context, f Facts) Result {
	isMetered, known := f.Host.Metered(ctx)
	battery := f.Host.OnBattery()
	network := "nobody says whether the network is metered"
	switch {
	case isMetered:
		network = "the network is metered"
	case known:
		network = "the network is not metered"
	}
	switch {
	case isMetered && battery:
		return info("on battery, and " + network + "; a timer waits until neither is so")
	case isMetered:
		return info(network + "; a timer waits until it is not")
	case battery:
		return info("on battery; a timer waits for the plug; " + network)
	case !known:
		return ok("on mains power; " + network)
	}
	return ok("on mains power, " + network)
}

const (
	gib         = 1 << 30
	scarceSpace = 10 * gib // a hierarchy and an update of it
	leastSpace  = 2 * gib  // one base image
)

// storageFree looks at the stores themselves: on an image-based system / is
// always full.
func storageFree(ctx context.Context, f Facts) Result {
	var all []Result
	for _, engine := range []Engine{f.Podman(ctx), f.Docker(ctx)} {
		if engine.Installed && engine.Root != "" {
			all = append(all, room(f.Host, engine))
		}
	}
	if len(all) == 0 {
		return skip("no engine tells where its store is")
	}
	worst, details := all[0], []string{}
	for _, r := range all {
		details = append(details, r.Detail)
		if i := len(details) - 1; i > 0 { // most have one file system
			amount, at, _ := strings.Cut(r.Detail, " at ")
			if strings.HasPrefix(details[i-1], amount+" at ") {
				details = append(details[:i-1], details[i-1]+" and "+at)
			}
		}
		if grave(r.Status) > grave(worst.Status) {
			worst = r
		}
	}
	worst.Detail = strings.Join(details, "; ")
	return worst
}

// grave orders statuses.
func grave(s Status) int { return slices.Index([]Status{Skip, OK, Info, Warn, Fail}, s) }

func room(h host.Host, engine Engine) Result {
	space, err := h.Space(engine.Root)
	if err != nil {
		return warn(err.Error())
	}
	detail := fmt.Sprintf("%.1f GiB free of %.1f at %s", float64(space.Free)/gib, float64(space.Total)/gib, engine.Root)
	switch {
	case space.Free < leastSpace:
		return fault(engine.Wanted, detail, "ocisi clean")
	case space.Free < scarceSpace:
		return warn(detail, "ocisi clean")
	}
	return ok(detail)
}

// storageCopies tells of a store where the layers that images share are not
// shared by their boxes. It is a matter of the file system, so the fix is none
// that is typed lightly.
func storageCopies(ctx context.Context, f Facts) Result {
	podman := f.Podman(ctx)
	switch {
	case !podman.Installed || podman.Err != nil:
		return skip("podman does not answer")
	case !podman.Copies && podman.FileSystem == "":
		return ok("podman makes no copies of images")
	case !podman.Copies:
		return ok("podman makes no copies of images on " + podman.FileSystem)
	}
	detail := "on " + podman.FileSystem + " podman copies each image that a box is made of. A store on btrfs or xfs, or fuse-overlayfs, does not; docs/first-start.md has the price"
	if podman.Wanted {
		return warn(detail)
	}
	return skip(detail)
}
