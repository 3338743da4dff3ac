package ocisictl

import (
	"bytes"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/box"
)

// readINI reads the boxes, when there is a file of them.
func (c *converter) readINI(ini *File) error {
	c.above, c.below, c.comments = map[int][]line{}, map[int][]line{}, map[string][]line{}
	if ini == nil {
		return nil
	}
	var err error
	c.ini, err = box.ParseINI(bytes.NewReader(ini.Data), ini.Path, func(name string) string {
		if name == "HOME" {
			return c.options.Homes[0]
		}
		return c.options.Getenv(name)
	})
	if err != nil {
		return err
	}
	c.iniLines = strings.Split(strings.ReplaceAll(string(ini.Data), "\r\n", "\n"), "\n")
	c.iniPath = ini.Path
	c.readComments()
	return nil
}

// readComments finds the comments of each section: those right above its first
// line, and those in it.
func (c *converter) readComments() {
	section := ""
	var waiting []line
	for i, text := range c.iniLines {
		text = strings.TrimSpace(text)
		pos := hierarchy.Position{File: c.iniPath, Line: i + 1, Column: 1}
		switch {
		case strings.HasPrefix(text, "#") || strings.HasPrefix(text, ";"):
			waiting = append(waiting, line{"#" + text[1:], pos})
			continue
		case strings.HasPrefix(text, "["):
			name, _, _ := strings.Cut(strings.Trim(text, "[ "), "]")
			section = strings.TrimSpace(name)
		}
		if section != "" {
			c.comments[section] = append(c.comments[section], waiting...)
			waiting = nil
		}
	}
	if section != "" {
		c.comments[section] = append(c.comments[section], waiting...)
	}
}

// section returns where a section begins.
func (c *converter) section(name string) hierarchy.Position {
	for _, v := range c.ini.Values {
		if v.Box == name {
			return v.Pos
		}
	}
	return hierarchy.Position{}
}

// keyPlace returns where a value of a key stands: the last line of the key, or the
// last that holds the value.
func (c *converter) keyPlace(name, key, value string) hierarchy.Position {
	pos := c.section(name)
	for _, v := range c.ini.Values {
		if v.Box == name && v.Key == key && strings.Contains(v.Text, value) {
			pos = v.Pos
		}
	}
	return pos
}

// box returns what the box of an entry is to be; nil when no section says it. An
// entry without a box has the settings all the same: assemble may become true.
func (c *converter) box(e hierarchy.Entry) *hierarchy.Box {
	if c.ini == nil || e.Box != nil || !e.HasBox() && c.boxed(e.BoxName()) {
		return nil
	}
	b, ok := c.ini.Boxes[e.BoxName()]
	if !ok {
		if pos, _ := e.Where(""); e.Enabled && e.HasBox() {
			c.noteOf(pos, "["+e.BoxName()+"]", "distrobox.ini has no %s, so ocisictl made no box of that name; ocisi makes one with nothing set. assemble: false prevents it")
		}
		return nil
	}
	c.differentImage(e)
	c.rehomeBox(&b)
	if len(settings(b)) == 0 {
		return nil
	}
	return &b
}

// boxed reports whether an entry has a box of a name.
func (c *converter) boxed(name string) bool {
	return slices.ContainsFunc(c.old.Entries, func(e hierarchy.Entry) bool { return e.HasBox() && e.BoxName() == name })
}

// differentImage tells of a section that made its box from another image.
func (c *converter) differentImage(e hierarchy.Entry) {
	for _, w := range c.ini.Warnings {
		image := strings.TrimPrefix(w.Value, "localhost/")
		if !strings.Contains(image[strings.LastIndexByte(image, '/')+1:], ":") {
			image += ":latest"
		}
		if w.Box == e.BoxName() && w.Key == "image" && image != e.Ref() {
			c.note(w.Pos, "image: the box was made from %s; ocisi makes it from %s, the image of its entry", w.Value, e.Ref())
		}
	}
}

// leftOver tells of what distrobox.ini has and the new file has not.
func (c *converter) leftOver() {
	if c.ini == nil {
		return
	}
	used := c.used()
	for _, name := range c.ini.Names {
		if !used[name] {
			c.noteOf(c.header(name), "["+name+"]", "%s: left out, since no image has a box of this name")
		}
	}
	for _, w := range c.ini.Warnings {
		if !used[w.Box] {
			continue
		}
		switch w.Key {
		case "image", "pull", "replace": // ocisi knows
		case "clone":
			c.noteOf(w.Pos, "["+w.Box+"]", "%s clone: left out, ocisi makes boxes from images alone")
		default:
			c.noteOf(w.Pos, "["+w.Box+"]", "%s "+w.Key+": "+w.Text)
		}
	}
}

