package enginetest

import (
	"cmp"
	"encoding/json"
	"maps"
	"net/http"
	pathpkg "path"
	"slices"
	"strings"
)

// user is who runs a command in a container.
type user struct {
	name string
	home string
	id   int
	env  map[string]string
}

// played are the programs that every container has. true, mkdir, touch, sleep
// and chmod do nothing.
func played() map[string]func(t tree, u user, args []string) Answer {
	nothing := func(tree, user, []string) Answer { return Answer{} }
	return map[string]func(t tree, u user, args []string) Answer{
		"true": nothing, "mkdir": nothing, "touch": nothing, "sleep": nothing, "chmod": nothing, "distrobox-export": nothing,
		"false":    func(tree, user, []string) Answer { return Answer{Exit: 1} },
		"id":       func(_ tree, u user, args []string) Answer { return identity(u, args) },
		"printenv": func(_ tree, u user, args []string) Answer { return environment(u, args) },
		"env":      func(_ tree, u user, _ []string) Answer { return environment(u, nil) },
		"cat":      func(t tree, _ user, args []string) Answer { return cat(t, args) },
		"test":     func(t tree, _ user, args []string) Answer { return test(t, args) },
		"[":        func(t tree, _ user, args []string) Answer { return test(t, args[:len(args)-1]) },
		"find":     func(t tree, _ user, args []string) Answer { return find(t, args) },
		"ls":       func(t tree, _ user, args []string) Answer { return ls(t, args) },
		"head":     func(t tree, _ user, args []string) Answer { return head(t, args) },
		"command":  func(t tree, _ user, args []string) Answer { return which(t, args) },
	}
}

// run plays a command in a container: as the container's or the image's Commands
// answer it; id, printenv, env, cat, test, find, ls -d,
// head, command -v; sh -c with such
// commands between && and ;. Any other program of the container does nothing. The
// store must be locked.
func (s *store) run(c *Container, u user, argv []string) Answer {
	answers, t := s.answers(c), tree{s.files(c)}
	if a, ok := answers[strings.Join(argv, " ")]; ok {
		return a
	}
	if a, ok := answers[argv[0]]; ok {
		return a
	}
	name := pathpkg.Base(argv[0])
	if name == "sh" && len(argv) > 2 && strings.HasSuffix(argv[1], "c") {
		return s.script(c, u, argv[2])
	}
	if play := played()[name]; play != nil {
		return play(t, u, argv[1:])
	}
	if t.files == nil || t.program(argv[0]) != "" {
		return Answer{}
	}
	return s.notFound(argv[0])
}

// notFound is what the engine says of a program that is not in the container.
// Docker says it on standard output.
func (s *store) notFound(program string) Answer {
	if s.name == "docker" {
		return Answer{Exit: 127, Out: "OCI runtime exec failed: exec failed: unable to start container process: exec: \"" + program + "\": executable file not found in $PATH\r\n"}
	}
	return Answer{Exit: 127, Err: "Error: crun: executable file `" + program + "` not found in $PATH: No such file or directory: OCI runtime attempted to invoke a command that was not found\n"}
}

// script plays simple commands, one after the other.
func (s *store) script(c *Container, u user, text string) Answer {
	var all Answer
	for line := range strings.SplitSeq(text, ";") {
		for command := range strings.SplitSeq(line, "&&") {
			argv := strings.Fields(strings.NewReplacer("'", "", `"`, "", ">/dev/null", "", "2>&1", "").Replace(command))
			if len(argv) == 0 {
				continue
			}
			got := s.run(c, u, argv)
			all.Out, all.Err, all.Exit = all.Out+got.Out, all.Err+got.Err, got.Exit
			if got.Exit != 0 {
				break
			}
		}
	}
	return all
}

// program returns the path of a program, or "".
func (t tree) program(name string) string {
	if strings.HasPrefix(name, "/") {
		if t.exists(t.resolve(name)) {
			return name
		}
		return ""
	}
	for _, dir := range []string{"/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin"} {
		if path := pathpkg.Join(dir, name); t.exists(t.resolve(path)) {
			return path
		}
	}
	return ""
}

func which(t tree, args []string) Answer {
	name := args[len(args)-1]
	path := t.program(name)
	if path == "" && played()[name] != nil {
		path = "/usr/bin/" + name
	}
	if path == "" {
		return Answer{Exit: 1}
	}
	return Answer{Out: path + "\n"}
}

func identity(u user, args []string) Answer {
	id := itoa(u.id)
	switch cmp.Or(append(args, "")...) {
	case "-u", "-g", "-G":
		return Answer{Out: id + "\n"}
	case "-un", "-gn", "-Gn":
		return Answer{Out: u.name + "\n"}
	}
	who := id + "(" + u.name + ")"
	return Answer{Out: "uid=" + who + " gid=" + who + " groups=" + who + "\n"}
}

func environment(u user, names []string) Answer {
	var a Answer
	if len(names) == 0 {
		for _, name := range slices.Sorted(maps.Keys(u.env)) {
			a.Out += name + "=" + u.env[name] + "\n"
		}
	}
	for _, name := range names {
		value, ok := u.env[name]
		if !ok {
			a.Exit = 1
			continue
		}
		a.Out += value + "\n"
	}
	return a
}

// entering is a command that distrobox runs in a box.
type entering struct {
	Name string
	User string
	ID   int
	Home string
	Env  map[string]string
	Argv []string
	Log  string // the container prints it
	End  bool   // and ends
}

// runForProgram is how the distrobox program runs a command in a box.
func (a *api) runForProgram(w http.ResponseWriter, r *http.Request) {
	a.withEntered(w, r, func(c *Container, e entering) {
		e.Env["CONTAINER_ID"], e.Env["HOME"], e.Env["USER"] = c.Name, cmp.Or(c.Home, e.Home), e.User
		answer(w, http.StatusOK, a.store.run(c, user{name: e.User, home: e.Home, id: e.ID, env: e.Env}, e.Argv))
	})
}

// startForProgram is how the distrobox program starts a box: the answer is
// whether it ran already. What the container prints goes to its log.
func (a *api) startForProgram(w http.ResponseWriter, r *http.Request) {
	a.withEntered(w, r, func(c *Container, e entering) {
		ran := c.State == "running"
		c.State, c.Log = "running", c.Log+e.Log
		if !ran {
			c.starts++
		}
		if e.End {
			c.end()
		}
		answer(w, http.StatusOK, ran)
	})
}

// sessionForProgram is how the programs' exec -d opens a session.
func (a *api) sessionForProgram(w http.ResponseWriter, r *http.Request) {
	a.withEntered(w, r, func(c *Container, _ entering) {
		if c.State != "running" {
			refuse(w, http.StatusConflict, "container "+c.Name+" is not running")
			return
		}
		c.Sessions++
		w.WriteHeader(http.StatusNoContent)
	})
}

func (a *api) withEntered(w http.ResponseWriter, r *http.Request, f func(c *Container, e entering)) {
	a.store.mu.Lock()
	defer a.store.mu.Unlock()
	e := entering{}
	if err := json.NewDecoder(r.Body).Decode(&e); err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	c := a.store.container(e.Name)
	if c == nil {
		refuse(w, http.StatusNotFound, "No such container: "+e.Name)
		return
	}
	if e.Env == nil {
		e.Env = make(map[string]string)
	}
	f(c, e)
}
