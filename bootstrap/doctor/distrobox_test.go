package doctor_test

import (
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
	try(t, []example{
		{"neither", "distrobox.upgrades", machine{}, doctor.OK, "nothing here", ""},
		{"Bluefin's", "distrobox.upgrades", uupd(off), doctor.OK, "uupd leaves boxes alone", ""},
		{"as shipped by uupd", "distrobox.upgrades", uupd(`{"modules":{"distrobox":{"disable":false}}}`), doctor.Warn, "upgrades boxes in place", "sudoedit /etc/uupd/config.json"},
		{"no config", "distrobox.upgrades", uupd(""), doctor.Warn, "upgrades boxes in place", "sudoedit /etc/uupd/config.json"},
		{"bctl", "distrobox.upgrades", with, doctor.Info, "bctl's full update", ""},
	})
}
