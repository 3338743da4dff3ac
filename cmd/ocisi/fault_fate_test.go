package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/klmcwhirter/ocisi/cmd/internal/cli"
	"github.com/klmcwhirter/ocisi/hierarchy/engine/enginetest"
	"github.com/klmcwhirter/ocisi/internal/disk"
	"github.com/klmcwhirter/ocisi/internal/process"
)

// moment is a point of a run: before, during or after the n-th time that it
// does something. Ops are "docker GET /containers/json", "docker Solve",
// "exec distrobox enter go-dx", "rename ~/.bashrc".
type moment struct {
	Op   string
	When string
	Nth  int // from 1
}

const (
	before = "before"
	during = "during" // programs only
	after  = "after"
)

func (m moment) String() string { return fmt.Sprintf("%s %s #%d", m.When, m.Op, m.Nth) }

// mishap is what can befall a run.
type mishap string

const (
	nothing  mishap = ""
	killed   mishap = "kill"    // SIGKILL, and what it has started with it
	orphaned mishap = "orphan"  // SIGKILL; what it has started goes on
	refused  mishap = "refuse"  // status 500; exit status 1; no space left
	cut      mishap = "cut"     // the connection ends, where the answer should begin
	silent   mishap = "silence" // no answer until the time-out; programs: until theirs
	command  mishap = "command" // something is done to the machine
)

// fate is what befalls an ocisi, and when. To a process it comes by TEST_FATE,
// in JSON.
type fate struct {
	Mishap   mishap
	At       moment
	Trace    string        // file: every moment that the run goes through, and the one that hurt
	Short    string        // folder that Ops call ~
	Patience time.Duration // with engines
	Delay    time.Duration // from the start of a program to its "during"

	// On a real machine:
	Engines map[string]string // DOCKER_HOST and CONTAINER_HOST as the proxy is to take them
	Command []string          // run at the moment, when that is the mishap
}

// course is a run that follows its fate.
type course struct {
	fate
	trace *os.File
	ends  []func() error

	mu   sync.Mutex
	seen map[moment]int
}

// follow makes a run follow a fate: all that it does passes through this
// process, engines by a proxy in it.
func (f fate) follow(env cli.Env) (cli.Env, *course, error) {
	c := &course{fate: f, seen: map[moment]int{}}
	var err error
	if c.trace, err = os.OpenFile(c.Trace, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600); err != nil {
		return env, nil, err
	}
	c.ends = append(c.ends, c.trace.Close)
	env.Patience = c.Patience
	env.ListPatience = time.Minute // so that what is asked does not depend on how busy the machine is
	env.Disk.Watch = c.file
	env.Runner = fatedRunner{env.Runner, c}
	proxies := map[string]string{}
	for name, key := range map[string]string{"docker": "DOCKER_HOST", "podman": "CONTAINER_HOST"} {
		if socket, ok := strings.CutPrefix(cmp.Or(f.Engines[key], env.Getenv(key)), "unix://"); ok {
			if proxies[key], err = c.serve(name, socket); err != nil {
				return env, nil, err
			}
		}
	}
	getenv := env.Getenv
	env.Getenv = func(key string) string {
		if host, ok := proxies[key]; ok {
			return host
		}
		return getenv(key)
	}
	return env, c, nil
}

// close ends what follow began.
func (c *course) close() {
	for _, end := range c.ends {
		_ = end()
	}
}

// underFate is follow for a process of its own.
func underFate(env cli.Env, text string) cli.Env {
	var f fate
	err := json.Unmarshal([]byte(text), &f)
	if os.Getenv("TEST_MYSELF") == "" {
		env.Runner = player{os.Environ()}
	}
	if err == nil {
		env, _, err = f.follow(env)
	}
	if err != nil {
		panic(err)
	}
	return env
}

// player is a Runner whose fake programs are not processes, which is quicker.
type player struct{ env []string }

// Run implements process.Runner.
func (p player) Run(ctx context.Context, c process.Cmd) error {
	name := filepath.Base(c.Name)
	if !slices.Contains([]string{"docker", "podman", "distrobox"}, name) {
		return process.System{}.Run(ctx, c)
	}
	if c.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, c.Timeout, fmt.Errorf("%s: no answer after %s", c.Name, c.Timeout))
		defer cancel()
	}
	var said bytes.Buffer
	out, errs := io.Discard, io.Writer(&said)
	if c.Stdout != nil {
		out = c.Stdout
	}
	if c.Stderr != nil {
		errs = io.MultiWriter(c.Stderr, &said)
	}
	status := enginetest.Play(ctx, name, c.Args, append(slices.Clip(p.env), c.Env...), out, errs)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case status != 0:
		return &process.Error{Cmd: c, Exit: status, Stderr: strings.TrimSpace(said.String()), Err: fmt.Errorf("exit status %d", status)}
	}
	return nil
}

var (
	ids        = regexp.MustCompile(`(sha256:)?\b[0-9a-f]{12,64}\b`)
	temporary  = regexp.MustCompile(`/\.([^/]+)\.ocisi-[0-9]+$`)
	numbered   = regexp.MustCompile(`\.ocisi-(back-)?[0-9]+`)
	tempFolder = regexp.MustCompile(`ocisi-(build|podman)-?[0-9]+`)
)

