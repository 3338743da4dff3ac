package cli

import (
	"context"
	"fmt"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/klmcwhirter/ocisi/bootstrap/doctor"
	"github.com/klmcwhirter/ocisi/bootstrap/host"
	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/launcher"
	"github.com/klmcwhirter/ocisi/hierarchy/plan"
)

// exports is what there is to know about launchers, without what would put a box
// right or look into one. Engines that do not answer give their boxes credit.
func (c *clinic) exports(ctx context.Context) *exports {
	stores := plan.Stores{}
	for m, open := range c.engines {
		e, err := open()
		if err != nil {
			continue
		}
		if boxes, err := e.Boxes(ctx); err == nil {
			stores[m] = hierarchy.Store{Manager: m, Boxes: boxes}
		}
	}
	x := &exports{session: &session{env: c.env, config: c.path}, graph: c.graph, dirs: c.env.launcherDirs()}
	if x.graph == nil {
		x.graph = &hierarchy.Graph{}
	}
	x.compare(stores)
	// What a box that is yet to be made will have is not missing.
	x.status = slices.DeleteFunc(x.status, func(st launcher.Status) bool {
		_, there := stores[st.Owner.Manager].Box(st.Owner.Box)
		return st.State == launcher.Missing && !there
	})
	return x
}

// launchers tells of launchers that start nothing, or not what they say.
func (c *clinic) launchers(ctx context.Context, f doctor.Facts) doctor.Result {
	x := c.exports(ctx)
	version, _ := f.Host.Distrobox(ctx) // a check of its own says why there is none
	bad, nameless, edited := c.badLaunchers(x, strings.HasPrefix(version, "2."))
	switch {
	case len(bad) > 0 && len(x.repairs().rows) > 0:
		return found(doctor.Warn, count(len(bad), "launcher does", "launchers do")+" not do: "+some(bad), c.repair())
	case len(bad) > 0:
		return found(doctor.Warn, count(len(bad), "launcher does", "launchers do")+" not do, and none is ocisi's: "+some(bad), c.env.self(c.path)+" exports")
	case len(nameless) > 0:
		return found(doctor.Info, count(len(nameless), "launcher", "launchers")+" of distrobox's name no manager, and start something else when another engine comes: "+some(nameless))
	case len(edited) > 0:
		return found(doctor.Info, count(len(edited), "edited launcher is", "edited launchers are")+" kept as they are: "+some(edited), c.env.self(c.path)+" exports")
	case len(x.status) == 0:
		return found(doctor.OK, "there are no launchers")
	}
	return found(doctor.OK, count(len(x.status), "launcher starts what it says", "launchers start what they say"))
}

// badLaunchers returns those that do not do, with why, those that do as long
// as nobody installs another engine, and those that were edited. Distrobox 2 does not have what the scripts
// of distrobox 1 call.
func (c *clinic) badLaunchers(x *exports, second bool) (bad, nameless, edited []string) {
	for _, st := range x.status {
		switch at := c.env.short(st.Path); {
		case st.State == launcher.Edited:
			edited = append(edited, at)
		case st.State != launcher.OK && st.State != launcher.Shadowed:
			bad = append(bad, fmt.Sprintf("%s (%s)", at, st.State))
		case st.By == launcher.Distrobox1 && second:
			bad = append(bad, at+" (of distrobox 1)")
		case st.By != launcher.Ocisi && st.Owner.Manager == "":
			nameless = append(nameless, at)
		}
	}
	return bad, nameless, edited
}

func (c *clinic) repair() string { return c.env.self(c.path) + " exports repair" }

// mostNamed is how many things of a kind a message names.
const mostNamed = 3

func some(things []string) string {
	if more := len(things) - mostNamed; more > 0 {
		return strings.Join(things[:mostNamed], ", ") + fmt.Sprintf(" and %d more", more)
	}
	return strings.Join(things, ", ")
}

// startsShells returns programs that the set-up of shells, and Homebrew's on
// Bluefin, is known to call. A launcher of such a name has each new terminal
// start a box first.
func startsShells() []string {
	return []string{"fastfetch", "fzf", "jq", "node", "npm", "npx", "pnpm", "pnpx", "uv", "uvx", "zoxide"}
}

// shadows tells of launchers that come before a program of the host which shells
// call when they start.
func (c *clinic) shadows(_ context.Context, f doctor.Facts) doctor.Result {
	_, bluefin := f.Host.Image()
	files := startFiles(f.Host)
	bin := filepath.Join(c.env.Home, ".local", "bin")
	var bad, paths []string
	seen := 0
	for _, l := range launcher.Scan(c.env.Files, c.env.launcherDirs(), nil) {
		if l.Kind != launcher.Program || filepath.Dir(l.Path) != bin {
			continue
		}
		seen++
		name := path.Base(l.Path)
		caller := callerOf(f.Host, files, name)
		if caller == "" && bluefin && slices.Contains(startsShells(), name) {
			caller = "the set-up of shells here"
		}
		if caller != "" && (bluefin || len(f.Host.Find(name)) > 1) {
			bad = append(bad, fmt.Sprintf("%s of box %s is called by %s", name, l.Owner.Box, c.env.short(caller)))
			paths = append(paths, l.Path)
		}
	}
	if len(bad) == 0 {
		return found(doctor.OK, count(seen, "launcher", "launchers")+", none in the way of a shell")
	}
	return found(doctor.Warn, "each new shell starts a box first: "+some(bad)+". Take it out of exported_bins, or give it another folder (exported_bins_path)",
		"rm "+strings.Join(paths, " "))
}

// startFiles are the files that shells read when they start.
func startFiles(h host.Host) []string {
	var files []string
	for _, name := range []string{".bashrc", ".bash_profile", ".profile", ".zshrc", ".zprofile", ".zshenv", ".config/fish/config.fish"} {
		files = append(files, path.Join(h.User.Home, name))
	}
	for _, dir := range []string{path.Join(h.User.Home, ".bashrc.d"), path.Join(h.User.Home, ".config/fish/conf.d"), "/etc/profile.d"} {
		for _, entry := range h.List(dir) {
			files = append(files, path.Join(dir, entry.Name()))
		}
	}
	return files
}

// callerOf returns the first of some scripts that has a name as a word outside
// comments, or "".
func callerOf(h host.Host, files []string, name string) string {
	called := regexp.MustCompile(`(?m)^[^#\n]*(?:^|[\s;&|(` + "`" + `"'])` + regexp.QuoteMeta(name) + `(?:[\s;&|)` + "`" + `"']|$)`)
	i := slices.IndexFunc(files, func(file string) bool { return called.MatchString(h.Text(file)) })
	if i < 0 {
		return ""
	}
	return files[i]
}
