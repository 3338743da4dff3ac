package box

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/internal/process"
)

func spec(edit ...func(*Spec)) Spec {
	s := Spec{Manager: hierarchy.Podman, Box: hierarchy.Box{Name: "tool"}, Image: "localhost/tool-dx:latest", ImageID: "sha256:new"}
	for _, e := range edit {
		e(&s)
	}
	return s
}

func byDistrobox() map[string]string { return map[string]string{"manager": "distrobox"} }

func TestMake(t *testing.T) {
	upToDate := map[string]string{hierarchy.LabelBox: "tool", hierarchy.LabelSpec: spec().Box.Spec()}
	tests := []struct {
		name    string
		world   func(w *world)
		edit    func(*Spec)
		replace bool
		calls   string // what changed, in order
		boxes   string // what is there then
		err     string
	}{
		{
			name:  "create",
			calls: "create tool, enter tool true", boxes: "tool=box1",
		},
		{
			name: "replace without an old box", replace: true,
			calls: "create tool, enter tool true", boxes: "tool=box1",
		},
		{
			name: "replace", replace: true, world: func(w *world) { w.has("tool", byDistrobox()) },
			calls: "rename tool tool.ocisi-old, create tool, enter tool true, remove tool.ocisi-old", boxes: "tool=box2",
		},
		{
			name: "create with an old box", world: func(w *world) { w.has("tool", byDistrobox()) },
			boxes: "tool=box1", err: "box tool exists",
		},
		{
			name: "up to date", replace: true, world: func(w *world) {
				w.has("tool", upToDate)
				b := w.boxes["tool"]
				b.ImageID = "sha256:new"
				w.boxes["tool"] = b
			},
			boxes: "tool=box1",
		},
		{
			name: "same spec, older image", replace: true, world: func(w *world) { w.has("tool", upToDate) },
			calls: "rename tool tool.ocisi-old, create tool, enter tool true, remove tool.ocisi-old", boxes: "tool=box2",
		},
		{
			name: "same spec, image of the same content", replace: true, world: func(w *world) {
				w.has("tool", upToDate).contents = map[string]string{"sha256:old": "abc", "sha256:new": "abc"}
			},
			boxes: "tool=box1",
		},
		{
			name: "create finds a box of the same content", world: func(w *world) {
				w.has("tool", upToDate).contents = map[string]string{"sha256:old": "abc", "sha256:new": "abc"}
			},
			boxes: "tool=box1",
		},
		{
			name: "same spec, image of other content", replace: true, world: func(w *world) {
				w.has("tool", upToDate).contents = map[string]string{"sha256:old": "abc", "sha256:new": "abd"}
			},
			calls: "rename tool tool.ocisi-old, create tool, enter tool true, remove tool.ocisi-old", boxes: "tool=box2",
		},
		{
			name: "same content, another spec", replace: true, edit: func(s *Spec) { s.Box.Init = true }, world: func(w *world) {
				w.has("tool", upToDate).contents = map[string]string{"sha256:old": "abc", "sha256:new": "abc"}
			},
			calls: "rename tool tool.ocisi-old, create tool, enter tool true, remove tool.ocisi-old", boxes: "tool=box2",
		},
		{
			name: "content cannot be told", replace: true, world: func(w *world) {
				w.has("tool", upToDate).contents = map[string]string{"sha256:old": "broken"}
			},
			boxes: "tool=box1", err: "comparing the image of box tool with its newer one: it broke",
		},
		{
			name: "up to date, with one aside", replace: true, world: func(w *world) {
				w.has("tool.ocisi-old", upToDate).has("tool", upToDate).contents = map[string]string{"sha256:old": "abc", "sha256:new": "abc"}
			},
			calls: "enter tool true, remove tool.ocisi-old", boxes: "tool=box2",
		},
		{
			name: "someone's container", replace: true, world: func(w *world) { w.has("tool", nil) },
			boxes: "tool=box1", err: "container tool is not a distrobox",
		},
		{
			name: "no image", replace: true, world: func(w *world) { w.has("tool", byDistrobox()); clear(w.images) },
			boxes: "tool=box1", err: "podman has no image localhost/tool-dx:latest",
		},
		{
			name: "image moved", replace: true, edit: func(s *Spec) { s.ImageID = "sha256:other" },
			err: "podman has no image localhost/tool-dx:latest",
		},
		{
			name: "create fails", world: func(w *world) { w.before = fails("create", false) },
			err: "box tool: create: exit status 1: Error: it broke",
		},
		{
			name: "create fails half-way", world: func(w *world) { w.before = fails("create", true) },
			calls: "create tool, remove tool",
			err:   "box tool: create: exit status 1: Distrobox 'tool' successfully created.",
		},
		{
			name: "create fails, old box", replace: true,
			world: func(w *world) { w.has("tool", byDistrobox()).before = fails("create", false) },
			calls: "rename tool tool.ocisi-old, rename tool.ocisi-old tool", boxes: "tool=box1",
			err: "box tool: create: exit status 1: Error: it broke",
		},
		{
			name: "create says nothing and does nothing", replace: true,
			world: func(w *world) {
				w.has("tool", byDistrobox()).before = func(c process.Cmd) (bool, error) {
					if c.Args[0] == "create" {
						c.Args[slices.Index(c.Args, "--name")+1] = "elsewhere"
					}
					return false, nil
				}
			},
			calls: "rename tool tool.ocisi-old, create elsewhere, rename tool.ocisi-old tool", boxes: "elsewhere=box2 tool=box1",
			err: "box tool: check: distrobox reports success, but there is no box: Distrobox 'elsewhere' successfully created.",
		},
		{
			name: "made from another image", replace: true,
			world: func(w *world) {
				w.has("tool", byDistrobox()).before = func(c process.Cmd) (bool, error) {
					if c.Args[0] == "create" {
						w.images["localhost/tool-dx:latest"] = "sha256:newer"
					}
					return false, nil
				}
			},
			calls: "rename tool tool.ocisi-old, create tool, remove tool, rename tool.ocisi-old tool", boxes: "tool=box1",
			err: "box tool: check: made from image sha256:newer instead of sha256:new: Distrobox 'tool' successfully created.",
		},
		{
			name: "made without the labels", replace: true,
			world: func(w *world) {
				w.has("tool", byDistrobox()).before = func(c process.Cmd) (bool, error) {
					for i := range c.Args {
						c.Args[i] = strings.TrimPrefix(c.Args[i], "--label=ocisi")
					}
					return false, nil
				}
			},
			calls: "rename tool tool.ocisi-old, create tool, remove tool, rename tool.ocisi-old tool", boxes: "tool=box1",
			err: "box tool: check: made without ocisi's labels: Distrobox 'tool' successfully created.",
		},
		{
			name: "start fails, old box", replace: true,
			world: func(w *world) { w.has("tool", byDistrobox()).before = fails("enter", false) },
			calls: "rename tool tool.ocisi-old, create tool, remove tool, rename tool.ocisi-old tool", boxes: "tool=box1",
			err: "box tool: start: exit status 1: Error: it broke",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			if test.world != nil {
				test.world(w)
			}
			s := spec()
			if test.edit != nil {
				test.edit(&s)
			}
			d := &Distrobox{Runner: w, Home: "/var/home/dev"}
			do := d.Create
			if test.replace {
				do = d.Replace
			}
			err := do(t.Context(), w, s, nil)
			if got := message(err); got != test.err {
				t.Errorf("error %q, want %q", got, test.err)
			}
			if got := strings.Join(w.calls, ", "); got != test.calls {
				t.Errorf("did %q, want %q", got, test.calls)
			}
			if got := w.names(); got != test.boxes {
				t.Errorf("boxes %q, want %q", got, test.boxes)
			}
		})
	}
}

