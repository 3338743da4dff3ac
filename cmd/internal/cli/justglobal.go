package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/klmcwhirter/ocisi/bootstrap/block"
	"github.com/klmcwhirter/ocisi/bootstrap/ownedfile"
	"github.com/klmcwhirter/ocisi/internal/process"
)

// justGlobal brings the recipes into the justfile that 'just -g' reads.
func (env Env) justGlobal(ctx context.Context) error {
	if _, err := env.LookPath("just"); err != nil {
		return err
	}
	there, file := env.justfiles()
	var text []byte
	if len(there) > 0 {
		file = there[0]
		var err error
		if text, err = env.readFile(file); err != nil {
			return err
		}
	}
	recipes, err := env.justRecipes()
	if err != nil {
		return err
	}
	var before []string
	if text != nil { // nil is what a file has that is not there
		if before, err = env.recipesIn(ctx, file); err != nil {
			return &justError{env.short(file), " as it is", err}
		}
	}
	if block.Has(text) { // another ocisi may have had other recipes
		former, _ := env.recipesIn(ctx, recipes.Path)
		before = slices.DeleteFunc(before, func(name string) bool { return slices.Contains(former, name) })
	}
	undo, err := ownedfile.Write(env.Disk, []ownedfile.File{recipes})
	if err != nil {
		return err
	}
	if err := env.bringIn(ctx, file, text, before); err != nil {
		return errors.Join(err, undo())
	}
	fmt.Fprintf(env.Stdout, "written  %s\n", env.short(recipes.Path))
	done := "edited"
	if text == nil {
		done = "written"
	}
	fmt.Fprintf(env.Stdout, "%-7s  %s, which is what 'just -g' reads\n", done, env.short(file))
	fmt.Fprintln(env.Stdout, "\nnext: just -g ocisi-doctor")
	return nil
}

// bringIn puts the import of the recipes into a justfile; or leaves it as it was,
// byte for byte. Text is what it has, nil when it is not there, and before the
// recipes in it.
func (env Env) bringIn(ctx context.Context, file string, text []byte, before []string) error {
	recipes, err := env.justRecipes()
	if err != nil {
		return err
	}
	ours, err := env.recipesIn(ctx, recipes.Path)
	if err != nil {
		return &justError{env.short(recipes.Path), ", perhaps since it is older than 1.29", err}
	}
	lines, err := env.importLines(text)
	if err != nil {
		return &blockError{file, err}
	}
	with, err := block.Put(text, lines)
	if err != nil {
		return &blockError{file, err}
	}
	twice := slices.DeleteFunc(slices.Clone(ours), func(name string) bool { return !slices.Contains(before, name) })
	if err := env.Disk.Write(file, with, 0o644, env.still(file, text)); err != nil {
		return err
	}
	after, err := env.recipesIn(ctx, file)
	if err == nil {
		err = lacks(after, slices.Concat(before, ours))
	}
	if err != nil {
		return errors.Join(&twiceError{justError{env.short(file), " with ocisi's recipes, so it is as it was", err}, twice}, env.putBack(file, text))
	}
	if len(twice) > 0 {
		fmt.Fprintf(env.Stderr, "ocisi: warning: %s has recipes of these names, too, and just takes those: %s\n", env.short(file), strings.Join(twice, ", "))
	}
	return nil
}

// twiceError says that just does not take the recipes beside the user's.
type twiceError struct {
	justError
	names []string // that are there twice
}

func (e *twiceError) Unwrap() error { return &e.justError }

// importLines are what is kept in a justfile: the import, and a recipe for when
// none is named where the file has nothing else.
func (env Env) importLines(text []byte) ([]byte, error) {
	rest, err := block.Cut(text)
	if err != nil {
		return nil, err
	}
	var lines []byte
	if rest == nil {
		if lines, err = fs.ReadFile(env.Recipes, "user.just"); err != nil {
			return nil, err
		}
		lines = append(lines, '\n')
	}
	recipes, err := env.justRecipes()
	// Without the file, the user's own recipes have to work all the same: import?
	return append(lines, "import? "+justString(env.short(recipes.Path))+"\n"...), err
}

// justString writes a string as just reads it.
func justString(s string) string {
	if !strings.ContainsAny(s, "'\n\r\t") {
		return "'" + s + "'"
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\r", `\r`, "\t", `\t`).Replace(s) + `"`
}

// lacks is an error when names are missing.
func lacks(have, want []string) error {
	for _, name := range want {
		if !slices.Contains(have, name) {
			return errors.New("recipe " + name + " is not there any more")
		}
	}
	return nil
}

// putBack makes a file what it was.
func (env Env) putBack(file string, text []byte) error {
	if text == nil {
		return env.Disk.Remove(file)
	}
	return env.Disk.Write(file, text, 0o644, nil)
}

// still objects to a file that is no longer what it was read as.
func (env Env) still(file string, text []byte) func() error {
	return func() error {
		now, err := env.readFile(file)
		if errors.Is(err, fs.ErrNotExist) && text == nil {
			return nil
		}
		if err == nil && (text == nil || !bytes.Equal(now, text)) {
			err = errors.New(file + " was changed meanwhile; try again")
		}
		return err
	}
}

// justHint is for what goes wrong with just.
func justHint(err error) string {
	if e, ok := errors.AsType[*process.NotFoundError](err); ok && e.Name == "just" {
		return "Bluefin has it; elsewhere: brew install just, or your system's package"
	}
	if e, ok := errors.AsType[*twiceError](err); ok && len(e.names) > 0 {
		return "rename yours, or write 'set allow-duplicate-recipes' into that file to keep them in front: " + strings.Join(e.names, ", ")
	}
	if e, ok := errors.AsType[*justError](err); ok {
		return "see what just says: just --justfile " + e.file + " --list"
	}
	if e, ok := errors.AsType[*blockError](err); ok {
		return "remove them, and what is between them, by hand: ${EDITOR:-vi} " + e.file
	}
	return ""
}
