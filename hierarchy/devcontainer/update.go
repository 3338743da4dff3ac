package devcontainer

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/tailscale/hujson"

	"github.com/klmcwhirter/ocisi/internal/input"
)

// SyntaxError says where a file is no JSON with comments. Lines and columns
// count from 1, columns in bytes.
type SyntaxError struct {
	Line, Column int
	Problem      string
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("%d:%d: %s", e.Line, e.Column, e.Problem)
}

// Update returns a project's file with what is wrong in it put right, and each
// change in words. Comments, the order of the keys, keys of the user's own,
// commas, indentation and line ends stay; a file that is right comes back as it
// is. What is no JSON object is a *SyntaxError.
func (p Project) Update(data []byte) ([]byte, []string, error) {
	e, err := p.edit(data)
	if err != nil {
		return nil, nil, err
	}
	return e.data, e.changes, nil
}

// Check returns what Update would change, in words.
func (p Project) Check(data []byte) ([]string, error) {
	_, changes, err := p.Update(data)
	return changes, err
}

// ImageOf returns the image that a file names; "" when it names none.
func ImageOf(data []byte) (string, error) {
	f, err := parse(data)
	if err != nil {
		return "", err
	}
	return f.root.text(keyImage), nil
}

// edited is a file and what was changed in it.
type edited struct {
	data    []byte
	changes []string
}

func (p Project) edit(data []byte) (edited, error) {
	f, err := parse(data)
	if err != nil {
		return edited{}, err
	}
	var e edited
	var before []string // keys of ours that come first in a new file
	for _, m := range p.texts() {
		if m.key != keyName || f.root.find(keyName) == nil {
			e.note(m, f.root.setText(m.key, m.text, before))
		}
		before = append(before, m.key)
	}
	if f.setCommand(p.command(), before) {
		e.changes = append(e.changes, keyCommand+" does not make the folders that the image's mounts want")
	}
	if e.data = data; len(e.changes) > 0 {
		e.data = f.pack()
	}
	return e, nil
}

// note adds a change in words. was is what there was instead; "" when it was right.
func (e *edited) note(m member, was string) {
	if was == "" {
		return
	}
	who := "the config has"
	if m.key != keyImage {
		who = "it should be"
	}
	e.changes = append(e.changes, fmt.Sprintf("%s is %s, %s %s", m.key, was, who, strconv.Quote(m.text)))
}

// setCommand puts our command beside those of the project, which stay, and
// reports whether anything changed.
func (f *file) setCommand(words, before []string) bool {
	m := f.root.find(keyCommand)
	if m == nil {
		f.root.insert(keyCommand, f.root.commands(nil, words), before)
		return true
	}
	if inner, ok := m.Value.Value.(*hujson.Object); ok {
		o := object{inner, f.newline, f.root.unit, f.root.depth + 1}
		if at := o.find(ours); at != nil {
			if same(at.Value, words) {
				return false
			}
			replace(&at.Value, list(words))
			return true
		}
		o.insert(ours, list(words), nil)
		return true
	}
	if isCommand(m.Value.Value) {
		old := m.Value.Value
		m.Value.Value = f.root.commands(old, words)
		return true
	}
	replace(&m.Value, f.root.commands(nil, words))
	return true
}

// isCommand reports whether a value is a command by itself: a line for a shell,
// or words.
func isCommand(v hujson.ValueTrimmed) bool {
	switch x := v.(type) {
	case hujson.Literal:
		return x.Kind() == '"' && x.String() != ""
	case *hujson.Array:
		return true
	}
	return false
}

// commands is the value of initializeCommand: ours, and one that was there.
func (o object) commands(old hujson.ValueTrimmed, words []string) hujson.ValueTrimmed {
	inner := object{&hujson.Object{}, o.newline, o.unit, o.depth + 1}
	if old != nil {
		inner.insert(theirs, old, nil)
	}
	inner.insert(ours, list(words), nil)
	return inner.Object
}

