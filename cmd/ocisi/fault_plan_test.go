package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/klmcwhirter/ocisi/internal/faultseed"
)

// stride is how many faults of a kind there are to one that is injected. It has
// no divisor in common with the periods of the moments: before and after take
// turns, and so do up to three kinds.
const stride = 5

// How many kills of a command are real: of a moment of any sort, and those that
// leave the program that runs.
const (
	realKills   = 12
	realOrphans = 3
)

// unreadRuns is how many processes of a command lose the reader of their output.
const unreadRuns = 3

// kind is a sort of fault for which bounds hold.
type kind struct {
	mishap
	real bool // a process gets it
}

func (k kind) String() string {
	if k.real {
		return "real " + string(k.mishap)
	}
	return string(k.mishap)
}

// kinds are all of them.
func kinds() []kind {
	return []kind{{killed, false}, {orphaned, false}, {refused, false}, {cut, false}, {silent, false}, {killed, true}, {orphaned, true}, {unread, true}}
}

// injection is a fault to be injected into a command.
type injection struct {
	kind
	fate
	others []moment // used instead when the run never reaches At
}

func (in injection) String() string { return fmt.Sprintf("%s/%s", in.kind, in.At) }

// exhaustive reports whether every fault is injected at every moment.
func exhaustive() bool { return os.Getenv("OCISI_FAULT_ALL") == "1" }

// plan selects the faults to inject into a command.
func (s *faultTest) plan(seed uint64) (all []injection) {
	points := s.points(faultseed.Rand(seed, s.verb).IntN(6))
	for _, k := range kinds() {
		random := faultseed.Rand(seed, s.verb+" "+k.String())
		some := points[k.mishap]
		switch {
		case underRace:
			some = faultseed.Sample(some, 1, random)
		case k == kind{killed, true}:
			some = faultseed.Sample(some, realKills, random)
		case k == kind{orphaned, true}:
			some = faultseed.Sample(some, realOrphans, random)
		case k == kind{unread, true}:
			some = faultseed.Sample(some, unreadRuns, random)
		case !exhaustive():
			some = faultseed.Stride(some, stride, random)
			if len(some) == 0 { // fewer points than a stride
				some = faultseed.Sample(points[k.mishap], 1, random)
			}
		}
		for i, m := range some {
			f := fate{Mishap: k.mishap, At: m, Patience: longPatience, Delay: time.Duration(i%16) * time.Millisecond}
			if k.mishap == silent {
				f.Patience = shortPatience
			}
			if !k.real {
				f.Delay = time.Duration(i % 2) // see faultyRunner.simulate
			}
			in := injection{kind: k, fate: f}
			if underRace { // there is only one of each kind
				in.others = faultseed.Sample(points[k.mishap], 3, random)
			}
			all = append(all, in)
		}
	}
	return all
}

// points returns the moments for each fault. At each moment of a change or a
// question, one kind of failure is possible, which rotates from the given one
// on; exhaustively, all are.
func (s *faultTest) points(rotation int) map[mishap][]moment {
	points := map[mishap][]moment{}
	for i, m := range s.moments {
		if m.When == during || m.When == after || i == 0 || s.moments[i-1].When != after { // else nothing has happened since
			points[killed] = append(points[killed], m)
		}
		if m.When == during {
			points[orphaned] = append(points[orphaned], m)
		}
		if m.When != during {
			points[unread] = append(points[unread], m)
		}
		failures := m.failures()
		if len(failures) > 0 && !exhaustive() {
			failures = failures[(i+rotation)%len(failures):][:1]
		}
		for _, failure := range failures {
			points[failure] = append(points[failure], m)
		}
	}
	return points
}

// failures are the faults, other than a kill, that are possible at a moment.
func (m moment) failures() []mishap {
	switch {
	case m.When == during:
		return nil
	case strings.HasPrefix(m.Op, "exec "):
		return []mishap{refused, silent}
	case m.reads() && m.When == after: // before it, the run has no answer either
		return nil
	case strings.HasPrefix(m.Op, "docker "), strings.HasPrefix(m.Op, "podman "):
		return []mishap{refused, cut, silent}
	}
	return []mishap{refused}
}

