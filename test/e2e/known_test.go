package e2e

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// knownFailures are stories that fail today, by docker's image store, engine and
// story, with a text that the story's log then contains. A story of this list
// that passes, or fails for another reason, is an error.
var knownFailures = map[string]map[string]string{
	"containerd docker": {
		// The store holds compressed blobs besides unpacked layers.
		"layers": "bash freed.sh ended with status 1",
	},
}

// storyT is a test whose stories may be known to fail.
type storyT struct {
	*testing.T
	known map[string]string
}

// Verbose implements testscript.T.
func (t storyT) Verbose() bool { return testing.Verbose() }

// Run implements testscript.T.
func (t storyT) Run(name string, story func(testscript.T)) {
	t.T.Run(name, func(inner *testing.T) {
		text, known := t.known[name]
		if !known {
			story(storyT{T: inner})
			return
		}
		inner.Parallel() // as the story would
		log, failed := attempt(inner, story)
		if err := verdict(text, log, failed); err != nil {
			inner.Log(log)
			inner.Error(err)
			return
		}
		inner.Logf("known failure: %s", text)
	})
}

// verdict compares the result of a story that is known to fail with its entry.
func verdict(text, log string, failed bool) error {
	switch {
	case !failed:
		return fmt.Errorf("passes now; remove it from knownFailures (%q)", text)
	case !strings.Contains(log, text):
		return fmt.Errorf("fails, but not with %q", text)
	}
	return nil
}

// attempt runs a story to its end or its first failure.
func attempt(t *testing.T, story func(testscript.T)) (log string, failed bool) {
	a := &attemptT{name: t.Name()}
	done := make(chan struct{})
	go func() { // FailNow ends the goroutine
		defer close(done)
		story(a)
	}()
	<-done
	return a.log.String(), a.failed
}

// attemptT records the result of a story.
type attemptT struct {
	name   string
	log    strings.Builder
	failed bool
}

func (a *attemptT) Log(args ...any)                { fmt.Fprintln(&a.log, args...) }
func (a *attemptT) Fatal(args ...any)              { a.Log(args...); a.FailNow() }
func (a *attemptT) FailNow()                       { a.failed = true; runtime.Goexit() }
func (a *attemptT) Skip(args ...any)               { a.Fatal(args...) } // no story skips
func (a *attemptT) Parallel()                      {}
func (a *attemptT) Run(string, func(testscript.T)) { a.Fatal("a story has no subtests") }
func (a *attemptT) Verbose() bool                  { return true }

func TestVerdict(t *testing.T) {
	for _, c := range []struct {
		name   string
		log    string
		failed bool
		ok     bool
	}{
		{"fails as recorded", "Error: No such image", true, true},
		{"passes", "Error: No such image", false, false},
		{"fails otherwise", "Error: no space left", true, false},
	} {
		if err := verdict("No such image", c.log, c.failed); (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	log, failed := attempt(t, func(s testscript.T) { s.Log("one"); s.Fatal("two"); s.Log("three") })
	if log != "one\ntwo\n" || !failed {
		t.Errorf("log %q, failed %v", log, failed)
	}
}
