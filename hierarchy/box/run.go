package box

import (
	"context"
	"errors"
	"io"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/internal/process"
)

// logMax is how much of the output of one program is kept: the end, in bytes.
const logMax = 1 << 20

func (d *Distrobox) bin() string {
	if d.Bin == "" {
		return "distrobox"
	}
	return d.Bin
}

func (d *Distrobox) sudo() string {
	if d.Sudo == "" {
		return "sudo"
	}
	return d.Sudo
}

// environment is what distrobox runs with: the manager, no pull, no question,
// and none of the user's own defaults that would make the box another one
// than the spec says. Settings in distrobox.conf stay in force.
func (d *Distrobox) environment(m hierarchy.Manager) []string {
	env := []string{
		"DBX_CONTAINER_MANAGER=" + string(m),
		"DBX_CONTAINER_ALWAYS_PULL=0",
		"DBX_NON_INTERACTIVE=1",
		"DBX_SKIP_WORKDIR=1",
		"DBX_VERBOSE=0",
		"DBX_CONTAINER_CUSTOM_HOME=",
		"DBX_CONTAINER_HOME_PREFIX=",
		"DBX_CONTAINER_HOSTNAME=",
		"DBX_CONTAINER_IMAGE=",
		"DBX_CONTAINER_NAME=",
		"DBX_CONTAINER_GENERATE_ENTRY=0", // it would name no manager, and stay when the box goes
	}
	if d.Sudo != "" {
		env = append(env, "DBX_SUDO_PROGRAM="+d.Sudo)
	}
	return env
}

// distrobox runs distrobox, tells what it prints line by line, and returns all
// of that. What it writes to standard output also goes to out, unless that is
// nil.
func (j *job) distrobox(ctx context.Context, timeout time.Duration, out io.Writer, args ...string) (string, error) {
	log := newLines(func(line string) { j.emit(hierarchy.Progress{Log: line}) })
	c := process.Cmd{
		Name:    j.d.bin(),
		Args:    args,
		Env:     j.d.environment(j.spec.Manager),
		Dir:     j.d.Home,
		Stdout:  log,
		Stderr:  log,
		Timeout: timeout,
	}
	if out != nil {
		c.Stdout = io.MultiWriter(log, out)
	}
	err := j.d.Runner.Run(ctx, c)
	return log.end(), err
}

// enter runs a command in a box as the user, and returns what it wrote to
// standard output, and all that was printed. Distrobox would make a missing box
// out of its default image, so it must be there. One enter at a time: distrobox
// follows a start through a file in the user's cache that is named after the
// box, whatever its engine, and version 1.4 removes those of all boxes when it
// is done.
func (j *job) enter(ctx context.Context, c hierarchy.StoredBox, timeout time.Duration, command ...string) (out, log string, err error) {
	args := []string{"enter"}
	if j.spec.rootful() {
		args = append(args, "--root")
	}
	args = append(args, "--name", c.Name, "--no-tty", "--")
	if err := j.d.entering.take(ctx); err != nil {
		return "", "", err
	}
	defer j.d.entering.pass()
	now, found, err := j.store.Container(ctx, c.Name)
	if err != nil {
		return "", "", &lookError{err}
	}
	if !found || now.ID != c.ID {
		return "", "", errors.New("the box is gone")
	}
	ctx, done := j.watched(ctx, c)
	defer done()
	text := process.Tail{Max: logMax}
	log, err = j.distrobox(ctx, timeout, &text, append(args, command...)...)
	return strings.TrimSpace(strings.ReplaceAll(text.String(), "\r", "")), log, err
}

// lookError says that an engine did not say whether a box is there: nothing is
// known of the box then.
type lookError struct{ error }

func (e *lookError) Unwrap() error { return e.error }

// turn is taken by one at a time. The zero turn is free.
type turn struct {
	once sync.Once
	slot chan struct{}
}

// take waits for the turn, or returns the cause of ctx's end.
func (t *turn) take(ctx context.Context) error {
	t.once.Do(func() { t.slot = make(chan struct{}, 1) })
	select {
	case t.slot <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (t *turn) pass() { <-t.slot }

// lines cuts what a program writes, on both its outputs at once, into lines
// without colors, and keeps the last of them. Empty ones are dropped.
type lines struct {
	mu  sync.Mutex
	cut *process.Lines
	all process.Tail
}

func newLines(emit func(line string)) *lines {
	l := &lines{all: process.Tail{Max: logMax}}
	l.cut = process.NewLines(func(line string) {
		if line = cleanLine(line); line != "" {
			_, _ = l.all.Write([]byte(line + "\n"))
			emit(line)
		}
	})
	return l
}

// Write implements io.Writer.
func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cut.Write(p)
}

// end ends a last line and returns all lines.
func (l *lines) end() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut.Flush()
	return strings.TrimSpace(l.all.String())
}

var colour = regexp.MustCompile(`\x1b\[[0-9;?]*[A-Za-z]`)

func cleanLine(line string) string {
	return strings.Join(strings.Fields(colour.ReplaceAllString(line, "")), " ")
}

// lastLine returns the last line that says something; distrobox likes to end
// with "[ ERR ] failed to create container.", or with all that the shell in the
// box did.
func lastLine(log string) string {
	all := withoutTrace(log)
	for len(all) > 1 && strings.HasPrefix(all[len(all)-1], "[ ") {
		all = all[:len(all)-1]
	}
	if len(all) == 0 {
		return ""
	}
	return all[len(all)-1]
}
