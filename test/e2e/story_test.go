//go:build e2e

package e2e

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/klmcwhirter/ocisi/internal/process"
)

// stories runs the selected scripts of a folder, one after the other.
func (h testHost) stories(t *testing.T, exclusive *sync.Mutex, folder, engine string, seed uint64) {
	files, err := filepath.Glob(filepath.Join("testdata", folder, "*.txtar"))
	if err != nil || len(files) == 0 {
		t.Fatalf("stories in testdata/%s: %d, %v", folder, len(files), err)
	}
	if !full() {
		files = selected(h.suite, engine, files, seed)
		if len(files) == 0 {
			t.Logf("the gate runs no story of %s on %s", folder, h.suite)
			return
		}
	}
	testscript.Run(t, testscript.Params{
		Files:               files,
		RequireExplicitExec: true,
		Condition:           func(cond string) (bool, error) { return cond == engine, nil },
		Setup: func(env *testscript.Env) error {
			exclusive.Lock()
			env.Defer(exclusive.Unlock)
			env.Setenv("MANAGER", engine)
			env.Setenv("OTHER", map[string]string{"docker": "podman", "podman": "docker"}[engine])
			begun := time.Now()
			defer func() { env.T().Log("reset:", time.Since(begun).Round(time.Millisecond)) }()
			return h.script(context.Background(), reset)
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"host":     func(ts *testscript.TestScript, neg bool, args []string) { h.storyCommand(ts, neg, "as", args) },
			"roothost": func(ts *testscript.TestScript, neg bool, args []string) { h.storyCommand(ts, neg, "sh", args) },
			"push":     func(ts *testscript.TestScript, _ bool, args []string) { h.push(ts, args) },
			"status":   status,
			"same":     same,
		},
	})
}

// commandTimeout bounds a command of a story. The longest take about a minute.
const commandTimeout = 6 * time.Minute

// processes lists the processes of the host.
func (h testHost) processes() string {
	var out strings.Builder
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := h.command(ctx, nil, &out, &out, "sh", h.suite, "ps", "-e", "--forest", "-o", "pid,ppid,stat,wchan:20,etime,args"); err != nil {
		return out.String() + err.Error()
	}
	return out.String()
}

// storyCommand is "host CMD…" and "roothost CMD…": stdout and stderr match what
// CMD prints, status its exit status. MANAGER is the default engine of ocisi.
func (h testHost) storyCommand(ts *testscript.TestScript, neg bool, as string, args []string) {
	all := []string{as, h.suite}
	if m := ts.Getenv("MANAGER"); m != "" {
		all = append(all, "env", "DBX_CONTAINER_MANAGER="+m)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var hung string
	timer := time.AfterFunc(commandTimeout, func() { hung = h.processes(); cancel() })
	defer timer.Stop()
	begun := time.Now()
	err := h.command(ctx, nil, ts.Stdout(), ts.Stderr(), append(all, args...)...)
	ts.Logf("[%.1f s]", time.Since(begun).Seconds())
	if ctx.Err() != nil {
		ts.Logf("processes of the host:\n%s", hung)
		ts.Fatalf("%s did not end within %s: %v", strings.Join(args, " "), commandTimeout, err)
	}
	exit := 0
	if pe, ok := errors.AsType[*process.Error](err); ok {
		exit = pe.Exit
	} else {
		ts.Check(err)
	}
	ts.Setenv("status", strconv.Itoa(exit))
	if neg != (exit != 0) {
		ts.Fatalf("%s ended with status %d", strings.Join(args, " "), exit)
	}
}

// push is "push FILE…": it copies files and folders of the story to the user's
// home.
func (h testHost) push(ts *testscript.TestScript, args []string) {
	from, to := io.Pipe()
	go func() {
		to.CloseWithError(process.System{}.Run(context.Background(), process.Cmd{
			Name: "tar", Args: append([]string{"-C", ts.MkAbs("."), "-cf", "-"}, args...), Stdout: to,
		}))
	}()
	ts.Check(h.command(context.Background(), from, io.Discard, ts.Stderr(), "as", h.suite, "tar", "--no-same-owner", "-xf", "-"))
}

// status is "status N": the exit status of the last command of host was N.
func status(ts *testscript.TestScript, _ bool, args []string) {
	if got := ts.Getenv("status"); len(args) != 1 || got != args[0] {
		ts.Fatalf("status %s, want %v", got, args)
	}
}

// same is "same FILE": stdout is what the file holds, which is written first
// with "cp stdout FILE".
func same(ts *testscript.TestScript, neg bool, args []string) {
	if neg == (ts.ReadFile("stdout") == ts.ReadFile(args[0])) {
		ts.Fatalf("stdout and %s: same is %v", args[0], neg)
	}
}
