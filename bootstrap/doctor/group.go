package doctor

import (
	"context"
	"fmt"
	"slices"

	"github.com/klmcwhirter/ocisi/bootstrap/host"
)

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
		return lacking(f.Docker(ctx), "there is no group docker: docker is not part of this system", usePodman)
	case !group.Local:
		return ok(fmt.Sprintf("group docker is %d, in the image's own file", group.GID))
	}
	return ok(fmt.Sprintf("group docker is %d", group.GID))
}

func groupUser(ctx context.Context, f Facts) Result {
	group, there, settled := dockerGroup(ctx, f)
	switch {
	case settled != nil:
		return *settled
	case !there:
		return skip("there is no group docker")
	case f.Host.Listed(ctx, group):
		return ok(f.Host.User.Name + " is in group docker")
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
		fix = append(fix, "grep -q '^docker:' /etc/group || getent group docker | sudo tee -a /etc/group")
	}
	return append(fix, "sudo usermod -aG docker "+h.User.Name, "systemctl reboot")
}

func groupSession(ctx context.Context, f Facts) Result {
	group, there, settled := dockerGroup(ctx, f)
	switch {
	case settled != nil:
		return *settled
	case !there || !f.Host.Active(group) && !f.Host.Listed(ctx, group):
		return skip("you are not a member")
	case f.Host.Active(group):
		return ok("this session is in group docker")
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
		return skip("this session is not in it either")
	}
	gids, err := f.Host.ManagerGroups(ctx)
	switch {
	case err != nil:
		return skip(err.Error())
	case slices.Contains(gids, group.GID):
		return ok("background jobs are in group docker")
	}
	return warn("your shell has it, background jobs do not: the user's systemd is older than the membership, and ends with a reboot",
		"systemctl reboot")
}
