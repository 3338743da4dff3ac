package box

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/launcher"
)

const (
	maxFile  = 8 << 20 // bytes of one file that is read out of a box
	maxLinks = 5       // symlinks in a row
)

// apps reads the applications that a box exports out of it, with their icons.
func (l *links) apps(ctx context.Context, c hierarchy.StoredBox) ([]launcher.File, error) {
	if len(l.box.ExportedApps) == 0 {
		return nil, nil
	}
	r := reader{store: l.j.store, box: c.Name}
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
			if data, err := r.file(ctx, p); err == nil {
				files = append(files, launcher.NewIcon(l.owner, l.j.d.dirs(), what, p, data))
				icons[name] = true
			}
		}
	}
	app, err := launcher.NewApp(l.owner, l.j.d.dirs(), what, path.Base(file), desktop, func(icon string) bool { return icons[icon] })
	if err != nil {
		return nil, err
	}
	return append(files, app), nil
}

// reader reads files out of a box.
type reader struct {
	store Engine
	box   string
}

// desktops returns the desktop files of the box by their paths in it: those of
// the folders where applications are, and those that are named by their path.
func (r reader) desktops(ctx context.Context, wanted []string) (map[string][]byte, error) {
	found := map[string][]byte{}
	for _, dir := range []string{"/usr/share/applications", "/usr/local/share/applications", "/var/lib/flatpak/exports/share/applications"} {
		links, err := r.folder(ctx, dir, found)
		if err != nil {
			return nil, err
		}
		for _, file := range slices.Sorted(maps.Keys(links)) {
			if data, err := r.file(ctx, links[file]); err == nil { // a link may lead nowhere
				found[file] = data
			}
		}
	}
	for _, file := range wanted {
		if _, known := found[file]; known || !path.IsAbs(file) {
			continue
		}
		switch data, err := r.file(ctx, file); {
		case err == nil:
			found[file] = data
		case !errors.Is(err, fs.ErrNotExist):
			return nil, err
		}
	}
	return found, nil
}

// folder adds the desktop files of a folder of the box, and returns those that
// are symlinks, with their targets.
func (r reader) folder(ctx context.Context, dir string, found map[string][]byte) (map[string]string, error) {
	links := map[string]string{}
	stream, err := r.store.Archive(ctx, r.box, dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = stream.Close() }()
	for t := tar.NewReader(stream); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return links, nil
		}
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", dir, err)
		}
		name := path.Join(path.Dir(dir), h.Name)
		switch {
		case path.Ext(name) != ".desktop" || h.Size > maxFile:
		case h.Typeflag == tar.TypeSymlink:
			links[name] = target(name, h.Linkname)
		case h.Typeflag == tar.TypeReg:
			if found[name], err = io.ReadAll(t); err != nil {
				return nil, fmt.Errorf("reading %s: %w", name, err)
			}
		}
	}
}

// file returns the content of a file of the box, to which symlinks may lead.
func (r reader) file(ctx context.Context, name string) ([]byte, error) {
	for range maxLinks {
		data, next, err := r.one(ctx, name)
		if err != nil || next == "" {
			return data, err
		}
		name = next
	}
	return nil, &fs.PathError{Op: "read", Path: name, Err: errors.New("too many symlinks")}
}

func (r reader) one(ctx context.Context, name string) (data []byte, next string, err error) {
	stream, err := r.store.Archive(ctx, r.box, name)
	if err != nil {
		return nil, "", err
	}
	defer func() { _ = stream.Close() }()
	t := tar.NewReader(stream)
	h, err := t.Next()
	switch {
	case err != nil:
		return nil, "", fmt.Errorf("reading %s: %w", name, err)
	case h.Typeflag == tar.TypeSymlink:
		return nil, target(name, h.Linkname), nil
	case h.Typeflag != tar.TypeReg || h.Size > maxFile:
		return nil, "", &fs.PathError{Op: "read", Path: name, Err: fs.ErrInvalid}
	}
	data, err = io.ReadAll(t)
	return data, "", err
}

func target(link, to string) string {
	if path.IsAbs(to) {
		return path.Clean(to)
	}
	return path.Join(path.Dir(link), to)
}

// icons returns the files of the box that may be the icon of a name. The box runs.
func (r reader) icons(ctx context.Context, name string) []string {
	if path.IsAbs(name) {
		return []string{name}
	}
	pattern := strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(name) + ".*"
	// It fails where one of the folders is missing, having listed the other.
	out, _ := r.store.Exec(ctx, r.box, "find", "/usr/share/icons", "/usr/share/pixmaps", "-name", pattern)
	return strings.Split(strings.TrimSpace(out), "\n")
}
