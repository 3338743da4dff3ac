// Package containerfile reads Containerfiles: which images one is built from
// and which arguments it takes. BuildKit's own parser does the reading, so what
// is accepted here is what BuildKit accepts.
package containerfile

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerfile/shell"
)

// File is a Containerfile, read with a set of build arguments.
type File struct {
	// Images are the images that it is built from, in the order of their first
	// use: FROM, COPY --from and RUN --mount=from. Stages of the file itself and
	// scratch are not among them.
	Images []Image
	// Base is the image that the last stage is built on in the end, arguments
	// resolved; "" when that is scratch.
	Base string
	// Args are the names of the arguments it declares, sorted.
	Args []string
	// Sources are what it reads of the build context: paths and patterns (as in
	// COPY) below the context's root, arguments resolved, each once, sorted.
	Sources []string
	// Whole says that any file of the context may be read, because a source is the
	// context itself or cannot be told.
	Whole bool
	// Mounts are those of Sources that a RUN mounts, sorted; "." is the whole
	// context. Podman, unlike docker, mounts what the ignore file hides, too.
	Mounts []string
	// Blind says that a mount of the context leaves out type=bind, which is the
	// default. Podman's cache (5.8) then takes the step as it was, whatever has
	// changed in what it mounts.
	Blind bool
	// Shadowed says that a source uses an argument. Podman, unlike docker, prefers
	// a variable of the same name that the image below sets, and that the file does
	// not tell.
	Shadowed bool

	text    []byte
	meaning []byte
	spans   []span
}

// Image is one image that a Containerfile reads.
type Image struct {
	Ref         string // arguments resolved
	Instruction string // FROM, COPY or RUN
	Line        int    // of the instruction, from 1
}

// span is a place where an image is named.
type span struct {
	ref         string
	raw         string // as the file has it, arguments unresolved
	prefix      string // what stands directly before it: "", "--from=" or "from="
	first, last int    // lines, from 1
}

// SyntaxError says that a Containerfile cannot be read.
type SyntaxError struct {
	Line int // from 1; 0 when the whole file is meant
	Err  error
}

func (e *SyntaxError) Error() string {
	if e.Line == 0 {
		return e.Err.Error()
	}
	line := fmt.Sprintf("line %d: ", e.Line)
	return line + strings.TrimPrefix(e.Err.Error(), "dockerfile parse error on "+line)
}

func (e *SyntaxError) Unwrap() error { return e.Err }

// The limits of a Containerfile. BuildKit's parser copies the rest of the line for
// each ONBUILD, and arguments can double from line to line.
const (
	MaxSize    = 256 << 10 // bytes of the file
	maxOnbuild = 1000
	maxWord    = 16 << 10 // bytes of a word or a value with variables
)

var onbuild = regexp.MustCompile(`(?i)onbuild`)

// limits returns a *SyntaxError for a text that the parser must not get.
func limits(text []byte) error {
	if len(text) > MaxSize {
		return &SyntaxError{Err: fmt.Errorf("the file is larger than %d KiB", MaxSize>>10)}
	}
	if len(onbuild.FindAllIndex(text, maxOnbuild+1)) > maxOnbuild {
		return &SyntaxError{Err: fmt.Errorf("more than %d ONBUILD", maxOnbuild)}
	}
	return nil
}

// Parse reads a Containerfile. The arguments override the defaults of its ARG
// instructions. The error is a *SyntaxError.
func Parse(text []byte, args map[string]string) (*File, error) {
	if err := limits(text); err != nil {
		return nil, err
	}
	tree, err := parser.Parse(bytes.NewReader(text))
	if err != nil {
		return nil, syntaxError(err)
	}
	stages, metaArgs, err := instructions.Parse(tree.AST, nil)
	if err != nil {
		return nil, syntaxError(err)
	}
	r := reader{
		file:  &File{text: text, meaning: meaning(text, tree)},
		lex:   shell.NewLex(tree.EscapeToken),
		given: args,
		names: map[string]bool{},
		own:   map[string]ending{"scratch": {in: newScope()}},
	}
	if err := r.read(metaArgs, stages); err != nil {
		return nil, err
	}
	r.file.Args = slices.Sorted(maps.Keys(r.names))
	r.file.Sources, r.file.Mounts = sorted(r.file.Sources), sorted(r.file.Mounts)
	return r.file, nil
}

func syntaxError(err error) error {
	e := &SyntaxError{Err: err}
	if at, ok := errors.AsType[*parser.LocationError](err); ok && len(at.Locations) > 0 {
		e.Line = firstLine(at.Locations[0])
	}
	return e
}

func firstLine(at []parser.Range) int {
	if len(at) == 0 {
		return 0
	}
	return at[0].Start.Line
}

type reader struct {
	file  *File
	lex   *shell.Lex
	given map[string]string
	names map[string]bool   // declared arguments
	own   map[string]ending // stages seen so far, in lower case, and scratch
}

