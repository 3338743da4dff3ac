package launcher

import (
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Apps returns those desktop files of a box that an entry of exported_apps
// means, sorted. Files are those of the box, by their paths in it.
//
// An entry is the path of a desktop file, or its name with or without .desktop,
// or else the program that it runs or its Name, in small or capital letters,
// but never a part of one. Files that menus do not show must be named exactly.
// Launchers of boxes, which a shared home has too, are no applications of a box.
func Apps(what string, files map[string][]byte) []string {
	var exact, alike []string
	for file, data := range files {
		if path.Ext(file) != ".desktop" || len(data) > maxDesktop {
			continue
		}
		if _, launcher := Read(file, data, nil); launcher {
			continue
		}
		if file == what {
			return []string{file}
		}
		id := strings.TrimSuffix(path.Base(file), ".desktop")
		keys := desktopEntry(parseDesktop(data))
		switch {
		case strings.TrimSuffix(what, ".desktop") == id:
			exact = append(exact, file)
		case keys["NoDisplay"] == "true" || keys["Hidden"] == "true":
		case strings.EqualFold(what, id),
			strings.EqualFold(what, path.Base(execProgram(keys["Exec"]))),
			strings.EqualFold(what, unescape(keys["Name"])):
			alike = append(alike, file)
		}
	}
	if len(exact) > 0 {
		return first(exact)
	}
	return first(alike)
}

// first returns of files with the same base name the one that counts in the box,
// where /usr/local/share comes before /usr/share.
func first(files []string) []string {
	slices.Sort(files)
	byName := map[string]string{}
	for _, file := range files {
		if _, dup := byName[path.Base(file)]; !dup {
			byName[path.Base(file)] = file
		}
	}
	return slices.DeleteFunc(files, func(file string) bool { return byName[path.Base(file)] != file })
}

// maxIcons is how many icons an application may have. One of its own, and one for
// each action, are common.
const maxIcons = 64

// IconNames returns the icons that a desktop file names, each once: names
// without extension, or absolute paths. Those above a limit are left out.
func IconNames(desktop []byte) []string {
	var names []string
	for _, l := range parseDesktop(desktop) {
		if len(names) == maxIcons {
			break
		}
		if !l.changes() || l.base() != "Icon" {
			continue
		}
		if name := iconName(unescape(l.value)); name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

var iconType = regexp.MustCompile(`(?i)\.(png|svg|svgz|xpm)$`)

// iconName returns what an Icon stands for: an absolute path, or a name, which
// has no extension but often is given one.
func iconName(value string) string {
	value = strings.TrimSpace(value)
	if strings.HasPrefix(value, "/") {
		return value
	}
	return iconType.ReplaceAllString(value, "")
}

// ourPrefix begins the names of icons on the host.
const ourPrefix = "ocisi-"

// ourIcon returns the name of an icon on the host.
func ourIcon(box, icon string) string {
	return ourPrefix + plainName(box) + "-" + plainName(iconType.ReplaceAllString(path.Base(icon), ""))
}

// IconFiles returns those of a box's files, by their paths in it, that are the
// icon of a name (IconNames): those of the theme hicolor, where applications
// put theirs, or else those of other themes, or of /usr/share/pixmaps.
func IconFiles(icon string, files []string) []string {
	var themes [3][]string
	for _, file := range files {
		if strings.HasPrefix(icon, "/") {
			if file == icon {
				return []string{file}
			}
			continue
		}
		name := iconType.ReplaceAllString(path.Base(file), "")
		if !iconType.MatchString(file) || name != icon && name != icon+"-symbolic" {
			continue
		}
		switch {
		case strings.Contains(file, "/icons/hicolor/"):
			themes[0] = append(themes[0], file)
		case strings.Contains(file, "/icons/"):
			themes[1] = append(themes[1], file)
		case strings.Contains(file, "/pixmaps/"):
			themes[2] = append(themes[2], file)
		}
	}
	for _, found := range themes {
		if len(found) > 0 {
			slices.Sort(found)
			return found
		}
	}
	return nil
}

// iconSize is a folder that every theme may have.
var iconSize = regexp.MustCompile(`^(\d+x\d+(@\d)?|scalable|symbolic)/[\w-]+$`)

// NewIcon returns the file for an icon of a box's application. An icon of no
// common size is put where themes are looked up last, as the Icon Theme
// Specification allows.
func NewIcon(o Owner, d Dirs, what, inBox string, data []byte) File {
	dir := d.Icons()
	if _, rest, ok := strings.Cut(path.Dir(path.Clean("/"+inBox)), "/icons/"); ok {
		if _, size, _ := strings.Cut(rest, "/"); iconSize.MatchString(size) {
			dir = filepath.Join(dir, "hicolor", size)
		}
	}
	name := ourIcon(o.Box, inBox) + strings.ToLower(iconType.FindString(inBox))
	at := filepath.Join(dir, name)
	data, _ = sealIcon(at, data)
	return File{Kind: Icon, Path: at, Data: data, Mode: 0o644, What: what, Owner: o}
}
