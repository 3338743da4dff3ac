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
	By    Maker
	Calls string // the program of distrobox that it calls; "" when it looks for it
	Gone  bool   // that program is not there

	old   bool     // written in a way that is no longer ours
	icons []string // base names, without extensions, of icons that an App has
}

// Read reads what may be a script or a desktop file that starts something in a
// box, or returns false when it is none. Exists tells whether a program is there;
// nil when it does not matter.
func Read(at string, data []byte, exists func(path string) bool) (Found, bool) {
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

// between are quoted words.
var between = regexp.MustCompile(`'([^']*)'`)

func (f *Found) readScript(text string) bool {
	lines := strings.SplitN(text, "\n", 6)
	if lines[0] != shebang {
		return false
	}
	marked := slices.Contains(lines[1:], mark)
	name, header := after(lines, namePrefix), after(lines, ownerPrefix)
	switch {
	case name == "":
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
		return true
	case !marked:
		return false
	}
	f.By, f.Kind, f.Owner = Distrobox1, Program, Owner{Box: name}
	for _, m := range call.FindAllStringSubmatch(text, -1) {
		if base := path.Base(m[2]); base != "distrobox-enter" && (base != "distrobox" || m[3] == "") {
			continue
		}
		f.Owner.Manager, f.Calls = hierarchy.Manager(m[1]), m[2]
		f.Owner.Root = strings.Contains(m[4], "--root ")
		if m[3] != "" {
			f.By = Distrobox2
		}
		if _, program, ok := strings.Cut(m[4], "--  "); ok && between.MatchString(program) {
			f.What = between.FindStringSubmatch(program)[1]
		} else if word := between.FindStringSubmatch(m[4]); word != nil {
			f.What = word[1]
		}
		break
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
	flags := words[:end]
	for i, word := range flags {
		next := ""
		if i+1 < len(flags) {
			next = flags[i+1]
		}
		switch base := path.Base(word); {
		case f.Calls == "" && base == "distrobox-enter":
			f.By, f.Calls = Distrobox1, word
		case f.Calls == "" && base == "distrobox" && next == "enter":
			f.By, f.Calls = Distrobox2, word
		case word == "-n" || word == "--name":
			f.Owner.Box = next
		case word == "--root" || word == "-r":
			f.Owner.Root = true
		case strings.HasPrefix(word, "DBX_CONTAINER_MANAGER="):
			f.Owner.Manager = hierarchy.Manager(strings.TrimPrefix(word, "DBX_CONTAINER_MANAGER="))
		}
	}
	f.What = strings.TrimPrefix(strings.TrimSuffix(path.Base(f.Path), ".desktop"), f.Owner.Box+"-")
	return f.By != "" && f.Owner.Box != ""
}
