package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/klmcwhirter/ocisi/internal/faultseed"
)

// How long a run waits for an answer: where none will come, and where one comes
// however busy the machine is.
const (
	shortPatience = 400 * time.Millisecond
	longPatience  = 30 * time.Second
)

// TestFaults injects one fault at a time: each story's command is killed, or
// refused an operation, or left without a connection or an answer. [faultTest]
// has what must hold then. A run injects one in stride of the possible faults,
// which ones depends on OCISI_FAULT_SEED; with OCISI_FAULT_ALL=1 it injects all.
func TestFaults(t *testing.T) {
	t.Parallel()
	seed, err := faultseed.FromEnvOrCommit(t, os.Getenv)
	if err != nil {
		t.Fatal(err)
	}
	root := worldsRoot(t)
	debug.SetGCPercent(400) // hundreds of small worlds
	var worlds atomic.Int64
	next := func() string { return filepath.Join(root, fmt.Sprintf("fw%05d", worlds.Add(1))) }
	for _, s := range stories() {
		t.Run(s.verb, func(t *testing.T) {
			t.Parallel()
			registry, err := startRegistry()
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(registry.server.Close)
			f := &faultTest{story: s, next: next, golden: newWorld(t, next(), nil)}
			t.Cleanup(f.golden.close)
			s.begin(t, f.golden, registry)
			f.golden.takeDown()
			f.all(t, seed)
		})
	}
}

// faultTest is a story whose command gets faults.
//
// Whatever befalls it: nothing changes that ocisi did not make, and no file of
// the user's. Each box is there, under its name, aside or as a generation. The
// same command, run again, ends well; then every box enters under its own name,
// nothing is left to do, nothing is left over, and the home is as if nothing had
// been.
type faultTest struct {
	story
	next    func() string // folder of a new world
	golden  *world
	users   []string            // files that nobody may change
	ends    []map[string]string // the home as it may be in the end: of a rollback and of its second
	moments []moment

	missed   atomic.Int64 // moments to which no run came
	settling sync.Map     // fingerprints of worlds from which the next run was seen to end well
}

// all runs the command once undisturbed and then once for each fault.
func (s *faultTest) all(t *testing.T, seed uint64) {
	s.undisturbed(t)
	var busy, waiting errgroup.Group
	busy.SetLimit(2 * runtime.GOMAXPROCS(0))
	waiting.SetLimit(16)
	o := outcome{moments: s.doors(), planned: counts{}, injected: counts{}}
	var mu sync.Mutex
	for _, in := range s.plan(seed) {
		o.planned[in.kind]++
		group := &busy
		if in.mishap == silent {
			group = &waiting
		}
		group.Go(func() error {
			t.Run(in.String(), func(t *testing.T) {
				if s.inject(t, in) {
					mu.Lock()
					o.injected[in.kind]++
					mu.Unlock()
				}
				if t.Failed() {
					t.Logf("repeat it with %s=%d", faultseed.Variable, seed)
				}
			})
			return nil
		})
	}
	_, _ = busy.Wait(), waiting.Wait()
	s.settling.Range(func(any, any) bool { o.settled++; return true })
	t.Logf("%v moments; injected: %s; %d missed; %d states after them", o.moments, o.injected, s.missed.Load(), o.settled)
	if err := s.least.check(o); err != nil {
		t.Errorf("too little was tested:\n%v", err)
	}
}

// undisturbed finds out what the moments are, and how things are in the end.
func (s *faultTest) undisturbed(t *testing.T) {
	t.Helper()
	w := newWorld(t, s.next(), s.golden)
	defer w.close()
	for path, text := range w.files {
		if !strings.HasPrefix(path, ".local/state/ocisi") && !strings.Contains(text, "# ocisi: ") {
			s.users = append(s.users, path)
		}
	}
	slices.Sort(s.users)
	r := w.process(fate{Patience: longPatience}, s.args...)
	if r.status != 0 {
		t.Fatalf("undisturbed: status %d\n%s", r.status, r.out)
	}
	var err error
	if s.moments, _, err = readTrace(filepath.Join(w.dir, "trace")); err != nil {
		t.Fatal(err)
	}
	if wrong := w.untouched(s.users); wrong != nil {
		t.Fatalf("undisturbed: %s", strings.Join(wrong, "\n"))
	}
	first := w.anonymousTree()
	s.settled(t, w)
	if t.Failed() {
		t.FailNow()
	}
	s.ends = []map[string]string{first, w.anonymousTree()}
}

// inject reports whether a fault was injected into a run.
func (s *faultTest) inject(t *testing.T, in injection) bool {
	for _, at := range append([]moment{in.At}, in.others...) {
		in.At = at
		if s.reached(t, in) || t.Failed() {
			return !t.Failed()
		}
	}
	return false
}

// reached reports whether a fault was injected at its moment.
func (s *faultTest) reached(t *testing.T, in injection) bool {
	for range 4 {
		if s.injected(t, in) {
			return true
		}
		if t.Failed() {
			return false
		}
		in.Patience *= 2 // on a busy machine an engine that is well may be given up
	}
	if s.missed.Add(1); !in.At.reads() || int(s.missed.Load()) > len(s.moments)/20 {
		t.Errorf("the run never came there")
	}
	return false
}

