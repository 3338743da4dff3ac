package engine

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	bkclient "github.com/moby/buildkit/client"
	digest "github.com/opencontainers/go-digest"

	"github.com/klmcwhirter/ocisi/hierarchy"
)

type told struct {
	mu   sync.Mutex
	list []hierarchy.Progress
}

func (t *told) tell(p hierarchy.Progress) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.list = append(t.list, p)
}

func (t *told) is(tt *testing.T, want ...hierarchy.Progress) {
	tt.Helper()
	t.mu.Lock()
	defer t.mu.Unlock()
	if !slices.Equal(t.list, want) {
		tt.Errorf("told:\n%+v\nwant:\n%+v", t.list, want)
	}
}

func TestSolveProgress(t *testing.T) {
	var got told
	p := newSolveProgress(got.tell)
	now := time.Now()
	vertex := func(id, name string, started, completed, cached bool, failed string) *bkclient.Vertex {
		v := &bkclient.Vertex{Digest: digest.Digest(id), Name: name, Cached: cached, Error: failed}
		if started {
			v.Started = &now
		}
		if completed {
			v.Completed = &now
		}
		return v
	}
	log := func(id, text string) *bkclient.VertexLog {
		return &bkclient.VertexLog{Vertex: digest.Digest(id), Data: []byte(text)}
	}
	p.add(&bkclient.SolveStatus{Vertexes: []*bkclient.Vertex{
		vertex("i", "[internal] load build definition", true, true, false, ""),
		vertex("a", "[1/2] FROM base", true, true, true, ""),
		vertex("b", "[tools for 2/2] RUN [ -e /x ] && make", false, false, false, ""),
	}})
	p.add(&bkclient.SolveStatus{Vertexes: []*bkclient.Vertex{vertex("b", "[tools for 2/2] RUN [ -e /x ] && make", true, false, false, "")}})
	p.add(&bkclient.SolveStatus{Logs: []*bkclient.VertexLog{log("b", "one\ntw")}})
	warning := log("b", "careful\n")
	warning.Stream = 2
	p.add(&bkclient.SolveStatus{Logs: []*bkclient.VertexLog{warning, log("b", "o\n\n 10%\r100%\nlast")}})
	p.add(&bkclient.SolveStatus{Vertexes: []*bkclient.Vertex{
		vertex("c", "[1/1] RUN other", true, true, false, "context canceled: context canceled"),
		vertex("b", "[tools for 2/2] RUN [ -e /x ] && make", true, true, false, "exit code: 1"),
		vertex("e", "exporting to image", true, false, false, ""),
	}})
	got.is(t,
		hierarchy.Progress{Step: 1, Steps: 2, Title: "FROM base", Cached: true},
		hierarchy.Progress{Step: 2, Steps: 2, Title: "RUN [ -e /x ] && make"},
		hierarchy.Progress{Step: 2, Steps: 2, Log: "one"},
		hierarchy.Progress{Step: 2, Steps: 2, Log: "careful"},
		hierarchy.Progress{Step: 2, Steps: 2, Log: "two"},
		hierarchy.Progress{Step: 2, Steps: 2, Log: "100%"},
		hierarchy.Progress{Step: 1, Steps: 1, Title: "RUN other"},
		hierarchy.Progress{Title: "exporting to image"},
		hierarchy.Progress{Step: 2, Steps: 2, Log: "last"},
	)
	err := p.failure("x:1", errors.New("it failed"))
	be, ok := errors.AsType[*hierarchy.BuildError](err)
	if !ok || be.Ref != "x:1" || be.Step != "RUN [ -e /x ] && make" || be.Log != "one\ncareful\ntwo\n\n100%\nlast" || be.Err.Error() != "it failed" {
		t.Errorf("%+v", be)
	}
}

func TestSolveProgressInternalFailure(t *testing.T) {
	p := newSolveProgress(func(hierarchy.Progress) {})
	p.add(&bkclient.SolveStatus{Vertexes: []*bkclient.Vertex{{Digest: "i", Name: "[internal] load metadata for x", Error: "not found"}}})
	if got := p.failure("x:1", errors.New("x: not found")).Error(); got != "x: not found" {
		t.Errorf("got %q", got)
	}
}

func TestPodmanProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got told
		p := newPodmanProgress(got.tell)
		out := func(s string) { _, _ = p.stdout.Write([]byte(s)) }
		out("[1/2] STEP 1/3: FROM base\nSTEP 2/3: RUN a\n")
		got.is(t, hierarchy.Progress{Step: 1, Steps: 3, Title: "FROM base"})
		out("--> Using cache 0123\n--> 0123\nSTEP 3/3: RUN b\n")
		time.Sleep(2 * cachedWithin)
		out("hello\n")
		_, _ = p.stderr.Write([]byte("Error: no good"))
		p.end()
		out("too late\n")
		got.is(t,
			hierarchy.Progress{Step: 1, Steps: 3, Title: "FROM base"},
			hierarchy.Progress{Step: 2, Steps: 3, Title: "RUN a", Cached: true},
			hierarchy.Progress{Step: 2, Steps: 3, Log: "--> 0123"},
			hierarchy.Progress{Step: 3, Steps: 3, Title: "RUN b"},
			hierarchy.Progress{Step: 3, Steps: 3, Log: "hello"},
			hierarchy.Progress{Step: 3, Steps: 3, Log: "Error: no good"},
		)
		be, _ := errors.AsType[*hierarchy.BuildError](p.failure("x:1", errors.New("status 1")))
		if be.Step != "RUN b" || !strings.HasPrefix(be.Log, "hello\nError: no good") {
			t.Errorf("%+v", be)
		}
	})
}

// The error that podman ends with may overtake standard output; others stay
// where they are.
func TestPodmanProgressErrorOvertakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got told
		p := newPodmanProgress(got.tell)
		_, _ = p.stderr.Write([]byte("Error: dnf says\nmore of it\nError: building at STEP\n"))
		_, _ = p.stdout.Write([]byte("STEP 2/2: RUN b\nhello\n"))
		p.end()
		got.is(t,
			hierarchy.Progress{Log: "Error: dnf says"},
			hierarchy.Progress{Log: "more of it"},
			hierarchy.Progress{Step: 2, Steps: 2, Title: "RUN b"},
			hierarchy.Progress{Step: 2, Steps: 2, Log: "hello"},
			hierarchy.Progress{Step: 2, Steps: 2, Log: "Error: building at STEP"},
		)
	})
}

// A step that is silent is told of after a moment, not when it has ended.
func TestPodmanProgressSilentStep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got told
		p := newPodmanProgress(got.tell)
		_, _ = p.stdout.Write([]byte("STEP 1/1: RUN sleep 100\n"))
		got.is(t)
		time.Sleep(2 * cachedWithin)
		synctest.Wait()
		got.is(t, hierarchy.Progress{Step: 1, Steps: 1, Title: "RUN sleep 100"})
	})
}

// A step that is held back when the build ends is told of at once, not after.
func TestPodmanProgressEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got told
		p := newPodmanProgress(got.tell)
		_, _ = p.stdout.Write([]byte("STEP 1/1: FROM x\n"))
		p.end()
		time.Sleep(2 * cachedWithin)
		synctest.Wait()
		got.is(t, hierarchy.Progress{Step: 1, Steps: 1, Title: "FROM x"})
	})
}

func TestStepLogKeepsTheEnd(t *testing.T) {
	var s stepLog
	line := strings.Repeat("x", 999)
	for range 5 * logMax / 1000 {
		s.add(line)
	}
	s.add("the end")
	got := s.String()
	if len(got) > logMax+100 || len(got) < logMax-1000 || !strings.HasPrefix(got, "[the beginning is left out]\nxxx") || !strings.HasSuffix(got, "x\nthe end") {
		t.Errorf("%d bytes: %.40q … %.40q", len(got), got, got[len(got)-40:])
	}
	if len(s.text) > 2*logMax+1000 {
		t.Errorf("%d bytes are kept", len(s.text))
	}
}

func TestCutStep(t *testing.T) {
	if got := cutStep(strings.Repeat("ä", 150)); got != strings.Repeat("ä", 100)+"…" {
		t.Errorf("got %q", got)
	}
	if got := cutStep("RUN " + strings.Repeat("ä", 150)[:197]); !strings.HasSuffix(got, "ä…") {
		t.Errorf("got %q", got)
	}
}

func TestWorkingContainers(t *testing.T) {
	const ps = `[
		{"Id":"new","Names":["base-working-container-1"],"State":"storage"},
		{"Id":"box","Names":["base-working-container"],"State":"running"},
		{"Id":"other","Names":["x"],"State":"storage"},
		{"Id":"unnamed","State":"storage"}]`
	list, err := parseExternal(ps)
	list = slices.DeleteFunc(list, func(c externalContainer) bool { return !c.working() })
	if err != nil || len(list) != 1 || list[0].ID != "new" {
		t.Errorf("got %v, %v", list, err)
	}
	if list, err := parseExternal("Error: no"); err == nil {
		t.Errorf("got %v", list)
	}
}
