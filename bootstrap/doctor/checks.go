package doctor

// Checks returns the checks of this package, area by area. What depends on the
// config or asks an engine more than who it is comes from the caller.
func Checks() []Check {
	return []Check{
		{"host.container", Machine, "ocisi runs on the host", container},
		{"host.system", Machine, "operating system", system},
		{"host.image", Machine, "image of the system", image},
		{"host.devmode", Machine, "developer mode", devMode},
		{"user.wheel", Machine, "you may become root", wheel},
		{"selinux", Machine, "SELinux and its labels", seLinux},
		{"net.metered", Machine, "network and power", metered},
		{"storage.free", Machine, "room for images", storageFree},
		{"storage.copies", Machine, "boxes share layers", storageCopies},

		{"podman.bin", Podman, "which podman", podmanBin},
		{"podman.engine", Podman, "podman answers", podmanEngine},
		{"podman.userns", Podman, "ids for rootless podman", podmanUserns},
		{"podman.storage", Podman, "folder of rootless podman's storage", podmanStorage},
		{"podman.socket", Podman, "podman's socket", podmanSocket},

		{"docker.cli", Docker, "which docker", dockerCLI},
		{"docker.context", Docker, "where docker is looked for", dockerContext},
		{"docker.engine", Docker, "docker answers", dockerEngine},
		{"docker.rootless", Docker, "boxes with rootless docker", dockerRootless},
		{"docker.group", Docker, "group docker exists", groupExists},
		{"docker.group.user", Docker, "you are in group docker", groupUser},
		{"docker.group.session", Docker, "this session is in group docker", groupSession},
		{"docker.group.timers", Docker, "timers are in group docker", groupTimers},

		{"distrobox.bin", Distrobox, "distrobox", distroboxBin},
		{"distrobox.settings", Distrobox, "settings of distrobox", distroboxSettings},
		{"distrobox.upgrades", Distrobox, "boxes are not upgraded in place", distroboxUpgrades},

		{"timer", Ocisi, "boxes are recreated by a timer", timer},
		{"ujust.recipes", Ocisi, "recipes for ujust", ujustRecipes},
		{"brew", Ocisi, "Homebrew", brew},

		{"home.path", Home, "names of the home", homePath},
		{"home.shell", Home, "boxes have your shell", shell},
		{"vscode.links", Home, "links of VS Code's server", vscodeLinks},
		{"vscode.owner", Home, "files of VS Code's server", vscodeOwner},
		{"vscode.engine", Home, "engine of VS Code's dev containers", vscodeEngine},
	}
}
