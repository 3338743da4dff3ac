package box

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/internal/process"
)

func spec(edit ...func(*Spec)) Spec {
	s := Spec{Manager: hierarchy.Podman, Box: hierarchy.Box{Name: "tool"}, Image: "localhost/tool-dx:latest", ImageID: "sha256:new", Keep: 1}
	for _, e := range edit {
		e(&s)
	}
	return s
}

func byDistrobox() map[string]string { return map[string]string{"manager": "distrobox"} }

// What is done in parts that are always the same.
const (
	asided  = "rename tool tool.ocisi-old"
	made    = "create tool, enter tool id, enter tool printenv HOME"
	keptOne = "rename tool.ocisi-old tool.ocisi-1, stop tool.ocisi-1"
	undone  = "remove tool, rename tool.ocisi-old tool"
)

func contents(old, newer string) map[string]string {
	return map[string]string{"sha256:old": old, "sha256:new": newer}
}

type makeTest struct {
	name   string
	world  func(w *world)
	edit   func(*Spec)
	create bool
	calls  string // what changed, in order
	boxes  string // what is there then
	err    string
}

func (test makeTest) run(t *testing.T) {
	w := newWorld(t)
	if test.world != nil {
		test.world(w)
	}
	s := spec()
	if test.edit != nil {
		test.edit(&s)
	}
	before, had := w.boxes["tool"]
	do := w.maker().Replace
	if test.create {
		do = w.maker().Create
	}
	out, err := do(t.Context(), w, s, nil)
	if got := message(err); got != test.err {
		t.Errorf("error %q, want %q", got, test.err)
	}
	if got := strings.Join(w.calls, ", "); got != test.calls {
		t.Errorf("did %q, want %q", got, test.calls)
	}
	if got := w.names(); got != test.boxes {
		t.Errorf("boxes %q, want %q", got, test.boxes)
	}
	if err == nil && (out.After.ID != w.boxes["tool"].ID || had && out.Before.ID != before.ID) {
		t.Errorf("came out as %+v", out)
	}
}

func TestCreate(t *testing.T) {
	for _, test := range []makeTest{
		{name: "new", calls: made, boxes: "tool=box1"},
		{
			name: "an old box", world: func(w *world) { w.has("tool", byOcisi("tool")) },
			boxes: "tool=box1", err: "box tool exists",
		},
		{
			name: "somebody's box", world: func(w *world) { w.has("tool", byDistrobox()) },
			boxes: "tool=box1", err: "box tool exists: a box of this name was not made by ocisi",
		},
		{
			name: "of the same content", world: func(w *world) { w.has("tool", byOcisi("tool")).contents = contents("abc", "abc") },
			boxes: "tool=box1",
		},
		{
			name: "fails", world: func(w *world) { w.before = createFails(false) },
			err: "box tool: create: exit status 1: Error: it broke",
		},
		{
			name: "fails half-way", world: func(w *world) { w.before = createFails(true) },
			calls: "create tool, remove tool",
			err:   "box tool: create: exit status 1: Distrobox 'tool' successfully created.",
		},
		{
			name: "does not start", world: func(w *world) { w.broken["sha256:new"] = true },
			calls: "create tool, remove tool",
			err:   "box tool: start: exit status 1: Error: it broke",
		},
	} {
		test.create = true
		t.Run(test.name, test.run)
	}
}

