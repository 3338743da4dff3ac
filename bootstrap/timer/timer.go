// Package timer has the user's systemd run ocisi once in a while: it makes the
// units from those that packages ship, puts them where systemd looks, and tells
// how it went. Units that are not ocisi's are never touched, and no lingering is
// asked for: systemd runs them while the user is logged in, and what was missed
// after the next login.
//
// Formats: systemd.service(5), systemd.timer(5), systemd.syntax(7).
package timer

import (
	"bytes"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
)

// The units.
const (
	Timer   = "ocisi-recreate.timer"
	Service = "ocisi-recreate.service"
)

// Weekly is the calendar of the units that are shipped.
const Weekly = "weekly"

// Unit is one of the two, by its name.
type Unit struct {
	Name string
	Text []byte
}

// Run says what the service runs, and when.
type Run struct {
	Program  string   // absolute
	Args     []string // before the verb
	Env      []string // KEY=VALUE, which systemd's own environment lacks
	Calendar string   // of systemd.time(7)
}

// What the shipped units say, to be replaced.
const (
	shippedProgram  = "ExecStart=/usr/bin/ocisi "
	shippedCalendar = "OnCalendar=" + Weekly + "\n"
)

// Units makes the units of a run from those that are shipped, in the folder user
// of an FS. For /usr/bin/ocisi, weekly and without more, they are the same.
func Units(shipped fs.FS, r Run) ([]Unit, error) {
	for _, text := range slices.Concat([]string{r.Program, r.Calendar}, r.Args, r.Env) {
		if strings.ContainsFunc(text, func(c rune) bool { return c < ' ' || c == 0x7f }) {
			return nil, fmt.Errorf("%q cannot be written into a unit of systemd", text)
		}
	}
	if strings.ContainsAny(r.Program, `"'\`) {
		return nil, fmt.Errorf("systemd runs no program whose path has a quote or a backslash in it: %s", r.Program)
	}
	var lines strings.Builder
	for _, e := range r.Env {
		lines.WriteString("Environment=" + quoted(e) + "\n")
	}
	lines.WriteString("ExecStart=" + quoted(r.Program) + " ")
	for _, arg := range r.Args {
		lines.WriteString(quoted(strings.ReplaceAll(arg, "$", "$$")) + " ")
	}
	service, err := replace(shipped, Service, shippedProgram, lines.String())
	if err != nil {
		return nil, err
	}
	timer, err := replace(shipped, Timer, shippedCalendar, "OnCalendar="+strings.ReplaceAll(r.Calendar, "%", "%%")+"\n")
	return []Unit{service, timer}, err
}

func replace(shipped fs.FS, name, old, text string) (Unit, error) {
	data, err := fs.ReadFile(shipped, "user/"+name)
	if err != nil {
		return Unit{}, err
	}
	if bytes.Count(data, []byte(old)) != 1 {
		return Unit{}, fmt.Errorf("the shipped %s does not have %q once", name, old)
	}
	return Unit{name, bytes.Replace(data, []byte(old), []byte(text), 1)}, nil
}

// quoted writes a word as systemd reads it, with quotes only where it needs them.
func quoted(word string) string {
	word = strings.ReplaceAll(word, "%", "%%")
	if word != "" && !strings.ContainsAny(word, " \"'\\;") {
		return word
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(word) + `"`
}

// PassingError says that a program will not stay where it is.
type PassingError struct{ Path string }

func (e *PassingError) Error() string {
	return e.Path + " will not stay there, so a timer cannot start it"
}

// Stable returns the path under which a program will still be there after an
// upgrade. Homebrew has each version in a folder of its own, which goes with it,
// and a link in PREFIX/bin that stays. What is in a folder for temporary files,
// such as a program that 'go run' made, is a *PassingError; temp are such folders
// beside those that every system has.
func Stable(program string, exists func(string) bool, temp ...string) (string, error) {
	if prefix, rest, ok := strings.Cut(program, "/Cellar/"); ok {
		if link := filepath.Join(prefix, "bin", filepath.Base(rest)); exists(link) {
			program = link
		}
	}
	for _, dir := range append(temp, "/tmp", "/var/tmp", "/dev/shm", "/run", "/proc") {
		if dir != "" && strings.HasPrefix(program, filepath.Clean(dir)+"/") {
			return "", &PassingError{program}
		}
	}
	// The kernel says so of a file that was replaced while it ran.
	if !filepath.IsAbs(program) || strings.Contains(program, "/go-build") || strings.HasSuffix(program, " (deleted)") {
		return "", &PassingError{program}
	}
	return program, nil
}