// injected reports whether the run came to its moment: what engines are asked at
// the same time is not asked in the same order, nor as often, on a busy machine.
func (s *faultTest) injected(t *testing.T, in injection) bool {
	w := newWorld(t, s.next(), s.golden)
	defer w.close()
	kill := in.mishap == killed || in.mishap == orphaned
	var r ran
	switch {
	case in.real:
		r = w.process(in.fate, s.args...)
	case kill:
		var release func() <-chan struct{}
		r, release = w.simulate(in.fate, s.args...)
		defer func() { release() }()
	default:
		r = w.run(in.fate, s.args...)
	}
	_, hurt, err := readTrace(filepath.Join(w.dir, "trace"))
	if r.status == -2 {
		t.Errorf("the run: %s", r.out)
	}
	if err != nil || !hurt {
		return false
	}
	switch {
	case kill && r.status != -1:
		t.Errorf("it was not killed: status %d", r.status)
	case in.mishap == unread && r.status != 0:
		t.Errorf("it did not finish: status %d", r.status)
	case r.status == 0 && in.mishap != unread && !in.At.reads() && !harmless(in.fate) && !s.interrupted && !strings.Contains(r.out, "ocisi: warning: "):
		t.Errorf("the run does not tell: status 0")
	}
	for _, wrong := range append(w.untouched(s.users), s.lost(w)...) {
		t.Errorf("after it: %s", wrong)
	}
	if r.status == 0 {
		s.done(t, w)
	} else if !kill && !s.interrupted {
		s.undone(t, w)
	}
	// What comes next depends on nothing but what there is now.
	now := w.fingerprint()
	if _, known := s.settling.Load(now); !known {
		s.settled(t, w)
	}
	if t.Failed() {
		t.Logf("the hurt run, status %d:\n%s", r.status, r.out)
		return true
	}
	s.settling.Store(now, true)
	return true
}

// undone checks what a run that failed has put right before it ended: each box
// has its name, and launchers are those of the boxes that are there.
func (s *faultTest) undone(t *testing.T, w *world) {
	t.Helper()
	now := w.now()
	for p := range now {
		if waits(p) {
			t.Errorf("after it: left: %v", p)
		}
	}
	files := w.tree()
	for p, c := range w.start0() {
		switch {
		case !own(c) || strings.Contains(p.name, ".ocisi-") || slices.Contains(s.goes, p.name):
		case now[p].ID == "":
			t.Errorf("after it: box %v has not got its name", p)
		case now[p].ID == c.ID:
			was, is := launchersOf(w.files, p.name), launchersOf(files, p.name)
			if !maps.Equal(was, is) {
				t.Errorf("after it: box %v is the old one, and its launchers are\n%v\nnot\n%v", p, is, was)
			}
		}
	}
}

// launchersOf returns the files that lead to a box.
func launchersOf(files map[string]string, box string) map[string]string {
	of := map[string]string{}
	for path, text := range files {
		if strings.Contains(text, "\n# name: "+box+"\n") {
			of[path] = text
		}
	}
	return of
}

// waits reports whether a container has the name of a box that waits.
func waits(p place) bool {
	return strings.Contains(p.name, ".ocisi-old") || strings.Contains(p.name, ".ocisi-back-")
}

// lost returns the boxes that are nowhere any more, under whatever name.
func (s *faultTest) lost(w *world) (wrong []string) {
	ids := map[string]bool{}
	for _, c := range w.now() {
		ids[c.ID] = true
	}
	for p, c := range w.start0() {
		if own(c) && !ids[c.ID] && !slices.Contains(s.goes, p.name) {
			wrong = append(wrong, fmt.Sprintf("box %v is lost", p))
		}
	}
	return wrong
}

// settled runs the command again, and checks that all is well then.
func (s *faultTest) settled(t *testing.T, w *world) {
	t.Helper()
	if r := w.run(fate{}, s.args...); r.status != 0 {
		t.Errorf("the next run: status %d\n%s", r.status, r.out)
	}
	s.done(t, w)
}

// done checks that all is well.
func (s *faultTest) done(t *testing.T, w *world) {
	t.Helper()
	if r := w.run(fate{}, "plan", "--detailed-exitcode"); r.status != 0 {
		t.Errorf("plan: status %d\n%s", r.status, r.out)
	}
	now := w.now()
	kept := map[string]int{}
	for p, c := range now {
		if waits(p) {
			t.Errorf("left: %v", p)
		}
		if name, number, ok := strings.Cut(p.name, ".ocisi-"); ok {
			if kept[name]++; kept[name] > 1 {
				t.Errorf("left: %v, generation %s, besides another one", p, number)
			}
		}
		if own(c) && !strings.Contains(p.name, ".ocisi-") {
			if err := w.enter(p); err != nil {
				t.Error(err)
			}
		}
	}
	for p, c := range w.start0() {
		if _, ok := now[p]; !ok && own(c) && !strings.Contains(p.name, ".ocisi-") && !slices.Contains(s.goes, p.name) {
			t.Errorf("box %v is gone", p)
		}
	}
	for _, wrong := range append(w.untouched(s.users), s.lost(w)...) {
		t.Errorf("in the end: %s", wrong)
	}
	s.sameHome(t, w)
}

// sameHome compares the home with those of the undisturbed story.
func (s *faultTest) sameHome(t *testing.T, w *world) {
	t.Helper()
	home := w.anonymousTree()
	if len(s.ends) == 0 || slices.ContainsFunc(s.ends, func(end map[string]string) bool { return maps.Equal(home, end) }) {
		return
	}
	end := s.ends[0]
	for _, path := range slices.Sorted(maps.Keys(home)) {
		switch want, ok := end[path]; {
		case !ok:
			t.Errorf("file %s is left", path)
		case want != home[path]:
			t.Errorf("file %s is\n%s\nnot\n%s", path, home[path], want)
		}
	}
	for path := range end {
		if _, ok := home[path]; !ok {
			t.Errorf("file %s is missing", path)
		}
	}
}
