package bootstrap_test

import (
	"fmt"
	"testing"

	"github.com/klmcwhirter/ocisi/bootstrap"
)

// life is a folder with a user, who edits and deletes files between setups,
// and what is owed to that user.
type life struct {
	*folder
	shipped map[string]string
	own     map[string]string // what the user left there; "-" is deleted
	known   map[string]bool   // in the record
}

func (l *life) carryOut(plan bootstrap.Plan) {
	for name, action := range l.apply(plan) {
		if action == bootstrap.Create || action == bootstrap.Update || action == bootstrap.Keep {
			l.known[name] = true
		}
	}
}

func (l *life) setupNow() { l.carryOut(l.plan(l.shipped)) }

func (l *life) edit(name string, step int) {
	l.own[name] = fmt.Sprintf("mine %d\n", step)
	l.write(name, l.own[name])
}

func (l *life) delete(name string) {
	l.remove(name)
	delete(l.own, name)
	if l.known[name] { // else it is new to setup, and comes back
		l.own[name] = "-"
	}
}

func (l *life) loseRecord() {
	l.record = bootstrap.Record{}
	clear(l.known)
	for name, text := range l.own {
		if text == "-" {
			delete(l.own, name)
		}
	}
	l.setupNow()
}

func (l *life) event(event byte, name string, step int) {
	touch := func() { l.edit(name, step) }
	if event&0x80 != 0 {
		touch = func() { l.delete(name) }
	}
	switch event % 8 {
	case 0, 1:
		l.setupNow()
	case 2: // the user is at it while setup runs
		plan := l.plan(l.shipped)
		touch()
		l.carryOut(plan)
	case 3, 4: // a new version
		l.shipped[name] = fmt.Sprintf("v%d\n", step)
		l.setupNow()
	case 5, 6:
		touch()
	case 7:
		l.loseRecord()
	}
}

// FuzzEditsSurvive plays a life of a folder: each byte is an event. What the
// user last wrote or deleted stays so through every setup, and what the user
// never touched is as shipped in the end.
func FuzzEditsSurvive(f *testing.F) {
	f.Add([]byte{0, 3, 1, 0, 4, 0})
	for seed := range 20 { // a plain "go test" plays these
		events := make([]byte, 40)
		state := uint32(seed)
		for i := range events {
			state = state*1664525 + 1013904223
			events[i] = byte(state >> 24)
		}
		f.Add(events)
	}
	names := []string{"a", "b/c", "d", "keeper"} // the last is never touched, so the folder is never a new one
	f.Fuzz(func(t *testing.T, events []byte) {
		l := &life{newFolder(t), map[string]string{}, map[string]string{}, map[string]bool{}}
		for _, name := range names {
			l.shipped[name] = "v0\n"
		}
		l.setupNow()
		for step, event := range events[:min(len(events), 60)] {
			l.event(event, names[int(event>>3)%3], step)
			for name, text := range l.own {
				if got := l.read(name); got != text {
					t.Fatalf("step %d: %s holds %q, its user left %q", step, name, got, text)
				}
			}
		}
		l.setupNow()
		for _, name := range names {
			want, mine := l.own[name]
			if !mine {
				want = l.shipped[name]
			}
			if got := l.read(name); got != want {
				t.Fatalf("in the end %s holds %q, want %q", name, got, want)
			}
		}
	})
}
