package containerfile

import (
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// scope is what the variables of a stage stand for, as far as the file tells.
// The image that a stage starts from may set others.
type scope struct {
	known map[string]string
	env   map[string]bool // set by ENV, known or not
	args  map[string]bool // known from an argument, directly or not
}

func newScope() scope {
	return scope{known: map[string]string{}, env: map[string]bool{}, args: map[string]bool{}}
}

// inherited returns the scope of a stage that starts from this one. Its ENVs
// are handed on. So are arguments by some engines, but nothing promises it: who
// uses one without declaring it again uses an unknown variable.
func (s scope) inherited() scope {
	out := scope{known: maps.Clone(s.known), env: maps.Clone(s.env), args: maps.Clone(s.args)}
	maps.DeleteFunc(out.known, func(name, _ string) bool { return !s.env[name] })
	return out
}

// A value is what a word expands to.
type value struct {
	text  string
	known bool // false: it uses a variable that the image below may set, or cannot be expanded at all
	arg   bool // it uses an argument
}

func (s scope) set(name string, v value) {
	delete(s.known, name)
	delete(s.args, name)
	if v.known {
		s.known[name] = v.text
	}
	if v.arg {
		s.args[name] = true
	}
}

// Get and Keys make a scope what the lexer takes for variables.
func (s scope) Get(name string) (string, bool) {
	v, ok := s.known[name]
	return v, ok
}

// Keys implements shell.EnvGetter.
func (s scope) Keys() []string { return slices.Collect(maps.Keys(s.known)) }

// plain reports whether a word expands to itself: most do.
func plain(word string) bool { return !strings.ContainsAny(word, "$'\"\\`") }

func (r *reader) word(word string, in scope) value {
	if plain(word) {
		return value{text: word, known: true}
	}
	if len(word) > maxWord {
		return value{}
	}
	res, err := r.lex.ProcessWordWithMatches(word, in)
	if len(res.Result) > maxWord {
		return value{}
	}
	v := value{text: res.Result, known: err == nil && len(res.Unmatched) == 0}
	for name := range res.Matched {
		v.arg = v.arg || in.args[name]
	}
	return v
}

// reads notes what an instruction reads of the build context, and what it sets.
// What an ONBUILD reads is of a later build; what the ONBUILD of the image that
// a stage starts from reads cannot be told from the file, and is left out.
func (r *reader) reads(cmd instructions.Command, in scope, global map[string]string) {
	switch c := cmd.(type) {
	case *instructions.ArgCommand:
		for _, kv := range c.Args {
			r.setArg(kv, in, global)
		}
	case *instructions.EnvCommand:
		r.setEnv(c.Env, in)
	case *instructions.CopyCommand:
		for _, word := range c.SourcePaths {
			if c.From == "" {
				r.add(r.word(word, in))
			}
		}
	case *instructions.AddCommand:
		for _, word := range c.SourcePaths {
			if v := r.word(word, in); !v.known || !remote(v.text) {
				r.add(v)
			}
		}
	case *instructions.RunCommand:
		r.mounts(c, in)
	}
}

// setArg notes the value of one argument. Where an ENV has set the same name,
// or a default stands beside what the builder predefines, the engines do not
// agree on the value: it is unknown.
func (r *reader) setArg(kv instructions.KeyValuePairOptional, in scope, global map[string]string) {
	given, isGiven := r.given[kv.Key]
	inherited, isGlobal := global[kv.Key]
	_, predefined := platform()[kv.Key]
	v := value{arg: true}
	switch {
	case in.env[kv.Key]:
	case isGiven:
		v.text, v.known = given, true
	case kv.Value == nil:
		v.text, v.known = inherited, isGlobal
	case !predefined:
		v = r.word(*kv.Value, in)
		v.arg = true
	}
	in.set(kv.Key, v)
}

// setEnv notes what an ENV sets. Its values do not see each other.
func (r *reader) setEnv(pairs instructions.KeyValuePairs, in scope) {
	before := scope{known: maps.Clone(in.known), args: maps.Clone(in.args)}
	for _, kv := range pairs {
		name := r.word(kv.Key, before)
		if !name.known { // it may be the name of anything
			clear(in.known)
			continue
		}
		in.set(name.text, r.word(kv.Value, before))
		in.env[name.text] = true
	}
}

// mounts notes what the bind mounts of a RUN read. Those without from= are of
// the build context, and of all of it when they name no source.
func (r *reader) mounts(c *instructions.RunCommand, in scope) {
	all := value{known: true}
	err := c.Expand(func(word string) (string, error) {
		v := r.word(word, in)
		all.known, all.arg = all.known && v.known, all.arg || v.arg
		return v.text, nil
	})
	if err != nil { // whatever the engine makes of it
		r.file.Mounts = append(r.file.Mounts, r.add(value{}))
		return
	}
	for _, m := range instructions.GetMounts(c) {
		if m.Type != instructions.MountTypeBind || m.From != "" {
			continue
		}
		v := all
		v.text = m.Source
		v.known = v.known && !strings.ContainsAny(m.Source, "*?[") // no pattern here
		r.file.Mounts = append(r.file.Mounts, r.add(v))
		r.file.Blind = r.file.Blind || leavesOutType(c.String())
	}
}

// leavesOutType reports whether a mount of a RUN does not say which type it is.
func leavesOutType(instruction string) bool {
	return slices.ContainsFunc(strings.Fields(instruction), func(word string) bool {
		return strings.HasPrefix(word, "--mount=") && !strings.Contains(word, "type=")
	})
}

// add notes a source and returns it, "." for the whole context. As in the
// engines, .. does not lead out of the context.
func (r *reader) add(v value) string {
	source := strings.TrimPrefix(path.Clean("/"+v.text), "/")
	// Escapes in patterns are read differently by the engines.
	if !v.known || source == "" || strings.Contains(source, `\`) {
		r.file.Whole = true
		return "."
	}
	r.file.Shadowed = r.file.Shadowed || v.arg
	r.file.Sources = append(r.file.Sources, source)
	return source
}

// sorted returns words in order, each once.
func sorted(words []string) []string {
	slices.Sort(words)
	return slices.Compact(words)
}

// remote reports whether a source of ADD is fetched: a URL or a Git repository.
func remote(source string) bool {
	for _, prefix := range []string{"http://", "https://", "git://", "ssh://", "git@"} {
		if strings.HasPrefix(source, prefix) {
			return true
		}
	}
	return false
}