func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// fails makes a verb of distrobox fail, after its work if done.
func fails(verb string, done bool) func(process.Cmd) (bool, error) {
	return func(c process.Cmd) (bool, error) {
		if c.Args[0] == verb {
			return done, failed(c)
		}
		return false, nil
	}
}

// A run that is cancelled at any moment leaves the old box under its name.
func TestCancelKeepsTheOldBox(t *testing.T) {
	stop := errors.New("interrupted")
	for _, verb := range []string{"create", "enter"} {
		for _, done := range []bool{false, true} {
			w := newWorld(t).has("tool", byDistrobox())
			ctx, cancel := context.WithCancelCause(t.Context())
			w.before = func(c process.Cmd) (bool, error) {
				if c.Args[0] == verb {
					cancel(stop)
					return done, stop
				}
				return false, nil
			}
			err := (&Distrobox{Runner: w}).Replace(ctx, w, spec(), nil)
			if !errors.Is(err, stop) {
				t.Errorf("%s: error %v, want the cause", verb, err)
			}
			if got := w.names(); got != "tool=box1" {
				t.Errorf("%s, done %v: boxes %q", verb, done, got)
			}
		}
	}
}

// An engine can create the box after the program that asked for it was killed,
// between the look for left-overs and the renaming back.
func TestLateBoxMakesRoomForTheOldOne(t *testing.T) {
	w := newWorld(t).has("tool", byDistrobox())
	w.before = fails("create", false)
	late := &lateEngine{world: w}
	if err := (&Distrobox{Runner: w}).Replace(t.Context(), late, spec(), nil); err == nil {
		t.Error("no error")
	}
	if got := w.names(); got != "tool=box1" {
		t.Errorf("boxes %q", got)
	}
}

