package doctor

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"github.com/klmcwhirter/ocisi/bootstrap/host"
)

// ownPodman is the one that comes with the system.
const ownPodman = "/usr/bin/podman"

// podmanBin knows of a trap: another podman, most likely Homebrew's that came
// along with podman-compose, has settings and helpers of its own.
func podmanBin(_ context.Context, f Facts) Result {
	found := f.Host.Find("podman")
	switch {
	case len(found) == 0:
		return skip("podman is not in PATH")
	case f.Host.Real(found[0]) == f.Host.Real(ownPodman):
		return ok(found[0])
	case !f.Host.Exists(ownPodman):
		return info(found[0] + "; the system itself has none")
	}
	fix := `export PATH=/usr/bin:"$PATH"`
	if strings.HasPrefix(found[0], linuxbrew+"/") {
		fix = "brew unlink podman"
	}
	return warn(found[0]+" comes before "+ownPodman+" in PATH; it has settings and helpers of its own, and boxes of the one may fail with the other", fix)
}

func podmanEngine(ctx context.Context, f Facts) Result {
	podman := f.Podman(ctx)
	needed := podman.Wanted || !f.Docker(ctx).Installed
	switch {
	case !podman.Installed && !needed:
		return skip("podman is not installed, and no image wants it")
	case !podman.Installed:
		return fail("podman is not installed", install(f.Host, "podman"))
	case podman.Err != nil:
		return fault(needed, podman.Err.Error(), "podman info")
	}
	if major, _ := numbers(podman.Version); major < 5 {
		return info("podman " + describe(podman) + "; ocisi is made for 5 and later, and tried with 4.3")
	}
	return ok("podman " + describe(podman))
}

// podmanStorage knows of a trap: podman 6 uses the graphroot of the system's
// storage.conf for rootless users too, who may not write there (podman #29167).
func podmanStorage(ctx context.Context, f Facts) Result {
	const file, own = "/etc/containers/storage.conf", "containers/storage.conf"
	podman := f.Podman(ctx)
	switch {
	case !podman.Installed || f.Host.User.UID == 0:
		return skip("podman is not used without root")
	case podmanMajor(ctx, f, podman) < 6:
		return skip("before podman 6, " + file + " does not move rootless storage")
	}
	system := storageOf(f.Host, file)
	if system.GraphRoot == "" || system.Rootless != "" {
		return ok(file + " does not move rootless storage")
	}
	if user := storageOf(f.Host, path.Join(f.Host.ConfigHome(), own)); user.GraphRoot != "" {
		return ok("rootless storage is at " + user.GraphRoot)
	}
	return fault(podman.Wanted && podman.Err != nil, "graphroot in "+file+" is "+system.GraphRoot+", which podman 6 also uses without root; set rootless_storage_path there",
		"sudoedit "+file)
}

// storage is the table [storage] of storage.conf.
type storage struct {
	GraphRoot string `toml:"graphroot"`
	Rootless  string `toml:"rootless_storage_path"`
}

// storageOf reads a storage.conf; a file that is not there, or no TOML, is empty.
func storageOf(h host.Host, file string) storage {
	var config struct {
		Storage storage `toml:"storage"`
	}
	if toml.Unmarshal([]byte(h.Head(file, configLimit)), &config) != nil {
		return storage{}
	}
	return config.Storage
}

// podmanMajor returns the first number of podman's version; 0 if it is unknown. A
// podman that cannot open its storage does not answer, but prints its version.
func podmanMajor(ctx context.Context, f Facts, podman Engine) int {
	version := podman.Version
	if version == "" {
		version = f.Host.PodmanVersion(ctx)
	}
	major, _ := numbers(version)
	return major
}

// wantedSubIDs is what useradd hands out, and what distrobox maps.
const wantedSubIDs = 65536

func podmanUserns(ctx context.Context, f Facts) Result {
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
		return ok(f.Host.User.Name + " has ids for containers")
	}
	block := fmt.Sprintf("%d-%d", start, start+wantedSubIDs-1)
	return fault(podman.Wanted, fmt.Sprintf("%s; containers want %d", strings.Join(short, ", "), wantedSubIDs),
		fmt.Sprintf("sudo usermod --add-subuids %s --add-subgids %s %s", block, block, f.Host.User.Name),
		"podman system migrate")
}

// SocketFix switches podman's socket on, for the user alone.
const SocketFix = "systemctl --user enable --now podman.socket"

// podmanSocket is of no use to ocisi, which starts a service of its own, but to
// whoever takes podman for docker.
func podmanSocket(ctx context.Context, f Facts) Result {
	if !f.Podman(ctx).Installed {
		return skip("podman is not installed")
	}
	at := podmanSocketOf(f)
	if f.Host.Socket(at) {
		return ok("podman.socket is on")
	}
	for _, variable := range []string{"CONTAINER_HOST", "DOCKER_HOST"} {
		if f.Host.Getenv(variable) == "unix://"+at {
			return warn(variable+" names "+at+", which is not there: the user's podman.socket is off", SocketFix)
		}
	}
	return info("podman.socket is off; ocisi does without, what takes podman for docker may want it", SocketFix)
}

func podmanSocketOf(f Facts) string {
	dir := f.Host.Getenv("XDG_RUNTIME_DIR")
	if dir == "" {
		dir = fmt.Sprintf("/run/user/%d", f.Host.User.UID)
	}
	return path.Join(dir, "podman/podman.sock")
}

// isPodmans reports whether an endpoint of docker's is a podman.
func isPodmans(f Facts, endpoint string) bool {
	at := strings.TrimPrefix(endpoint, "unix://")
	return slices.Contains([]string{podmanSocketOf(f), "/run/podman/podman.sock", "/var/run/podman/podman.sock"}, at)
}
