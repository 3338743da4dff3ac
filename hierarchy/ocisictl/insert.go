package ocisictl

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"

	"github.com/klmcwhirter/ocisi/hierarchy"
)

// setting is a key of a box with what it is set to: a text, a list or true.
type setting struct {
	key  string
	text string
	list []string
	flag bool
}

// settings returns the keys of a box that are set, in the order in which they are
// written.
func settings(b hierarchy.Box) []setting {
	all := []setting{
		{key: "home", text: b.Home}, {key: "hostname", text: b.Hostname},
		{key: "init", flag: b.Init}, {key: "nvidia", flag: b.Nvidia}, {key: "root", flag: b.Root}, {key: "start_now", flag: b.StartNow},
		{key: "volumes", list: b.Volumes}, {key: "exported_bins", list: b.ExportedBins}, {key: "exported_bins_path", text: b.ExportedBinsPath},
		{key: "exported_apps", list: b.ExportedApps}, {key: "additional_packages", list: b.AdditionalPackages},
		{key: "init_hooks", list: b.InitHooks}, {key: "additional_flags", list: b.AdditionalFlags},
	}
	var set []setting
	for _, s := range all {
		if s.text != "" || s.flag || len(s.list) > 0 {
			set = append(set, s)
		}
	}
	return set
}

// flow returns the setting in one line.
func (s setting) flow() string {
	switch {
	case s.flag:
		return s.key + ": true"
	case s.text != "":
		return s.key + ": " + scalar(s.text)
	}
	items := make([]string, len(s.list))
	for i, item := range s.list {
		items[i] = scalar(item)
	}
	return s.key + ": [" + strings.Join(items, ", ") + "]"
}

// longest is how long a list in one line may be.
const longest = 80

// block returns the setting in as many lines as it is easy to read in.
func (s setting) block() []string {
	one := s.flow()
	if len(s.list) == 0 || s.key != "init_hooks" && len(one) <= longest {
		return []string{one}
	}
	lines := []string{s.key + ":"}
	for _, item := range s.list {
		lines = append(lines, "  - "+scalar(item))
	}
	return lines
}

var (
	plainScalar = regexp.MustCompile(`^[A-Za-z/.][A-Za-z0-9_/.@%+=-]*$|^~/[A-Za-z0-9_/.@%+=-]+$`)
	wordScalar  = regexp.MustCompile(`^(?i:true|false|yes|no|on|off|y|n|null|\.inf|\.nan|\.|[.][0-9.e+-]+)$`)
)

// scalar writes a text as YAML. Double quotes are JSON's, which YAML has as well.
func scalar(s string) string {
	if plainScalar.MatchString(s) && !wordScalar.MatchString(s) {
		return s
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a string: it cannot fail
	return strings.TrimSuffix(out.String(), "\n")
}

// insert adds a box to its entry, within the braces of one that has them.
func (c *converter) insert(e hierarchy.Entry, b hierarchy.Box) error {
	pos, _ := e.Where("")
	comments := c.comments[b.Name]
	if c.inBraces(pos) {
		return c.insertFlow(e, b, comments)
	}
	indent := strings.Repeat(" ", pos.Column-1)
	end := c.end(e, pos)
	add := func(depth int, text string, from hierarchy.Position) {
		c.below[end] = append(c.below[end], line{"  " + indent + strings.Repeat("  ", depth) + text, from})
	}
	add(0, "box:", c.section(b.Name))
	for _, l := range comments {
		add(1, l.text, l.from)
	}
	for _, s := range settings(b) {
		for i, text := range s.block() {
			from := c.keyPlace(b.Name, s.key, "")
			if i > 0 {
				from = c.keyPlace(b.Name, s.key, s.list[i-1])
			}
			add(1, text, from)
		}
	}
	return nil
}

// inBraces reports whether an entry is written {key: value, …}: a brace is the
// last character before it.
func (c *converter) inBraces(pos hierarchy.Position) bool {
	before := string([]rune(c.lines[pos.Line-1])[:pos.Column-1])
	for n := pos.Line - 1; ; n-- {
		if s := strings.TrimSpace(before); s != "" && s[0] != '#' {
			return strings.HasSuffix(s, "{")
		}
		if n == 0 {
			return false
		}
		before = c.lines[n-1]
	}
}

// end returns the last line of an entry in block form, comments that stand as far
// right as its keys among them.
func (c *converter) end(e hierarchy.Entry, pos hierarchy.Position) int {
	last := pos.Line
	for _, key := range []string{"name", "path", "enabled", "tag", "manager", "distrobox", "assemble", "args", "max_age", "keep"} {
		if at, ok := e.Where(key); ok {
			last = max(last, at.Line)
		}
	}
	for n := last + 1; n <= len(c.lines); n++ {
		text := strings.TrimLeft(c.lines[n-1], " ")
		indent := len(c.lines[n-1]) - len(text)
		if text != "" && indent < pos.Column-1 {
			break
		}
		if text != "" && (text[0] != '#' || n == last+1) {
			last = n
		}
	}
	return last
}

func (c *converter) insertFlow(e hierarchy.Entry, b hierarchy.Box, comments []line) error {
	pos, _ := e.Where("")
	at, comma, ok := closing(c.lines, pos)
	if !ok {
		return &hierarchy.ConfigError{Pos: pos, Source: c.lines[pos.Line-1], Problem: "the end of the entry was not found", Advice: "write the entry one key a line, without braces"}
	}
	var parts []string
	for _, s := range settings(b) {
		parts = append(parts, s.flow())
	}
	text := "box: {" + strings.Join(parts, ", ") + "}"
	if !comma {
		text = ", " + text
	}
	c.edits = append(c.edits, edit{line: at.Line, column: at.Column, text: text})
	for _, l := range comments {
		c.above[pos.Line] = append(c.above[pos.Line], line{"  " + l.text, l.from})
	}
	return nil
}

// closing returns where the brace is closed that pos is within, and whether a
// comma stands before it.
func closing(lines []string, pos hierarchy.Position) (at hierarchy.Position, comma, ok bool) {
	b := braces{depth: 1, last: '{'}
	for n, column := pos.Line, pos.Column-1; n <= len(lines); n, column = n+1, 0 {
		runes := []rune(lines[n-1])
		for i := column; i < len(runes) && !b.comment(runes, i); i++ {
			before := b.last
			b.read(runes[i])
			if b.depth == 0 {
				return hierarchy.Position{File: pos.File, Line: n, Column: i + 1}, before == ',', true
			}
		}
	}
	return pos, false, false
}

// braces counts them, but for those in quotes.
type braces struct {
	depth   int
	last    rune // that is no blank
	quote   rune // that is open; 0: none
	escaped bool // by a backslash in double quotes
}

// comment reports whether one begins here.
func (b *braces) comment(line []rune, i int) bool {
	return b.quote == 0 && line[i] == '#' && (i == 0 || line[i-1] == ' ')
}

func (b *braces) read(r rune) {
	switch {
	case b.escaped:
		b.escaped = false
	case b.quote != 0:
		b.escaped = r == '\\' && b.quote == '"'
		if r == b.quote {
			b.quote = 0
		}
	case strings.ContainsRune(`"'`, r) && strings.ContainsRune("{[,:", b.last):
		b.quote = r
	case r == '{' || r == '[':
		b.depth++
	case r == '}' || r == ']':
		b.depth--
	}
	if r != ' ' {
		b.last = r
	}
}
