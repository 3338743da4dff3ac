package enginetest

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// defaultImage is what distrobox makes a box of that it was asked to enter and
// that is not there.
const defaultImage = "registry.fedoraproject.org/fedora-toolbox:latest"

// Distrobox plays the program distrobox: create, enter, rm, list and --version,
// on the store of DBX_CONTAINER_MANAGER. In a box, distrobox-export --bin writes
// a launcher; what else runs there see run.
func Distrobox() { asProgram("distrobox") }

func (p *program) distrobox(ctx context.Context) {
	p.note()
	args := p.args
	if len(args) == 0 {
		p.exit("Error: a command is needed")
	}
	if data, err := os.ReadFile(p.storyFile("distrobox-" + args[0] + ".err")); err == nil {
		p.exit("%s", strings.TrimRight(string(data), "\n"))
	}
	switch args[0] {
	case "--version", "-V":
		p.printVersion()
	case "version":
		if p.isVersion2() { // a command of version 1 only
			fmt.Fprintln(p.stderr, "No help topic for 'version'")
			panic(exited(3))
		}
		p.printVersion()
	case "create":
		p.boxCreate(ctx, args[1:])
	case "enter":
		p.boxEnter(ctx, args[1:])
	case "rm":
		p.boxRemove(ctx, args[1:])
	case "list":
		fmt.Fprintln(p.stdout, "ID | NAME | STATUS | IMAGE")
	default:
		p.exit("Error: invalid command")
	}
}

// DistroboxEnter plays distrobox-enter, a program of version 1's that version 2
// does not have.
func DistroboxEnter() { asProgram("distrobox-enter") }

func (p *program) distroboxEnter(ctx context.Context) {
	if p.isVersion2() {
		fmt.Fprintln(p.stderr, "distrobox-enter: command not found")
		panic(exited(127))
	}
	p.note()
	p.boxEnter(ctx, p.args)
}

func (p *program) storyFile(name string) string { return filepath.Join(p.getenv(envDir), name) }

// trouble does what the story's files want of a verb on one box, and returns
// if they want nothing. first is done before, with the file's text.
func (p *program) trouble(verb, name string, first func(text string, end bool)) {
	if data, err := os.ReadFile(p.storyFile("distrobox-" + verb + "-" + name + ".err")); err == nil {
		first(string(data), true)
		p.exit("%s", strings.TrimRight(string(data), "\n"))
	}
	if data, err := os.ReadFile(p.storyFile("distrobox-" + verb + "-" + name + ".block")); err == nil {
		first(string(data), false)
		for {
			time.Sleep(time.Hour) // a select would be a deadlock to Go
		}
	}
}

func (p *program) isVersion2() bool { return strings.HasPrefix(p.version(), "2") }

func (p *program) version() string {
	if data, err := os.ReadFile(p.storyFile("distrobox-version")); err == nil {
		return strings.TrimSpace(string(data))
	}
	return "1.8.2.5"
}

func (p *program) printVersion() {
	if p.isVersion2() {
		fmt.Fprintln(p.stdout, "distrobox version "+p.version())
		return
	}
	fmt.Fprintln(p.stdout, "distrobox: "+p.version())
}

// socketOfManager returns the socket of the store that distrobox was told to use.
func (p *program) socketOfManager() string {
	if p.getenv("DBX_CONTAINER_MANAGER") == "podman" {
		return p.getenv(envPodman)
	}
	return p.getenv(envDocker)
}

// flags are the arguments of a distrobox command, the last value of each, and
// what follows --.
type flags struct {
	values  map[string]string
	volumes []string
	labels  map[string]string
	more    []string // that are to be handed on, but for labels
	rest    []string // words that are no flags
	command []string
}

func parseFlags(args []string) flags {
	f := flags{values: make(map[string]string), labels: make(map[string]string)}
	for i := 0; i < len(args); i++ {
		name, value, has := strings.Cut(args[i], "=")
		switch name {
		case "--":
			f.command = args[i+1:]
			return f
		case "--image", "-i", "--name", "-n", "--home", "-H", "--hostname", "--volume", "--additional-packages", "--init-hooks", "--pre-init-hooks", "--additional-flags", "-a":
			if !has && i+1 < len(args) {
				i++
				value = args[i]
			}
			f.values[name] = value
			switch name {
			case "--additional-flags", "-a":
				f.hand(value)
			case "--volume":
				f.volumes = append(f.volumes, value)
			}
		default:
			if strings.HasPrefix(name, "-") {
				f.values[name] = value
			} else {
				f.rest = append(f.rest, args[i])
			}
		}
	}
	return f
}

// hand notes a flag that is to be handed on to the engine.
func (f *flags) hand(flag string) {
	for _, prefix := range []string{"--label ", "--label="} {
		if label, ok := strings.CutPrefix(flag, prefix); ok {
			k, v, _ := strings.Cut(label, "=")
			f.labels[k] = strings.Trim(v, `'"`)
			return
		}
	}
	f.more = append(f.more, flag)
}

func (f flags) name() string {
	for _, flag := range []string{"--name", "-n"} {
		if name := f.values[flag]; name != "" {
			return name
		}
	}
	if len(f.rest) > 0 {
		return f.rest[0]
	}
	return ""
}