// reach says that the run has come to a moment, and returns what befalls it
// there, unless that is its end.
func (c *course) reach(op, when string) mishap {
	m := moment{Op: c.name(op), When: when}
	c.mu.Lock()
	c.seen[m]++
	m.Nth = c.seen[moment{Op: m.Op, When: when}]
	due := c.Mishap != nothing && m == c.At
	c.note(m, due)
	c.mu.Unlock()
	if !due {
		return nothing
	}
	if c.Mishap == killed || c.Mishap == orphaned {
		c.die()
	}
	if c.Mishap == command {
		c.command()
		return nothing
	}
	return c.Mishap
}

// command runs the command of the fate.
func (c *course) command() {
	out, err := exec.Command(c.Command[0], c.Command[1:]...).CombinedOutput()
	fmt.Fprintf(os.Stderr, "mishap: %v: %v %s\n", c.Command, err, out)
}

// name makes an op the same in every run.
func (c *course) name(op string) string {
	op = ids.ReplaceAllString(op, "ID")
	op = temporary.ReplaceAllString(op, "/.$1.ocisi-PID")
	op = numbered.ReplaceAllString(op, ".ocisi-${1}N")
	op = tempFolder.ReplaceAllString(op, "ocisi-$1-N")
	return strings.ReplaceAll(op, c.Short, "~")
}

func (c *course) note(m moment, due bool) {
	line := m.When + "\t" + strconv.Itoa(m.Nth) + "\t" + m.Op + "\n"
	if due {
		line += "here\n"
	}
	_, _ = c.trace.WriteString(line)
}

// readTrace returns the moments of a run, and whether it was hurt.
func readTrace(file string) (all []moment, hurt bool, err error) {
	data, err := os.ReadFile(file)
	for line := range strings.Lines(string(data)) {
		parts := strings.SplitN(strings.TrimSpace(line), "\t", 3)
		if len(parts) < 3 {
			hurt = true
			continue
		}
		n, _ := strconv.Atoi(parts[1])
		all = append(all, moment{When: parts[0], Nth: n, Op: parts[2]})
	}
	return all, hurt, err
}

// die ends this process as a power cut does, and what it has started with it
// or not.
func (c *course) die() {
	if c.Mishap == killed {
		for _, pid := range children() {
			_ = syscall.Kill(-pid, syscall.SIGKILL) // programs have groups of their own
		}
	}
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}

func children() (pids []int) {
	lists, _ := filepath.Glob("/proc/self/task/*/children")
	for _, list := range lists {
		data, _ := os.ReadFile(list)
		for pid := range strings.FieldsSeq(string(data)) {
			if n, err := strconv.Atoi(pid); err == nil {
				pids = append(pids, n)
			}
		}
	}
	return pids
}

// file is a disk's Watch.
func (c *course) file(op disk.Op, path string, done bool) error {
	when := before
	if done {
		when = after
	}
	if c.reach(string(op)+" "+path, when) != nothing {
		return &os.PathError{Op: string(op), Path: path, Err: syscall.ENOSPC}
	}
	return nil
}

// fatedRunner runs programs on a course.
type fatedRunner struct {
	next process.Runner
	*course
}

// Run implements process.Runner.
func (r fatedRunner) Run(ctx context.Context, c process.Cmd) error {
	op := "exec " + brief(c)
	if err := r.fail(ctx, c, r.reach(op, before)); err != nil {
		return err
	}
	r.mu.Lock()
	m := moment{Op: r.name(op), When: during}
	r.seen[m]++
	m.Nth = r.seen[moment{Op: m.Op, When: during}]
	due := m == r.At && r.Mishap != nothing
	r.note(m, due)
	r.mu.Unlock()
	if due {
		go r.dieAfterStart(len(children()))
	}
	next := r.next
	if due {
		next = process.System{} // which has children
	}
	err := next.Run(ctx, c)
	if due && r.Mishap != command {
		r.die() // it was quicker
	}
	if failed := r.fail(ctx, c, r.reach(op, after)); failed != nil {
		return failed
	}
	return err
}

// dieAfterStart waits for one more child.
func (r fatedRunner) dieAfterStart(had int) {
	for len(children()) <= had {
		time.Sleep(500 * time.Microsecond)
	}
	time.Sleep(r.Delay)
	if r.Mishap == command {
		r.command()
		return
	}
	r.die()
}

// fail is how a program fails.
func (r fatedRunner) fail(ctx context.Context, c process.Cmd, m mishap) error {
	switch {
	case m == nothing:
		return nil
	case m == silent && c.Timeout > 0:
		return fmt.Errorf("%s: no answer after %s", c.Name, c.Timeout)
	case m == silent:
		<-ctx.Done()
		return context.Cause(ctx)
	}
	return &process.Error{Cmd: c, Exit: 1, Stderr: "a mishap", Err: errors.New("exit status 1")}
}

// brief is a command without what is long in it: its name, its verb, what it
// is about, and what is run in a box.
func brief(c process.Cmd) string {
	words := []string{filepath.Base(c.Name)}
	for i, arg := range c.Args {
		switch {
		case i == 0, i > 0 && c.Args[i-1] == "--name", i == 1 && !strings.HasPrefix(arg, "-"):
			words = append(words, arg)
		case arg == "--":
			return strings.Join(append(words, c.Args[i:]...), " ")
		case strings.HasPrefix(arg, "ocisi.image="):
			words = append(words, strings.TrimPrefix(arg, "ocisi.image="))
		}
	}
	return strings.Join(words, " ")
}
