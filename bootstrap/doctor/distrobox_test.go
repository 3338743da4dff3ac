package doctor_test

import (
	"strings"
	"testing"

	"github.com/klmcwhirter/ocisi/bootstrap/doctor"
)

func TestDistroboxSettings(t *testing.T) {
	conf := func(text string) machine {
		return machine{files: map[string]string{"var/home/dev/.config/distrobox/distrobox.conf": text}}
	}
	env := func(key, value string) machine { return machine{env: map[string]string{key: value}} }
	over := conf("container_home_prefix=")
	over.files["usr/share/distrobox/distrobox.conf"] = "container_home_prefix=/boxes"
	rc := conf("container_home_prefix=/a")
	rc.files["var/home/dev/.distroboxrc"] = `export container_home_prefix="/b" # mine`
	const edit = "${EDITOR:-vi} ~/.config/distrobox/distrobox.conf"
	try(t, []example{
		{"none", "distrobox.settings", machine{}, doctor.OK, "nothing is set that changes a box", ""},
		{"comments", "distrobox.settings", conf("# container_home_prefix=/x\n"), doctor.OK, "nothing is set", ""},
		{"INI of distrobox 2", "distrobox.settings", conf("[distrobox]\ncontainer_manager = docker\n"), doctor.OK, "distrobox works with docker", ""},
		{"manager by environment", "distrobox.settings", env("DBX_CONTAINER_MANAGER", "podman"), doctor.OK, "distrobox works with podman", ""},
		{"its default", "distrobox.settings", env("DBX_CONTAINER_MANAGER", "autodetect"), doctor.OK, "nothing is set", ""},
		{"homes", "distrobox.settings", conf("container_home_prefix=\"/boxes\"\n"), doctor.Warn, "container_home_prefix in ~/.config/distrobox/distrobox.conf gives boxes another home, /boxes", edit},
		{"one home", "distrobox.settings", conf("container_user_custom_home=/one"), doctor.Warn, "another home, /one", edit},
		{"taken back later", "distrobox.settings", over, doctor.OK, "nothing is set", ""},
		{"the last file wins", "distrobox.settings", rc, doctor.Warn, "in ~/.distroboxrc gives boxes another home, /b,", "${EDITOR:-vi} ~/.distroboxrc"},
		{"flags", "distrobox.settings", conf(`container_manager_additional_flags="--env A=b"`), doctor.Warn, "is added to every box, ocisi's too: --env A=b", edit},
		{"always pull", "distrobox.settings", conf("container_always_pull=1"), doctor.Info, "always pulled", ""},
		{"always pull, taken back", "distrobox.settings", machine{files: conf("container_always_pull=1").files, env: map[string]string{"DBX_CONTAINER_ALWAYS_PULL": "0"}}, doctor.OK, "nothing is set", ""},
		{"homes by environment", "distrobox.settings", env("DBX_CONTAINER_HOME_PREFIX", "/x"), doctor.Info, "DBX_CONTAINER_HOME_PREFIX is /x", ""},
	})
}

func TestDistroboxUpgrades(t *testing.T) {
	uupd := func(config string) machine {
		return machine{files: map[string]string{"usr/bin/uupd": "", "etc/uupd/config.json": config}}
	}
	const off = `{"checks":{},"modules":{"brew":{"disable":false},"distrobox":{"disable":true}}}`
	with := uupd(off)
	with.files["home/linuxbrew/.linuxbrew/bin/bctl"] = ""
	files := func(pairs ...string) machine {
		m := machine{files: map[string]string{}, env: map[string]string{"PATH": "/usr/bin"}}
		for i := 0; i < len(pairs); i += 2 {
			m.files[pairs[i]] = pairs[i+1]
		}
		return m
	}
	const (
		unit    = "var/home/dev/.config/systemd/user/up.service"
		command = "[Service]\nExecStart=/usr/bin/distrobox-upgrade --all\n"
		mine    = "var/home/dev/.config/topgrade.toml"
		ublue   = "usr/share/ublue-update/topgrade-user.toml"
		edit    = "${EDITOR:-vi} ~/.config/topgrade.toml"
	)
	try(t, []example{
		{"none", "distrobox.upgrades", machine{}, doctor.OK, "no program upgrades boxes", ""},
		{"Bluefin's", "distrobox.upgrades", uupd(off), doctor.OK, "no program upgrades boxes", ""},
		{"as shipped by uupd", "distrobox.upgrades", uupd(`{"modules":{"distrobox":{"disable":false}}}`), doctor.Warn, "uupd, unless modules.distrobox.disable is true in /etc/uupd", "sudoedit /etc/uupd/config.json"},
		{"no config", "distrobox.upgrades", uupd(""), doctor.Warn, "uupd, unless", "sudoedit /etc/uupd/config.json"},
		{"bctl", "distrobox.upgrades", with, doctor.Info, "bctl (/home/linuxbrew/.linuxbrew/bin/bctl)", ""},
		{"a unit of the user's", "distrobox.upgrades", files(unit, command), doctor.Warn, "unit ~/.config/systemd/user/up.service", "systemctl --user disable --now up.service"},
		{"with a timer", "distrobox.upgrades", files(unit, command, "var/home/dev/.config/systemd/user/up.timer", ""), doctor.Warn, "up.service", "systemctl --user disable --now up.timer"},
		{"the system's", "distrobox.upgrades", files("etc/systemd/system/up.service", "ExecStart=su -c 'distrobox upgrade -a'"), doctor.Warn, "/etc/systemd/system/up.service", "sudo systemctl disable --now up.service"},
		{"a comment", "distrobox.upgrades", files(unit, "# like distrobox upgrade"), doctor.OK, "no program", ""},
		{"topgrade", "distrobox.upgrades", files("usr/bin/topgrade", ""), doctor.Info, `topgrade, unless misc.disable contains "distrobox" in ~/.config/topgrade.toml`, edit},
		{"topgrade, other steps", "distrobox.upgrades", files("usr/bin/topgrade", "", mine, "[misc]\ndisable = [\"vim\"]"), doctor.Info, "topgrade, unless", edit},
		{"topgrade, disabled", "distrobox.upgrades", files("usr/bin/topgrade", "", mine, "[misc]\ndisable = [\n \"vim\", # no\n \"distrobox\"]"), doctor.OK, "no program", ""},
		{"topgrade, others only", "distrobox.upgrades", files("usr/bin/topgrade", "", mine, "[misc]\nonly = [\"flatpak\"]"), doctor.OK, "no program", ""},
		{"topgrade, no TOML", "distrobox.upgrades", files("usr/bin/topgrade", "", mine, strings.Repeat("[", 100_000)), doctor.Info, "topgrade, unless", edit},
		{"topgrade is gone", "distrobox.upgrades", files(mine, ""), doctor.OK, "no program", ""},
		{"ublue-update", "distrobox.upgrades", files("usr/bin/ublue-update", "", ublue, ""), doctor.Warn, "ublue-update, unless", "sudoedit /" + ublue},
		{"ublue-update's scripts", "distrobox.upgrades", files("etc/ublue-update.d/user/02-box.sh", "distrobox upgrade -a"), doctor.Warn, "by /etc/ublue-update.d/user/02-box.sh", "sudo chmod a-x /etc/ublue-update.d/user/02-box.sh"},
		{"ujust", "distrobox.upgrades", files("usr/share/ublue-os/just/10-update.just", "update:\n    distrobox upgrade -a\n"), doctor.Info, "ujust, by a recipe in /usr/share/ublue-os/just/10-update.just", ""},
	})
}
