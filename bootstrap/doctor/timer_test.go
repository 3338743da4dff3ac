package doctor_test

import (
	"maps"
	"testing"

	"github.com/klmcwhirter/ocisi/bootstrap/doctor"
)

// timers is a machine with the units, and what the user's systemd says of them.
func timers(start, answer string) machine {
	const dir = "var/home/dev/.config/systemd/user/"
	return machine{
		files: map[string]string{
			dir + "ocisi-recreate.timer":   "[Timer]\nOnCalendar=weekly\n",
			dir + "ocisi-recreate.service": "[Service]\nType=oneshot\nExecStart=" + start + " recreate --unattended\n",
			"usr/bin/ocisi":                "",
			"var/home/dev/bin/ocisi":       "",
		},
		programs: map[string]string{
			"systemctl --user show --property=LoadState,UnitFileState,ActiveState,Result,NextElapseUSecRealtime ocisi-recreate.timer ocisi-recreate.service": answer,
		},
	}
}

func TestTimer(t *testing.T) {
	const (
		on     = "LoadState=loaded\nUnitFileState=enabled\nActiveState=active\nResult=success\nNextElapseUSecRealtime=Mon 2026-11-30 00:12:00 UTC\n"
		fine   = "\nLoadState=loaded\nUnitFileState=static\nActiveState=inactive\nResult=success\n"
		failed = "\nLoadState=loaded\nUnitFileState=static\nActiveState=failed\nResult=exit-code\n"
	)
	half := timers("/usr/bin/ocisi", "")
	delete(half.files, "var/home/dev/.config/systemd/user/ocisi-recreate.timer")
	baked := timers("/usr/bin/ocisi", on+fine)
	baked.files = maps.Clone(baked.files)
	for _, unit := range []string{"ocisi-recreate.timer", "ocisi-recreate.service"} {
		baked.files["usr/lib/systemd/user/"+unit] = baked.files["var/home/dev/.config/systemd/user/"+unit]
		delete(baked.files, "var/home/dev/.config/systemd/user/"+unit)
	}
	asleep := timers("/usr/bin/ocisi", "")
	asleep.programs = nil
	const enable = "ocisi timer enable"
	try(t, []example{
		{"none", "timer", machine{}, doctor.Info, "no timer recreates boxes", enable},
		{"half of it", "timer", half, doctor.Info, "no timer recreates boxes", enable},
		{"on", "timer", timers("/usr/bin/ocisi", on+fine), doctor.OK, "runs next Mon 2026-11-30 00:12:00 UTC", ""},
		{"baked into the image", "timer", baked, doctor.OK, "runs next", ""},
		{"below the home", "timer", timers("%h/bin/ocisi", on+fine), doctor.OK, "runs next", ""},
		{"by env", "timer", timers("-/usr/bin/ocisi", on+fine), doctor.OK, "runs next", ""},
		{"its program is gone", "timer", timers("/home/linuxbrew/.linuxbrew/Cellar/ocisi/0.1/bin/ocisi", on+fine), doctor.Warn, "Cellar/ocisi/0.1/bin/ocisi, which is gone", enable},
		{"gone, in quotes", "timer", timers(`"/opt/ocisi"`, on+fine), doctor.Warn, "the timer starts /opt/ocisi, which is gone", enable},
		{"not read", "timer", timers("/usr/bin/ocisi", "LoadState=not-found\n"+fine), doctor.Warn, "has not read it", "systemctl --user daemon-reload ; " + enable},
		{"off", "timer", timers("/usr/bin/ocisi", "LoadState=loaded\nUnitFileState=disabled\nActiveState=inactive\n"+fine), doctor.Info, "not switched on", enable},
		{"stopped", "timer", timers("/usr/bin/ocisi", "LoadState=loaded\nUnitFileState=enabled\nActiveState=inactive\n"+fine), doctor.Warn, "it is inactive", "systemctl --user start ocisi-recreate.timer"},
		{"failed", "timer", timers("/usr/bin/ocisi", on+failed), doctor.Warn, "the timer's last run failed: exit-code", "journalctl -t ocisi _UID=1001 --lines 50"},
		{"no next run", "timer", timers("/usr/bin/ocisi", "LoadState=loaded\nUnitFileState=enabled\nActiveState=active\n"+fine), doctor.OK, "the timer is on", ""},
		{"half an answer", "timer", timers("/usr/bin/ocisi", on), doctor.Info, "1 answers for 2 units", ""},
		{"nobody to ask", "timer", asleep, doctor.Info, "the timer is installed; querying the user's systemd", ""},
	})
}

func TestUjust(t *testing.T) {
	with := func(summary string) machine { return machine{programs: map[string]string{"ujust --summary": summary}} }
	try(t, []example{
		{"Debian", "ujust.recipes", machine{}, doctor.Skip, "no ujust", ""},
		{"stock", "ujust.recipes", with("update devmode setup-ocisi-x"), doctor.Info, "does not know ocisi-setup", ""},
		{"ours", "ujust.recipes", with("update ocisi-setup ocisi-doctor"), doctor.OK, "knows ocisi-setup", ""},
	})
}

func TestBrew(t *testing.T) {
	const program = "home/linuxbrew/.linuxbrew/bin/brew"
	try(t, []example{
		{"none", "brew", machine{}, doctor.Skip, "no Homebrew", ""},
		{"yours", "brew", machine{files: map[string]string{program: ""}}, doctor.OK, "yours", ""},
		{"another's", "brew", machine{files: map[string]string{program: "root's"}}, doctor.Info, "another user's", ""},
	})
}
