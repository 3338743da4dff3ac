package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/klmcwhirter/ocisi/cmd/internal/cli"
	"github.com/klmcwhirter/ocisi/hierarchy/engine/enginetest"
	"github.com/klmcwhirter/ocisi/internal/disk"
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
	unread   mishap = "unread"  // the reader of standard output and error ends
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

// injector injects the fault of a fate into a run.
type injector struct {
	fate
	crash *crash // nil: a kill is real
	trace *os.File
	ends  []func() error

	// watchPrograms has a function called at each request to an engine, those of
	// programs included.
	watchPrograms func(func(point string, done bool) enginetest.Verdict)

	mu   sync.Mutex
	seen map[moment]int
}

// follow makes a run follow a fate: all that it does passes through this
// process, engines by a proxy in it. A kill is simulated by crash, unless that is
// nil.
func (f fate) follow(env cli.Env, crash *crash) (cli.Env, *injector, error) {
	c := &injector{fate: f, crash: crash, seen: map[moment]int{}}
	var err error
	if c.trace, err = os.OpenFile(c.Trace, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600); err != nil {
		return env, nil, err
	}
	c.ends = append(c.ends, c.trace.Close)
	env.Patience = c.Patience
	env.ListPatience = time.Minute // so that what is asked does not depend on how busy the machine is
	env.Disk.Watch = c.file
	env.Runner = faultyRunner{env.Runner, c}
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
func (c *injector) close() {
	for _, end := range c.ends {
		_ = end()
	}
}

// readerFD is the reading end of the pipe that is the standard output and error
// of a process whose fate is unread. It is open in that process only.
const readerFD = 3

// underFate is follow for a process of its own.
func underFate(env cli.Env, text string) cli.Env {
	var f fate
	err := json.Unmarshal([]byte(text), &f)
	if f.Mishap == unread {
		syscall.CloseOnExec(readerFD)
	}
	if os.Getenv("TEST_MYSELF") == "" {
		env.Runner = player{os.Environ()}
	}
	if err == nil {
		env, _, err = f.follow(env, nil)
	}
	if err != nil {
		panic(err)
	}
	return env
}

var (
	ids        = regexp.MustCompile(`(sha256:)?\b[0-9a-f]{12,64}\b`)
	temporary  = regexp.MustCompile(`/\.([^/]+)\.ocisi-[0-9]+$`)
	numbered   = regexp.MustCompile(`\.ocisi-(back-)?[0-9]+`)
	tempFolder = regexp.MustCompile(`ocisi-(build|podman)-?[0-9]+`)
)

// reach records that the run is at a moment and returns the fault to inject
// there, unless that is a kill. After a [crash] it blocks, and everything fails.
func (c *injector) reach(op, when string) mishap {
	if !c.crash.pass() {
		return refused
	}
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
		return refused
	}
	if c.Mishap == command {
		c.command()
		return nothing
	}
	if c.Mishap == unread {
		_ = syscall.Close(readerFD)
		return nothing
	}
	return c.Mishap
}

// command runs the command of the fate.
func (c *injector) command() {
	out, err := exec.Command(c.Command[0], c.Command[1:]...).CombinedOutput()
	fmt.Fprintf(os.Stderr, "mishap: %v: %v %s\n", c.Command, err, out)
}

// name makes an op the same in every run.
func (c *injector) name(op string) string {
	op = ids.ReplaceAllString(op, "ID")
	op = temporary.ReplaceAllString(op, "/.$1.ocisi-PID")
	op = numbered.ReplaceAllString(op, ".ocisi-${1}N")
	op = tempFolder.ReplaceAllString(op, "ocisi-$1-N")
	return strings.ReplaceAll(op, c.Short, "~")
}

func (c *injector) note(m moment, due bool) {
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
// or not. It returns only from a simulated kill.
func (c *injector) die() {
	if c.crash != nil {
		c.crash.happen()
		c.crash.pass()
		return
	}
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
func (c *injector) file(op disk.Op, path string, done bool) error {
	full := &os.PathError{Op: string(op), Path: path, Err: syscall.ENOSPC}
	op += disk.Op(" " + path)
	switch {
	case !done && (c.reach(string(op), before) != nothing || !c.crash.begin()):
		return full
	case done && (!c.crash.end() || c.reach(string(op), after) != nothing):
		return full
	}
	return nil
}
