package launcher

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/klmcwhirter/ocisi/hierarchy"
)

// Maker is what wrote a launcher.
type Maker string

// The makers.
const (
	Ocisi      Maker = "ocisi"
	Distrobox1 Maker = "distrobox 1"
	Distrobox2 Maker = "distrobox 2"
)

// Found is a launcher that is there.
type Found struct {
	File
	By     Maker
	Edited bool   // by Ocisi, but its content is not what ocisi wrote
	CopyOf string // by Ocisi, but for this other path
	Calls  string // the program of distrobox that it calls; "" when it looks for it
	Gone   bool   // that program is not there

	old    bool     // written in an earlier format
	sealed bool     // an App with a checksum
	also   []string // more paths that lead to it
	icons  []string // base names, without extensions, of icons that an App has
}

// at reports whether a launcher is at a path.
func (f Found) at(path string) bool { return f.Path == path || slices.Contains(f.also, path) }

// Read reads what may be a script or a desktop file that starts something in a
// box, or returns false when it is none. Exists tells whether a program is there;
// nil when it does not matter.
func Read(at string, data []byte, exists func(path string) bool) (Found, bool) {
	if len(data) > maxDesktop {
		return Found{}, false
	}
	f := Found{File: File{Path: at, Data: data}}
	read := f.readScript
	if path.Ext(at) == ".desktop" {
		read = f.readDesktop
	}
	if !read(string(data)) {
		return Found{}, false
	}
	f.Gone = exists != nil && path.IsAbs(f.Calls) && !exists(f.Calls)
	return f, true
}

// call is how distrobox's scripts, and those that ocisi's predecessor changed,
// enter a box.
var call = regexp.MustCompile(`(?m)^\s*(?:DBX_CONTAINER_MANAGER=(\w+) )?exec "?([^"\s]+)"?( enter)? +(.*)$`)

// between is a quoted word.
var between = regexp.MustCompile(`'([^']*)'`)

func (f *Found) readScript(text string) bool {
	lines := strings.SplitN(text, "\n", 6)
	marked := slices.Contains(lines[1:], mark)
	name, header := after(lines, namePrefix), after(lines, ownerPrefix)
	switch {
	case lines[0] != shebang || name == "":
		return false
	case header != "":
		f.By, f.Kind = Ocisi, Entrance
		values := decode(header)
		f.Owner = Owner{
			Manager: hierarchy.Manager(values["manager"]), Box: name, Image: values["image"],
			Config: values["config"], Root: values["root"] == "true",
		}
		if f.What = values["what"]; marked {
			f.Kind = Program
		}
		f.verifyScript(text, values)
	case marked:
		f.By, f.Kind, f.Owner = Distrobox1, Program, Owner{Box: name}
		for _, m := range call.FindAllStringSubmatch(text, -1) {
			if f.readCall(m[1], m[2], m[3] != "", m[4]) {
				break
			}
		}
	default:
		return false
	}
	return true
}

// readCall reads the command by which distrobox's script enters a box, or returns
// false when it is another one.
func (f *Found) readCall(manager, program string, enter bool, args string) bool {
	base := path.Base(program)
	if base != "distrobox-enter" && (base != "distrobox" || !enter) {
		return false
	}
	f.Owner.Manager, f.Calls = hierarchy.Manager(manager), program
	flags, run, ok := strings.Cut(args, "-- ") // what follows is the program's
	f.Owner.Root = strings.Contains(flags, "--root ")
	if enter {
		f.By = Distrobox2
	}
	if ok {
		if word := between.FindStringSubmatch(run); word != nil {
			f.What = word[1]
		}
	}
	return true
}

// after returns what follows the first of those lines with a prefix.
func after(lines []string, prefix string) string {
	for _, line := range lines {
		if rest, ok := strings.CutPrefix(line, prefix); ok {
			return rest
		}
	}
	return ""
}

func (f *Found) readDesktop(text string) bool {
	lines := parseDesktop([]byte(text))
	keys := desktopEntry(lines)
	f.Kind = App
	for _, name := range IconNames([]byte(text)) {
		f.icons = append(f.icons, path.Base(name))
	}
	if box := unescape(keys[own+"Box"]); box != "" {
		f.By = Ocisi
		f.What = unescape(keys[own+"What"])
		f.Owner = Owner{
			Manager: hierarchy.Manager(keys[own+"Manager"]), Box: box, Image: unescape(keys[own+"Image"]),
			Config: unescape(keys[own+"Config"]), Root: keys[own+"Root"] == "true",
		}
		f.old = keys[own+"Format"] != desktopFormat
		f.sealed = keys[checksumKey] != ""
		f.verifyDesktop(lines, keys)
		return true
	}
	return f.readExec(execWords(keys["Exec"]))
}

// readExec reads the command of a desktop file that distrobox exported: perhaps
// env with variables, distrobox-enter or distrobox enter, flags, --, and what is
// run. Without that it is the entry that distrobox makes for a box.
func (f *Found) readExec(words []string) bool {
	end := slices.Index(words, "--")
	if end < 0 {
		return false
	}
	for i, word := range words[:end] {
		f.readWord(word, words[i+1])
	}
	f.What = strings.TrimPrefix(strings.TrimSuffix(path.Base(f.Path), ".desktop"), f.Owner.Box+"-")
	return f.By != "" && f.Owner.Box != ""
}

func (f *Found) readWord(word, next string) {
	manager, ok := strings.CutPrefix(word, "DBX_CONTAINER_MANAGER=")
	if ok {
		f.Owner.Manager = hierarchy.Manager(manager)
	}
	switch word {
	case "-n", "--name":
		f.Owner.Box = next
	case "-r", "--root":
		f.Owner.Root = true
	}
	switch base := path.Base(word); {
	case f.Calls != "":
	case base == "distrobox-enter":
		f.By, f.Calls = Distrobox1, word
	case base == "distrobox" && next == "enter":
		f.By, f.Calls = Distrobox2, word
	}
}
