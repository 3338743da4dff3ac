// Package timer runs ocisi periodically with the user's systemd: it generates the
// units from those that packages ship, installs them, and reports the last run. It
// never changes units that ocisi did not write. It does not enable lingering:
// systemd runs the units while the user is logged in, and a missed run after the
// next login.
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

// Unit is a unit file.
type Unit struct {
	Name string
	Text []byte
}

// Run is the command line and the calendar of the units.
type Run struct {
	Program  string   // absolute
	Args     []string // before the verb
	Env      []string // KEY=VALUE, in addition to the environment of systemd
	Calendar string   // of systemd.time(7)
}

// The text of the shipped units that is replaced.
const (
	shippedProgram  = "ExecStart=/usr/bin/ocisi "
	shippedCalendar = "OnCalendar=" + Weekly + "\n"
)

// Units generates the units of a run from the shipped ones, in the directory user
// of shipped. For /usr/bin/ocisi, weekly, without arguments, they are equal.
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

// quoted returns a word in the syntax of systemd, with quotes only where needed.
func quoted(word string) string {
	word = strings.ReplaceAll(word, "%", "%%")
	if word != "" && !strings.ContainsAny(word, " \"'\\;") {
		return word
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(word) + `"`
}

// TemporaryPathError reports that a program is in a place for temporary files.
type TemporaryPathError struct{ Path string }

func (e *TemporaryPathError) Error() string {
	return e.Path + " will not stay there, so a timer cannot start it"
}

// Stable returns a path of program that stays valid after an upgrade: Homebrew
// installs each version in its own directory and links it in PREFIX/bin. For a
// program in a directory for temporary files, such as that of 'go run', the error is
// a [*TemporaryPathError]. The directories in temp are added to the usual ones.
func Stable(program string, exists func(string) bool, temp ...string) (string, error) {
	if prefix, rest, ok := strings.Cut(program, "/Cellar/"); ok {
		if link := filepath.Join(prefix, "bin", filepath.Base(rest)); exists(link) {
			program = link
		}
	}
	for _, dir := range append(temp, "/tmp", "/var/tmp", "/dev/shm", "/run", "/proc") {
		if dir != "" && strings.HasPrefix(program, filepath.Clean(dir)+"/") {
			return "", &TemporaryPathError{program}
		}
	}
	// The kernel appends " (deleted)" to the path of a program that was replaced.
	if !filepath.IsAbs(program) || strings.Contains(program, "/go-build") || strings.HasSuffix(program, " (deleted)") {
		return "", &TemporaryPathError{program}
	}
	return program, nil
}
