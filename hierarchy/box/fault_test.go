package box

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/launcher"
	"github.com/klmcwhirter/ocisi/internal/disk"
	"github.com/klmcwhirter/ocisi/internal/faultseed"
	"github.com/klmcwhirter/ocisi/internal/process"
)

// The tests of this file interrupt each verb at every call of an engine, every
// run of distrobox and every change of a file, in every way, and look what is
// left, at once and after the next run.

// mode is what goes wrong at a call.
type mode string

const (
	fail        mode = "the call fails"
	failDone    mode = "the call is done and fails"
	cancelled   mode = "the run is cancelled before the call"
	cancelDone  mode = "the run is cancelled after the call"
	dies        mode = "the run is killed before the call"
	diesDone    mode = "the run is killed after the call"
	outage      mode = "nobody answers for ten seconds"
	outageDone  mode = "the call is done, and nobody answers for ten seconds"
	longOutage  mode = "nobody answers any more"
	missing     mode = "distrobox is missing from the call on"
	outagePause      = 10 * time.Second
)

var (
	errFault = errors.New("fault")
	errStop  = errors.New("interrupted")
)

// death is what a run that is killed panics with.
type death struct{}

// faulty counts calls, and lets one of them go wrong.
type faulty struct {
	mode   mode
	at, n  int
	until  time.Time
	cancel context.CancelCauseFunc
	what   string // the call that went wrong
	absent bool   // distrobox is missing by now
}

func (f *faulty) call(ctx context.Context, what string, do func() error) error {
	if f.n++; f.n == f.at && f.mode == missing {
		f.what, f.absent = what, true
	}
	if f.absent && (strings.HasPrefix(what, "create ") || strings.HasPrefix(what, "enter ")) {
		return &process.NotFoundError{Name: "distrobox"}
	}
	if f.n != f.at || f.mode == missing {
		if time.Now().Before(f.until) {
			return errFault
		}
		return do()
	}
	f.what = what
	if slices.Contains([]mode{failDone, cancelDone, diesDone, outageDone}, f.mode) {
		_ = do()
	}
	switch f.mode {
	case fail, failDone, missing:
	case dies, diesDone:
		panic(death{})
	case cancelled, cancelDone:
		f.cancel(errStop)
		if ctx.Err() == nil && f.mode == cancelled { // it is to be done in any case
			return do()
		}
		return context.Cause(ctx)
	case outage, outageDone:
		f.until = time.Now().Add(outagePause)
	case longOutage:
		f.until = time.Now().Add(24 * time.Hour)
	}
	return errFault
}

// watch lets changes of files go wrong.
func (f *faulty) watch(ctx context.Context) func(disk.Op, string, bool) error {
	return func(op disk.Op, path string, done bool) error {
		if done || !time.Now().After(f.until) { // the engine's silence is none of the disk's
			return nil
		}
		return f.call(ctx, fmt.Sprint(op, " ", filepath.Base(path)), func() error { return nil })
	}
}

// stage is a world with a home, and what is to be done there. Without a home
// there are no launchers: that is much faster.
type stage struct {
	t    *testing.T
	w    *world
	home string
	spec Spec
}

// maker returns a new ocisi at work.
func (s *stage) maker() *Distrobox {
	d := s.w.maker()
	if s.home != "" {
		d.Home, s.w.home = s.home, s.home
		d.Host = launcher.Host{Files: os.DirFS("/")}
	}
	return d
}

// run does something with a fault in it, and reports whether the run was killed.
func (s *stage) run(f *faulty, do func(context.Context, *Distrobox) error) (killed bool, err error) {
	ctx, cancel := context.WithCancelCause(s.t.Context())
	defer cancel(nil)
	f.cancel = cancel
	d := s.maker()
	d.Disk.Watch = f.watch(ctx)
	s.w.fault = f.call
	defer func() {
		s.w.fault = nil
		if r := recover(); r != nil {
			if _, ok := r.(death); !ok {
				panic(r)
			}
			killed = true
		}
	}()
	return false, do(ctx, d)
}

// a story is a verb at work.
type story struct {
	name  string
	keep  int
	check bool
	// before prepares the world, in which tool is box1, of the old image, and
	// exports old; the spec wants one of the new image that exports new.
	before func(s *stage)
	verb   func(ctx context.Context, s *stage, d *Distrobox) error
	lasts  []string // IDs of boxes that nothing may remove
	// broken says that the new box cannot work, so that the old one stays.
	broken bool
	back   bool // it is a rollback, which does not end with the spec's box
}