func TestReplace(t *testing.T) {
	old := func(w *world) { w.has("tool", byOcisi("tool")) }
	for _, test := range []makeTest{
		{name: "without an old box", calls: made, boxes: "tool=box1"},
		{name: "an old box", world: old, calls: asided + ", " + made + ", " + keptOne, boxes: "tool=box2 tool.ocisi-1=box1"},
		{
			name: "of which none is kept", world: old, edit: func(s *Spec) { s.Keep = 0 },
			calls: asided + ", " + made + ", " + keptOne + ", remove tool.ocisi-1", boxes: "tool=box2",
		},
		{
			name: "too many generations", world: func(w *world) {
				w.has("tool", byOcisi("tool")).has("tool.ocisi-9", byOcisi("tool")).has("tool.ocisi-10", byOcisi("tool")).has("tool.ocisi-2", byOcisi("tool"))
			},
			edit:  func(s *Spec) { s.Keep = 2 },
			calls: asided + ", " + made + ", rename tool.ocisi-old tool.ocisi-11, stop tool.ocisi-11, remove tool.ocisi-2, remove tool.ocisi-9",
			boxes: "tool=box5 tool.ocisi-10=box3 tool.ocisi-11=box1",
		},
		{
			name: "names that are taken", world: func(w *world) {
				w.has("tool", byOcisi("tool")).has("tool.ocisi-1", nil).has("tool.ocisi-2", byOcisi("other"))
			},
			calls: asided + ", " + made + ", rename tool.ocisi-old tool.ocisi-3, stop tool.ocisi-3",
			boxes: "tool=box4 tool.ocisi-1=box2 tool.ocisi-2=box3 tool.ocisi-3=box1",
		},
		{
			name: "somebody in the way", world: func(w *world) { w.has("tool", byOcisi("tool")).has("tool.ocisi-old", nil) },
			boxes: "tool=box1 tool.ocisi-old=box2", err: "setting box tool aside: cannot rename tool to tool.ocisi-old",
		},
		{
			name: "up to date", world: func(w *world) {
				old(w)
				b := w.boxes["tool"]
				b.ImageID, b.Labels[hierarchy.LabelImageID] = "sha256:new", "sha256:new"
				w.boxes["tool"] = b
			},
			boxes: "tool=box1",
		},
		{
			name: "image of the same content", boxes: "tool=box1",
			world: func(w *world) { w.has("tool", byOcisi("tool")).contents = contents("abc", "abc") },
		},
		{
			name:  "image of other content",
			world: func(w *world) { w.has("tool", byOcisi("tool")).contents = contents("abc", "abd") },
			calls: asided + ", " + made + ", " + keptOne, boxes: "tool=box2 tool.ocisi-1=box1",
		},
		{
			name: "same content, another spec", edit: func(s *Spec) { s.Box.Init = true },
			world: func(w *world) { w.has("tool", byOcisi("tool")).contents = contents("abc", "abc") },
			calls: asided + ", " + made + ", " + keptOne, boxes: "tool=box2 tool.ocisi-1=box1",
		},
		{
			name:  "content cannot be told",
			world: func(w *world) { w.has("tool", byOcisi("tool")).contents = contents("broken", "") },
			boxes: "tool=box1", err: "comparing the image of box tool with its newer one: it broke",
		},
		{
			name: "someone's container", world: func(w *world) { w.has("tool", nil) },
			boxes: "tool=box1", err: "container tool is not a distrobox",
		},
		{
			name: "someone's box", world: func(w *world) { w.has("tool", byDistrobox()) },
			boxes: "tool=box1", err: "box tool exists: a box of this name was not made by ocisi",
		},
		{
			name: "a renamed box", world: func(w *world) { w.has("tool", byOcisi("other")) },
			boxes: "tool=box1", err: "box tool exists: a box of this name was not made by ocisi",
		},
		{
			name: "no image", world: func(w *world) { old(w); clear(w.images) },
			boxes: "tool=box1", err: "podman has no image localhost/tool-dx:latest",
		},
		{
			name: "image moved", edit: func(s *Spec) { s.ImageID = "sha256:other" },
			err: "podman has no image localhost/tool-dx:latest",
		},
		{
			name: "in use", world: func(w *world) { old(w); w.sessions["box1"] = 2 },
			boxes: "tool=box1", err: "box tool is in use: 2 shells and programs run in it",
		},
		{
			name: "in use, forced", world: func(w *world) { old(w); w.sessions["box1"] = 2 }, edit: func(s *Spec) { s.Force = true },
			calls: asided + ", " + made + ", " + keptOne, boxes: "tool=box2 tool.ocisi-1=box1",
		},
		{
			name: "in use meanwhile", edit: func(s *Spec) { s.Keep = 0 }, world: func(w *world) {
				old(w)
				w.before = func(process.Cmd) (bool, error) { w.sessions["box1"] = 1; return false, nil }
			},
			calls: asided + ", " + made + ", rename tool.ocisi-old tool.ocisi-1", boxes: "tool=box2 tool.ocisi-1=box1",
		},
	} {
		t.Run(test.name, test.run)
	}
}