// ending is what a stage leaves to those that start from it.
type ending struct {
	base string // the image that it is built on in the end; "" for scratch
	in   scope
}

func (r *reader) read(metaArgs []instructions.ArgCommand, stages []instructions.Stage) error {
	global := platform()
	for _, a := range metaArgs {
		if err := r.declare(a, global, global); err != nil {
			return err
		}
	}
	for i, stage := range stages {
		if err := r.use(span{raw: stage.BaseName}, "FROM", stage.Location, global); err != nil {
			return err
		}
		end, err := r.stage(stage, global)
		if err != nil {
			return err
		}
		r.own[strconv.Itoa(i)] = end
		if stage.Name != "" {
			r.own[strings.ToLower(stage.Name)] = end
		}
		r.file.Base = end.base
	}
	return nil
}

// start returns what a stage finds when it begins.
func (r *reader) start(stage instructions.Stage, global map[string]string) (ending, error) {
	ref, err := r.expand(stage.BaseName, global)
	if before, ok := r.own[strings.ToLower(ref)]; ok {
		return ending{base: before.base, in: before.in.inherited()}, err
	}
	return ending{base: ref, in: newScope()}, err
}

func (r *reader) stage(stage instructions.Stage, global map[string]string) (ending, error) {
	end, err := r.start(stage, global)
	if err != nil {
		return end, err
	}
	env := platform()
	for _, cmd := range stage.Commands {
		var err error
		switch c := cmd.(type) {
		case *instructions.ArgCommand:
			err = r.declare(*c, env, global)
		case *instructions.CopyCommand:
			if c.From != "" {
				err = r.use(span{raw: c.From, prefix: "--from="}, "COPY", c.Location(), env)
			}
		case *instructions.RunCommand:
			for _, m := range instructions.GetMounts(c) {
				if m.From != "" && err == nil {
					err = r.use(span{raw: m.From, prefix: "from="}, "RUN", c.Location(), env)
				}
			}
		}
		if err != nil {
			return end, err
		}
		r.reads(cmd, end.in, global)
	}
	return end, nil
}

// declare adds the arguments of an ARG to env. What was given wins over the
// default; in a stage, an ARG without a default takes the value from before
// the first FROM.
func (r *reader) declare(a instructions.ArgCommand, env, global map[string]string) error {
	for _, kv := range a.Args {
		r.names[kv.Key] = true
		if v, ok := r.given[kv.Key]; ok {
			env[kv.Key] = v
			continue
		}
		if kv.Value == nil {
			if v, ok := global[kv.Key]; ok {
				env[kv.Key] = v
			}
			continue
		}
		v, err := r.expand(*kv.Value, env)
		if err != nil {
			return &SyntaxError{Line: firstLine(a.Location()), Err: err}
		}
		env[kv.Key] = v
	}
	return nil
}

// use records that an image is named at a place.
func (r *reader) use(s span, instruction string, at []parser.Range, env map[string]string) error {
	s.first = firstLine(at)
	s.last = s.first
	if len(at) > 0 {
		s.last = at[len(at)-1].End.Line
	}
	ref, err := r.expand(s.raw, env)
	switch {
	case err != nil:
		return &SyntaxError{Line: s.first, Err: err}
	case strings.Trim(ref, ":") == "" || strings.HasPrefix(ref, ":") || strings.HasSuffix(ref, ":"):
		return &SyntaxError{Line: s.first, Err: fmt.Errorf("%s %s: the image's name comes to %q; give its ARG a default or a value", instruction, s.raw, ref)}
	}
	if _, ok := r.own[strings.ToLower(ref)]; ok {
		return nil
	}
	s.ref = ref
	r.file.spans = append(r.file.spans, s)
	if !slices.ContainsFunc(r.file.Images, func(im Image) bool { return im.Ref == ref }) {
		r.file.Images = append(r.file.Images, Image{Ref: ref, Instruction: instruction, Line: s.first})
	}
	return nil
}

var errLongWord = fmt.Errorf("a value with variables is longer than %d KiB", maxWord>>10)

func (r *reader) expand(word string, env map[string]string) (string, error) {
	if plain(word) {
		return word, nil
	}
	pairs := make([]string, 0, len(env))
	for k, v := range env {
		pairs = append(pairs, k+"="+v)
	}
	if len(word) > maxWord {
		return "", errLongWord
	}
	out, _, err := r.lex.ProcessWord(word, shell.EnvsFromSlice(pairs))
	if err == nil && len(out) > maxWord {
		return "", errLongWord
	}
	return out, err
}

// platform returns the arguments that every builder predefines, for the
// machine that ocisi runs on.
func platform() map[string]string {
	const system = "linux"
	both := system + "/" + runtime.GOARCH
	return map[string]string{
		"TARGETPLATFORM": both, "TARGETOS": system, "TARGETARCH": runtime.GOARCH,
		"BUILDPLATFORM": both, "BUILDOS": system, "BUILDARCH": runtime.GOARCH,
	}
}
