package box

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/internal/process"
)

// world plays an engine, the distrobox that creates boxes in it, and sudo with
// another store behind it. It writes down what changes it.
type world struct {
	t      *testing.T
	images map[string]string // full name → ID
	boxes  map[string]hierarchy.StoredBox
	// contents has what images consist of, by ID; one that is not there is gone.
	contents map[string]string
	sessions map[string]int    // by the box's ID
	broken   map[string]bool   // IDs of boxes, and of images, that do not start
	files    map[string]string // in every box, by path; a value "-> PATH" is a symlink
	locales  string            // what locale -a prints
	root     *world
	version  string
	user     string // as id prints it
	home     string
	made     int // IDs of boxes
	starts   int
	runs     int // nonces

	// before is asked before each program runs; an error stands for the
	// program's failure, after what it would have done if done is true.
	before func(c process.Cmd) (done bool, err error)
	// fault is asked before everything; nil is none.
	fault func(ctx context.Context, what string, do func() error) error

	mu    sync.Mutex
	calls []string
	cmds  []process.Cmd
}

func newWorld(t *testing.T) *world {
	return &world{
		t: t, images: map[string]string{"localhost/tool-dx:latest": "sha256:new"},
		boxes: map[string]hierarchy.StoredBox{}, version: "distrobox: 1.8.2.5",
		user: "uid=1001(dev) gid=1001(dev) groups=1001(dev),27(sudo)", home: "/var/home/dev",
		sessions: map[string]int{}, broken: map[string]bool{}, files: map[string]string{},
	}
}

// maker returns a Distrobox that makes boxes in the world.
func (w *world) maker() *Distrobox {
	return &Distrobox{Runner: w, Home: "/var/home/dev", User: "dev", UID: 1001, Owner: hierarchy.Ownership{UID: 1001}, Nonce: func() string {
		w.runs++
		return fmt.Sprint("nonce", w.runs)
	}}
}

// has puts a box there that was made from an older image.
func (w *world) has(name string, labels map[string]string) *world {
	w.made++
	w.boxes[name] = hierarchy.StoredBox{ID: fmt.Sprint("box", w.made), Name: name, ImageID: "sha256:old", Labels: labels, Created: int64(w.made)}
	return w
}

// byOcisi returns the labels of a box that ocisi made from an older image.
func byOcisi(name string) map[string]string {
	return map[string]string{hierarchy.LabelBox: name, hierarchy.LabelSpec: hierarchy.Box{Name: name}.Spec(), hierarchy.LabelImageID: "sha256:old", "manager": "distrobox"}
}

func (w *world) note(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls = append(w.calls, fmt.Sprintf(format, args...))
}

// names returns what boxes there are, as name=ID.
func (w *world) names() string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(w.boxes)) {
		all = append(all, name+"="+w.boxes[name].ID)
	}
	return strings.Join(all, " ")
}

func (w *world) list() []hierarchy.StoredBox { return slices.Collect(maps.Values(w.boxes)) }

// do does what an engine is asked for, unless there is a fault.
func (w *world) do(ctx context.Context, what string, f func() error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if w.fault != nil {
		return w.fault(ctx, what, f)
	}
	return f()
}

func (w *world) Inspect(ctx context.Context, full string) (im hierarchy.StoredImage, ok bool, err error) {
	err = w.do(ctx, "inspect "+full, func() error {
		im.ID, ok = w.images[full]
		return nil
	})
	return im, ok && err == nil, err
}

func (w *world) Content(ctx context.Context, id string) (text string, err error) {
	err = w.do(ctx, "content "+id, func() error {
		if text = w.contents[id]; text == "broken" {
			return errors.New("it broke")
		}
		return nil
	})
	return text, err
}

func (w *world) Boxes(ctx context.Context) (all []hierarchy.StoredBox, err error) {
	err = w.do(ctx, "boxes", func() error {
		all = w.list()
		return nil
	})
	return all, err
}

func (w *world) Container(ctx context.Context, name string) (b hierarchy.StoredBox, ok bool, err error) {
	err = w.do(ctx, "container "+name, func() error {
		b, ok = w.boxes[name]
		return nil
	})
	return b, ok && err == nil, err
}

// nameOf returns the name of the container of an ID. A name is not accepted: what
// changes a container or looks into it must not find another one.
func (w *world) nameOf(id string) string {
	for name, b := range w.boxes {
		if b.ID == id {
			return name
		}
	}
	return "no container " + id
}

