package engine

import (
	"errors"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/internal/process"
)

// stepLine matches what podman build prints before every instruction, with the
// number of the stage when there are several: "[1/2] STEP 3/4: RUN …".
var stepLine = regexp.MustCompile(`^(?:\[\d+/\d+\] )?STEP (\d+)/(\d+): (.*)$`)

// cachedWithin is how long a step is held back before it is told of: podman
// says first that it starts and a moment later that its result was there.
const cachedWithin = 200 * time.Millisecond

// podmanProgress turns the output of podman build into steps and lines. All
// that happens between two steps is output of the first.
type podmanProgress struct {
	stdout, stderr *process.Lines

	mu    sync.Mutex
	emit  func(hierarchy.Progress)
	step  hierarchy.Progress
	held  *time.Timer // runs until the step is told of; nil when it has been
	log   stepLog
	last  string // of standard error, held back when it begins with "Error: "
	ended bool
}

func newPodmanProgress(emit func(hierarchy.Progress)) *podmanProgress {
	p := &podmanProgress{emit: emit}
	p.stdout, p.stderr = process.NewLines(p.outLine), process.NewLines(p.errLine)
	return p
}

func (p *podmanProgress) outLine(line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return
	}
	if m := stepLine.FindStringSubmatch(line); m != nil {
		p.release()
		p.step = hierarchy.Progress{Title: m[3]}
		p.step.Step, _ = strconv.Atoi(m[1])
		p.step.Steps, _ = strconv.Atoi(m[2])
		p.log = stepLog{}
		p.held = time.AfterFunc(cachedWithin, p.overdue)
		return
	}
	if strings.HasPrefix(line, "--> Using cache ") {
		p.step.Cached = true
		p.release()
		return
	}
	p.logLine(line)
}

// errLine holds an error back until the next line: the one that podman ends
// with may arrive before the last lines of standard output, which has a pipe of
// its own.
func (p *podmanProgress) errLine(line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return
	}
	p.tellLast()
	if strings.HasPrefix(line, "Error: ") {
		p.last = line
		return
	}
	p.logLine(line)
}

func (p *podmanProgress) tellLast() {
	if p.last != "" {
		p.logLine(p.last)
		p.last = ""
	}
}

func (p *podmanProgress) logLine(line string) {
	p.release()
	p.log.add(line)
	if line != "" {
		p.emit(hierarchy.Progress{Step: p.step.Step, Steps: p.step.Steps, Log: line})
	}
}

// release tells of the step that is held back.
func (p *podmanProgress) release() {
	if p.held != nil && !p.ended {
		p.held.Stop()
		p.held = nil
		p.emit(p.step)
	}
}

func (p *podmanProgress) overdue() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.release()
}

// end tells the rest; nothing is emitted afterwards.
func (p *podmanProgress) end() {
	p.stdout.Flush()
	p.stderr.Flush()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tellLast()
	p.release()
	p.ended = true
}

// failure returns what made a build fail, in podman's words when it had some.
func (p *podmanProgress) failure(ref string, err error) error {
	if _, ok := errors.AsType[*process.NotFoundError](err); ok {
		return err
	}
	return &hierarchy.BuildError{Ref: ref, Step: cutStep(p.step.Title), Log: p.log.String(), Err: err}
}