func TestReplaceGoesBack(t *testing.T) {
	old := func(w *world) { w.has("tool", byOcisi("tool")) }
	for _, test := range []makeTest{
		{
			name: "create fails", world: func(w *world) { old(w); w.before = createFails(false) },
			calls: asided + ", rename tool.ocisi-old tool",
			err:   "box tool: create: exit status 1: Error: it broke",
		},
		{
			name: "create does nothing", world: func(w *world) {
				old(w)
				w.before = func(c process.Cmd) (bool, error) {
					if c.Args[0] == "create" {
						c.Args[0] = "nothing"
					}
					return false, nil
				}
			},
			calls: asided + ", rename tool.ocisi-old tool",
			err:   "box tool: check: distrobox reports success, but there is no box",
		},
		{
			name: "made from another image", world: func(w *world) {
				old(w)
				w.before = func(process.Cmd) (bool, error) {
					w.images["localhost/tool-dx:latest"] = "sha256:newer"
					return false, nil
				}
			},
			calls: asided + ", create tool, " + undone,
			err:   "box tool: check: made from image sha256:newer instead of sha256:new: Distrobox 'tool' successfully created.",
		},
		{
			name: "made without the labels", world: func(w *world) {
				old(w)
				w.before = func(c process.Cmd) (bool, error) {
					for i := range c.Args {
						c.Args[i] = strings.TrimPrefix(c.Args[i], "--label=ocisi.spec")
					}
					return false, nil
				}
			},
			calls: asided + ", create tool, " + undone,
			err:   "box tool: check: made without ocisi's labels: Distrobox 'tool' successfully created.",
		},
		{
			name: "start fails", world: func(w *world) { old(w); w.broken["sha256:new"] = true },
			calls: asided + ", create tool, " + undone,
			err:   "box tool: start: exit status 1: Error: it broke",
		},
		{
			name: "another user", world: func(w *world) { old(w); w.user = "uid=0(root) gid=0(root)" },
			calls: asided + ", create tool, enter tool id, " + undone,
			err:   `box tool: check: its user is "root", not "dev": uid=0(root) gid=0(root)`,
		},
		{
			name: "another number", world: func(w *world) { old(w); w.user = "uid=1000(dev) gid=0(root)" },
			calls: asided + ", create tool, enter tool id, " + undone,
			err:   `box tool: check: its uid is "1000", not "1001": uid=1000(dev) gid=0(root)`,
		},
		{
			name: "another home", world: func(w *world) { old(w); w.home = "/root" },
			calls: asided + ", " + made + ", " + undone,
			err:   `box tool: check: its home is "/root", not "/var/home/dev": /root`,
		},
		{
			name: "the check", edit: func(s *Spec) { s.Box.Check = []string{"zig", "version"} },
			world: func(w *world) {
				old(w)
				w.before = func(c process.Cmd) (bool, error) {
					if slices.Contains(c.Args, "zig") {
						return false, failed(c)
					}
					return false, nil
				}
			},
			calls: asided + ", " + made + ", " + undone,
			err:   "box tool: check: zig version: exit status 1: Error: it broke",
		},
	} {
		test.boxes = "tool=box1"
		t.Run(test.name, test.run)
	}
}

