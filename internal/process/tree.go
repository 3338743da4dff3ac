package process

import (
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// running is a process in /proc.
type running struct {
	pid, parent int
	argv0       string // without its directory
	depth       int    // number of nested PID namespaces
}

// descendants returns the children of a process, their children and so on. The
// format of proc is that of proc(5).
func descendants(proc fs.FS, pid int) []running {
	entries, err := fs.ReadDir(proc, ".")
	if err != nil {
		return nil
	}
	children := make(map[int][]running)
	for _, e := range entries {
		id, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if p, ok := readProcess(proc, id); ok {
			children[p.parent] = append(children[p.parent], p)
		}
	}
	var all []running
	for next := children[pid]; len(next) > 0; {
		p := next[0]
		all = append(all, p)
		next = append(next[1:], children[p.pid]...)
	}
	return all
}

func readProcess(proc fs.FS, pid int) (running, bool) {
	dir := strconv.Itoa(pid)
	stat, err := fs.ReadFile(proc, path.Join(dir, "stat"))
	if err != nil {
		return running{}, false
	}
	// The second field is the program name in parentheses, which may itself contain
	// parentheses and spaces. The state and the parent follow the last parenthesis.
	_, rest, ok := cutLast(string(stat), ")")
	fields := strings.Fields(rest)
	if !ok || len(fields) < 2 {
		return running{}, false
	}
	parent, err := strconv.Atoi(fields[1])
	if err != nil {
		return running{}, false
	}
	cmdline, err := fs.ReadFile(proc, path.Join(dir, "cmdline"))
	if err != nil {
		return running{}, false
	}
	status, err := fs.ReadFile(proc, path.Join(dir, "status"))
	if err != nil {
		return running{}, false
	}
	argv0, _, _ := strings.Cut(string(cmdline), "\x00")
	return running{pid: pid, parent: parent, argv0: path.Base(argv0), depth: depth(string(status))}, true
}

// depth counts the PIDs of a process, one per PID namespace.
func depth(status string) int {
	for line := range strings.Lines(status) {
		if ids, ok := strings.CutPrefix(line, "NSpid:"); ok {
			return len(strings.Fields(ids))
		}
	}
	return 0
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}
