package doctor

import (
	"maps"
	"slices"
	"strings"

	"github.com/klmcwhirter/ocisi/bootstrap/host"
)

// Select returns the checks that a person names, in the order of the checks: by
// an id, or by the words that ids begin with, so that "docker" is every
// docker.something. Whatever names none is returned as unknown. No names are
// all checks.
func Select(checks []Check, names []string) (selected []Check, unknown []string) {
	if len(names) == 0 {
		return checks, nil
	}
	means := func(name, id string) bool { return id == name || strings.HasPrefix(id, name+".") }
	for _, c := range checks {
		if slices.ContainsFunc(names, func(name string) bool { return means(name, c.ID) }) {
			selected = append(selected, c)
		}
	}
	for _, name := range names {
		if !slices.ContainsFunc(checks, func(c Check) bool { return means(name, c.ID) }) {
			unknown = append(unknown, name)
		}
	}
	return selected, unknown
}

// Names returns all that Select knows, sorted.
func Names(checks []Check) []string {
	names := map[string]bool{}
	for _, c := range checks {
		for i, r := range c.ID + "." {
			if r == '.' {
				names[c.ID[:i]] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// tilde writes the user's home as ~: what a doctor says is pasted into reports,
// and whose machine it was is nobody's business.
func (r Result) tilde(h host.Host) Result {
	homes := []string{h.User.Home}
	if h.Getenv != nil {
		homes = append(homes, h.Getenv("HOME"))
	}
	r.Detail = tilde(r.Detail, homes, "/")
	fix := []string{} // not null in JSON
	for _, command := range r.Fix {
		// A shell knows ~ at the start of a word only, and not between quotes.
		fix = append(fix, tilde(command, homes, "/'\"=:"))
	}
	r.Fix = fix
	return r
}

// tilde replaces homes in a text, but not after one of some characters, and only
// as whole folders.
func tilde(text string, homes []string, never string) string {
	for _, home := range homes {
		if len(home) < 2 { // root's may be /
			continue
		}
		var b strings.Builder
		last := byte(' ')
		for {
			before, after, found := strings.Cut(text, home)
			b.WriteString(before)
			if !found {
				break
			}
			if before != "" {
				last = before[len(before)-1]
			}
			if strings.IndexByte(never, last) >= 0 || ofName(last) || after != "" && ofName(after[0]) {
				b.WriteString(home)
			} else {
				b.WriteByte('~')
			}
			text, last = after, 'x'
		}
		text = b.String()
	}
	return text
}

// ofName reports whether a byte may be part of a file's name.
func ofName(c byte) bool {
	letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
	return letter || c == '_' || c == '-' || c >= 0x80
}