func (w *world) RenameContainer(ctx context.Context, id, name string) error {
	old := w.nameOf(id)
	return w.do(ctx, "rename "+old+" "+name, func() error {
		b, ok := w.boxes[old]
		if _, taken := w.boxes[name]; !ok || taken {
			return fmt.Errorf("cannot rename %s to %s", old, name)
		}
		w.note("rename %s %s", old, name)
		b.Name = name
		delete(w.boxes, old)
		w.boxes[name] = b
		return nil
	})
}

func (w *world) Starts(ctx context.Context, id string) (ok bool, err error) {
	name := w.nameOf(id)
	err = w.do(ctx, "start "+name, func() error {
		b := w.boxes[name]
		ok = !w.broken[b.ID] && !w.broken[b.ImageID]
		b.Running = ok
		w.boxes[name] = b
		return nil
	})
	return ok, err
}

func (w *world) StopContainer(ctx context.Context, id string, _ time.Duration) error {
	name := w.nameOf(id)
	return w.do(ctx, "stop "+name, func() error {
		b, ok := w.boxes[name]
		if !ok {
			return fmt.Errorf("cannot stop %s", name)
		}
		w.note("stop %s", name)
		b.Running = false
		w.boxes[name] = b
		return nil
	})
}

func (w *world) RemoveContainer(ctx context.Context, id string) error {
	name := w.nameOf(id)
	return w.do(ctx, "remove "+name, func() error {
		if _, ok := w.boxes[name]; !ok {
			return fmt.Errorf("cannot remove %s", name)
		}
		w.note("remove %s", name)
		delete(w.boxes, name)
		return nil
	})
}

func (w *world) Sessions(ctx context.Context, id string) (n int, err error) {
	err = w.do(ctx, "sessions "+w.nameOf(id), func() error {
		n = w.sessions[id]
		return nil
	})
	return n, err
}

func (w *world) Logs(ctx context.Context, id string, lines int) (text string, err error) {
	name := w.nameOf(id)
	err = w.do(ctx, "logs "+name, func() error {
		if _, ok := w.boxes[name]; ok {
			text = fmt.Sprintf("one of %d\n%s+ [ 0 -ne 0 ]\n+ false\n+ [ 1 -ne 0 ]\n+ printf x\n\x1b[31mError:  of %s\x1b[0m\r\n\n", lines, strings.Repeat("set-up\n", 18), name)
		}
		return nil
	})
	return text, err
}

func (w *world) Exec(ctx context.Context, id string, argv ...string) (text string, err error) {
	name := w.nameOf(id)
	err = w.do(ctx, "exec "+name+" "+argv[0], func() (err error) {
		if b := w.boxes[name]; !b.Running {
			return fmt.Errorf("container %s does not run", name)
		}
		text, err = w.program(argv)
		return err
	})
	return text, err
}

// program plays what is in every box.
func (w *world) program(argv []string) (out string, err error) {
	switch argv[0] {
	case "locale":
		out = w.locales
	case "ls":
		for _, file := range argv[slices.Index(argv, "--")+1:] {
			if file == "/" || w.within(file) {
				out += file + "\n"
			} else {
				err = errors.New("exit status 2")
			}
		}
	case "head":
		text, ok := w.follow(argv[len(argv)-1])
		if !ok {
			return "", errors.New("exit status 1")
		}
		out = text
	case "find":
		return w.find(argv)
	default:
		err = errors.New(argv[0] + ": not found")
	}
	return out, err
}

// find plays the two ways in which find is called.
func (w *world) find(argv []string) (out string, err error) {
	pattern := argv[slices.Index(argv, "-name")+1]
	for _, file := range slices.Sorted(maps.Keys(w.files)) {
		ok, _ := path.Match(pattern, path.Base(file))
		in := slices.ContainsFunc(argv[1:slices.Index(argv, "-name")], func(dir string) bool { return strings.HasPrefix(file, dir+"/") })
		switch text, there := w.follow(file); {
		case !ok || !in:
		case !slices.Contains(argv, "-exec"):
			out += file + "\n"
		case there:
			out += "\n==> " + file + " <==\n" + text
		}
	}
	if slices.Contains(argv, "-exec") {
		return strings.TrimPrefix(out, "\n"), errors.New("exit status 1") // a link leads nowhere
	}
	return out, errors.New("exit status 1") // there is no second folder
}

// within reports whether a file or a folder is in the boxes.
func (w *world) within(file string) bool {
	for one := range w.files {
		if one == file || strings.HasPrefix(one, file+"/") {
			return true
		}
	}
	return false
}

