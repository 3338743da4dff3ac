package box

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"

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
	root     *world
	version  string
	made     int

	// before is asked before each program runs; an error stands for the
	// program's failure, after what it would have done if done is true.
	before func(c process.Cmd) (done bool, err error)

	mu    sync.Mutex
	calls []string
	cmds  []process.Cmd
}

func newWorld(t *testing.T) *world {
	return &world{
		t: t, images: map[string]string{"localhost/tool-dx:latest": "sha256:new"},
		boxes: map[string]hierarchy.StoredBox{}, version: "distrobox: 1.8.2.5",
	}
}

// has puts a box there that was made from an older image.
func (w *world) has(name string, labels map[string]string) *world {
	w.made++
	w.boxes[name] = hierarchy.StoredBox{ID: fmt.Sprint("box", w.made), Name: name, ImageID: "sha256:old", Labels: labels}
	return w
}

func (w *world) note(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls = append(w.calls, fmt.Sprintf(format, args...))
}

// names returns what boxes there are, as name=ID.
func (w *world) names() string {
	var all []string
	for name, b := range w.boxes {
		all = append(all, name+"="+b.ID)
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

func (w *world) Inspect(_ context.Context, full string) (hierarchy.StoredImage, bool, error) {
	id, ok := w.images[full]
	return hierarchy.StoredImage{ID: id}, ok, nil
}

func (w *world) Content(_ context.Context, id string) (string, error) {
	if w.contents[id] == "broken" {
		return "", errors.New("it broke")
	}
	return w.contents[id], nil
}

func (w *world) Container(ctx context.Context, name string) (hierarchy.StoredBox, bool, error) {
	if ctx.Err() != nil {
		return hierarchy.StoredBox{}, false, context.Cause(ctx)
	}
	b, ok := w.boxes[name]
	return b, ok, nil
}

func (w *world) RenameContainer(ctx context.Context, old, name string) error {
	b, ok := w.boxes[old]
	if _, taken := w.boxes[name]; !ok || taken || ctx.Err() != nil {
		return fmt.Errorf("cannot rename %s to %s", old, name)
	}
	w.note("rename %s %s", old, name)
	b.Name = name
	delete(w.boxes, old)
	w.boxes[name] = b
	return nil
}

func (w *world) RemoveContainer(ctx context.Context, name string) error {
	if _, ok := w.boxes[name]; !ok || ctx.Err() != nil {
		return fmt.Errorf("cannot remove %s", name)
	}
	w.note("remove %s", name)
	delete(w.boxes, name)
	return nil
}

// Run implements process.Runner.
func (w *world) Run(ctx context.Context, c process.Cmd) error {
	w.mu.Lock()
	w.cmds = append(w.cmds, c)
	w.mu.Unlock()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if w.before != nil {
		if done, err := w.before(c); err != nil {
			if done {
				_ = w.play(c)
			}
			return err
		}
	}
	return w.play(c)
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
		name := value(c.Args, "--name")
		store := w
		if slices.Contains(c.Args, "--root") {
			store = w.root
		}
		if _, ok := store.boxes[name]; !ok {
			w.t.Errorf("entered box %s, which is not there: distrobox would create one", name)
		}
		w.note("enter %s %s", name, strings.Join(c.Args[slices.Index(c.Args, "--")+1:], " "))
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
	labels := map[string]string{"manager": "distrobox"}
	for i, a := range c.Args {
		if l, ok := strings.CutPrefix(a, "--label="); ok && c.Args[i-1] == "--additional-flags" {
			k, v, _ := strings.Cut(l, "=")
			labels[k] = v
		}
	}
	w.note("create %s", name)
	w.made++
	store.boxes[name] = hierarchy.StoredBox{ID: fmt.Sprint("box", w.made), Name: name, ImageID: store.images[full], Labels: labels}
	fmt.Fprintf(c.Stderr, "Creating '%s'\t\x1b[32m [ OK ]\n\x1b[0mDistrobox '%s' successfully created.\r\n", name, name)
}

// playRoot plays root's podman behind sudo.
func (w *world) playRoot(c process.Cmd) error {
	if c.Args[0] != "-n" {
		w.t.Errorf("%s: sudo may ask for a password", c)
	}
	if c.Args[1] == "true" {
		return nil
	}
	args, name := c.Args[2:], c.Args[len(c.Args)-1]
	id, image := w.root.images[name]
	if content, ok := w.root.contents[name]; ok && content != "" {
		id, image = name, true
	}
	b, box := w.root.boxes[name]
	switch strings.Join(args[:min(2, len(args))], " ") {
	case "image exists", "container exists":
		if !image && !box {
			return &process.Error{Cmd: c, Exit: 1, Err: errors.New("exit status 1")}
		}
	case "image inspect":
		fmt.Fprintf(c.Stdout, `[{"Id": %q, "RootFS": {"Type": "layers", "Layers": [%q]}, "Config": {"User": "x", "Labels": {"ocisi.inputs": %[1]q, %[3]q: %[1]q, %[4]q: %[1]q}}}]`,
			strings.TrimPrefix(id, "sha256:"), w.root.contents[id], hierarchy.LabelBaseName, hierarchy.LabelBaseDigest)
	case "container inspect":
		fmt.Fprintf(c.Stdout, `[{"Id": %q, "Name": %q, "Image": %q, "Config": {"Labels": {"ocisi.spec": %q, "manager": "distrobox"}}}]`,
			b.ID, b.Name, strings.TrimPrefix(b.ImageID, "sha256:"), b.Labels[hierarchy.LabelSpec])
	case "container rename":
		return w.root.RenameContainer(context.Background(), args[2], args[3])
	case "container rm":
		return w.root.RemoveContainer(context.Background(), name)
	case "load --quiet":
		saved, err := io.ReadAll(c.Stdin)
		if err != nil {
			return err
		}
		id := w.images[string(saved)]
		w.root.images[string(saved)] = id
		if w.root.contents != nil {
			w.root.contents[id] = w.contents[id]
		}
		w.note("load %s", saved)
	default:
		w.t.Errorf("unexpected: %s", c)
	}
	return nil
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
