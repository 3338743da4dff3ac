package doctor

import (
	"context"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/klmcwhirter/ocisi/bootstrap/host"
)

const (
	timerUnit   = "ocisi-recreate.timer"
	serviceUnit = "ocisi-recreate.service"
	timerOn     = "ocisi timer enable"
)

// execStart is the line of a unit that says what it starts; systemd allows some
// characters with a meaning before the program (systemd.service(5)).
var execStart = regexp.MustCompile(`(?m)^ExecStart=[-@:+!]*"?([^"\s]+)"?`)

// timer looks at the units as files first: they tell what a systemd that cannot
// be asked does not.
func timer(ctx context.Context, f Facts) Result {
	file := unitFile(f.Host, serviceUnit)
	if file == "" || unitFile(f.Host, timerUnit) == "" {
		return info("no timer recreates boxes; you do", timerOn)
	}
	if program := execStart.FindStringSubmatch(f.Host.Text(file)); program != nil {
		at := strings.ReplaceAll(program[1], "%h", f.Host.User.Home)
		if path.IsAbs(at) && !f.Host.Exists(at) {
			return warn("the timer starts "+at+", which is gone", timerOn)
		}
	}
	units, err := f.Host.Units(ctx, "LoadState,UnitFileState,ActiveState,Result,NextElapseUSecRealtime", timerUnit, serviceUnit)
	if err != nil {
		return info("the timer is installed; " + err.Error())
	}
	return lastRun(f.Host.User.UID, units[0], units[1])
}

// lastRun tells what systemd says of the two units.
func lastRun(uid int, clock, service map[string]string) Result {
	switch {
	case clock["LoadState"] == "not-found":
		return warn("the timer is installed, and the user's systemd has not read it", "systemctl --user daemon-reload", timerOn)
	case !slices.Contains([]string{"enabled", "enabled-runtime"}, clock["UnitFileState"]):
		return info("the timer is installed, and not switched on", timerOn)
	case clock["ActiveState"] != "active":
		return warn("the timer is switched on, and does not run: it is "+clock["ActiveState"], "systemctl --user start "+timerUnit)
	case service["Result"] != "" && service["Result"] != "success":
		return warn("the timer's last run failed: "+service["Result"], fmt.Sprintf("journalctl -t ocisi _UID=%d --lines 50", uid))
	}
	if next := clock["NextElapseUSecRealtime"]; next != "" {
		return ok("the timer runs next " + next)
	}
	return ok("the timer is on")
}

// unitFile returns the file of a unit of the user's, or "".
func unitFile(h host.Host, unit string) string {
	for _, dir := range []string{path.Join(h.ConfigHome(), "systemd/user"), "/etc/systemd/user", "/usr/lib/systemd/user"} {
		if at := path.Join(dir, unit); h.Exists(at) {
			return at
		}
	}
	return ""
}

// ujustRecipes is about convenience: all that a recipe does, ocisi does.
func ujustRecipes(ctx context.Context, f Facts) Result {
	recipes := f.Host.Recipes(ctx)
	switch {
	case len(recipes) == 0:
		return skip("there is no ujust")
	case slices.Contains(recipes, "ocisi-setup"):
		return ok("ujust knows ocisi-setup")
	}
	return info("ujust does not know ocisi-setup; 'ocisi setup' is the same, and 'ocisi just install --mode shim' teaches it")
}

// brew belongs to one user, the first; the others can run what is installed.
func brew(_ context.Context, f Facts) Result {
	const program = linuxbrew + "/bin/brew"
	if !f.Host.Exists(program) {
		return skip("there is no Homebrew")
	}
	uid, known := f.Host.Owner(program)
	if !known || uid == f.Host.User.UID {
		return ok("Homebrew is yours")
	}
	return info("Homebrew is another user's; you can run what is installed there, and not install or upgrade it")
}
