package box

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/internal/process"
)

// playRoot plays root's podman behind sudo.
func (w *world) playRoot(c process.Cmd) error {
	if c.Args[0] != "-n" {
		w.t.Errorf("%s: sudo may ask for a password", c)
	}
	if c.Args[1] == "true" {
		return nil
	}
	args, name := c.Args[2:], c.Args[len(c.Args)-1]
	verb := strings.Join(args[:min(2, len(args))], " ")
	if verb == "load --quiet" {
		return w.load(c)
	}
	if strings.HasPrefix(verb, "image ") {
		return w.playRootImage(c, verb, name)
	}
	switch verb {
	case "container rename":
		return w.root.RenameContainer(context.Background(), args[2], args[3])
	case "container stop":
		return w.root.StopContainer(context.Background(), name, time.Second)
	case "container rm":
		return w.root.RemoveContainer(context.Background(), name)
	case "container logs":
		fmt.Fprintln(c.Stderr, "last words")
	case "container exec":
		fmt.Fprint(c.Stdout, w.root.locales)
	case "container cp":
		_, file, _ := strings.Cut(args[2], ":")
		if !w.root.within(file) {
			return &process.Error{Cmd: c, Exit: 125, Stderr: "Error: " + file + " could not be found: no such file or directory", Err: errors.New("exit status 125")}
		}
	case "container ls":
		return w.listRoot(c)
	case "container exists":
		if _, ok := w.root.boxes[w.root.named(name)]; !ok {
			return &process.Error{Cmd: c, Exit: 1, Err: errors.New("exit status 1")}
		}
	case "container inspect":
		b := w.root.boxes[w.root.named(name)]
		labels, _ := json.Marshal(b.Labels)
		ids, _ := json.Marshal(make([]string, w.root.sessions[b.ID]))
		fmt.Fprintf(c.Stdout, `[{"Id": %q, "Name": %q, "Image": %q, "Created": "2026-01-02T03:04:05.6Z", "ExecIDs": %s, "State": {"Running": %v}, "Config": {"Labels": %s}}]`,
			b.ID, b.Name, strings.TrimPrefix(b.ImageID, "sha256:"), ids, b.Running, labels)
	default:
		w.t.Errorf("unexpected: %s", c)
	}
	return nil
}

// named returns the name of a container that is given by its name or its ID.
func (w *world) named(container string) string {
	if _, ok := w.boxes[container]; ok {
		return container
	}
	return w.nameOf(container)
}

func (w *world) playRootImage(c process.Cmd, verb, name string) error {
	id, found := w.root.images[name]
	if content := w.root.contents[name]; content != "" {
		id, found = name, true
	}
	if !found {
		return &process.Error{Cmd: c, Exit: 1, Err: errors.New("exit status 1")}
	}
	if verb == "image inspect" {
		fmt.Fprintf(c.Stdout, `[{"Id": %q, "RootFS": {"Type": "layers", "Layers": [%q]}, "Config": {"User": "x", "Labels": {"ocisi.inputs": %[1]q, %[3]q: %[1]q, %[4]q: %[1]q}}}]`,
			strings.TrimPrefix(id, "sha256:"), w.root.contents[id], hierarchy.LabelBaseName, hierarchy.LabelBaseDigest)
	}
	return nil
}

func (w *world) listRoot(c process.Cmd) error {
	type listed struct {
		ID, ImageID, State string
		Names              []string
		Created            int64
		Labels             map[string]string
	}
	all := []listed{}
	for _, name := range slices.Sorted(maps.Keys(w.root.boxes)) {
		if b := w.root.boxes[name]; b.Labels[hierarchy.LabelBox] != "" {
			all = append(all, listed{b.ID, b.ImageID, "running", []string{name}, b.Created, b.Labels})
		}
	}
	return json.NewEncoder(c.Stdout).Encode(all)
}

func (w *world) load(c process.Cmd) error {
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
	return nil
}
