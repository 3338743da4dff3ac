package hierarchy

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// decoder walks the syntax tree of a config file. The library's own strict
// decoding stops at the first error, resolves 3.10 to the number 3.1 and
// forgets where a value stood; walking the tree keeps all three.
type decoder struct {
	config  *Config
	anchors map[string]ast.Node
	errs    []error
	values  int // decoded so far, aliases included
}

func itoa(n int) string { return strconv.Itoa(n) }

// maxSource is the length in bytes of the longest line that an error shows.
const maxSource = 500

func (d *decoder) errorAt(pos Position, problem, advice string) *ConfigError {
	e := &ConfigError{Pos: pos, Problem: problem, Advice: advice}
	if pos.Line >= 1 && pos.Line <= len(d.config.lines) && len(d.config.lines[pos.Line-1]) <= maxSource {
		e.Source = d.config.lines[pos.Line-1]
	}
	return e
}

func (d *decoder) position(n ast.Node) Position {
	tok := n.GetToken()
	if m, ok := n.(ast.MapNode); ok {
		// A mapping's own token is its first colon; people look at its first key.
		if it := m.MapRange(); it.Next() {
			tok = it.Key().GetToken()
		}
	}
	return Position{d.config.File, max(tok.Position.Line, 1), max(tok.Position.Column, 1)}
}

func (d *decoder) fail(n ast.Node, problem, advice string) {
	if d.values > maxValues {
		return // which has been reported
	}
	d.errs = append(d.errs, d.errorAt(d.position(n), problem, advice))
}

// resolve follows anchors and aliases to the value.
func (d *decoder) resolve(n ast.Node) ast.Node {
	if d.exhausted(n) {
		return ast.Null(n.GetToken())
	}
	for range 100 { // an alias of an alias of … itself
		switch x := n.(type) {
		case *ast.AnchorNode:
			d.anchors[x.Name.GetToken().Value] = x.Value
			n = x.Value
		case *ast.AliasNode:
			to, ok := d.anchors[x.Value.GetToken().Value]
			if !ok {
				return n
			}
			n = to
		default:
			return n
		}
	}
	return n
}

// kind names what a node is, as the messages do.
func kind(n ast.Node) string {
	switch n.(type) {
	case ast.MapNode:
		return "a mapping"
	case ast.ArrayNode:
		return "a list"
	case *ast.NullNode:
		return "nothing"
	case *ast.BoolNode:
		return n.GetToken().Value
	case *ast.IntegerNode, *ast.FloatNode:
		return "the number " + n.GetToken().Value
	case *ast.AliasNode:
		return "an unknown alias"
	}
	return strconv.Quote(strings.TrimSpace(n.GetToken().Value))
}

// fields says how the values of a mapping's keys are decoded.
type fields map[string]func(ast.Node)

// mapping decodes a mapping by its keys, and returns where the values stand.
func (d *decoder) mapping(n ast.Node, what string, f fields, required ...string) map[string]Position {
	n = d.resolve(n)
	m, ok := n.(ast.MapNode)
	if !ok {
		d.fail(n, what+" wants a mapping of keys to values, not "+kind(n), "")
		return nil
	}
	at := map[string]Position{}
	for it := m.MapRange(); it.Next(); {
		key := it.Key().GetToken().Value
		decode, ok := f[key]
		if !ok {
			d.unknown(it.Key(), key, what, f)
			continue
		}
		at[key] = d.position(it.Value())
		decode(d.resolve(it.Value()))
	}
	for _, key := range required {
		if _, ok := at[key]; !ok {
			d.fail(n, "missing key "+key, "every image has name, path and enabled")
		}
	}
	return at
}

func (d *decoder) unknown(n ast.Node, key, what string, f fields) {
	known := slices.Sorted(maps.Keys(f))
	advice := "known keys: " + strings.Join(known, ", ")
	if near := Nearest(key, known); near != "" {
		advice = "did you mean " + near + "?"
	}
	d.fail(n, "unknown key "+key+" in "+what, advice)
}

// text decodes a string. A number stays as it was typed: 3.10 is "3.10".
func (d *decoder) text(to *string, key string, check func(string) string) func(ast.Node) {
	return func(n ast.Node) {
		var s string
		switch x := n.(type) {
		case *ast.StringNode:
			s = x.Value
		case *ast.LiteralNode:
			s = x.Value.Value
		case *ast.IntegerNode, *ast.FloatNode:
			s = n.GetToken().Value
		default:
			advice := ""
			switch n.(type) {
			case *ast.BoolNode, ast.MapNode: // within braces, the library takes a:b for a mapping
				advice = "put it in quotes"
			}
			d.fail(n, key+" wants text, not "+kind(n), advice)
			return
		}
		if check != nil {
			if problem := check(s); problem != "" {
				d.fail(n, key+" "+problem, "")
				return
			}
		}
		*to = s
	}
}

