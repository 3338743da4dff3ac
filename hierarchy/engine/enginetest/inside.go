package enginetest

import (
	"encoding/base64"
	"encoding/json"
	"io/fs"
	"maps"
	"net/http"
	pathpkg "path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/pkg/stdcopy"
)

// execution is a command that was made by the engine's exec.
type execution struct {
	container string // ID
	argv      []string
	user      string
	ending    bool // its output has ended, and nobody has asked since
	done      bool
	exit      int
}

// execIDs are those of a container that the engine lists: sessions, those that
// have ended or been lost, and of docker what it ran itself.
func (s *store) execIDs(c *Container) []string {
	var ids []string
	for i := range c.Sessions {
		ids = append(ids, "running-"+c.ID+"-"+itoa(i))
	}
	for i := range c.Ended {
		ids = append(ids, "ended-"+c.ID+"-"+itoa(i))
	}
	for i := range c.Lost {
		ids = append(ids, "lost-"+c.ID+"-"+itoa(i))
	}
	for _, id := range slices.Sorted(maps.Keys(s.execs)) {
		if x := s.execs[id]; x.container == c.ID && (s.name == "docker" || !x.done) {
			ids = append(ids, id)
		}
	}
	return ids
}

func (a *api) createExec(w http.ResponseWriter, r *http.Request) {
	a.withContainer(w, r, func(c *Container) {
		var o container.ExecOptions
		if err := json.NewDecoder(r.Body).Decode(&o); err != nil || len(o.Cmd) == 0 {
			refuse(w, http.StatusBadRequest, "no command")
			return
		}
		if c.State != "running" {
			refuse(w, http.StatusConflict, "container "+c.ID+" is not running")
			return
		}
		s := a.store
		id := "exec-" + itoa(len(s.execs))
		s.execs[id] = &execution{container: c.ID, argv: o.Cmd, user: o.User}
		answer(w, http.StatusCreated, map[string]string{"Id": id})
	})
}

func (a *api) startExec(w http.ResponseWriter, r *http.Request) {
	s := a.store
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.execs[r.PathValue("id")]
	if x == nil || s.container(x.container) == nil {
		refuse(w, http.StatusNotFound, "No such exec instance: "+r.PathValue("id"))
		return
	}
	got := s.run(s.container(x.container), user{name: "root", home: "/root"}, x.argv)
	x.ending, x.done, x.exit = true, true, got.Exit
	w.Header().Set("Content-Type", "application/vnd.docker.multiplexed-stream")
	w.WriteHeader(http.StatusSwitchingProtocols)
	_, _ = stdcopy.NewStdWriter(w, stdcopy.Stdout).Write([]byte(got.Out))
	_, _ = stdcopy.NewStdWriter(w, stdcopy.Stderr).Write([]byte(got.Err))
}

func (a *api) inspectExec(w http.ResponseWriter, r *http.Request) {
	s := a.store
	s.mu.Lock()
	defer s.mu.Unlock()
	id := r.PathValue("id")
	found := container.ExecInspect{ExecID: id}
	kind, of, _ := strings.Cut(id, "-")
	of, _, _ = strings.Cut(of, "-")
	x := s.execs[id]
	switch {
	case x != nil && x.ending: // the engines learn a little later that it has ended
		found.Running, found.ContainerID = true, x.container
		x.ending = false
	case x != nil:
		found.ExitCode, found.ContainerID = x.exit, x.container
	case kind == "running" || kind == "ended":
		c := s.container(of)
		found.Running, found.ContainerID = kind == "running" && c != nil && slices.Contains(s.execIDs(c), id), of
		if found.Running {
			found.Pid = 1000
		}
	case kind == "lost":
		refuse(w, http.StatusInternalServerError, "retrieving exec session "+id+" from container "+of)
		return
	default:
		refuse(w, http.StatusNotFound, "No such exec instance: "+id)
		return
	}
	answer(w, http.StatusOK, found)
}

