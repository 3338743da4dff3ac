package process

import (
	"bytes"
	"unicode/utf8"
)

// MaxLine is the length in bytes at which [Lines] breaks a line.
const MaxLine = 64 << 10

// Lines is an [io.Writer] that calls a function for each line of one stream,
// without the newline. If a carriage return overwrites a line, as in progress bars,
// only the last text is passed on. A line longer than [MaxLine] is split. The cost
// is linear in the bytes written, and at most one line is buffered.
type Lines struct {
	line    func(string)
	buf     []byte
	restart bool // a carriage return was written: more text replaces the line
}

// NewLines returns a Lines that calls line.
func NewLines(line func(string)) *Lines { return &Lines{line: line} }

// Write implements io.Writer.
func (l *Lines) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		i := bytes.IndexAny(p, "\r\n")
		if i < 0 {
			l.add(p)
			break
		}
		l.add(p[:i])
		if p[i] == '\n' {
			l.end()
		} else {
			l.restart = true
		}
		p = p[i+1:]
	}
	return n, nil
}

// Flush passes on a last line that has no newline.
func (l *Lines) Flush() {
	if len(l.buf) > 0 {
		l.end()
	}
}

func (l *Lines) end() {
	l.line(string(l.buf))
	l.buf, l.restart = l.buf[:0], false
}

func (l *Lines) add(text []byte) {
	if l.restart && len(text) > 0 {
		l.buf, l.restart = l.buf[:0], false
	}
	for len(l.buf)+len(text) > MaxLine {
		n := MaxLine - len(l.buf)
		l.buf, text = append(l.buf, text[:n]...), text[n:]
		cut := wholeRunes(l.buf)
		rest := string(l.buf[cut:])
		l.line(string(l.buf[:cut]))
		l.buf = append(l.buf[:0], rest...)
	}
	l.buf = append(l.buf, text...)
}

// wholeRunes returns the length of text without an incomplete character at its
// end.
func wholeRunes(text []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(text); n++ {
		if end := text[len(text)-n:]; utf8.RuneStart(end[0]) {
			if !utf8.FullRune(end) {
				return len(text) - n
			}
			break
		}
	}
	return len(text)
}

// Tail is an [io.Writer] that keeps the last Max bytes.
type Tail struct {
	Max int
	buf []byte
}

// Write implements io.Writer.
func (t *Tail) Write(p []byte) (int, error) {
	n := len(p)
	p = p[max(len(p)-t.Max, 0):]
	// Dropping bytes only at twice the size keeps the cost linear.
	if over := len(t.buf) + len(p) - 2*t.Max; over > 0 {
		t.buf = append(t.buf[:0], t.buf[max(len(t.buf)-t.Max, 0):]...)
	}
	t.buf = append(t.buf, p...)
	return n, nil
}

// String returns the last Max bytes.
func (t *Tail) String() string { return string(t.buf[max(len(t.buf)-t.Max, 0):]) }