func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// createFails makes distrobox create fail, after its work if done.
func createFails(done bool) func(process.Cmd) (bool, error) {
	return func(c process.Cmd) (bool, error) {
		if c.Args[0] == "create" {
			return done, failed(c)
		}
		return false, nil
	}
}

// A replacement that is undone stops no other box.
func TestReplaceGoesBackProgress(t *testing.T) {
	w := newWorld(t).has("tool", byOcisi("tool"))
	w.before = createFails(false)
	var got []string
	_, err := w.maker().Replace(t.Context(), w, spec(), func(p hierarchy.Progress) {
		if p.Title != "" {
			got = append(got, p.Title)
		}
	})
	if want := []string{"setting box tool aside", "creating box tool", "the old box tool is back"}; err == nil || !slices.Equal(got, want) {
		t.Errorf("progress %q, want %q; error %v", got, want, err)
	}
}

// The error has what the container itself said, which is gone with it.
func TestLastWords(t *testing.T) {
	w := newWorld(t)
	w.broken["sha256:new"] = true
	_, err := w.maker().Replace(t.Context(), w, spec(), nil)
	se, ok := errors.AsType[*StepError](err)
	if want := strings.Repeat("set-up\n", 18) + "+ false\nError: of tool"; !ok || se.Container != want {
		t.Errorf("%+v, want %q", se, want)
	}
}

// An engine can create the box after the program that asked for it was killed,
// between the look for left-overs and the renaming back.
func TestLateBoxMakesRoomForTheOldOne(t *testing.T) {
	w := newWorld(t).has("tool", byOcisi("tool"))
	w.before = createFails(false)
	w.fault = func(_ context.Context, what string, do func() error) error {
		if what == "rename tool.ocisi-old tool" && w.made == 1 {
			w.has("tool", map[string]string{
				hierarchy.LabelBox: "tool", hierarchy.LabelSpec: spec().Box.Spec(), hierarchy.LabelImageID: "sha256:new",
				hierarchy.LabelNonce: fmt.Sprint("nonce", w.runs),
			})
		}
		return do()
	}
	if _, err := w.maker().Replace(t.Context(), w, spec(), nil); err == nil {
		t.Error("no error")
	}
	if got := w.names(); got != "tool=box1" {
		t.Errorf("boxes %q", got)
	}
}

// When setting aside had no effect, the box of that name is the old one.
func TestOldBoxIsNotTakenForAnUnfinishedOne(t *testing.T) {
	w := newWorld(t).has("tool", byOcisi("tool"))
	w.fault = func(_ context.Context, what string, do func() error) error {
		if what == "rename tool tool.ocisi-old" {
			return nil
		}
		return do()
	}
	_, err := w.maker().Replace(t.Context(), w, spec(), nil)
	if se, ok := errors.AsType[*StepError](err); !ok || se.Err.Error() != "distrobox reports success, but there is no box" || w.names() != "tool=box1" {
		t.Errorf("error %v, boxes %q", err, w.names())
	}
}

// When an engine does not say whether the old box became a generation, it is
// looked for there.
func TestCommitWithoutAnAnswer(t *testing.T) {
	w := newWorld(t).has("tool", byOcisi("tool"))
	silent := 0
	w.fault = func(_ context.Context, what string, do func() error) error {
		if what == "rename tool.ocisi-old tool.ocisi-1" || silent == 1 {
			silent++
			if silent == 1 {
				_ = do()
			}
			return errors.New("no answer")
		}
		return do()
	}
	_, err := w.maker().Replace(t.Context(), w, spec(), nil)
	if err == nil || w.names() != "tool=box1" {
		t.Errorf("error %v, boxes %s", err, w.names())
	}
}

// Who stops a run that is about to end is obeyed.
func TestLateCancel(t *testing.T) {
	w := newWorld(t).has("tool", byOcisi("tool"))
	stop := errors.New("interrupted")
	ctx, cancel := context.WithCancelCause(t.Context())
	w.before = func(c process.Cmd) (bool, error) {
		if slices.Contains(c.Args, "printenv") {
			cancel(stop)
		}
		return false, nil
	}
	_, err := w.maker().Replace(ctx, w, spec(), nil)
	if !errors.Is(err, stop) || w.names() != "tool=box1" {
		t.Errorf("error %v, boxes %s", err, w.names())
	}
}