func (a *api) logs(w http.ResponseWriter, r *http.Request) {
	a.withContainer(w, r, func(c *Container) {
		all := slices.Collect(strings.Lines(c.Log))
		if n, err := strconv.Atoi(r.FormValue("tail")); err == nil && n < len(all) {
			all = all[len(all)-n:]
		}
		w.WriteHeader(http.StatusOK)
		for i, line := range all { // on both outputs, as boxes do
			_, _ = stdcopy.NewStdWriter(w, []stdcopy.StdType{stdcopy.Stdout, stdcopy.Stderr}[i%2]).Write([]byte(line))
		}
	})
}

func (a *api) changes(w http.ResponseWriter, r *http.Request) {
	s, name := a.store, r.PathValue("name")
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.container(name)
	switch {
	case c != nil:
		answer(w, http.StatusOK, c.Changes)
	case s.name == "podman":
		refuse(w, http.StatusInternalServerError, name+" not found: layer not known")
	default:
		refuse(w, http.StatusNotFound, "No such container: "+name)
	}
}

// archive answers HEAD with what is at a path.
func (a *api) archive(w http.ResponseWriter, r *http.Request) {
	a.withContainer(w, r, func(c *Container) {
		path := r.FormValue("path")
		t := tree{a.store.files(c)}
		path = pathpkg.Join(t.resolve(pathpkg.Dir(path)), pathpkg.Base(path))
		if !t.exists(path) {
			refuse(w, http.StatusNotFound, "Could not find the file "+path+" in container "+c.Name)
			return
		}
		content, isFile := t.content(path)
		stat := container.PathStat{Name: pathpkg.Base(path), Size: int64(len(content)), Mode: fs.ModeDir | 0o755, Mtime: time.Unix(c.Created, 0)}
		if isFile {
			stat.Mode = fs.FileMode(mode(path))
		}
		if target, ok := strings.CutPrefix(content, link); ok {
			stat.LinkTarget, stat.Mode = target, fs.ModeSymlink|0o777
		}
		data, _ := json.Marshal(stat) // plain values
		w.Header().Set("X-Docker-Container-Path-Stat", base64.StdEncoding.EncodeToString(data))
		w.WriteHeader(http.StatusOK)
	})
}

// link begins the content of a symbolic link.
const link = "-> "

// tree is the files of a container; nil has every program and nothing else.
type tree struct{ files map[string]string }

// mode returns the permissions of a file.
func mode(path string) int64 {
	if strings.Contains(path, "bin/") {
		return 0o755
	}
	return 0o644
}

func (t tree) content(path string) (content string, isFile bool) {
	if t.files == nil && strings.Contains(path, "bin/") {
		return "", true
	}
	content, isFile = t.files[path]
	return content, isFile
}

func (t tree) exists(path string) bool {
	_, isFile := t.content(path)
	return isFile || len(t.below(path)) > 0 || path == "/"
}

// below returns the files in a folder and its folders, sorted.
func (t tree) below(dir string) []string {
	var found []string
	for path := range t.files {
		if strings.HasPrefix(path, strings.TrimSuffix(dir, "/")+"/") {
			found = append(found, path)
		}
	}
	slices.Sort(found)
	return found
}

// resolve follows the symbolic links in a path.
func (t tree) resolve(path string) string {
	at := "/"
	for range 40 { // as many as Linux follows
		at = "/"
		again := false
		for part := range strings.SplitSeq(strings.Trim(pathpkg.Clean("/"+path), "/"), "/") {
			next := pathpkg.Join(at, part)
			target, isLink := strings.CutPrefix(t.files[next], link)
			if isLink && !pathpkg.IsAbs(target) {
				target = pathpkg.Join(at, target)
			}
			if again = again || isLink; isLink {
				next = target
			}
			at = next
		}
		if !again {
			break
		}
		path = at
	}
	return at
}
