package engine

import (
	"regexp"
	"strconv"
	"strings"

	bkclient "github.com/moby/buildkit/client"
	digest "github.com/opencontainers/go-digest"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/internal/process"
)

// numbered matches the name of a vertex that is an instruction: "[2/5] RUN …",
// with the name of the stage when there are several: "[tools 2/5] RUN …".
var numbered = regexp.MustCompile(`^\[(?:.* )?(\d+)/(\d+)\] (.*)$`)

// vertexMax is where a name of a vertex that was an instruction of several
// lines is cut in an error's step; the log has all of it.
const vertexMax = 200

// solveProgress turns what BuildKit tells of its graph into steps and lines.
type solveProgress struct {
	emit     func(hierarchy.Progress)
	vertices map[digest.Digest]*vertex
	failed   *vertex // the first one that failed by itself
}

type vertex struct {
	step  hierarchy.Progress
	shown bool // emitted
	inner bool // BuildKit's own business, such as reading the Containerfile
	log   stepLog

	out, errs *process.Lines // one each: what was cut off a line in one stream may continue after lines of the other
}

const stderrStream = 2 // as BuildKit numbers them

func (v *vertex) stream(n int) *process.Lines {
	if n == stderrStream {
		return v.errs
	}
	return v.out
}

func (v *vertex) flush() {
	v.out.Flush()
	v.errs.Flush()
}

func newSolveProgress(emit func(hierarchy.Progress)) *solveProgress {
	return &solveProgress{emit: emit, vertices: make(map[digest.Digest]*vertex)}
}

func (p *solveProgress) add(s *bkclient.SolveStatus) {
	for _, v := range s.Vertexes {
		p.addVertex(v)
	}
	for _, l := range s.Logs {
		_, _ = p.vertex(l.Vertex).stream(l.Stream).Write(l.Data)
	}
	// A vertex is complete in the status that brings its last lines.
	for _, v := range s.Vertexes {
		if v.Completed != nil {
			p.vertex(v.Digest).flush()
		}
	}
}

func (p *solveProgress) addVertex(v *bkclient.Vertex) {
	known := p.vertex(v.Digest)
	known.name(v.Name)
	if v.Started != nil && !known.shown && !known.inner {
		known.shown = true
		known.step.Cached = v.Cached
		p.emit(known.step)
	}
	// The steps beside the one that failed are cancelled, and say so.
	if v.Error != "" && p.failed == nil && !strings.Contains(v.Error, "context canceled") {
		p.failed = known
	}
}

func (p *solveProgress) vertex(d digest.Digest) *vertex {
	v := p.vertices[d]
	if v == nil {
		v = new(vertex)
		tell := func(line string) {
			v.log.add(line)
			if line != "" {
				p.emit(hierarchy.Progress{Step: v.step.Step, Steps: v.step.Steps, Log: line})
			}
		}
		v.out, v.errs = process.NewLines(tell), process.NewLines(tell)
		p.vertices[d] = v
	}
	return v
}

func (v *vertex) name(name string) {
	if v.step.Title != "" || name == "" {
		return
	}
	v.step.Title = name
	v.inner = strings.HasPrefix(name, "[internal]")
	if m := numbered.FindStringSubmatch(name); m != nil {
		v.step.Step, _ = strconv.Atoi(m[1])
		v.step.Steps, _ = strconv.Atoi(m[2])
		v.step.Title = m[3]
	}
}

// failure returns what made a build fail, with the output of the step.
func (p *solveProgress) failure(ref string, err error) error {
	be := &hierarchy.BuildError{Ref: ref, Err: err}
	if p.failed != nil {
		p.failed.flush()
		be.Log = p.failed.log.String()
		if !p.failed.inner {
			be.Step = cutStep(p.failed.step.Title)
		}
	}
	return be
}

// cutStep keeps an instruction short enough for a message.
func cutStep(title string) string {
	if len(title) <= vertexMax {
		return title
	}
	return strings.ToValidUTF8(title[:vertexMax], "") + "…"
}
