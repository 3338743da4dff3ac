package enginetest

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// program is one of the programs, being played.
type program struct {
	name           string
	args           []string // without its name
	env            []string // NAME=value; of one name, the last counts
	stdout, stderr io.Writer
}

// exited ends a program with a status, as a panic.
type exited int

// Play plays the program docker, podman, distrobox or distrobox-enter within
// this process, and returns its exit status: for tests that run so many that
// processes would take too long. env is all of its environment.
func Play(ctx context.Context, name string, args, env []string, stdout, stderr io.Writer) (status int) {
	p := &program{name: name, args: args, env: env, stdout: stdout, stderr: stderr}
	defer func() {
		switch v := recover().(type) {
		case nil:
		case exited:
			status = int(v)
		default:
			panic(v)
		}
	}()
	switch name {
	case "docker":
		p.docker(ctx)
	case "podman":
		p.podman(ctx)
	case "distrobox":
		p.distrobox(ctx)
	case "distrobox-enter":
		p.distroboxEnter(ctx)
	default:
		p.exit("%s: command not found", name)
	}
	return 0
}

// asProgram is the whole of this process, as a program.
func asProgram(name string) {
	ctx, stop := context.Background(), func() {}
	if name == "podman" { // the others end as all programs do
		ctx, stop = signal.NotifyContext(ctx, syscall.SIGTERM, os.Interrupt)
	}
	status := Play(ctx, name, os.Args[1:], os.Environ(), os.Stdout, os.Stderr)
	stop()
	os.Exit(status)
}

func (p *program) getenv(name string) string {
	for _, v := range slices.Backward(p.env) {
		if value, ok := strings.CutPrefix(v, name+"="); ok {
			return value
		}
	}
	return ""
}

// exit ends a program that failed, as the programs do.
func (p *program) exit(format string, args ...any) {
	_, _ = fmt.Fprintf(p.stderr, format+"\n", args...)
	panic(exited(1))
}

// note writes the program's line to calls: what of the environment is for it,
// and its arguments.
func (p *program) note() {
	if p.getenv(envDir) == "" {
		return // run without a server: there is no story to write to
	}
	var words []string
	for _, v := range p.env {
		if strings.HasPrefix(v, "DBX_") {
			words = append(words, v)
		}
	}
	slices.Sort(words)
	words = append(words, p.name)
	words = append(words, p.args...)
	_ = appendLine(filepath.Join(p.getenv(envDir), "calls"), strings.Join(words, " "))
}
