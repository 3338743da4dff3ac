package launcher

import (
	"path/filepath"
	"slices"
	"strings"
)

// The format of desktop files is that of the Desktop Entry Specification 1.5,
// which freedesktop.org publishes.

// desktopGroup and actionGroup begin the headers of the groups that a launcher
// changes.
const (
	desktopGroup = "[Desktop Entry]"
	actionGroup  = "[Desktop Action "
)

// desktopLine is a line of a desktop file, which keeps everything that it does
// not understand.
type desktopLine struct {
	text   string // without its end
	end    string // "\n", "\r\n", or "" in the last one
	header bool   // begins a group
	group  string // the header of the group that it is in, without blanks around it
	key    string // "" in headers, comments and blank lines
	value  string // as in the file
}

// blanks may be before everything in a line of a desktop file, as in GLib.
const blanks = " \t\f\r"

// parseDesktop cuts a desktop file into lines. Joined, they are the file. As in
// GLib, a header ends with the first ], and blanks around a header or a key do not
// count.
func parseDesktop(data []byte) []desktopLine {
	var lines []desktopLine
	group := ""
	for text := range strings.Lines(string(data)) {
		l := desktopLine{text: strings.TrimSuffix(text, "\n")}
		l.text = strings.TrimSuffix(l.text, "\r")
		l.end = text[len(l.text):]
		trimmed := strings.Trim(l.text, blanks)
		l.header = strings.HasPrefix(trimmed, "[") && strings.IndexByte(trimmed, ']') == len(trimmed)-1
		switch {
		case l.header:
			group = trimmed
		case !strings.HasPrefix(trimmed, "#"):
			if key, value, ok := strings.Cut(l.text, "="); ok {
				l.key = strings.TrimSpace(key)
				l.value = strings.TrimLeft(value, blanks)
			}
		}
		l.group = group
		lines = append(lines, l)
	}
	return lines
}

// base returns a key without its locale: Name of Name[de].
func (l desktopLine) base() string {
	key, _, _ := strings.Cut(l.key, "[")
	return key
}

// changes reports whether the line is in a group that a launcher changes.
func (l desktopLine) changes() bool {
	return l.group == desktopGroup || strings.HasPrefix(l.group, actionGroup)
}

// desktopEntry returns the keys of the main group. Of a key that comes twice,
// the last one counts, as in GLib.
func desktopEntry(lines []desktopLine) map[string]string {
	keys := map[string]string{}
	for _, l := range lines {
		if l.group == desktopGroup && l.key != "" {
			keys[l.key] = strings.TrimRight(l.value, " \t")
		}
	}
	return keys
}

// AppError says that a desktop file of a box cannot be a launcher.
type AppError struct {
	Box    string
	What   string // as the config has it
	File   string // base name of the desktop file
	Reason string
}

func (e *AppError) Error() string {
	return "box " + e.Box + ": export " + e.What + ": " + e.File + " " + e.Reason
}

// own begins the keys that say whose a launcher is.
const own = "X-Ocisi-"

// NewApp returns the desktop file that runs an application of a box, which has
// it as fileName, a base name, with the content desktop. Icons for which has
// reports true get the names that NewIcon gives them; nil is none. Other icons
// keep their names: the host may have them.
//
// What distrobox finds its exports by is in keys of our own: the places where it
// may be, and an icon's name that no other application has, since it removes
// all icons of the first name in the file.
func NewApp(o Owner, d Dirs, what, fileName string, desktop []byte, has func(icon string) bool) (File, error) {
	lines := parseDesktop(desktop)
	keys := desktopEntry(lines)
	if reason := unfit(lines, keys); reason != "" {
		return File{}, &AppError{Box: o.Box, What: what, File: fileName, Reason: reason}
	}
	r := rewriting{owner: o, has: has, keys: keys, command: execWord(NewEntrance(o, d).Path)}
	if dir := unescape(keys["Path"]); dir != "" { // which is in the box, and maybe not on the host
		r.command += " env " + execWord("--chdir="+dir)
	}
	at := filepath.Join(d.Apps(), plainName(o.Box)+"-"+plainName(filepath.Base(fileName)))
	var out strings.Builder
	headed := false
	for _, l := range lines {
		if text, keep := r.line(l); keep {
			out.WriteString(text + l.end)
		}
		if l.group == desktopGroup && l.header && !headed {
			headed = true
			for _, added := range r.added(d, what, fileName, at) {
				out.WriteString(added + l.end)
			}
		}
	}
	text := sealDesktop(parseDesktop([]byte(out.String())))
	return File{
		Kind:  App,
		Path:  at,
		Data:  []byte(text),
		Mode:  0o644,
		What:  what,
		Owner: o,
	}, nil
}

// unfit returns why a desktop file cannot be a launcher, or "".
func unfit(lines []desktopLine, keys map[string]string) string {
	main := slices.ContainsFunc(lines, func(l desktopLine) bool { return l.group == desktopGroup })
	switch {
	case !main:
		return "is no desktop file"
	case keys["Type"] != "Application":
		return "is no application"
	case keys["Hidden"] == "true":
		return "is marked as deleted"
	case keys["Exec"] == "":
		return "does not say what to execute"
	}
	return ""
}

// rewriting is a desktop file being changed.
type rewriting struct {
	owner   Owner
	has     func(icon string) bool
	keys    map[string]string // of the main group
	command string            // that begins what is executed
}

// line returns a line as it is to be, or false when it goes.
func (r rewriting) line(l desktopLine) (string, bool) {
	if !l.changes() || l.key == "" {
		return l.text, true
	}
	switch base := l.base(); {
	case base == "Exec":
		return "Exec=" + r.command + " " + l.value, true
	case base == "Name":
		return l.key + "=" + strings.TrimRight(l.value, " \t") + " " + escape("(on "+r.owner.Box+")"), true
	case base == "Icon" && r.has != nil:
		if icon := iconName(unescape(l.value)); icon != "" && r.has(icon) {
			return l.key + "=" + escape(ourIcon(r.owner.Box, icon)), true
		}
	case base == "TryExec", base == "DBusActivatable", base == "Path":
		return "", false
	case strings.HasPrefix(base, own):
		return "", false
	}
	return l.text, true
}

// added returns the lines that are new. StartupWMClass joins windows to the
// application: their class is the name of the desktop file in the box.
func (r rewriting) added(d Dirs, what, fileName, at string) []string {
	var lines []string
	add := func(key, value string) { lines = append(lines, key+"="+escape(value)) }
	add(own+"Manager", string(r.owner.Manager))
	add(own+"Box", r.owner.Box)
	add(own+"Image", r.owner.Image)
	add(own+"Config", r.owner.Config)
	add(own+"What", what)
	add(pathKey, at)
	if r.owner.Root {
		add(own+"Root", "true")
	}
	add(own+"Format", desktopFormat)
	add(own+"Exec", strings.Join(places(d.Home), "/distrobox-enter ")+"/distrobox-enter")
	if icon := iconName(unescape(r.keys["Icon"])); icon != "" {
		add(own+"Icon", ourIcon(r.owner.Box, icon))
	}
	if r.keys["StartupWMClass"] == "" {
		add("StartupWMClass", strings.TrimSuffix(filepath.Base(fileName), ".desktop"))
	}
	return lines
}

// desktopFormat changes when desktop files are to be written again.
const desktopFormat = "2"