// reads reports whether what is done at a moment changes nothing.
func (m moment) reads() bool {
	_, op, _ := strings.Cut(m.Op, " ")
	for _, program := range []string{"distrobox --version", "busctl ", "getenforce", "getent ", "just ", "matchpathcon ", "systemctl --user show", "ujust "} {
		if strings.HasPrefix(op, program) {
			return true
		}
	}
	return strings.HasPrefix(op, "GET ") || strings.HasPrefix(op, "HEAD ") || op == "Info" || op == "ListWorkers"
}

// door is what a run does its work through at a moment.
func (m moment) door() string {
	switch name, _, _ := strings.Cut(m.Op, " "); name {
	case "docker", "podman", "exec":
		return name
	}
	return "disk"
}

// doors counts the moments by their door.
func (s *faultTest) doors() map[string]int {
	n := map[string]int{}
	for _, m := range s.moments {
		n[m.door()]++
	}
	return n
}

// counts is how many faults of each kind there are.
type counts map[kind]int

func (c counts) String() string {
	var all []string
	for _, k := range kinds() {
		all = append(all, fmt.Sprintf("%s %d", k, c[k]))
	}
	return strings.Join(all, ", ")
}

// outcome is what a fault test did.
type outcome struct {
	moments  map[string]int // of the undisturbed run, by their door
	planned  counts         // faults to inject
	injected counts         // into a run that reached the moment
	settled  int            // different states from which the next run was checked
}

// bounds is the least that a fault test must do. The numbers are a little below
// those of today, so that a small change of a command does not break them.
type bounds struct {
	moments map[string]int // by their door
	faults  map[mishap]int // possible ones, of which one in stride is injected
}

// check returns what the test did not do.
func (b bounds) check(o outcome) error {
	var errs []error
	for door, want := range b.moments {
		errs = append(errs, faultseed.AtLeast("moments at "+door, o.moments[door], want))
	}
	every, least := stride, map[kind]int{{killed, true}: realKills, {orphaned, true}: min(realOrphans, b.faults[orphaned]), {unread, true}: unreadRuns}
	switch {
	case underRace:
		every, least = 1, map[kind]int{}
		for _, k := range kinds() {
			least[k] = min(1, b.faults[k.mishap])
		}
		least[kind{unread, true}] = 1
	case exhaustive():
		every = 1
	}
	total := 0
	for _, k := range kinds() {
		want, ok := least[k]
		if !ok {
			want = max(b.faults[k.mishap]/every, min(b.faults[k.mishap], 1))
		}
		errs = append(errs, faultseed.AtLeast(k.String()+" planned", o.planned[k], want))
		// The order of questions that are asked at the same time varies.
		errs = append(errs, faultseed.AtLeast(k.String()+" injected", o.injected[k], o.planned[k]-o.planned[k]/10))
		total += o.injected[k]
	}
	errs = append(errs, faultseed.AtLeast("states after a fault", o.settled, total/20))
	return errors.Join(errs...)
}

func TestBounds(t *testing.T) {
	t.Parallel()
	b := bounds{moments: map[string]int{"docker": 50, "disk": 50}, faults: map[mishap]int{killed: 60, orphaned: 20, refused: 30, cut: 20, silent: 10}}
	good := func() outcome {
		o := outcome{moments: map[string]int{"docker": 50, "disk": 50}, planned: counts{}, injected: counts{}, settled: 24}
		for _, k := range kinds() {
			o.planned[k], o.injected[k] = 60, 60
		}
		return o
	}
	if err := b.check(good()); err != nil {
		t.Fatal(err)
	}
	for name, breaks := range map[string]func(*outcome){
		"few moments":      func(o *outcome) { o.moments["docker"] = 49 },
		"no disk":          func(o *outcome) { delete(o.moments, "disk") },
		"no moments":       func(o *outcome) { *o = outcome{} },
		"same state":       func(o *outcome) { o.settled = 1 },
		"nothing planned":  func(o *outcome) { o.planned, o.injected = counts{}, counts{} },
		"nothing injected": func(o *outcome) { o.injected = counts{} },
	} {
		o := good()
		breaks(&o)
		if b.check(o) == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	for _, k := range kinds() {
		for _, n := range []int{0, 53} {
			o := good()
			o.injected[k] = n
			if b.check(o) == nil {
				t.Errorf("%s: %d of 60 injected: accepted", k, n)
			}
		}
		o := good()
		o.planned[k], o.injected[k] = 0, 0
		if b.check(o) == nil {
			t.Errorf("%s: none planned: accepted", k)
		}
	}
}
