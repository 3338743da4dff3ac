package doctor

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
)

// homePath looks for homes that have two names: on Bluefin /home leads to
// /var/home, and what compares names takes them for two folders. ocisi itself
// goes by the real one.
func homePath(ctx context.Context, f Facts) Result {
	own := f.Host.Getenv("HOME")
	home := f.Host.Real(f.Host.User.Home)
	if account, known := f.Host.Account(ctx); known && f.Host.Real(account.Home) != home {
		return warn("HOME is "+own+", but the user database has "+account.Home+": boxes and programs started elsewhere use that one", "getent passwd "+f.Host.User.Name)
	}
	for _, box := range slices.Sorted(maps.Keys(f.Homes)) {
		if of := f.Homes[box]; f.Host.Real(of) != path.Clean(of) {
			return warn("the config gives box "+box+" the home "+of+", whose real name is "+f.Host.Real(of)+": write that one", "${EDITOR:-vi} "+f.Config)
		}
	}
	if own != "" && own != home {
		return ok("the home is " + own + " and " + home + ", boxes know both names")
	}
	return ok("the home has one name, " + home)
}

// shell matters because distrobox does not start a box that lacks the shell of
// the one who creates it.
func shell(_ context.Context, f Facts) Result {
	full := f.Host.Getenv("SHELL")
	switch name := path.Base(full); {
	case full == "":
		return ok("SHELL is not set, boxes use bash")
	case slices.Contains([]string{"bash", "zsh", "fish", "sh"}, name):
		return ok("your shell, " + name + ", is in the default images")
	default:
		return warn(name+" is not in the default images: add its package to Containerfile.fedora-dev-base and Containerfile.debian, or take bash in the boxes",
			"SHELL=/bin/bash ocisi process")
	}
}

const vscodeServer = ".vscode-server"

// DanglingLinks returns the links below the user's ~/.vscode-server/bin that lead
// nowhere. Dev containers have the server in a volume and leave links to it; in
// a home that is shared, nobody else can follow them.
func DanglingLinks(f Facts) []string {
	bin := path.Join(f.Host.User.Home, vscodeServer, "bin")
	var dangling []string
	for _, entry := range f.Host.List(bin) {
		at := path.Join(bin, entry.Name())
		if entry.Type()&fs.ModeSymlink != 0 && !f.Host.Exists(at) {
			dangling = append(dangling, at)
		}
	}
	return dangling
}

func vscodeLinks(_ context.Context, f Facts) Result {
	bin := path.Join(f.Host.User.Home, vscodeServer, "bin")
	if !f.Host.Exists(bin) {
		return skip("there is no " + bin)
	}
	dangling := DanglingLinks(f)
	if len(dangling) == 0 {
		return ok("links of VS Code's server lead somewhere")
	}
	return warn(fmt.Sprintf("links in %s that lead nowhere, by which VS Code's server does not start: %d", bin, len(dangling)), "find "+bin+" -xtype l -delete")
}

// vscodeDepth is as deep as root's files are looked for: what a container began
// as root has root's folders from its top.
const vscodeDepth = 3

func vscodeOwner(_ context.Context, f Facts) Result {
	server := path.Join(f.Host.User.Home, vscodeServer)
	switch {
	case f.Host.User.UID == 0:
		return skip("you are root")
	case !f.Host.Exists(server):
		return skip("there is no " + server)
	}
	if at := f.Host.OwnedByRoot(server, vscodeDepth); at != "" {
		return warn(at+" is root's: a container that ran as root has written it, and VS Code's server cannot", `sudo chown -R "$USER": `+server)
	}
	return ok("VS Code's server is yours")
}

// dockerPath is a line of VS Code's settings, which are JSON with comments.
var dockerPath = regexp.MustCompile(`(?m)^[^/\n]*"dev\.containers\.dockerPath"\s*:\s*"([^"]*)"`)

// vscodeEngine knows that VS Code's dev containers take docker unless told.
func vscodeEngine(ctx context.Context, f Facts) Result {
	seen, program := "", ""
	for _, dir := range []string{path.Join(f.Host.ConfigHome(), "Code/User"), path.Join(f.Host.User.Home, ".var/app/com.visualstudio.code/config/Code/User")} {
		if !f.Host.Exists(dir) {
			continue
		}
		seen = path.Join(dir, "settings.json")
		if line := dockerPath.FindStringSubmatch(f.Host.Text(seen)); line != nil {
			program = line[1]
			break
		}
	}
	switch {
	case seen == "":
		return skip("VS Code has no settings here")
	case program != "" && !strings.Contains(program, "/") && len(f.Host.Find(program)) == 0, path.IsAbs(program) && !f.Host.Exists(program):
		return warn("dev.containers.dockerPath in "+seen+" is "+program+", which is not there", "${EDITOR:-vi} "+seen)
	case program != "":
		return ok("dev containers use " + program)
	case f.Docker(ctx).Installed || !f.Podman(ctx).Installed:
		return ok("dev containers use docker")
	}
	return info(`dev containers look for docker; for podman write "dev.containers.dockerPath": "podman" to `+seen, "${EDITOR:-vi} "+seen)
}