func replaces(ctx context.Context, s *stage, d *Distrobox) error {
	_, err := d.Replace(ctx, s.w, s.spec, nil)
	return err
}

func rollsBack(n int) func(ctx context.Context, s *stage, d *Distrobox) error {
	return func(ctx context.Context, s *stage, d *Distrobox) error {
		_, err := d.Rollback(ctx, s.w, Spec{Manager: hierarchy.Podman, Box: hierarchy.Box{Name: "tool"}}, n, nil)
		return err
	}
}

func recovers(ctx context.Context, s *stage, d *Distrobox) error {
	return d.Recover(ctx, s.w, s.spec, s.w.list(), nil)
}

// moves renames a box behind ocisi's back.
func (s *stage) moves(from, to string) {
	b := s.w.boxes[from]
	delete(s.w.boxes, from)
	b.Name = to
	s.w.boxes[to] = b
}

// half makes the new box, as far as a run that was killed came.
func (s *stage) half() {
	s.moves("tool", "tool.ocisi-old")
	args, err := s.maker().createArgs(s.spec)
	if err != nil {
		s.t.Fatal(err)
	}
	s.w.create(process.Cmd{Args: args, Stderr: io.Discard})
}

func stories() []story {
	generations := func(s *stage) { // box2 is tool, box1 its generation
		if _, err := s.maker().Replace(s.t.Context(), s.w, s.spec, nil); err != nil {
			s.t.Fatal(err)
		}
	}
	breaks := func(s *stage) { s.w.broken["sha256:new"] = true }
	return []story{
		{name: "replace", keep: 1, verb: replaces, lasts: []string{"box1"}},
		{name: "replace, none kept", keep: 0, verb: replaces},
		{name: "replace, checked", keep: 2, check: true, verb: replaces, lasts: []string{"box1"}},
		{name: "replace by a broken box", keep: 1, before: breaks, broken: true, verb: replaces, lasts: []string{"box1"}},
		{name: "replace by a broken box, none kept", keep: 0, before: breaks, broken: true, verb: replaces, lasts: []string{"box1"}},
		{name: "create", keep: 1, before: func(s *stage) { delete(s.w.boxes, "tool") }, verb: replaces},
		{name: "roll back", keep: 1, before: generations, back: true, verb: rollsBack(0), lasts: []string{"box1", "box2"}},
		{name: "roll back to a broken box", keep: 1, before: func(s *stage) { generations(s); s.w.broken["box1"] = true }, back: true, verb: rollsBack(1), lasts: []string{"box1", "box2"}},
		{name: "bring back what is gone", keep: 1, before: func(s *stage) { s.moves("tool", "tool.ocisi-3") }, back: true, verb: rollsBack(3), lasts: []string{"box1"}},
		{name: "recover: nothing new", keep: 1, before: func(s *stage) { s.moves("tool", "tool.ocisi-old") }, verb: recovers, lasts: []string{"box1"}},
		{name: "recover: a new box", keep: 1, before: func(s *stage) { s.half() }, verb: recovers, lasts: []string{"box1", "box2"}},
		{name: "recover: a broken box", keep: 1, before: func(s *stage) { s.half(); breaks(s) }, broken: true, verb: recovers, lasts: []string{"box1", "box2"}},
		{name: "recover: a rollback", keep: 2, before: func(s *stage) {
			generations(s)
			s.moves("tool", "tool.ocisi-back-1")
			s.moves("tool.ocisi-1", "tool")
		}, back: true, verb: recovers, lasts: []string{"box1", "box2"}},
		{name: "recover: a rollback to a broken box", keep: 2, before: func(s *stage) {
			generations(s)
			s.moves("tool", "tool.ocisi-back-1")
			s.moves("tool.ocisi-1", "tool")
			s.w.broken["box1"] = true
		}, back: true, verb: recovers, lasts: []string{"box1", "box2"}},
		{name: "replace after a killed run", keep: 1, before: func(s *stage) { s.half() }, verb: replaces, lasts: []string{"box1", "box2"}},
	}
}

