package hierarchy

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/klmcwhirter/ocisi/hierarchy/devcontainer"
)

var (
	extensionGrammar = regexp.MustCompile(`^-?[A-Za-z0-9][A-Za-z0-9-]*\.[A-Za-z0-9][A-Za-z0-9_.-]*$`)
	variableGrammar  = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
)

// wish decodes what stands below devcontainer:.
func (d *decoder) wish(n ast.Node) *devcontainer.Wish {
	var w devcontainer.Wish
	d.mapping(n, "devcontainer", fields{
		"extensions": d.texts(&w.Extensions, "extensions", checkExtension),
		"settings":   func(n ast.Node) { w.Settings = d.settings(n) },
		"env":        d.environment(&w.Env),
		"mounts":     d.texts(&w.Mounts, "mounts", checkMount),
	})
	return &w
}

// environment decodes variables of a container.
func (d *decoder) environment(to *map[string]string) func(ast.Node) {
	return func(n ast.Node) {
		d.textMap(to, "env", checkArg)(n)
		m, ok := n.(ast.MapNode)
		if !ok {
			return
		}
		for it := m.MapRange(); it.Next(); {
			switch name := it.Key().GetToken().Value; {
			case !variableGrammar.MatchString(name):
				d.fail(it.Key(), fmt.Sprintf("%q is no name of a variable: letters, digits and _", name), "")
			case slices.Contains(ownVariables(), name):
				d.fail(it.Key(), name+" is the same in box and dev container, so it cannot be set here", "")
			}
		}
	}
}

// ownVariables are those of a dev container that tell what a box's tell.
func ownVariables() []string { return []string{"HOME", "USER", "CONTAINER_ID"} }

// settings decodes a mapping of any depth, as JSON has it.
func (d *decoder) settings(n ast.Node) map[string]any {
	if _, ok := n.(ast.MapNode); !ok {
		d.fail(n, "settings wants a mapping of names to values, not "+kind(n), `write settings: {"editor.tabSize": 4}`)
		return nil
	}
	// Aliases can make a small file endless, or very large.
	left := 10000
	all, _ := d.json(n, 0, &left).(map[string]any)
	return all
}

const deepest = 50

// json returns a value as encoding/json has it. Numbers are as they were typed,
// where JSON has them so; what is quoted is text.
func (d *decoder) json(n ast.Node, depth int, left *int) any {
	n = d.resolve(n)
	if *left == 0 {
		return nil // that has been reported
	}
	if *left--; *left == 0 || depth > deepest {
		d.fail(n, "settings are too deep, or too many", "")
		*left = 0
		return nil
	}
	switch x := n.(type) {
	case ast.MapNode:
		out := map[string]any{}
		for it := x.MapRange(); it.Next(); {
			if _, merge := it.Key().(*ast.MergeKeyNode); merge {
				d.fail(it.Key(), "settings cannot take over another mapping by <<", "write its keys here")
				continue
			}
			out[it.Key().GetToken().Value] = d.json(it.Value(), depth+1, left)
		}
		return out
	case *ast.SequenceNode:
		out := []any{}
		for _, v := range x.Values {
			out = append(out, d.json(v, depth+1, left))
		}
		return out
	}
	return d.scalar(n)
}

// scalar returns a value without parts, as encoding/json has it.
func (d *decoder) scalar(n ast.Node) any {
	switch x := n.(type) {
	case *ast.NullNode:
		return nil
	case *ast.BoolNode:
		return x.Value
	case *ast.IntegerNode:
		return number(x.GetToken().Value, x.Value)
	case *ast.FloatNode:
		return number(x.GetToken().Value, x.Value)
	case *ast.StringNode:
		return x.Value
	case *ast.LiteralNode:
		return x.Value.Value
	}
	d.fail(n, "settings cannot hold "+kind(n), "put it in quotes, if it is text")
	return nil
}

// number returns a number as it was typed; in YAML's own ways of writing one,
// its value.
func number(typed string, value any) any {
	if json.Valid([]byte(typed)) {
		return json.Number(typed)
	}
	return value
}

func checkExtension(s string) string {
	if !extensionGrammar.MatchString(s) {
		return fmt.Sprintf("%q is no extension: PUBLISHER.NAME, as the marketplace has it", s)
	}
	return ""
}

func checkMount(s string) string {
	parts := strings.Split(s, ":")
	if len(parts) < 2 || len(parts) > 3 || len(parts) == 3 && parts[2] != "ro" {
		return fmt.Sprintf("%q is no mount: SOURCE:TARGET or SOURCE:TARGET:ro", s)
	}
	for _, part := range parts[:2] {
		if path, _ := Expand(part, "/home"); !strings.HasPrefix(path, "/") || strings.Contains(path, ",") {
			return fmt.Sprintf("%q is no absolute path without a comma; ~ is your home", part)
		}
	}
	return checkExpandable(s)
}
