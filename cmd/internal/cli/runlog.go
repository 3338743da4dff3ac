package cli

import (
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/klmcwhirter/ocisi/cmd/internal/ui"
	"github.com/klmcwhirter/ocisi/internal/process"
)

// The run logs that are kept, and the size at which one ends.
const (
	logsKept = 30
	logLimit = 64 << 20
)

// runLog is the log of one run: every program that was run and every line that
// a step printed.
type runLog struct {
	file *os.File
	out  *ui.Writer // to file; nil: the run has no log
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
	text := ui.NewWriter(&limitedWriter{w: f, left: logLimit}, "")
	var out io.Writer = text
	if verbose {
		out = io.MultiWriter(text, env.Stderr)
	}
	l := &runLog{file: f, out: text, path: f.Name(), log: slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: slog.LevelDebug}))}
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
	if l.out != nil {
		fmt.Fprintf(l.out, format+"\n", args...)
	}
}

// limitedWriter writes until it has written left bytes, then a line about that,
// and discards the rest. It never writes a part of what it gets.
type limitedWriter struct {
	mu   sync.Mutex
	w    io.Writer
	left int // negative: full
}

// Write implements io.Writer. Data that is discarded is no error.
func (l *limitedWriter) Write(data []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.left < 0 {
		return len(data), nil
	}
	if len(data) > l.left {
		l.left = -1
		_, err := fmt.Fprintf(l.w, "the log is truncated here: it has reached %d MiB\n", logLimit>>20)
		return len(data), err
	}
	l.left -= len(data)
	return l.w.Write(data)
}

func (l *runLog) close() {
	_ = l.out.Flush()
	l.file.Close()
}

// discard removes the log of a run that did nothing.
func (l *runLog) discard() { os.Remove(l.path) }

// removeOldLogs keeps the newest logs; their names sort by time.
func removeOldLogs(dir string) {
	entries, _ := os.ReadDir(dir) // sorted by name
	entries = slices.DeleteFunc(entries, func(e fs.DirEntry) bool { return filepath.Ext(e.Name()) != ".log" })
	for len(entries) >= logsKept {
		os.Remove(filepath.Join(dir, entries[0].Name()))
		entries = entries[1:]
	}
}
