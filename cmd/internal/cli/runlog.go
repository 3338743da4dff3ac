package cli

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"

	"github.com/klmcwhirter/ocisi/internal/process"
)

// logsKept is how many run logs are kept.
const logsKept = 30

// runLog is the log of one run: every program that was run and every line that
// a step printed.
type runLog struct {
	file *os.File
	path string
	log  *slog.Logger
}

// openLog begins a run log below the state directory, removes the oldest, and
// returns an Env whose programs are logged there, and on standard error too
// when verbose.
func (env Env) openLog(verb string, verbose bool) (Env, *runLog, error) {
	dir := filepath.Join(env.StateDir, "logs")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return env, nil, fmt.Errorf("begin the run log: %w", err)
	}
	removeOldLogs(dir)
	name := env.Now().UTC().Format("20060102T150405.000Z") + "-" + verb + ".log"
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return env, nil, fmt.Errorf("begin the run log: %w", err)
	}
	var out io.Writer = f
	if verbose {
		out = io.MultiWriter(f, env.Stderr)
	}
	l := &runLog{file: f, path: f.Name(), log: slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	env.Runner = process.Logged{Runner: env.Runner, Log: l.log}
	return env, l, nil
}

// begin takes the lock and begins a run log. A dry run changes nothing: it needs
// no lock and leaves no log.
func (env Env) begin(verb string, verbose, dryRun bool) (Env, *runLog, func(), error) {
	if dryRun {
		return env, &runLog{}, func() {}, nil
	}
	release, err := env.lock(verb)
	if err != nil {
		return env, nil, nil, err
	}
	env, log, err := env.openLog(verb, verbose)
	if err != nil {
		release()
		return env, nil, nil, err
	}
	return env, log, func() { log.close(); release() }, nil
}

// printf adds a line. A log that cannot be written is no reason to stop.
func (l *runLog) printf(format string, args ...any) {
	fmt.Fprintf(l.file, format+"\n", args...)
}

func (l *runLog) close() { l.file.Close() }

// discard removes the log of a run that did nothing.
func (l *runLog) discard() { os.Remove(l.path) }

// removeOldLogs keeps the newest logs; their names sort by time.
func removeOldLogs(dir string) {
	logs, _ := filepath.Glob(filepath.Join(dir, "*.log"))
	slices.Sort(logs)
	for len(logs) >= logsKept {
		os.Remove(logs[0])
		logs = logs[1:]
	}
}
