package engine

import (
	"bytes"
	"strings"
)

// logMax is how much of a step's output is kept for its error: the end, in
// bytes.
const logMax = 1 << 20

// lines is a writer that hands on whole lines. Of a line that was redrawn by
// carriage returns, it hands on what a terminal would show in the end. One
// lines is for one stream.
type lines struct {
	line func(string)
	buf  []byte
}

func newLines(line func(string)) *lines { return &lines{line: line} }

// Write implements io.Writer.
func (l *lines) Write(p []byte) (int, error) {
	l.buf = append(l.buf, p...)
	for {
		i := bytes.IndexByte(l.buf, '\n')
		if i < 0 {
			return len(p), nil
		}
		l.line(shown(l.buf[:i]))
		l.buf = l.buf[i+1:]
	}
}

// flush hands on a last line that has no end.
func (l *lines) flush() {
	if len(l.buf) > 0 {
		l.line(shown(l.buf))
		l.buf = nil
	}
}

func shown(line []byte) string {
	line = bytes.TrimRight(line, "\r")
	return string(line[bytes.LastIndexByte(line, '\r')+1:])
}

// stepLog keeps the output of one step, at most logMax bytes of it.
type stepLog struct {
	text []byte
	cut  bool
}

func (s *stepLog) add(line string) {
	s.text = append(s.text, line...)
	s.text = append(s.text, '\n')
	if over := len(s.text) - logMax; over > logMax { // not at every line: moving the rest costs
		s.text = append(s.text[:0], s.text[over:]...)
		s.cut = true
	}
}

func (s *stepLog) String() string {
	text, cut := s.text, s.cut
	if over := len(text) - logMax; over > 0 {
		text, cut = text[over:], true
	}
	if cut {
		if i := bytes.IndexByte(text, '\n'); i >= 0 {
			text = text[i+1:]
		}
		return "[the beginning is left out]\n" + strings.TrimRight(string(text), "\n")
	}
	return strings.TrimRight(string(text), "\n")
}
