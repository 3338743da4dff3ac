package box

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/klmcwhirter/ocisi/hierarchy"
)

// iniValue is a value as it was between its quotes.
type iniValue struct {
	text  string
	quote byte // ', " or 0
}

// parseValue takes quotes and a comment off what follows the equals sign. A
// comment begins at a # after a blank, outside of quotes.
func parseValue(s string) (iniValue, error) {
	s = strings.TrimLeft(s, " ")
	if s == "" || s[0] != '"' && s[0] != '\'' {
		if i := strings.Index(" "+s, " #"); i >= 0 {
			s = s[:max(0, i-1)]
		}
		return iniValue{text: strings.TrimRight(s, " ")}, nil
	}
	quote := s[0]
	for i := 1; i < len(s); i++ {
		if s[i] == '\\' && quote == '"' {
			i++
			continue
		}
		if s[i] != quote {
			continue
		}
		rest := strings.TrimLeft(s[i+1:], " ")
		if rest == "" || rest[0] == '#' {
			return iniValue{text: s[1:i], quote: quote}, nil
		}
	}
	return iniValue{}, fmt.Errorf("a %c without its other half", quote)
}

// set puts an entry into a box.
func (p *iniReader) set(b *hierarchy.Box, e iniEntry) error {
	if e.key == "init_hooks" {
		b.InitHooks = append(b.InitHooks, e.value.text) // shell, for the shell of the box
		p.values = append(p.values, INIValue{e.pos, b.Name, e.key, e.value.text})
		return nil
	}
	place := iniKeys(b)[e.key]
	if place == nil {
		p.useless(e)
		return nil
	}
	value, err := p.expand(e)
	if err != nil {
		return &INIError{e.pos, e.key + ": " + err.Error()}
	}
	key := e.key
	if key == "volume" {
		key = "volumes"
	}
	p.values = append(p.values, INIValue{e.pos, b.Name, key, value})
	switch place := place.(type) {
	case *string:
		*place = value
	case *bool:
		*place = p.boolean(e, value)
	case *[]string:
		items := strings.Fields(value)
		if e.key == "additional_flags" {
			items = []string{value} // a flag stays with its value
		}
		for _, item := range items {
			if !slices.Contains(*place, item) { // two includes may bring one volume
				*place = append(*place, item)
			}
		}
	}
	return nil
}

// iniKeys returns where the value of each key belongs: a *string, a *bool or a
// *[]string.
func iniKeys(b *hierarchy.Box) map[string]any {
	return map[string]any{
		"home": &b.Home, "hostname": &b.Hostname, "exported_bins_path": &b.ExportedBinsPath,
		"init": &b.Init, "nvidia": &b.Nvidia, "root": &b.Root, "start_now": &b.StartNow,
		"volume": &b.Volumes, "volumes": &b.Volumes,
		"exported_bins": &b.ExportedBins, "exported_apps": &b.ExportedApps,
		"additional_packages": &b.AdditionalPackages, "additional_flags": &b.AdditionalFlags,
	}
}

// useless warns of a key that has no place in a box. A section that includes
// others repeats their warnings otherwise.
func (p *iniReader) useless(e iniEntry) {
	if e.included {
		return
	}
	w := Warning{Pos: e.pos, Box: e.box, Key: e.key, Value: e.value.text}
	switch e.key {
	case "image", "pull", "replace", "clone":
		w.Text, w.Note = "ignored: ocisi knows the image and when to replace the box", true
	case "entry", "pre_init_hooks", "unshare_groups", "unshare_ipc", "unshare_netns", "unshare_process", "unshare_devsys", "unshare_all":
		w.Text = "ignored: ocisi has no such key"
	default:
		w.Text = "ignored: distrobox has no such key"
	}
	p.warnings = append(p.warnings, w)
}

// boolean reads a value as distrobox does, for which all but 1 and true is
// false.
func (p *iniReader) boolean(e iniEntry, value string) bool {
	switch value {
	case "1", "true":
		return true
	case "0", "false":
		return false
	}
	if !e.included {
		p.warn(e, fmt.Sprintf("%q is neither true nor false, and counts as false", value))
	}
	return false
}

// expand replaces a ~ at the start, $NAME and ${NAME}, as the shell that
// distrobox 1 reads values with. It replaces the ~ in quotes too, where a
// shell leaves it and nobody wants it; in single quotes nothing else.
func (p *iniReader) expand(e iniEntry) (string, error) {
	s, home := e.value.text, ""
	if s == "~" || strings.HasPrefix(s, "~/") {
		s, home = s[1:], p.env("HOME")
	}
	if e.value.quote == '\'' {
		return home + s, nil
	}
	var out strings.Builder
	out.WriteString(home)
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s) && strings.IndexByte("\"\\$`", s[i+1]) >= 0:
			i++
			out.WriteByte(s[i])
		case s[i] == '`':
			return "", errCommand
		case s[i] == '$':
			name, length, err := variable(s[i+1:])
			if err != nil {
				return "", err
			}
			out.WriteString(p.lookUp(e, name))
			i += length
		default:
			out.WriteByte(s[i])
		}
	}
	return out.String(), nil
}

// lookUp returns the value of a variable; a $ without a name is itself.
func (p *iniReader) lookUp(e iniEntry, name string) string {
	if name == "" {
		return "$"
	}
	value := p.env(name)
	switch {
	case e.included:
	case value == "":
		p.warn(e, "$"+name+" is not set")
	case name != "HOME":
		p.warnings = append(p.warnings, Warning{Pos: e.pos, Box: e.box, Key: e.key, Value: e.value.text, Note: true, Text: "$" + name + " is " + value + " here"})
	}
	return value
}

var errCommand = errors.New("a command in a value is not run")

// variable returns the name at the start of what follows a $, and how much of
// it the name takes with its braces.
func variable(s string) (name string, length int, err error) {
	if strings.HasPrefix(s, "(") {
		return "", 0, errCommand
	}
	if name, ok := strings.CutPrefix(s, "{"); ok {
		name, _, ok = strings.Cut(name, "}")
		if !ok || name == "" || variableName.FindString(name) != name {
			return "", 0, errors.New("only $NAME and ${NAME} are known")
		}
		return name, len(name) + len("{}"), nil
	}
	name = variableName.FindString(s)
	return name, len(name), nil
}

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*`)