// opened returns the stage of a story before it begins.
func (st story) opened(t *testing.T, files bool) *stage {
	s := &stage{t: t, w: newWorld(t)}
	if files {
		s.home = t.TempDir()
	}
	s.w.files["/usr/bin/old"], s.w.files["/usr/bin/new"] = "x", "x"
	s.spec = spec(func(spec *Spec) {
		spec.Keep = st.keep
		spec.Box.ExportedBins = []string{"/usr/bin/old"}
	})
	s.spec.ImageID, s.w.images[s.spec.Image] = "sha256:old", "sha256:old"
	if _, err := s.maker().Create(t.Context(), s.w, s.spec, nil); err != nil {
		t.Fatal(err)
	}
	s.w.made = 100 // so that the next box is box2
	s.w.has("other", byDistrobox()).has("tool.ocisi-7", nil).has("my-tool", byOcisi("tool"))
	s.w.labelled("tool.ocisi-back-4", map[string]string{hierarchy.LabelUID: "1002"}) // another user's run is at work
	s.w.made = 1
	if files {
		if err := os.WriteFile(filepath.Join(s.home, ".local/bin/mine"), []byte("#!/bin/sh\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s.spec.ImageID, s.w.images[s.spec.Image] = "sha256:new", "sha256:new"
	s.spec.Box.ExportedBins = []string{"/usr/bin/new"}
	if st.check {
		s.spec.Box.Check = []string{"true"}
	}
	if st.before != nil {
		st.before(s)
	}
	s.w.calls = nil
	return s
}

// launchers returns the names of the launchers that are there, and of what else
// is in their folder.
func (s *stage) launchers() string {
	all, err := os.ReadDir(filepath.Join(s.home, ".local/bin"))
	if err != nil {
		s.t.Fatal(err)
	}
	var names []string
	for _, e := range all {
		names = append(names, e.Name())
	}
	return strings.Join(names, " ")
}

// safe looks for what must be true at any time.
func (s *stage) safe(st story) error {
	var ids []string
	for name, b := range s.w.boxes {
		if of, role, _ := b.Role(); of == "tool" && role != hierarchy.NoRole {
			ids = append(ids, b.ID)
		}
		if b.Name != name {
			return fmt.Errorf("%s is called %s", name, b.Name)
		}
	}
	for _, id := range st.lasts {
		if !slices.Contains(ids, id) {
			return fmt.Errorf("%s is gone: %s", id, s.w.names())
		}
	}
	for _, name := range []string{"other", "tool.ocisi-7", "my-tool", "tool.ocisi-back-4"} {
		if _, ok := s.w.boxes[name]; !ok {
			return fmt.Errorf("%s is gone, which is not ours", name)
		}
	}
	if s.home == "" {
		return nil
	}
	if data, err := os.ReadFile(filepath.Join(s.home, ".local/bin/mine")); string(data) != "#!/bin/sh\n" {
		return fmt.Errorf("the user's file: %q, %w", data, err)
	}
	return nil
}

// usable looks for what must be true when a run ends by itself.
func (s *stage) usable(st story) error {
	for name, b := range s.w.boxes {
		if of, role, _ := b.Role(); of == "tool" && role == hierarchy.Waiting && b.Labels[hierarchy.LabelUID] != "1002" {
			return fmt.Errorf("%s waits: %s", name, s.w.names())
		}
	}
	b, ok := s.w.boxes["tool"]
	if !ok && st.name != "create" && st.name != "bring back what is gone" {
		return fmt.Errorf("no box tool: %s", s.w.names())
	}
	if ok && (s.w.broken[b.ID] || s.w.broken[b.ImageID]) {
		return fmt.Errorf("%s does not work: %s", b.ID, s.w.names())
	}
	return nil
}

// settled looks for what must be true after the next runs, without a fault.
func (s *stage) settled(st story) error {
	d := s.maker()
	if err := d.Recover(s.t.Context(), s.w, s.spec, s.w.list(), nil); err != nil {
		return fmt.Errorf("recover: %w", err)
	}
	if err := errors.Join(s.safe(st), s.usable(st)); err != nil {
		return fmt.Errorf("recovered: %w", err)
	}
	if st.back {
		return s.repaired(d)
	}
	for range 2 {
		s.w.calls = nil
		_, err := d.Replace(s.t.Context(), s.w, s.spec, nil)
		if (err != nil) != st.broken {
			return fmt.Errorf("replace: %w", err)
		}
		if err := errors.Join(s.safe(st), s.usable(st), s.launched()); err != nil {
			return fmt.Errorf("replaced: %w", err)
		}
	}
	wanted := "sha256:new"
	if st.broken {
		wanted = "sha256:old"
	}
	if b := s.w.boxes["tool"]; b.ImageID != wanted {
		return fmt.Errorf("tool is of image %s: %s", b.ImageID, s.w.names())
	}
	// What recovery has found broken stays until a replacement succeeds.
	if n := len(hierarchy.Generations(s.w.list(), "tool")); n > st.keep && !st.broken {
		return fmt.Errorf("%d generations: %s", n, s.w.names())
	}
	if !st.broken && len(s.w.calls) > 0 {
		return fmt.Errorf("the third run still did %s", s.w.calls)
	}
	return nil
}

// repaired makes the launchers those of the box that is there, as "exports
// repair" does: what a rollback could not write or remove, nothing else does.
func (s *stage) repaired(d *Distrobox) error {
	b, ok := s.w.boxes["tool"]
	if !ok {
		return nil
	}
	exported, _ := Exports(b)
	if err := d.Export(s.t.Context(), s.w, Spec{Manager: s.spec.Manager, Box: exported}, nil); err != nil {
		return err
	}
	return s.launched()
}

// launched makes sure that the launchers are those of the box that is there.
func (s *stage) launched() error {
	if s.home == "" {
		return nil
	}
	want := "mine"
	if b, ok := s.w.boxes["tool"]; ok {
		exported, _ := Exports(b)
		want = "mine " + filepath.Base(exported.ExportedBins[0])
	}
	if got := s.launchers(); got != want {
		return fmt.Errorf("launchers %q, want %q", got, want)
	}
	return nil
}

// calls returns how many calls a story has when nothing goes wrong.
func (st story) calls(t *testing.T, files bool) int {
	s := st.opened(t, files)
	f := &faulty{}
	_, err := s.run(f, func(ctx context.Context, d *Distrobox) error { return st.verb(ctx, s, d) })
	if broken := st.broken || strings.Contains(st.name, "roll back to a broken"); (err != nil) != (broken && !strings.HasPrefix(st.name, "recover")) {
		t.Fatalf("%s: %v", st.name, err)
	}
	if err := errors.Join(s.safe(st), s.usable(st), s.launched()); err != nil {
		t.Fatalf("%s: %v", st.name, err)
	}
	return f.n
}

// The least that the tests must do, a little below what they do today.
const (
	leastCalls  = 2    // of each story
	leastFaults = 3200 // of all stories
	leastTaken  = 150  // of the story in which another program takes the name
	leastTwice  = 3500 // pairs of kills, of all stories
)

func TestEveryFault(t *testing.T) {
	var points atomic.Int64
	t.Run("all", func(t *testing.T) {
		for _, st := range stories() {
			t.Run(st.name, func(t *testing.T) {
				t.Parallel() // it waits for the disk, most of the time
				points.Add(st.everyFault(t, true, fail, cancelled, dies, missing))
				points.Add(st.everyFault(t, false, fail, failDone, cancelled, cancelDone, dies, diesDone, outage, outageDone, longOutage, missing))
			})
		}
	})
	t.Logf("%d faults", points.Load())
	if err := faultseed.AtLeast("faults", int(points.Load()), leastFaults); err != nil {
		t.Error(err)
	}
}

func (st story) everyFault(t *testing.T, files bool, modes ...mode) (points int64) {
	calls := st.calls(t, files)
	if err := faultseed.AtLeast("calls", calls, leastCalls); err != nil {
		t.Error(err)
	}
	for at := range calls {
		for _, m := range modes {
			synctest.Test(t, func(t *testing.T) { st.interrupted(t, m, at+1, files) })
			points++
		}
	}
	return points
}

func (st story) interrupted(t *testing.T, m mode, at int, files bool) {
	s := st.opened(t, files)
	f := &faulty{mode: m, at: at}
	began := time.Now()
	killed, err := s.run(f, func(ctx context.Context, d *Distrobox) error { return st.verb(ctx, s, d) })
	report := func(what error) {
		if what != nil {
			t.Errorf("%s, at call %d, %s: %v\nthe run: %v", m, at, f.what, what, err)
		}
	}
	report(s.safe(st))
	gone := killed || m == longOutage || strings.HasPrefix(st.name, "recover") && err != nil || st.name == "replace after a killed run"
	if !gone {
		report(s.usable(st))
		if strings.HasPrefix(st.name, "replace") && !strings.HasPrefix(f.what, "remove ") {
			report(s.launched())
		}
	}
	if took := time.Since(began); took > 2*patience {
		report(fmt.Errorf("took %s", took))
	}
	if f.what == "" {
		report(fmt.Errorf("the run made %d calls only", f.n))
	}
	if want := m == dies || m == diesDone; killed != want {
		report(fmt.Errorf("killed: %v", killed))
	}
	report(s.settled(st))
}

// A run that puts things right may be killed as well.
func TestEveryFaultTwice(t *testing.T) {
	var pairs atomic.Int64
	t.Run("all", func(t *testing.T) {
		for _, st := range stories() {
			t.Run(st.name, func(t *testing.T) {
				t.Parallel()
				for at := range st.calls(t, false) {
					pairs.Add(st.everySecondKill(t, at+1))
				}
			})
		}
	})
	t.Logf("%d pairs of kills", pairs.Load())
	if err := faultseed.AtLeast("pairs of kills", int(pairs.Load()), leastTwice); err != nil {
		t.Error(err)
	}
}

// everySecondKill kills the run after a first kill at each of its calls.
func (st story) everySecondKill(t *testing.T, at int) (pairs int64) {
	for again := 1; ; again++ {
		killed := true
		synctest.Test(t, func(t *testing.T) { killed = st.killedTwice(t, at, again) })
		if !killed || t.Failed() {
			return pairs
		}
		pairs++
	}
}

func (st story) killedTwice(t *testing.T, at, again int) bool {
	s := st.opened(t, false)
	do := func(ctx context.Context, d *Distrobox) error { return st.verb(ctx, s, d) }
	if first, err := s.run(&faulty{mode: diesDone, at: at}, do); !first {
		t.Errorf("not killed at call %d: %v", at, err)
	}
	f := &faulty{mode: dies, at: again}
	killed, _ := s.run(f, do)
	if err := errors.Join(s.safe(st), s.settled(st)); err != nil {
		t.Errorf("killed at call %d, and again at %d, %s: %v", at, again, f.what, err)
	}
	return killed
}

// Another program takes the name of the box while distrobox creates it, and then
// anything else goes wrong, recovery included: its container and the old box stay.
func TestEveryFaultWhileTheNameIsTaken(t *testing.T) {
	points := 0
	st := story{name: "replace", keep: 1, lasts: []string{"box1"}, verb: func(ctx context.Context, s *stage, d *Distrobox) error {
		if err := recovers(ctx, s, d); err != nil {
			return err
		}
		return replaces(ctx, s, d)
	}}
	for _, m := range []mode{fail, failDone, cancelled, cancelDone, dies, diesDone, missing} {
		for at := 1; ; at++ {
			reached := false
			synctest.Test(t, func(t *testing.T) {
				s := st.opened(t, false)
				s.w.before = func(c process.Cmd) (bool, error) {
					if _, taken := s.w.boxes["tool"]; c.Args[0] == "create" && !taken {
						s.w.boxes["tool"] = hierarchy.StoredBox{ID: "foreign", Name: "tool", ImageID: "sha256:new", Labels: byOcisi("tool")}
					}
					return false, nil
				}
				f := &faulty{mode: m, at: at}
				for range 3 { // the last two recover
					_, err := s.run(f, func(ctx context.Context, d *Distrobox) error { return st.verb(ctx, s, d) })
					_, taken := s.w.boxes["tool"]
					if wrong := s.safe(st); wrong != nil || taken && s.w.boxes["tool"].ID != "foreign" && s.w.boxes["tool"].ID != "box1" {
						t.Errorf("%s, at call %d, %s: %v, boxes %s; the run: %v", m, at, f.what, wrong, s.w.names(), err)
					}
					reached = f.what != ""
				}
				if b := s.w.boxes["tool"]; b.ID != "foreign" && m != missing {
					t.Errorf("%s, at call %d, %s: boxes %s", m, at, f.what, s.w.names())
				}
			})
			if !reached || t.Failed() {
				break
			}
			points++
		}
	}
	t.Logf("%d faults", points)
	if err := faultseed.AtLeast("faults", points, leastTaken); err != nil {
		t.Error(err)
	}
}
