package devcontainer

import (
	"bytes"
	"slices"
	"strings"

	"github.com/tailscale/hujson"
)

// mark is the byte order mark of UTF-8.
const mark = "\ufeff"

// file is a devcontainer.json, parsed.
type file struct {
	mark    string
	newline string
	value   hujson.Value
	root    object
}

// pack returns the file's text.
func (f *file) pack() []byte {
	text := bytes.TrimSuffix(f.value.Pack(), []byte("\n")) // that parse added
	return append([]byte(f.mark), text...)
}

// object is an object of a file, and how the file is written.
type object struct {
	*hujson.Object
	newline string
	unit    string // of indentation
	depth   int    // of the members
}

// indentation returns what the first member of the outermost object is indented
// by, a tab where that does not tell.
func indentation(o *hujson.Object) string {
	if len(o.Members) > 0 {
		extra := string(o.Members[0].Name.BeforeExtra)
		if _, last, ok := cutLast(extra, "\n"); ok && last != "" && strings.Trim(last, " \t") == "" {
			return last
		}
	}
	return "\t"
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// insert adds a member behind the last of those keys that are there, or else at
// the end. A comment at the end of the line before stays there.
func (o object) insert(key string, value hujson.ValueTrimmed, behind []string) {
	at := len(o.Members)
	for i, m := range o.Members {
		if l, ok := m.Name.Value.(hujson.Literal); ok && slices.Contains(behind, l.String()) {
			at = i + 1
		}
	}
	m := hujson.ObjectMember{
		Name:  hujson.Value{Value: hujson.String(key)},
		Value: hujson.Value{BeforeExtra: hujson.Extra(" "), Value: value},
	}
	next := &o.AfterExtra
	if at < len(o.Members) {
		next = &o.Members[at].Name.BeforeExtra
	} else if at > 0 {
		last := &o.Members[at-1].Value
		if last.AfterExtra != nil { // a comma stands behind the last member, and does so again
			m.Value.AfterExtra = hujson.Extra{}
		}
	}
	m.Name.BeforeExtra, *next = o.split(*next, len(o.Members) == 0)
	o.Members = slices.Insert(o.Members, at, m)
}

// split parts what is between two members, for one that comes between them: what
// is before it, and what is left behind it.
func (o object) split(extra hujson.Extra, empty bool) (before, after hujson.Extra) {
	line := o.newline + strings.Repeat(o.unit, o.depth)
	head, rest, broken := cutLine(string(extra))
	if line, ok := strings.CutSuffix(head, "\r"); ok && broken {
		head, rest = line, "\r"+rest
	}
	switch {
	case broken && empty:
		// An object without members: its comments stay in front.
		return hujson.Extra(strings.TrimRight(string(extra), " \t\r\n") + line), hujson.Extra(o.newline + strings.Repeat(o.unit, o.depth-1))
	case broken:
		return hujson.Extra(head + line), hujson.Extra(rest)
	case empty:
		return hujson.Extra(strings.TrimRight(head, " \t") + line), hujson.Extra(o.newline + strings.Repeat(o.unit, o.depth-1))
	case strings.TrimSpace(head) == "":
		return hujson.Extra(" "), extra
	}
	return hujson.Extra(head + " "), hujson.Extra(" ")
}

// cutLine parts space and comments at the first line break that is in no block
// comment; rest begins with it.
func cutLine(extra string) (head, rest string, broken bool) {
	for i := 0; i < len(extra); i++ {
		switch {
		case extra[i] == '\n':
			return extra[:i], extra[i:], true
		case strings.HasPrefix(extra[i:], "/*"):
			i += len("/*") + strings.Index(extra[i+len("/*"):], "*/") + len("*/") - 1
		case strings.HasPrefix(extra[i:], "//"):
			i += strings.IndexByte(extra[i:], '\n') - 1 // it has one: the parser says so
		}
	}
	return extra, "", false
}

// replace gives a member another value. Comments inside the old one are its
// user's, and go in front of the new one.
func replace(v *hujson.Value, with hujson.ValueTrimmed) {
	old := hujson.Value{Value: v.Value}
	kept := comments(string(old.Pack()))
	v.Value = with
	if kept != "" {
		v.BeforeExtra = hujson.Extra(string(v.BeforeExtra) + kept)
	}
}

// comments returns the comments of a value's text, each with what ends it.
func comments(text string) string {
	var out strings.Builder
	for i := 0; i < len(text); i++ {
		var end int
		switch {
		case text[i] == '"':
			for i++; text[i] != '"'; i++ {
				if text[i] == '\\' {
					i++
				}
			}
			continue
		case strings.HasPrefix(text[i:], "/*"):
			end = i + len("/*") + strings.Index(text[i+len("/*"):], "*/") + len("*/")
		case strings.HasPrefix(text[i:], "//"):
			end = i + strings.IndexByte(text[i:], '\n') + 1
		default:
			continue
		}
		out.WriteString(text[i:end] + " ")
		i = end - 1
	}
	return out.String()
}
