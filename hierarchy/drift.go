package hierarchy

import "strings"

// Change is a path in which a container differs from its image.
type Change struct {
	Path string `json:"path"`
	Kind string `json:"kind"` // A: added, C: changed, D: deleted
}

// Installer is the program that installs packages in a box.
type Installer string

// The installers.
const (
	APT    Installer = "apt-get"
	DNF    Installer = "dnf"
	Zypper Installer = "zypper"
	Pacman Installer = "pacman"
	APK    Installer = "apk"
)

// Drift is what a box holds that its image does not, and that goes with it.
type Drift struct {
	Bytes    int64    `json:"bytes"`              // in the box's own layer
	Packages []string `json:"packages,omitempty"` // installed since the box was made, sorted
	// Installer is what installed packages, or "" if none was installed.
	Installer Installer `json:"installer,omitempty"`
	Hidden    bool      `json:"hidden,omitempty"` // packages were installed, and nobody can tell which: the box does not run
}

// Run returns the instruction of a Containerfile that installs the packages in an
// image, or "" if they are unknown.
func (d Drift) Run() string {
	install := map[Installer]string{
		APT:    "apt-get update && apt-get install -y",
		DNF:    "dnf install -y",
		Zypper: "zypper --non-interactive install",
		Pacman: "pacman -Syu --noconfirm",
		APK:    "apk add",
	}[d.Installer]
	if install == "" || len(d.Packages) == 0 {
		return ""
	}
	return "RUN " + install + " " + strings.Join(d.Packages, " ")
}
