package engine

import (
	"bytes"
	"strings"
)

// logMax is how much of a step's output is kept for its error: the end, in
// bytes.
const logMax = 1 << 20

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
