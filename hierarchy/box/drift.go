package box

import (
	"context"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/klmcwhirter/ocisi/hierarchy"
)

// An Insider is what Drift and Differences ask of an engine.
type Insider interface {
	// Written returns how many bytes a container has in its own layer.
	Written(ctx context.Context, name string) (int64, error)
	// Changes returns the paths in which a container differs from its image.
	Changes(ctx context.Context, name string) ([]hierarchy.Change, error)
	// Exec runs a command as root in a container that runs.
	Exec(ctx context.Context, name string, argv ...string) (string, error)
}

// untouched is how much a box may have written, in bytes, before it is looked
// at more closely, which takes docker a second: a new one has some 20,000, and
// one package makes a copy of the package manager's list, which has more.
const untouched = 200_000

// Drift returns what a box holds that its image does not: bytes, and packages
// that were installed after it was made, but for those that its spec names. A box
// that has written too little for a package is not asked for them.
func Drift(ctx context.Context, eng Insider, b hierarchy.StoredBox, named []string) (hierarchy.Drift, error) {
	written, err := eng.Written(ctx, b.Name)
	if err != nil || written < untouched {
		return hierarchy.Drift{Bytes: written}, err
	}
	d, _, err := Differences(ctx, eng, b, named)
	return d, err
}

// Differences returns the same of any box, and the paths that differ, without
// what distrobox changes in every box.
func Differences(ctx context.Context, eng Insider, b hierarchy.StoredBox, named []string) (hierarchy.Drift, []hierarchy.Change, error) {
	written, err := eng.Written(ctx, b.Name)
	d := hierarchy.Drift{Bytes: written}
	if err != nil {
		return d, nil, err
	}
	all, err := eng.Changes(ctx, b.Name)
	if err != nil {
		return d, nil, err
	}
	d.Packages, d.Hidden = installed(all)
	switch {
	case d.Hidden && b.Running:
		d.Packages, d.Hidden = rpmsSince(ctx, eng, b, named)
	case len(d.Packages) > 0 && b.Running:
		d.Packages = asked(ctx, eng, b, d.Packages)
	}
	for _, names := range named {
		for name := range strings.FieldsSeq(names) {
			d.Packages = slices.DeleteFunc(d.Packages, func(p string) bool { return p == name })
		}
	}
	slices.Sort(d.Packages)
	if len(d.Packages) > 0 || d.Hidden {
		d.Installer = installer(all)
	}
	return d, worthShowing(all), nil
}

// installed returns the packages that the files of a package manager's list
// tell: dpkg and pacman have some for each package. Hidden says that the list is
// another one than the image's, and is one file: rpm's, apk's.
func installed(changes []hierarchy.Change) (packages []string, hidden bool) {
	for _, c := range changes {
		dir, name := path.Split(c.Path)
		switch {
		case c.Kind == "A" && dir == "/var/lib/dpkg/info/" && strings.HasSuffix(name, ".list"):
			name, _, _ = strings.Cut(strings.TrimSuffix(name, ".list"), ":")
			packages = append(packages, name)
		case c.Kind == "A" && dir == "/var/lib/pacman/local/":
			if parts := strings.Split(name, "-"); len(parts) > 2 { // NAME-VERSION-RELEASE
				packages = append(packages, strings.Join(parts[:len(parts)-2], "-"))
			}
		case slices.Contains([]string{"rpmdb.sqlite", "Packages.db", "Packages"}, name) && strings.Contains(dir, "/rpm/"),
			c.Path == "/lib/apk/db/installed", c.Path == "/usr/lib/apk/db/installed":
			hidden = true
		}
	}
	return packages, hidden
}

// installer returns the program that changed a package manager's list. rpm's list
// is zypper's if zypper left files of its own, and dnf's otherwise.
func installer(changes []hierarchy.Change) hierarchy.Installer {
	found := hierarchy.DNF
	for _, c := range changes {
		switch {
		case strings.HasPrefix(c.Path, "/var/lib/dpkg/"):
			return hierarchy.APT
		case strings.HasPrefix(c.Path, "/var/lib/pacman/"):
			return hierarchy.Pacman
		case strings.Contains(c.Path, "/lib/apk/db/"):
			return hierarchy.APK
		case strings.HasPrefix(c.Path, "/var/cache/zypp/"), strings.HasPrefix(c.Path, "/var/lib/zypp/"):
			found = hierarchy.Zypper
		}
	}
	return found
}