func (p *program) boxCreate(ctx context.Context, args []string) {
	f := parseFlags(args)
	f.labels["manager"] = "distrobox"
	f.labels["distrobox.unshare_groups"] = "0"
	if p.isVersion2() {
		f.labels["distrobox.version"] = "2"
	}
	image := cmp.Or(f.values["--image"], f.values["-i"], defaultImage)
	fmt.Fprintf(p.stderr, "Creating '%s' using image %s\n", f.name(), image)
	c := Container{
		Name: f.name(), Image: image, Labels: f.labels, State: "created",
		Mounts: append([]string{p.getenv("HOME") + ":" + p.getenv("HOME")}, f.volumes...), Flags: f.more, Home: cmp.Or(f.values["--home"], f.values["-H"]),
	}
	if p.getenv("DBX_CONTAINER_MANAGER") == "podman" {
		c.Userns = "keep-id:size=65536"
		if p.getenv("DBX_USERNS_NOLIMIT") != "" {
			c.Userns = "keep-id"
		}
	}
	p.trouble("create", f.name(), func(string, bool) {})
	body, err := call(ctx, p.socketOfManager(), http.MethodPost, "/enginetest/container", c)
	if err != nil {
		p.exit("Error: %v", err)
	}
	_ = body.Close()
	fmt.Fprintf(p.stderr, "Distrobox '%s' successfully created.\n", f.name())
}

func (p *program) boxEnter(ctx context.Context, args []string) {
	f := parseFlags(args)
	if !p.exists(ctx, f.name()) {
		p.createUnasked(ctx, f.name())
	}
	start := func(text string, end bool) bool {
		if text != "" && !strings.HasSuffix(text, "\n") {
			text += "\n"
		}
		body, err := call(ctx, p.socketOfManager(), http.MethodPost, "/enginetest/start", entering{Name: f.name(), Log: text, End: end})
		if err != nil {
			p.exit("Error: %v", err)
		}
		return decoded[bool](p, body)
	}
	p.trouble("enter", f.name(), func(text string, end bool) { start(text, end) })
	if !start("", false) {
		fmt.Fprintf(p.stderr, "Starting container...                   \t\033[32m [ OK ]\n\033[0m\nContainer Setup Complete!\n")
	}
	if len(f.command) > 0 && f.command[0] == "distrobox-export" {
		p.export(f.name(), f.command[1:])
		return
	}
	if len(f.command) == 0 {
		return // somebody's shell
	}
	p.runInBox(ctx, f)
}

// runInBox runs the command of an enter, prints what it prints and exits as it
// does.
func (p *program) runInBox(ctx context.Context, f flags) {
	e := entering{Name: f.name(), User: cmp.Or(p.getenv("USER"), "al"), ID: 1000, Home: p.getenv("HOME"), Env: map[string]string{"SHELL": p.getenv("SHELL")}, Argv: f.command}
	body, err := call(ctx, p.socketOfManager(), http.MethodPost, "/enginetest/run", e)
	if err != nil {
		p.exit("Error: %v", err)
	}
	got := decoded[Answer](p, body)
	_, _ = io.WriteString(p.stdout, got.Out)
	_, _ = io.WriteString(p.stderr, got.Err)
	panic(exited(got.Exit))
}

func (p *program) exists(ctx context.Context, name string) bool {
	body, err := call(ctx, p.socketOfManager(), http.MethodGet, "/containers/"+name+"/json", nil)
	if err == nil {
		_ = body.Close()
	}
	return err == nil
}

// createUnasked makes a box of the default image, as distrobox does when it is
// to enter one that is not there and has nobody to ask.
func (p *program) createUnasked(ctx context.Context, name string) {
	fmt.Fprintf(p.stderr, "Create it now, out of image %s? [Y/n]: y\nCreating the container %s\n", defaultImage, name)
	body, err := call(ctx, p.socketOfManager(), http.MethodPost, "/enginetest/default?ref="+defaultImage, nil)
	if err != nil {
		p.exit("Error: %v", err)
	}
	_ = body.Close()
	p.boxCreate(ctx, []string{"--yes", "-i", defaultImage, "-n", name})
}

// decoded reads an answer of the server's.
func decoded[T any](p *program, body io.ReadCloser) T {
	defer func() { _ = body.Close() }()
	var v T
	if err := json.NewDecoder(body).Decode(&v); err != nil {
		p.exit("Error: %v", err)
	}
	return v
}

// export writes the launcher of a program, marked as distrobox marks its own.
func (p *program) export(box string, args []string) {
	var bin, dir string
	for i := 0; i+1 < len(args); i++ {
		switch args[i] {
		case "--bin", "-b":
			bin = args[i+1]
		case "--export-path", "-ep":
			dir = args[i+1]
		}
	}
	if bin == "" {
		return
	}
	enter := "distrobox-enter"
	if p.isVersion2() {
		enter = `"distrobox" enter`
	}
	text := fmt.Sprintf("#!/bin/sh\n# distrobox_binary\n# name: %s\nexec %s -n %s -- '%s' \"$@\"\n", box, enter, box, bin)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		p.exit("Error: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, filepath.Base(bin)), []byte(text), 0o755); err != nil { //nolint:gosec // a program
		p.exit("Error: %v", err)
	}
	fmt.Fprintf(p.stdout, "%s from %s exported successfully in %s.\n", bin, box, dir)
}

func (p *program) boxRemove(ctx context.Context, args []string) {
	for _, name := range parseFlags(args).rest {
		// Nothing to remove is a success to distrobox.
		if body, err := call(ctx, p.socketOfManager(), http.MethodDelete, "/containers/"+name+"?force=1&v=1", nil); err == nil {
			_ = body.Close()
		}
	}
}