func (d *decoder) boolean(key string, set func(bool)) func(ast.Node) {
	return func(n ast.Node) {
		b, ok := n.(*ast.BoolNode)
		if !ok {
			d.fail(n, key+" wants true or false, not "+kind(n), "")
			return
		}
		set(b.Value)
	}
}

func (d *decoder) number(key string, least int, set func(int)) func(ast.Node) {
	return func(n ast.Node) {
		if i, ok := n.(*ast.IntegerNode); ok {
			if v, err := strconv.Atoi(i.GetToken().Value); err == nil && v >= least {
				set(v)
				return
			}
		}
		d.fail(n, key+" wants a whole number from "+itoa(least)+", not "+kind(n), "")
	}
}

func (d *decoder) texts(to *[]string, key string, check func(string) string) func(ast.Node) {
	return func(n ast.Node) {
		list, ok := n.(*ast.SequenceNode)
		if !ok {
			d.fail(n, key+" wants a list, not "+kind(n), "write "+key+": [VALUE, …]")
			return
		}
		for _, v := range list.Values {
			var s string
			before := len(d.errs)
			if d.text(&s, key, check)(d.resolve(v)); len(d.errs) == before {
				*to = append(*to, s)
			}
		}
	}
}

func (d *decoder) textMap(to *map[string]string, key string, check func(string) string) func(ast.Node) {
	return func(n ast.Node) {
		m, ok := n.(ast.MapNode)
		if !ok {
			d.fail(n, key+" wants a mapping of names to values, not "+kind(n), "write "+key+": {NAME: value}")
			return
		}
		*to = map[string]string{}
		for it := m.MapRange(); it.Next(); {
			var s string
			name := it.Key().GetToken().Value
			before := len(d.errs)
			if d.text(&s, key+" "+name, check)(d.resolve(it.Value())); len(d.errs) == before {
				(*to)[name] = s
			}
		}
	}
}

// root decodes either form of a config file.
func (d *decoder) root(n ast.Node) {
	n = d.resolve(n)
	if _, ok := n.(*ast.SequenceNode); ok {
		d.images(n)
		return
	}
	if _, ok := n.(ast.MapNode); !ok {
		d.fail(n, "a config is a list of images, or a mapping with the key images, not "+kind(n), "")
		return
	}
	at := d.mapping(n, "the config", fields{
		"manager": d.manager(&d.config.Manager),
		"bases":   d.textMap(&d.config.Bases, "bases", checkRef),
		"jobs":    d.number("jobs", 1, func(n int) { d.config.Jobs = n }),
		"max_age": d.age(&d.config.MaxAge),
		"keep":    d.number("keep", 0, func(n int) { d.config.Keep = &n }),

		"start_timeout": d.duration(&d.config.StartTimeout, "start_timeout"),

		"images": d.images,
	})
	if _, ok := at["images"]; !ok && len(d.errs) == 0 {
		d.fail(n, "missing key images", "list the images below it")
	}
}

func (d *decoder) images(n ast.Node) {
	list, ok := n.(*ast.SequenceNode)
	if !ok {
		d.fail(n, "images wants a list, not "+kind(n), "begin each image with '- name:'")
		return
	}
	for _, item := range list.Values {
		d.config.Entries = append(d.config.Entries, d.entry(item))
	}
}

func (d *decoder) entry(n ast.Node) Entry {
	e := Entry{Tag: "latest", pos: d.position(d.resolve(n))}
	e.keys = d.mapping(n, "an image", fields{
		"name":      d.text(&e.Name, "name", checkName),
		"path":      d.text(&e.Path, "path", checkPath),
		"enabled":   d.boolean("enabled", func(b bool) { e.Enabled = b }),
		"tag":       d.text(&e.Tag, "tag", checkTag),
		"manager":   d.managers(&e.Manager, &e.Also),
		"distrobox": d.text(&e.Distrobox, "distrobox", checkBoxName),
		"assemble":  d.boolean("assemble", func(b bool) { e.Assemble = &b }),
		"args":      d.textMap(&e.Args, "args", checkArg),
		"max_age":   d.age(&e.MaxAge),
		"keep":      d.number("keep", 0, func(n int) { e.Keep = &n }),
		"box":       func(n ast.Node) { e.Box = d.box(n) },

		"devcontainer": func(n ast.Node) { e.DevContainer = d.wish(n) },
	}, "name", "path", "enabled")
	return e
}

func (d *decoder) manager(to *Manager) func(ast.Node) {
	return func(n ast.Node) {
		var s string
		before := len(d.errs)
		d.text(&s, "manager", nil)(n)
		if len(d.errs) > before {
			return
		}
		m, err := ParseManager(s)
		if err != nil {
			d.fail(n, err.Error(), "write docker or podman")
			return
		}
		*to = m
	}
}
