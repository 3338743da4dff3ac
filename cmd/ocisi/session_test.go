package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing/fstest"
)

// The programs of a desktop session. Each notes in the file session what it was
// asked; a file PROGRAM.err makes it fail with that text, PROGRAM.out is what it
// prints.

func inStory(name string) string { return filepath.Join(os.Getenv("ENGINETEST_DIR"), name) }

// noted writes down what a program was asked, and ends it when it is to fail.
func noted(program string) []string {
	f, err := os.OpenFile(inStory("session"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		panic(err)
	}
	fmt.Fprintln(f, program, strings.Join(os.Args[1:], " "))
	f.Close()
	if text, err := os.ReadFile(inStory(program + ".err")); err == nil {
		fail(string(text))
	}
	return os.Args[1:]
}

func fail(text string) {
	fmt.Fprintln(os.Stderr, strings.TrimSpace(text))
	os.Exit(1)
}

// says prints a file of the story; one that is not there is empty.
func says(name string) {
	text, _ := os.ReadFile(inStory(name))
	_, _ = os.Stdout.Write(text)
}

// talker is a program that has nothing to do but answer.
func talker(program string) func() {
	return func() {
		noted(program)
		says(program + ".out")
	}
}

// systemctl plays a user's systemd that knows of one timer.
func systemctl() {
	if len(os.Args) < 3 || os.Args[1] != "--user" {
		fmt.Println("0") // the MainPID of nobody
		return
	}
	args := noted("systemctl")
	switch args[1] {
	case "show-environment", "show":
		says("systemctl." + args[1])
	case "enable", "restart":
		if text, err := os.ReadFile(inStory("systemctl-" + args[1] + ".err")); err == nil {
			fail(string(text))
		}
	}
}

// just plays 'just --justfile FILE --summary', with the rules that matter: an
// import that is missing, a recipe that is there twice.
func just() {
	args := noted("just")
	if slices.Contains(args, "--version") {
		fmt.Println("just 1.50.0")
		return
	}
	if len(args) != 3 || args[0] != "--justfile" || args[2] != "--summary" {
		fail(fmt.Sprintf("error: %q is not played", args))
	}
	b := book{}
	if err := b.read(args[1], 0); err != nil {
		fail("error: " + err.Error())
	}
	slices.Sort(b.public)
	fmt.Println(strings.Join(b.public, " "))
}

// book is what a justfile and those that it imports hold.
type book struct {
	known, public []string
	twice         bool // recipes may be there twice
}

var (
	aRecipe  = regexp.MustCompile(`^([a-zA-Z_][a-zA-Z0-9_-]*)( [^:]*)?:([^=]|$)`)
	anImport = regexp.MustCompile(`^import(\??) ['"](.*)['"]$`)
)

func (b *book) read(path string, depth int) error {
	text, err := os.ReadFile(path)
	if err == nil && depth > 5 {
		err = errors.New("imports itself")
	}
	if err != nil {
		return err
	}
	b.twice = b.twice || strings.Contains(string(text), "set allow-duplicate-recipes\n")
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		if m := anImport.FindStringSubmatch(line); m != nil {
			if rest, ok := strings.CutPrefix(m[2], "~/"); ok {
				m[2] = filepath.Join(os.Getenv("HOME"), rest)
			}
			if !filepath.IsAbs(m[2]) {
				m[2] = filepath.Join(filepath.Dir(path), m[2])
			}
			if _, err := os.Stat(m[2]); err != nil && m[1] == "?" {
				continue
			}
			if err := b.read(m[2], depth+1); err != nil {
				return err
			}
		}
		if strings.HasPrefix(line, "BROKEN") {
			return errors.New("Unknown start of token")
		}
		m := aRecipe.FindStringSubmatch(line)
		switch {
		case m == nil:
			continue
		case slices.Contains(b.known, m[1]):
			if !b.twice {
				return fmt.Errorf("Recipe `%s` is redefined", m[1])
			}
			continue
		case !strings.HasPrefix(m[1], "_"):
			b.public = append(b.public, m[1])
		}
		b.known = append(b.known, m[1])
	}
	return nil
}

// withBattery is a machine that runs on its battery when the story says so,
// whatever the tests run on, and has what the story has of /usr/share/ublue-os
// and of the units of packages.
type withBattery struct{ fs.FS }

func (w withBattery) Open(name string) (fs.File, error) {
	if os.Getenv("TEST_HOST") != "" {
		return w.FS.Open(name) // that has it all
	}
	if name == "run/.containerenv" || name == ".dockerenv" { // of what the tests run in
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	for _, own := range []string{"usr/share/ublue-os", "usr/lib/systemd/user"} {
		if name == own || strings.HasPrefix(name, own+"/") {
			return os.DirFS(inStory("root")).Open(name)
		}
	}
	if !strings.HasPrefix(name, "sys/class/power_supply") {
		return w.FS.Open(name)
	}
	supplies := fstest.MapFS{}
	if os.Getenv("TEST_BATTERY") != "" {
		supplies["sys/class/power_supply/BAT0/type"] = &fstest.MapFile{Data: []byte("Battery\n")}
		supplies["sys/class/power_supply/BAT0/status"] = &fstest.MapFile{Data: []byte("Discharging\n")}
	}
	return supplies.Open(name)
}

// ReadLink implements fs.ReadLinkFS.
func (w withBattery) ReadLink(name string) (string, error) { return fs.ReadLink(w.FS, name) }

// Lstat implements fs.ReadLinkFS.
func (w withBattery) Lstat(name string) (fs.FileInfo, error) { return fs.Lstat(w.FS, name) }
