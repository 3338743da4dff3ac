package box

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/klmcwhirter/ocisi/hierarchy"
)

// Warning tells of something in a distrobox.ini that has no effect here.
type Warning struct {
	Pos  hierarchy.Position
	Box  string // the section
	Key  string
	Text string
	Note bool // nothing is lost: the config or ocisi itself says it instead

	Value string // of the key, as it stands there
}

func (w Warning) String() string {
	return fmt.Sprintf("%s:%d:%d: [%s] %s: %s", w.Pos.File, w.Pos.Line, w.Pos.Column, w.Box, w.Key, w.Text)
}

// INIError says that a distrobox.ini cannot be read.
type INIError struct {
	Pos  hierarchy.Position
	Text string
}

func (e *INIError) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", e.Pos.File, e.Pos.Line, e.Pos.Column, e.Text)
}

// INI is what a distrobox.ini says.
type INI struct {
	Names    []string // of the sections, in the file's order
	Boxes    map[string]hierarchy.Box
	Included map[string]bool // sections that others include
	Values   []INIValue      // all that is in Boxes, in the order in which it was put there
	Warnings []Warning
}

// INIValue is a value of a box, and where it stands. What is included stands in
// another section.
type INIValue struct {
	Pos  hierarchy.Position
	Box  string
	Key  string // as the config has it
	Text string // with its variables replaced
}

// ReadINI returns the boxes and warnings of ParseINI.
func ReadINI(r io.Reader, file string, env func(string) string) (map[string]hierarchy.Box, []Warning, error) {
	ini, err := ParseINI(r, file, env)
	if err != nil {
		return nil, nil, err
	}
	return ini.Boxes, ini.Warnings, nil
}

// ParseINI reads a distrobox.ini as distrobox 1.8 does
// (distrobox-assemble, parse_file), but for its accidents: nothing is run, the
// last of several values of one key wins, and a section's own values win over
// those it includes. Variables are looked up with env; file is for messages.
// What has no effect is a warning; a command in a value, an include that leads
// nowhere or in a circle, and a quote without its other half are *INIErrors.
func ParseINI(r io.Reader, file string, env func(string) string) (*INI, error) {
	text, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", file, err)
	}
	p := iniReader{file: file, env: env, sections: map[string][]iniEntry{}, included: map[string]bool{}}
	if err := p.parse(string(text)); err != nil {
		return nil, err
	}
	boxes := make(map[string]hierarchy.Box, len(p.order))
	for _, name := range p.order {
		entries, err := p.resolve(name, nil)
		if err != nil {
			return nil, err
		}
		b := hierarchy.Box{Name: name}
		for _, e := range entries {
			if err := p.set(&b, e); err != nil {
				return nil, err
			}
		}
		boxes[name] = b
	}
	return &INI{Names: p.order, Boxes: boxes, Included: p.included, Values: p.values, Warnings: p.warnings}, nil
}

type iniReader struct {
	file     string
	env      func(string) string
	order    []string // of the sections
	sections map[string][]iniEntry
	warnings []Warning
	values   []INIValue
	included map[string]bool
}

// iniEntry is one key = value.
type iniEntry struct {
	box, key string
	value    iniValue
	pos      hierarchy.Position
	included bool
}

func (p *iniReader) parse(text string) error {
	section := ""
	for n, line := range strings.Split(text, "\n") {
		line = strings.ReplaceAll(strings.TrimSuffix(line, "\r"), "\t", " ")
		if n == 0 {
			line = strings.TrimPrefix(line, "\ufeff")
		}
		pos := hierarchy.Position{File: p.file, Line: n + 1, Column: len(line) - len(strings.TrimLeft(line, " ")) + 1}
		line = strings.Trim(line, " ")
		if line == "" || line[0] == '#' || line[0] == ';' {
			continue
		}
		if line[0] == '[' {
			section = sectionName(line)
			if section == "" {
				return &INIError{pos, "a section without a name"}
			}
			if _, again := p.sections[section]; !again {
				p.order = append(p.order, section)
				p.sections[section] = nil
			}
			continue
		}
		e, ok, err := p.entry(section, line, pos)
		if err != nil {
			return err
		}
		if ok {
			p.sections[section] = append(p.sections[section], e)
		}
	}
	return nil
}

// sectionName takes brackets, blanks and a comment off a section's line.
func sectionName(line string) string {
	if end := strings.IndexByte(line, ']'); end >= 0 {
		line = line[:end]
	}
	return strings.NewReplacer("[", "", "]", "", " ", "").Replace(line)
}

func (p *iniReader) entry(section, line string, pos hierarchy.Position) (iniEntry, bool, error) {
	key, rest, ok := strings.Cut(line, "=")
	key = strings.ReplaceAll(key, " ", "")
	e := iniEntry{box: section, key: key, pos: pos}
	switch {
	case !ok:
		p.warn(e, "a line without an equals sign is ignored")
		return e, false, nil
	case section == "":
		p.warn(e, "a key before the first section is ignored")
		return e, false, nil
	}
	value, err := parseValue(rest)
	if err != nil {
		pos.Column += len(line) - len(rest)
		return e, false, &INIError{pos, key + ": " + err.Error()}
	}
	e.value = value
	return e, value.text != "", nil
}

func (p *iniReader) warn(e iniEntry, text string) {
	p.warnings = append(p.warnings, Warning{Pos: e.pos, Box: e.box, Key: e.key, Text: text, Value: e.value.text})
}

// resolve returns a section's entries, those of the sections that it includes
// first. within are the sections that led here.
func (p *iniReader) resolve(name string, within []string) ([]iniEntry, error) {
	within = append(slices.Clone(within), name)
	var included, own []iniEntry
	for _, e := range p.sections[name] {
		if e.key != "include" {
			own = append(own, e)
			continue
		}
		target := e.value.text
		if _, ok := p.sections[target]; !ok {
			return nil, &INIError{e.pos, fmt.Sprintf("include: there is no section [%s]", target)}
		}
		if slices.Contains(within, target) {
			return nil, &INIError{e.pos, "include: goes in a circle: " + strings.Join(append(within, target), " → ")}
		}
		p.included[target] = true
		more, err := p.resolve(target, within)
		if err != nil {
			return nil, err
		}
		for _, m := range more {
			m.included = true
			included = append(included, m)
		}
		if len(included) > maxIncluded {
			return nil, &INIError{e.pos, "include: too much"}
		}
	}
	return append(included, own...), nil
}

// maxIncluded bounds what includes can multiply to.
const maxIncluded = 10000