// list writes texts as an array, in one line.
func list(texts []string) *hujson.Array {
	a := &hujson.Array{}
	for i, t := range texts {
		v := hujson.Value{Value: hujson.String(t)}
		if i > 0 {
			v.BeforeExtra = hujson.Extra(" ")
		}
		a.Elements = append(a.Elements, v)
	}
	return a
}

// same reports whether a value is the list of these texts.
func same(v hujson.Value, texts []string) bool {
	got, ok := decode(v).([]any)
	want := make([]any, len(texts))
	for i, t := range texts {
		want[i] = t
	}
	return ok && reflect.DeepEqual(got, want)
}

// decode returns a value without its comments; nil when it is too deep.
func decode(v hujson.Value) any {
	plain := v.Clone()
	plain.Standardize()
	var out any
	if json.Unmarshal(plain.Pack(), &out) != nil {
		return nil
	}
	return out
}

// parse reads a file. What editors take and the parser does not: a mark of the
// byte order in front, and a comment that nothing ends at the end.
func parse(data []byte) (*file, error) {
	f := &file{newline: "\n"}
	text := string(data)
	if rest, ok := strings.CutPrefix(text, mark); ok {
		f.mark, text = mark, rest
	}
	if err := limits(text); err != nil {
		return nil, err
	}
	v, err := hujson.Parse([]byte(text + "\n"))
	if err != nil {
		return nil, syntaxError(err)
	}
	o, ok := v.Value.(*hujson.Object)
	if !ok {
		line := 1 + strings.Count(text[:v.StartOffset], "\n")
		column := v.StartOffset - strings.LastIndexByte(text[:v.StartOffset], '\n')
		return nil, &SyntaxError{line, column, "a devcontainer.json is an object in braces"}
	}
	if strings.Contains(text, "\r\n") {
		f.newline = "\r\n"
	}
	f.value = v
	f.root = object{o, f.newline, indentation(o), 1}
	return f, nil
}

// limits returns a *SyntaxError for a text that the parser must not get: it
// recurses without a limit.
func limits(text string) error {
	if len(text) > input.MaxSize {
		return &SyntaxError{1, 1, (&input.SizeError{Max: input.MaxSize}).Error()}
	}
	if e, ok := errors.AsType[*input.DepthError](input.Depth([]byte(text))); ok {
		return &SyntaxError{e.Line, e.Column, fmt.Sprintf("nested deeper than %d levels", input.MaxDepth)}
	}
	return nil
}

// syntaxError takes the place out of the parser's error, which has it as text.
func syntaxError(err error) error {
	e := &SyntaxError{Line: 1, Column: 1, Problem: err.Error()}
	if _, scanErr := fmt.Sscanf(err.Error(), "hujson: line %d, column %d:", &e.Line, &e.Column); scanErr == nil {
		_, e.Problem, _ = strings.Cut(err.Error(), fmt.Sprintf("column %d: ", e.Column))
	}
	return e
}

// text returns the text that a key has; "" when it has none.
func (o object) text(key string) string {
	if m := o.find(key); m != nil {
		if l, ok := m.Value.Value.(hujson.Literal); ok && l.Kind() == '"' {
			return l.String()
		}
	}
	return ""
}

// find returns the member of a key, or nil. Of several, the last one counts.
func (o object) find(key string) *hujson.ObjectMember {
	for i, m := range slices.Backward(o.Members) {
		if l, ok := m.Name.Value.(hujson.Literal); ok && l.String() == key {
			return &o.Members[i]
		}
	}
	return nil
}

// setText sets a key to a text, and returns what there was before; "" when it
// was right.
func (o object) setText(key, text string, before []string) (was string) {
	m := o.find(key)
	if m == nil {
		o.insert(key, hujson.String(text), before)
		return "missing"
	}
	l, ok := m.Value.Value.(hujson.Literal)
	if ok && l.Kind() == '"' && l.String() == text {
		return ""
	}
	if was = "another value"; ok {
		was = string(l)
	}
	replace(&m.Value, hujson.String(text))
	return was
}
