package doctor

import (
	"cmp"
	"context"
	"errors"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/klmcwhirter/ocisi/bootstrap/host"
	"github.com/klmcwhirter/ocisi/internal/process"
)

func distroboxBin(ctx context.Context, f Facts) Result {
	version, err := f.Host.Distrobox(ctx)
	if _, missing := errors.AsType[*process.NotFoundError](err); missing {
		return fail("distrobox is not installed", install(f.Host, "distrobox"))
	}
	if err != nil {
		return warn(err.Error(), "distrobox --version")
	}
	major, minor := numbers(version)
	switch {
	case major < 1 || major == 1 && minor < 4:
		return fail(version+" is too old; 1.4 is the oldest that works", install(f.Host, "distrobox"))
	case major == 1 && minor < 8:
		return warn(version+" works; 1.8 and later are what ocisi is made for", install(f.Host, "distrobox"))
	}
	return ok("distrobox " + version)
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

// install is how a program gets onto a host. An image-based one has no package
// manager for that, and layering is not advised there.
func install(h host.Host, program string) string {
	release := h.Release()
	switch {
	case h.Atomic():
		return "brew install " + program
	case release.Is("fedora"):
		return "sudo dnf install " + program
	case release.Is("debian"):
		return "sudo apt install " + program
	}
	return "brew install " + program
}

// setting is a line of distrobox.conf, which distrobox 1 takes for shell and
// distrobox 2 for INI.
var setting = regexp.MustCompile(`(?m)^\s*(?:export\s+)?(container_\w+)\s*=\s*(.*?)\s*$`)

// settings returns what distrobox.conf says, and in which file. The later file
// wins.
func settings(h host.Host) (values, files map[string]string) {
	values, files = map[string]string{}, map[string]string{}
	for _, file := range []string{
		"/usr/share/distrobox/distrobox.conf", "/usr/share/defaults/distrobox/distrobox.conf", "/usr/etc/distrobox/distrobox.conf",
		"/usr/local/share/distrobox/distrobox.conf", "/etc/distrobox/distrobox.conf",
		path.Join(h.ConfigHome(), "distrobox/distrobox.conf"), path.Join(h.User.Home, ".distroboxrc"),
	} {
		for _, line := range setting.FindAllStringSubmatch(h.Text(file), -1) {
			value, _, _ := strings.Cut(line[2], " #")
			values[line[1]], files[line[1]] = strings.Trim(strings.TrimSpace(value), `"'`), file
		}
	}
	return values, files
}

// distroboxSettings names settings that change what a box becomes. Of those,
// ocisi overrides what an environment variable can say (box.Distrobox does);
// a prefix of homes and additions to every box it cannot.
func distroboxSettings(_ context.Context, f Facts) Result {
	values, files := settings(f.Host)
	for _, key := range []string{"container_home_prefix", "container_user_custom_home"} {
		if values[key] != "" {
			return warn(key+" in "+files[key]+" gives boxes another home, "+values[key]+", ocisi's too unless their config names one", "${EDITOR:-vi} "+files[key])
		}
	}
	for _, key := range []string{
		"container_manager_additional_flags", "container_additional_volumes", "container_additional_packages", "container_init_hook", "container_pre_init_hook",
	} {
		if values[key] != "" {
			return warn(key+" in "+files[key]+" is added to every box, ocisi's too: "+values[key], "${EDITOR:-vi} "+files[key])
		}
	}
	var notes []string
	for _, variable := range []string{"DBX_CONTAINER_CUSTOM_HOME", "DBX_CONTAINER_HOME_PREFIX"} {
		if value := f.Host.Getenv(variable); value != "" {
			notes = append(notes, variable+" is "+value)
		}
	}
	pull := cmp.Or(f.Host.Getenv("DBX_CONTAINER_ALWAYS_PULL"), values["container_always_pull"])
	if slices.Contains([]string{"1", "true"}, pull) {
		notes = append(notes, "images are always pulled, which those made here cannot be")
	}
	if len(notes) > 0 {
		return info(strings.Join(notes, "; ") + "; for ocisi's boxes that is overridden, for 'distrobox create' and 'assemble' it holds")
	}
	if manager := cmp.Or(f.Host.Getenv("DBX_CONTAINER_MANAGER"), values["container_manager"]); manager != "" && manager != "autodetect" {
		return ok("distrobox works with " + manager + "; nothing else is set")
	}
	return ok("nothing is set that changes a box")
}
