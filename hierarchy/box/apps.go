package box

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/launcher"
)

// maxFile is how much of a file is read out of a box, in bytes.
const maxFile = 4 << 20

// apps reads the applications that a box exports out of it, with their icons.
// The box runs.
func (l *links) apps(ctx context.Context, c hierarchy.StoredBox) ([]launcher.File, error) {
	if len(l.box.ExportedApps) == 0 {
		return nil, nil
	}
	r := reader{store: l.j.store, id: c.ID}
	desktops, err := r.desktops(ctx, l.box.ExportedApps)
	if err != nil {
		return nil, fmt.Errorf("looking for the applications of box %s: %w", c.Name, err)
	}
	var files []launcher.File
	var failed []error
	for _, what := range l.box.ExportedApps {
		paths := launcher.Apps(what, desktops)
		if len(paths) == 0 {
			failed = append(failed, &ExportError{Box: c.Name, What: what, Err: errors.New("the box has no such application")})
		}
		for _, p := range paths {
			more, err := l.app(ctx, r, what, p, desktops[p])
			if err != nil {
				failed = append(failed, &ExportError{Box: c.Name, What: what, Err: err})
			}
			files = append(files, more...)
		}
	}
	return files, errors.Join(failed...)
}

// app returns the files of one application: its desktop file, and icons. An icon
// that cannot be read is left out; the application works without.
func (l *links) app(ctx context.Context, r reader, what, file string, desktop []byte) ([]launcher.File, error) {
	icons := map[string]bool{}
	var files []launcher.File
	for _, name := range launcher.IconNames(desktop) {
		for _, p := range launcher.IconFiles(name, r.icons(ctx, name)) {
			if data, err := r.file(ctx, p); err == nil && len(data) < maxFile {
				files = append(files, launcher.NewIcon(l.owner, l.j.d.dirs(), what, p, data))
				icons[name] = true
			}
		}
	}
	app, err := launcher.NewApp(l.owner, l.j.d.dirs(), what, path.Base(file), desktop, func(icon string) bool { return icons[icon] })
	if err != nil {
		return nil, err
	}
	// The application is written last: its checksum tells how to verify its icons.
	return append([]launcher.File{app}, files...), nil
}

// reader reads files out of a box that runs, with programs in it. The engine's
// own way is not for such boxes: docker 20.10 mounts all that the box sees on the
// host for that, which shows up in the box, since the box sees all of the host.
// Its mounts double with each file: the tenth fails, until the box stops.
type reader struct {
	store Engine
	id    string // of the box
}

// desktopFolders are where applications are.
func desktopFolders() []string {
	return []string{"/usr/share/applications", "/usr/local/share/applications", "/var/lib/flatpak/exports/share/applications"}
}

// desktops returns the desktop files of the box by their paths in it: those of
// the folders where applications are, and those that are named by their path.
func (r reader) desktops(ctx context.Context, wanted []string) (map[string][]byte, error) {
	where, err := r.there(ctx, desktopFolders()...)
	if err != nil {
		return nil, err
	}
	found := map[string][]byte{}
	if len(where) > 0 {
		argv := slices.Concat([]string{"find", "-L"}, where, []string{
			"-name", "*.desktop", "-type", "f", "-exec", "head", "-v", "-c", strconv.Itoa(maxFile), "--", "{}", "+",
		})
		out, _ := r.store.Exec(ctx, r.id, argv...) // it fails for links that lead nowhere
		found = headed(out)
	}
	for _, file := range wanted {
		if _, known := found[file]; known || !path.IsAbs(file) {
			continue
		}
		if data, err := r.file(ctx, file); err == nil {
			found[file] = data
		}
	}
	return found, nil
}

var header = regexp.MustCompile(`(?m)^==> (/.*\.desktop) <==\n`)

// headed takes what "head -v" prints of several files apart. It puts an empty
// line between them.
func headed(out string) map[string][]byte {
	found := map[string][]byte{}
	all := header.FindAllStringSubmatchIndex(out, -1)
	for i, at := range all {
		end := len(out)
		if i+1 < len(all) {
			end = all[i+1][0]
		}
		text := out[at[1]:end]
		if end < len(out) {
			text = strings.TrimSuffix(text, "\n")
		}
		found[out[at[2]:at[3]]] = []byte(text)
	}
	return found
}

// there returns those of some paths that are in the box.
func (r reader) there(ctx context.Context, paths ...string) ([]string, error) {
	// It fails when one is missing; that it lists / shows that it ran.
	out, err := r.store.Exec(ctx, r.id, append([]string{"ls", "-dL", "--", "/"}, paths...)...)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if !slices.Contains(lines, "/") {
		return nil, cmp.Or(err, errors.New("the box does not say what is in it"))
	}
	found := map[string]bool{}
	for _, p := range paths {
		if slices.Contains(lines, p) {
			found[p] = true
		}
	}
	return slices.Sorted(maps.Keys(found)), nil
}

// file returns the content of a file of the box, or its first bytes.
func (r reader) file(ctx context.Context, name string) ([]byte, error) {
	out, err := r.store.Exec(ctx, r.id, "head", "-c", strconv.Itoa(maxFile), "--", name)
	return []byte(out), err
}

// icons returns the files of the box that may be the icon of a name.
func (r reader) icons(ctx context.Context, name string) []string {
	if path.IsAbs(name) {
		return []string{name}
	}
	pattern := strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(name) + ".*"
	// It fails where one of the folders is missing, having listed the other.
	out, _ := r.store.Exec(ctx, r.id, "find", "/usr/share/icons", "/usr/share/pixmaps", "-name", pattern)
	return strings.Split(strings.TrimSpace(out), "\n")
}