// asked returns those packages that were asked for by name, where apt knows it:
// not their dependencies.
func asked(ctx context.Context, eng Insider, b hierarchy.StoredBox, packages []string) []string {
	out, err := eng.Exec(ctx, b.Name, "apt-mark", "showmanual")
	manual := strings.Fields(out)
	if err != nil || len(manual) == 0 {
		return packages
	}
	return slices.DeleteFunc(packages, func(name string) bool { return !slices.Contains(manual, name) })
}

// rpmsSince returns the packages that rpm has installed since a box was made, but
// for those that came with one that is named, in one transaction: its dependencies.
// A box without rpm does not say.
func rpmsSince(ctx context.Context, eng Insider, b hierarchy.StoredBox, named []string) (packages []string, hidden bool) {
	out, err := eng.Exec(ctx, b.Name, "rpm", "-qa", "--qf", `%{INSTALLTIME} %{NAME} %{INSTALLTID}\n`)
	if err != nil {
		return nil, true
	}
	transaction := map[string]string{} // by package
	for line := range strings.Lines(out) {
		when, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		name, id, _ := strings.Cut(rest, " ")
		if t, err := strconv.ParseInt(when, 10, 64); err == nil && t > b.Created {
			packages = append(packages, name)
			transaction[name] = id
		}
	}
	theirs := map[string]bool{}
	for _, names := range named {
		for name := range strings.FieldsSeq(names) {
			theirs[transaction[name]] = true
		}
	}
	delete(theirs, "")
	return slices.DeleteFunc(packages, func(name string) bool { return theirs[transaction[name]] }), false
}

// worthShowing leaves out what distrobox sets up in every box, what is mounted
// or gone with a stop, and folders that are only in the list for what is in
// them. Of a folder that was added, its own line is enough.
func worthShowing(changes []hierarchy.Change) []hierarchy.Change {
	kinds := make(map[string]string, len(changes))
	above := map[string]bool{} // folders of other lines
	for _, c := range changes {
		kinds[c.Path] = c.Kind
		above[path.Dir(c.Path)] = true
	}
	var out []hierarchy.Change
	for _, c := range changes {
		if setUp(c.Path) || c.Kind == "C" && above[c.Path] || within(c.Path, kinds) {
			continue
		}
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b hierarchy.Change) int { return strings.Compare(a.Path, b.Path) })
	return out
}

// within reports whether a path is in a folder that has a line of its own.
func within(p string, kinds map[string]string) bool {
	for dir := path.Dir(p); dir != "/" && dir != "."; dir = path.Dir(dir) {
		if kinds[dir] == "A" {
			return true
		}
	}
	return false
}

// setUp reports whether distrobox changes a path in every box, or something is
// mounted there: what a new box was seen to differ in with 1.4, 1.8 and both
// engines.
func setUp(p string) bool {
	for _, dir := range []string{
		"/run", "/tmp", "/dev", "/sys", "/proc", "/home", "/var/home", "/mnt", "/media", "/etc/fish", "/usr/local/share/icons",
		"/var/log/journal", "/var/lib/systemd/coredump", "/etc/profile.d/distrobox_profile.sh",
	} {
		if p == dir || strings.HasPrefix(p, dir+"/") {
			return true
		}
	}
	name := path.Base(p)
	if strings.Contains(name, "distrobox") || strings.HasPrefix(name, "rpmdb.sqlite-") {
		return true
	}
	return slices.Contains([]string{
		"/etc/group", "/etc/group-", "/etc/gshadow", "/etc/gshadow-", "/etc/passwd", "/etc/passwd-", "/etc/shadow", "/etc/shadow-",
		"/etc/subuid", "/etc/subgid", "/etc/passwd.done", "/etc/.pwd.lock", "/etc/host.conf", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/etc/localtime", "/etc/timezone",
		"/etc/machine-id", "/etc/sudoers", "/etc/sudoers.d/sudoers", "/etc/pam.d/su", "/etc/mtab", "/.containersetupdone", "/.ocisi-packages", "/usr/bin/entrypoint", "/usr/bin/flatpak", "/usr/local/bin/xdg-open",
	}, p)
}