// When setting aside had no effect, the box of that name is the old one.
func TestOldBoxIsNotTakenForAnUnfinishedOne(t *testing.T) {
	w := newWorld(t).has("tool", byDistrobox())
	err := (&Distrobox{Runner: w}).Replace(t.Context(), lazyEngine{w}, spec(), nil)
	if err == nil || w.names() != "tool=box1" {
		t.Errorf("error %v, boxes %q", err, w.names())
	}
}

type lazyEngine struct{ *world }

func (lazyEngine) RenameContainer(context.Context, string, string) error { return nil }

type lateEngine struct {
	*world
	looked int
}

func (l *lateEngine) Container(ctx context.Context, name string) (hierarchy.StoredBox, bool, error) {
	if name == "tool" {
		if l.looked++; l.looked == 3 { // before, after the failure, now
			l.has("tool", byDistrobox())
		}
	}
	return l.world.Container(ctx, name)
}

func TestExports(t *testing.T) {
	w := newWorld(t).has("tool", byDistrobox())
	s := spec(func(s *Spec) {
		s.Box.ExportedBins = []string{"/usr/bin/zig", "/usr/bin/zls"}
		s.Box.ExportedApps = []string{"code"}
	})
	w.before = func(c process.Cmd) (bool, error) {
		if slices.Contains(c.Args, "/usr/bin/zig") {
			return false, failed(c)
		}
		return false, nil
	}
	err := (&Distrobox{Runner: w, Home: "/var/home/dev"}).Replace(t.Context(), w, s, nil)
	ee, ok := errors.AsType[*ExportError](err)
	if !ok || ee.What != "/usr/bin/zig" || err.Error() != "box tool: export /usr/bin/zig: exit status 1: Error: it broke" {
		t.Errorf("error %v", err)
	}
	want := []string{
		"rename tool tool.ocisi-old", "create tool", "enter tool true", "remove tool.ocisi-old",
		"enter tool mkdir -p /var/home/dev/.local/bin",
		"enter tool distrobox-export --bin /usr/bin/zls --export-path /var/home/dev/.local/bin",
		"enter tool distrobox-export --app code",
	}
	if !slices.Equal(w.calls, want) {
		t.Errorf("did %q, want %q", w.calls, want)
	}
}

func TestRemove(t *testing.T) {
	w := newWorld(t).has("tool", byDistrobox()).has("db", map[string]string{hierarchy.LabelImage: "db:latest"})
	d := &Distrobox{Runner: w}
	for _, name := range []string{"tool", "none"} {
		if err := d.Remove(t.Context(), w, name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, ok := errors.AsType[*NotBoxError](d.Remove(t.Context(), w, "db")); !ok {
		t.Error("removed a container that is no box")
	}
	if got := w.names(); got != "db=box2" {
		t.Errorf("boxes %q", got)
	}
}

func TestProgress(t *testing.T) {
	w := newWorld(t)
	var got []string
	err := (&Distrobox{Runner: w}).Create(t.Context(), w, spec(), func(p hierarchy.Progress) { got = append(got, p.Title+"|"+p.Log) })
	want := []string{
		"creating box tool|", "|Creating 'tool' [ OK ]", "|Distrobox 'tool' successfully created.", "starting box tool|",
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("told %q, want %q; error %v", got, want, err)
	}
}