// used returns the sections that say something about a box: those of boxes, and
// what is included; "" stands for what is above the first.
func (c *converter) used() map[string]bool {
	used := map[string]bool{"": true}
	maps.Copy(used, c.ini.Included)
	for _, e := range c.old.Entries {
		used[e.BoxName()] = true
	}
	return used
}

// header returns where a section's name stands.
func (c *converter) header(name string) hierarchy.Position {
	pos := c.section(name)
	for i, text := range c.iniLines {
		text = strings.ReplaceAll(text, " ", "")
		if strings.HasPrefix(text, "["+name+"]") {
			return hierarchy.Position{File: c.iniPath, Line: i + 1, Column: 1}
		}
	}
	return pos
}

// rehomeBox makes homes that are written out the user's.
func (c *converter) rehomeBox(b *hierarchy.Box) {
	if home := strings.TrimRight(b.Home, "/"); home != "" {
		if found := c.homes().FindString(home); found == home && c.isHome(found) {
			c.note(c.keyPlace(b.Name, "home", b.Home), "home: %s is somebody's own home, and yours is what a box has anyway: left out", b.Home)
			b.Home = ""
		}
	}
	one := func(key string, s *string) { *s = c.moved(b.Name, key, *s) }
	all := func(key string, list *[]string) {
		*list = slices.Clone(*list)
		for i := range *list {
			one(key, &(*list)[i])
		}
	}
	one("home", &b.Home)
	one("exported_bins_path", &b.ExportedBinsPath)
	all("volumes", &b.Volumes)
	all("exported_bins", &b.ExportedBins)
	all("additional_flags", &b.AdditionalFlags)
	for _, hook := range b.InitHooks {
		if home := c.homes().FindString(hook); c.isHome(home) {
			c.note(c.keyPlace(b.Name, "init_hooks", hook), "init_hooks: %s stays, since the line is the shell's: look at it", home)
		}
	}
}

// moved returns a value with the user's home in it, and tells of one that was
// written out.
func (c *converter) moved(name, key, value string) string {
	now, was := c.rehome(key, value)
	pos := c.keyPlace(name, key, value)
	for _, home := range was {
		if strings.Contains(c.source(pos), home) {
			c.note(pos, "%s: %s is taken for %s", key, value, now)
			break
		}
	}
	return now
}

// homes finds homes: the user's, and what looks like anybody's.
func (c *converter) homes() *regexp.Regexp {
	const rest = `[^/\s:=,'"]` // of a name
	pattern := `(?:/var)?/home/` + rest + `+`
	for _, home := range c.options.Homes {
		pattern = regexp.QuoteMeta(home) + rest + `*|` + pattern
	}
	return regexp.MustCompile(pattern)
}

// isHome reports whether what homes found is a home: /root is, and /rootless not.
func (c *converter) isHome(found string) bool {
	return slices.Contains(c.options.Homes, found) || !isBrew(found) && strings.Contains(found, "/home/")
}

// isBrew reports whether a path is Homebrew's, which is the same for everybody.
func isBrew(path string) bool { return strings.HasSuffix(path, "/linuxbrew") }

// rehome puts the user's home in place of homes that are written out, and returns
// those. At the beginning of a value, and of each part between colons or blanks,
// it is a ~, where the key takes one.
func (c *converter) rehome(key, value string) (string, []string) {
	const boundary = " \t:=,'\""
	var out strings.Builder
	var was []string
	done := 0
	for _, at := range c.homes().FindAllStringIndex(value, -1) {
		home := value[at[0]:at[1]]
		if begins := at[0] == 0 || strings.IndexByte(boundary, value[at[0]-1]) >= 0; !begins || !c.isHome(home) {
			continue
		}
		out.WriteString(value[done:at[0]])
		if tilde := at[0] == 0 || strings.IndexByte(" \t:", value[at[0]-1]) >= 0; tilde && key != "" && key != "exported_bins" {
			out.WriteString("~")
		} else {
			out.WriteString(c.options.Homes[0])
		}
		was = append(was, home)
		done = at[1]
	}
	out.WriteString(value[done:])
	return out.String(), was
}