// follow returns the content of a file of the boxes.
func (w *world) follow(file string) (string, bool) {
	for range 5 {
		text, ok := w.files[file]
		to, link := strings.CutPrefix(text, "-> ")
		if !ok || !link {
			return text, ok
		}
		if file = path.Join(path.Dir(file), to); path.IsAbs(to) {
			file = to
		}
	}
	return "", false
}

func (w *world) Exists(ctx context.Context, id, file string) (ok bool, err error) {
	err = w.do(ctx, "exists "+w.nameOf(id)+" "+file, func() error {
		_, ok = w.files[file]
		return nil
	})
	return ok && err == nil, err
}

// Run implements process.Runner.
func (w *world) Run(ctx context.Context, c process.Cmd) error {
	w.mu.Lock()
	w.cmds = append(w.cmds, c)
	w.mu.Unlock()
	return w.do(ctx, strings.Join(c.Args, " "), func() error {
		if w.before != nil {
			if done, err := w.before(c); err != nil {
				if done {
					_ = w.play(c)
				}
				return err
			}
		}
		return w.play(c)
	})
}

func (w *world) play(c process.Cmd) error {
	switch {
	case c.Name == "sudo":
		return w.playRoot(c)
	case c.Name == "podman" && c.Args[0] == "save":
		_, err := io.WriteString(c.Stdout, c.Args[len(c.Args)-1])
		return err
	case c.Args[0] == "--version":
		fmt.Fprintln(c.Stdout, w.version)
	case c.Args[0] == "create":
		w.create(c)
	case c.Args[0] == "enter":
		return w.enter(c)
	}
	return nil
}

// enter does what distrobox enter does with a box that is there.
func (w *world) enter(c process.Cmd) error {
	name := value(c.Args, "--name")
	store := w
	if slices.Contains(c.Args, "--root") {
		store = w.root
	}
	b, ok := store.boxes[name]
	if !ok {
		w.t.Errorf("entered box %s, which is not there: distrobox would create one", name)
		return errors.New("no such box")
	}
	w.starts++
	b.Started = fmt.Sprint(w.starts)
	b.Running = !w.broken[b.ID] && !w.broken[b.ImageID]
	store.boxes[name] = b
	if !b.Running {
		return failed(c)
	}
	command := c.Args[slices.Index(c.Args, "--")+1:]
	w.note("enter %s %s", name, strings.Join(command, " "))
	switch command[0] {
	case "id":
		fmt.Fprintf(c.Stderr, "Starting container...\n")
		fmt.Fprintf(c.Stdout, "%s\r\n", w.user)
	case "printenv":
		fmt.Fprintf(c.Stdout, "a greeting\n%s\n", w.home)
	}
	return nil
}

// create does what distrobox create does, down to reporting success when there
// is such a box already.
func (w *world) create(c process.Cmd) {
	name := value(c.Args, "--name")
	store, full := w, value(c.Args, "--image")
	if slices.Contains(c.Args, "--root") {
		store = w.root
	}
	if slices.Contains(c.Env, "DBX_CONTAINER_MANAGER=docker") {
		full = hierarchy.FullRef(full)
	}
	if _, ok := store.boxes[name]; ok {
		return
	}
	labels := map[string]string{"manager": "distrobox", hierarchy.LabelImage: "tool-dx:latest"} // the latter is its image's
	for i, a := range c.Args {
		if l, ok := strings.CutPrefix(a, "--label="); ok && c.Args[i-1] == "--additional-flags" {
			k, v, _ := strings.Cut(l, "=")
			labels[k] = v
		}
	}
	w.note("create %s", name)
	w.made++
	store.boxes[name] = hierarchy.StoredBox{
		ID: fmt.Sprint("box", w.made), Name: name, ImageID: store.images[full], Created: int64(w.made),
		Labels: hierarchy.PlainLabels(labels),
	}
	fmt.Fprintf(c.Stderr, "Creating '%s'\t\x1b[32m [ OK ]\n\x1b[0mDistrobox '%s' successfully created.\r\n", name, name)
}

func value(args []string, flag string) string {
	if i := slices.Index(args, flag); i >= 0 {
		return args[i+1]
	}
	return ""
}

// cmd returns the first program run whose arguments begin with a word.
func (w *world) cmd(first string) process.Cmd {
	for _, c := range w.cmds {
		if len(c.Args) > 0 && c.Args[0] == first {
			return c
		}
	}
	w.t.Fatalf("no %s among %v", first, w.cmds)
	return process.Cmd{}
}

func failed(c process.Cmd) error {
	if c.Stderr != nil {
		fmt.Fprintln(c.Stderr, "\x1b[31mError:\x1b[0m it broke")
	}
	return &process.Error{Cmd: c, Exit: 1, Err: errors.New("exit status 1")}
}
