package doctor

import (
	"context"
	"encoding/json"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"github.com/klmcwhirter/ocisi/bootstrap/host"
)

// configLimit is how much of another program's settings is read, in bytes.
const configLimit = 64 << 10

// upgrader is a program that runs distrobox upgrade: a box then gets a layer of its
// own for what its next image contains anyway, and drifts from its image.
type upgrader struct {
	what      string // with the file in which it is configured
	automatic bool   // it runs without the user
	fix       string // "" where there is no command
}

// distroboxUpgrades reports what runs distrobox upgrade, and where that is
// configured.
func distroboxUpgrades(_ context.Context, f Facts) Result {
	h := f.Host
	found := slices.Concat(uupdUpgrades(h), unitUpgrades(h), topgradeUpgrades(h), scriptUpgrades(h), recipeUpgrades(h))
	if len(found) == 0 {
		return ok("no program upgrades boxes in place")
	}
	var what, fixes []string
	automatic := false
	for _, u := range found {
		what = append(what, u.what)
		automatic = automatic || u.automatic
		if u.fix != "" && !slices.Contains(fixes, u.fix) {
			fixes = append(fixes, u.fix)
		}
	}
	detail := "boxes that are upgraded in place drift from their images: " + strings.Join(what, "; ")
	if automatic {
		return warn(detail, fixes...)
	}
	return info(detail, fixes...)
}

// uupdUpgrades reads the settings of Universal Blue's updater.
func uupdUpgrades(h host.Host) []upgrader {
	const file = "/etc/uupd/config.json"
	if len(h.Find("uupd")) == 0 && !h.Exists("/usr/bin/uupd") {
		return nil
	}
	var config struct {
		Modules struct {
			Distrobox struct {
				Disable bool `json:"disable"`
			} `json:"distrobox"`
		} `json:"modules"`
	}
	err := json.Unmarshal([]byte(h.Head(file, configLimit)), &config)
	if err == nil && config.Modules.Distrobox.Disable {
		return nil
	}
	return []upgrader{{"uupd, unless modules.distrobox.disable is true in " + file, true, "sudoedit " + file}}
}

// upgradeCommand is a line that runs distrobox upgrade, and no comment.
var upgradeCommand = regexp.MustCompile(`(?m)^[^#;\n]*\bdistrobox[- ]upgrade\b`)

// upgradesIn returns the files of a folder that run distrobox upgrade.
func upgradesIn(h host.Host, dir, suffix string) []string {
	var found []string
	for _, entry := range h.List(dir) {
		file := path.Join(dir, entry.Name())
		if strings.HasSuffix(file, suffix) && upgradeCommand.MatchString(h.Head(file, configLimit)) {
			found = append(found, file)
		}
	}
	return found
}

// unitUpgrades returns services of systemd.
func unitUpgrades(h host.Host) []upgrader {
	var found []upgrader
	for _, dirs := range []struct {
		command string
		paths   []string
	}{
		{"systemctl --user", []string{path.Join(h.ConfigHome(), "systemd/user"), "/etc/systemd/user", "/usr/lib/systemd/user"}},
		{"sudo systemctl", []string{"/etc/systemd/system", "/usr/lib/systemd/system"}},
	} {
		for _, dir := range dirs.paths {
			for _, file := range upgradesIn(h, dir, ".service") {
				unit := path.Base(file)
				if timer := strings.TrimSuffix(file, ".service") + ".timer"; h.Exists(timer) {
					unit = path.Base(timer)
				}
				found = append(found, upgrader{"unit " + file, true, dirs.command + " disable --now " + unit})
			}
		}
	}
	return found
}

// topgradeUpgrades reads the settings of topgrade, whose step distrobox upgrades
// all boxes, and of ublue-update, which runs topgrade on a timer.
func topgradeUpgrades(h host.Host) []upgrader {
	var found []upgrader
	if file := "/usr/share/ublue-update/topgrade-user.toml"; h.Exists("/usr/bin/ublue-update") && h.Exists(file) && !topgradeSkips(h, file) {
		found = append(found, upgrader{"ublue-update, unless misc.disable contains \"distrobox\" in " + file, true, "sudoedit " + file})
	}
	if len(h.Find("topgrade")) == 0 {
		return found
	}
	files := []string{path.Join(h.ConfigHome(), "topgrade.toml"), path.Join(h.ConfigHome(), "topgrade/topgrade.toml")}
	if slices.ContainsFunc(files, func(file string) bool { return topgradeSkips(h, file) }) {
		return found
	}
	return append(found, upgrader{"topgrade, unless misc.disable contains \"distrobox\" in " + files[0], false, "${EDITOR:-vi} " + files[0]})
}

// topgradeSkips reports whether a config of topgrade leaves out the step distrobox.
func topgradeSkips(h host.Host, file string) bool {
	var config struct {
		Misc struct {
			Disable []string `toml:"disable"`
			Only    []string `toml:"only"`
		} `toml:"misc"`
	}
	if toml.Unmarshal([]byte(h.Head(file, configLimit)), &config) != nil {
		return false
	}
	const step = "distrobox"
	return slices.Contains(config.Misc.Disable, step) || len(config.Misc.Only) > 0 && !slices.Contains(config.Misc.Only, step)
}

// scriptUpgrades returns scripts that the older ublue-update runs on a timer.
func scriptUpgrades(h host.Host) []upgrader {
	var found []upgrader
	for _, dir := range []string{"/etc/ublue-update.d/user", "/usr/lib/ublue-update.d/user", "/etc/ublue-update.d"} {
		for _, file := range upgradesIn(h, dir, ".sh") {
			found = append(found, upgrader{"ublue-update, by " + file, true, "sudo chmod a-x " + file})
		}
	}
	return found
}

// recipeUpgrades returns programs that upgrade boxes when the user runs them.
func recipeUpgrades(h host.Host) []upgrader {
	var found []upgrader
	for _, file := range upgradesIn(h, "/usr/share/ublue-os/just", ".just") {
		found = append(found, upgrader{what: "ujust, by a recipe in " + file})
	}
	if bctl := linuxbrew + "/bin/bctl"; h.Exists(bctl) {
		found = append(found, upgrader{what: "the full update of bctl (" + bctl + "); afterwards run: ocisi recreate"})
	}
	return found
}
