package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/klmcwhirter/ocisi/bootstrap/host"
)

// usePodman is the way out where docker cannot be had.
const usePodman = "export DBX_CONTAINER_MANAGER=podman"

func podmanEngine(ctx context.Context, f Facts) Result {
	podman := f.Podman(ctx)
	needed := podman.Wanted || !f.Docker(ctx).Installed
	switch {
	case !podman.Installed && !needed:
		return skip("not installed, and no image wants it")
	case !podman.Installed:
		return fail("not installed", install(f.Host, "podman"))
	case podman.Err != nil:
		return fault(needed, podman.Err.Error(), "podman info")
	}
	return ok(describe(podman))
}

// podmanCopies tells of a store where the layers that images share are not shared
// by their boxes. It is a matter of the file system, so the fix is none that is
// typed lightly.
func podmanCopies(ctx context.Context, f Facts) Result {
	podman := f.Podman(ctx)
	switch {
	case !podman.Installed || podman.Err != nil:
		return skip("podman does not answer")
	case !podman.Copies && podman.FileSystem == "":
		return ok("no copies of images")
	case !podman.Copies:
		return ok("on " + podman.FileSystem + ", no copies of images")
	}
	detail := "on " + podman.FileSystem + " podman copies each image that a box is made of. A store on btrfs or xfs, or fuse-overlayfs, does not; docs/first-start.md has the price"
	if podman.Wanted {
		return warn(detail)
	}
	return skip(detail)
}

func dockerEngine(ctx context.Context, f Facts) Result {
	docker := f.Docker(ctx)
	switch {
	case !docker.Installed && !docker.Wanted:
		return skip("not installed, and no image wants it")
	case !docker.Installed:
		return fail("not installed, and an image wants it", usePodman)
	case docker.Err == nil:
		return ok(describe(docker))
	case !systemWide(docker):
		return fault(docker.Wanted, docker.Err.Error(), "docker context ls")
	case errors.Is(docker.Err, fs.ErrPermission):
		return fault(docker.Wanted, "you may not open its socket; the group decides, see below")
	case f.Host.Socket(dockerSocket):
		return fault(docker.Wanted, docker.Err.Error(), "docker version")
	case f.Host.Exists("/usr/lib/systemd/system/docker.socket"):
		return fault(docker.Wanted, "its daemon is not started: "+docker.Err.Error(), "sudo systemctl enable --now docker.socket")
	}
	return fault(docker.Wanted, "it came without its daemon: "+docker.Err.Error(), usePodman)
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

// dockerGroup looks the group up, or returns a result that settles the matter:
// the group is of no use, or the lookup went wrong.
func dockerGroup(ctx context.Context, f Facts) (group host.Group, there bool, settled *Result) {
	docker := f.Docker(ctx)
	settle := func(r Result) (host.Group, bool, *Result) { return host.Group{}, false, &r }
	switch {
	case !docker.Installed:
		return settle(skip("docker is not installed"))
	case f.Host.User.UID == 0:
		return settle(skip("root needs no group"))
	case !systemWide(docker):
		return settle(skip("docker is reached in another way"))
	}
	group, there, err := f.Host.Group(ctx, "docker")
	if err != nil {
		return settle(warn(err.Error(), "getent group docker"))
	}
	return group, there, nil
}

// lacking is the result of a membership that is missing: without it docker can
// still answer, say by an access list on its socket.
func lacking(docker Engine, detail string, fix ...string) Result {
	if docker.Err == nil {
		return skip(detail + "; docker answers all the same")
	}
	return fault(docker.Wanted, detail, fix...)
}

func groupExists(ctx context.Context, f Facts) Result {
	group, there, settled := dockerGroup(ctx, f)
	switch {
	case settled != nil:
		return *settled
	case !there:
		return lacking(f.Docker(ctx), "there is none: docker is not part of this system", usePodman)
	case !group.Local:
		return ok(fmt.Sprintf("%d, in the image's own file", group.GID))
	}
	return ok(fmt.Sprint(group.GID))
}

func groupUser(ctx context.Context, f Facts) Result {
	group, there, settled := dockerGroup(ctx, f)
	switch {
	case settled != nil:
		return *settled
	case !there:
		return skip("there is no group docker")
	case f.Host.Listed(ctx, group):
		return ok(f.Host.User.Name + " is a member")
	}
	return lacking(f.Docker(ctx), f.Host.User.Name+" is not in group docker", joinGroup(ctx, f.Host, group)...)
}

// joinGroup is how a user becomes a member. usermod edits /etc/group only, so a
// group that is in the image's read-only file has to be copied there first.
func joinGroup(ctx context.Context, h host.Host, group host.Group) []string {
	if slices.Contains(h.Recipes(ctx), "dx-group") {
		return []string{"ujust dx-group", "systemctl reboot"}
	}
	var fix []string
	if !group.Local {
		fix = append(fix, "getent group docker | sudo tee -a /etc/group")
	}
	return append(fix, "sudo usermod -aG docker "+h.User.Name, "systemctl reboot")
}

func groupSession(ctx context.Context, f Facts) Result {
	group, there, settled := dockerGroup(ctx, f)
	switch {
	case settled != nil:
		return *settled
	case !there || !f.Host.Active(group) && !f.Host.Listed(ctx, group):
		return skip("the user is not a member")
	case f.Host.Active(group):
		return ok("this session has it")
	}
	return lacking(f.Docker(ctx), "you are in the group, but this session is older than that: log out and in, and if that does not help, reboot (newgrp docker does for one shell)",
		"systemctl reboot")
}

func groupTimers(ctx context.Context, f Facts) Result {
	group, there, settled := dockerGroup(ctx, f)
	switch {
	case settled != nil:
		return *settled
	case !there || !f.Host.Active(group):
		return skip("this session does not have it either")
	}
	gids, err := f.Host.ManagerGroups(ctx)
	switch {
	case err != nil:
		return skip(err.Error())
	case slices.Contains(gids, group.GID):
		return ok("background jobs have it")
	}
	return warn("your shell has it, background jobs do not: the user's systemd is older than the membership, and ends with a reboot",
		"systemctl reboot")
}