// A replacement that is being committed is not canceled.
func TestCancelDuringCommit(t *testing.T) {
	w := newWorld(t).has("tool", byOcisi("tool"))
	ctx, cancel := context.WithCancel(t.Context())
	w.fault = func(_ context.Context, what string, do func() error) error {
		if _, waits := w.boxes["tool.ocisi-old"]; waits && what == "boxes" {
			cancel()
		}
		return do()
	}
	out, err := w.maker().Replace(ctx, w, spec(), nil)
	if err != nil || ctx.Err() == nil || out.After.ID != "box2" || w.names() != "tool=box2 tool.ocisi-1=box1" {
		t.Errorf("error %v, boxes %s, outcome %+v", err, w.names(), out)
	}
}

// When the old box was removed or renamed meanwhile, the new one stays.
func TestOldBoxThatIsGone(t *testing.T) {
	w := newWorld(t).has("tool", byOcisi("tool"))
	w.before = func(c process.Cmd) (bool, error) {
		if c.Args[0] == "enter" {
			delete(w.boxes, "tool.ocisi-old")
		}
		return false, nil
	}
	_, err := w.maker().Replace(t.Context(), w, spec(), nil)
	if err == nil || w.names() != "tool=box2" {
		t.Errorf("error %v, boxes %q", err, w.names())
	}
}

// A container that took the name of the new box is neither entered nor removed.
func TestNewBoxThatIsReplaced(t *testing.T) {
	w := newWorld(t)
	n := 0
	w.fault = func(_ context.Context, what string, do func() error) error {
		if what == "container tool" && w.boxes["tool"].ID == "box1" {
			if n++; n == 2 {
				w.has("tool", nil)
			}
		}
		return do()
	}
	_, err := w.maker().Create(t.Context(), w, spec(), nil)
	se, ok := errors.AsType[*StepError](err)
	if !ok || se.Step != "start" || se.Err.Error() != "the box is gone" || w.names() != "tool=box2" || !slices.Equal(w.calls, []string{"create tool"}) {
		t.Errorf("error %v, boxes %s, calls %q", err, w.names(), w.calls)
	}
}

func TestRemove(t *testing.T) {
	w := newWorld(t).has("tool", byOcisi("tool")).has("db", map[string]string{hierarchy.LabelImage: "db:latest"})
	d := w.maker()
	w.has("replaced", byOcisi("replaced"))
	for name, id := range map[string]string{"tool": "box1", "none": "box9", "replaced": "box9"} {
		if err := d.Remove(t.Context(), w, hierarchy.Podman, name, id); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, ok := errors.AsType[*NotBoxError](d.Remove(t.Context(), w, hierarchy.Podman, "db", "box2")); !ok {
		t.Error("removed a container that is no box")
	}
	if got := w.names(); got != "db=box2 replaced=box3" {
		t.Errorf("boxes %q", got)
	}
}

func TestProgress(t *testing.T) {
	w := newWorld(t).has("tool", byOcisi("tool")).has("tool.ocisi-4", byOcisi("tool"))
	var got []string
	_, err := w.maker().Replace(t.Context(), w, spec(func(s *Spec) { s.Box.Check = []string{"zig", "version"} }), func(p hierarchy.Progress) {
		if p.Title != "" {
			got = append(got, p.Title)
		}
	})
	want := []string{
		"setting box tool aside", "creating box tool", "starting box tool", "box tool: checking user, home and uid",
		"box tool: checking with zig version", "box tool kept as tool.ocisi-5 for a rollback", "removing the old box tool.ocisi-4",
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("told %q, want %q; error %v", got, want, err)
	}
}
