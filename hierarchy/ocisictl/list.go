package ocisictl

import (
	"cmp"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/klmcwhirter/ocisi/hierarchy"
)

// edit replaces some characters of a line of the list.
type edit struct {
	line, column, length int // in runes, from 1
	text                 string
}

// wordBoolean finds the words that PyYAML took for true and false (YAML 1.1,
// https://yaml.org/type/bool.html), and ocisi does not.
var wordBoolean = regexp.MustCompile(`((?:^|[\s{,-])(?:enabled|assemble)\s*:\s+)(yes|Yes|YES|on|On|ON|no|No|NO|off|Off|OFF)([\s,}]|$)`)

// booleans writes true and false for them.
func (c *converter) booleans(lines []string) []string {
	out := slices.Clone(lines)
	for i, l := range lines {
		code, comment := l, ""
		if at := strings.Index(" "+l, " #"); at >= 0 {
			code, comment = l[:max(at-1, 0)], l[max(at-1, 0):]
		}
		for _, m := range slices.Backward(wordBoolean.FindAllStringSubmatchIndex(code, -1)) {
			word := code[m[4]:m[5]]
			value := "false"
			if w := strings.ToLower(word); w == "yes" || w == "on" {
				value = "true"
			}
			pos := hierarchy.Position{File: c.list.Path, Line: i + 1, Column: len([]rune(code[:m[4]])) + 1}
			c.noteOf(pos, word, "%s is written "+value+", which every reader of YAML takes for the same")
			code = code[:m[4]] + value + code[m[5]:]
		}
		out[i] = code + comment
	}
	return out
}

// tag tells of a tag that the old reader took for another number.
func (c *converter) tag(e hierarchy.Entry) {
	pos, ok := e.Where("tag")
	if !ok || strings.HasPrefix(c.at(pos), `"`) || strings.HasPrefix(c.at(pos), `'`) {
		return
	}
	f, err := strconv.ParseFloat(e.Tag, 64)
	if err != nil || !strings.Contains(e.Tag, ".") {
		return
	}
	short := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(short, ".") {
		short += ".0"
	}
	if short != e.Tag {
		c.note(pos, "the tag is %s, as it is typed; ocisictl took it for the number %s", e.Tag, short)
	}
}

// at returns the rest of a line from a place on.
func (c *converter) at(pos hierarchy.Position) string {
	runes := []rune(c.lines[pos.Line-1])
	return string(runes[min(pos.Column-1, len(runes)):])
}

// path makes an entry's path lead from the new file to where it led from the old
// one, or to the copy.
func (c *converter) path(e hierarchy.Entry) error {
	pos, _ := e.Where("path")
	wanted, ok := c.folders[e.Path]
	if !ok {
		wanted = c.folder(e, pos)
		c.folders[e.Path] = wanted
	}
	if wanted == e.Path {
		return nil
	}
	for _, written := range []string{e.Path, `"` + e.Path + `"`, `'` + e.Path + `'`} {
		if strings.HasPrefix(c.at(pos), written) {
			c.edits = append(c.edits, edit{pos.Line, pos.Column, len([]rune(written)), scalar(wanted)})
			return nil
		}
	}
	return &hierarchy.ConfigError{
		Pos: pos, Source: c.lines[pos.Line-1], Problem: "path is written in a way that cannot be changed here",
		Advice: "write it in one line, as path: " + e.Path,
	}
}

// folder returns what the new file is to call a folder.
func (c *converter) folder(e hierarchy.Entry, pos hierarchy.Position) string {
	there := filepath.Dir(c.options.To)
	from := filepath.Join(filepath.Dir(c.list.Path), e.Path)
	if filepath.IsAbs(e.Path) {
		moved, _ := c.rehome("", e.Path)
		if from = filepath.Clean(moved); from != filepath.Clean(e.Path) {
			c.note(pos, "path: %s is taken for %s", e.Path, from)
		}
	}
	if c.options.Copy {
		name := c.nameOfCopy(e.Path, from)
		c.copies = append(c.copies, Folder{from, filepath.Join(there, name)})
		return name
	}
	if from == filepath.Join(there, e.Path) {
		return e.Path
	}
	if rel, err := filepath.Rel(there, from); err == nil {
		from = rel
	}
	c.note(pos, "path: %s is now %s: the folder stays where it is", e.Path, from)
	return from
}

// nameOfCopy is the path that the folder had, where that leads to a place below
// the new file, else its last part; no two folders get the same.
func (c *converter) nameOfCopy(path, from string) string {
	name := path
	if !filepath.IsLocal(name) || filepath.Clean(name) == "." {
		name = filepath.Base(from)
	}
	for unique, n := name, 2; ; n++ {
		to := filepath.Join(filepath.Dir(c.options.To), unique)
		taken := func(f Folder) bool { return f.To == to && f.From != from }
		if !slices.ContainsFunc(c.copies, taken) {
			return unique
		}
		unique = name + "-" + strconv.Itoa(n)
	}
}

// assemble puts the new file together: what stands above the first image, the
// key images, and the list two columns further right.
func (c *converter) assemble() []line {
	c.applyEdits()
	head, body := c.split()
	var out []line
	if c.options.Schema != "" {
		out = append(out, line{"# yaml-language-server: $schema=" + c.options.Schema, c.place(1)})
	}
	for n := 1; n <= head; n++ {
		if text, ok := withoutMarker(c.lines[n-1]); ok {
			out = append(out, line{text, c.place(n)})
		}
	}
	for _, e := range c.old.Entries {
		if pos, _ := e.Where(""); e.Manager == "" {
			out = append(out, line{"manager: " + string(c.options.Manager), pos})
			break
		}
	}
	out = append(out, line{"images:", c.place(head + 1)})
	for n := head + 1; n <= body; n++ {
		out = append(out, c.above[n]...)
		text := c.lines[n-1]
		if strings.TrimSpace(text) != "" {
			text = "  " + text
		}
		out = append(out, line{text, c.place(n)})
		out = append(out, c.below[n]...)
	}
	return out
}

func (c *converter) place(n int) hierarchy.Position {
	return hierarchy.Position{File: c.list.Path, Line: n, Column: 1}
}

// split returns the last line of what stands above the list, and the last of the
// list. Comments right above the first image are that image's.
func (c *converter) split() (head, body int) {
	isHead := func(l string) bool {
		l = strings.TrimSpace(l)
		return l == "" || l[0] == '#' || l[0] == '%' || l == "---" || strings.HasPrefix(l, "--- #")
	}
	for head < len(c.lines) && isHead(c.lines[head]) {
		head++
	}
	for head > 0 && strings.HasPrefix(strings.TrimSpace(c.lines[head-1]), "#") {
		head--
	}
	body = len(c.lines)
	for n := head; n < body; n++ {
		if c.lines[n] == "..." {
			body = n
		}
	}
	return head, body
}

// withoutMarker leaves out what begins a document, and keeps a comment behind it.
func withoutMarker(l string) (string, bool) {
	rest, marker := strings.CutPrefix(l, "---")
	if !marker {
		return l, !strings.HasPrefix(l, "%")
	}
	rest = strings.TrimSpace(rest)
	return rest, rest != ""
}

// applyEdits changes the lines, from right to left, so that columns keep their
// meaning.
func (c *converter) applyEdits() {
	slices.SortFunc(c.edits, func(a, b edit) int { return cmp.Compare(b.column, a.column) })
	for _, e := range c.edits {
		runes := []rune(c.lines[e.line-1])
		c.lines[e.line-1] = string(runes[:e.column-1]) + e.text + string(runes[e.column-1+e.length:])
	}
}
