// Package ui writes to the terminal and to run logs.
package ui

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"syscall"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// maxSequence is how many bytes of an escape sequence are looked at. A longer one
// is written as text.
const maxSequence = 64

// Writer passes on text that cannot control a terminal: printable characters,
// spaces, tabs and newlines. Everything else is written as a JSON escape, such
// as \u001b, so that JSON stays the same document; a byte that is not UTF-8 as
// \xff. Colors (SGR sequences) are removed, except for ocisi's own; so is the
// carriage return of a CRLF.
//
// When the reader of the output has ended (EPIPE, or EIO of a terminal that was
// closed), the rest is discarded without an error.
//
// A Writer may be used by several goroutines.
type Writer struct {
	to   io.Writer
	mark string

	mu      sync.Mutex
	pending []byte // the beginning of a character or of an escape sequence
	closed  bool
}

// NewWriter returns a Writer to w. SGR sequences with mark between ESC and the
// bracket are ocisi's own and pass, without the mark. The mark must not be known
// to the authors of other text; with an empty mark no sequence passes.
func NewWriter(w io.Writer, mark string) *Writer { return &Writer{to: w, mark: mark} }

// Write implements io.Writer.
func (w *Writer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.filter(append(w.pending, p...), false); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Flush writes what is left of a character or an escape sequence that did not
// end.
func (w *Writer) Flush() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.filter(w.pending, true)
}

// Raw returns a writer that passes on all bytes as they are, for files that go
// into a pipe. Like w, it discards all bytes after the reader has ended.
func (w *Writer) Raw() io.Writer { return raw{w} }

type raw struct{ w *Writer }

// Write implements io.Writer.
func (r raw) Write(p []byte) (int, error) {
	r.w.mu.Lock()
	defer r.w.mu.Unlock()
	if err := r.w.pass(p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// pass writes what goes to the terminal.
func (w *Writer) pass(p []byte) error {
	if w.closed || len(p) == 0 {
		return nil
	}
	_, err := w.to.Write(p)
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.EIO) || errors.Is(err, io.ErrClosedPipe) {
		w.closed = true
		return nil
	}
	return err
}

// filter passes on text, and keeps an incomplete end for the next call, unless
// this is the last one.
func (w *Writer) filter(text []byte, last bool) error {
	out := make([]byte, 0, len(text))
	for len(text) > 0 {
		var n int
		if out, n = w.next(out, text, last); n == 0 {
			break
		}
		text = text[n:]
	}
	w.pending = append([]byte(nil), text...)
	return w.pass(out)
}

// next appends the output for the first character or sequence of text, and
// returns how many bytes that is: 0 when it depends on what follows.
func (w *Writer) next(out, text []byte, last bool) ([]byte, int) {
	switch c := text[0]; {
	case c == '\n', c == '\t', ' ' <= c && c < 0x7f:
		return append(out, c), 1
	case c == '\r':
		return carriageReturn(out, text, last)
	case c == '\x1b':
		return w.sequence(out, text, last)
	case !utf8.FullRune(text) && !last:
		return out, 0
	}
	r, n := utf8.DecodeRune(text)
	switch {
	case r == utf8.RuneError && n == 1:
		return fmt.Appendf(out, `\x%02x`, text[0]), 1
	case unicode.IsPrint(r):
		return append(out, text[:n]...), n
	}
	return escaped(out, r), n
}

// carriageReturn handles one, which is removed only in front of a newline.
func carriageReturn(out, text []byte, last bool) ([]byte, int) {
	switch {
	case len(text) > 1 && text[1] == '\n':
		return append(out, '\n'), 2
	case len(text) == 1 && !last:
		return out, 0
	}
	return escaped(out, '\r'), 1
}

// sequence handles an escape sequence.
func (w *Writer) sequence(out, text []byte, last bool) ([]byte, int) {
	rest, own := bytes.CutPrefix(text[1:], []byte(w.mark))
	own = own && w.mark != ""
	n := sgr(rest)
	switch {
	case !last && (!own && len(rest) < len(w.mark) && strings.HasPrefix(w.mark, string(rest)) || n < 0 && len(rest) < maxSequence):
		return out, 0
	case n <= 0:
		return escaped(out, '\x1b'), 1
	case own:
		out = append(append(out, '\x1b'), rest[:n]...)
	}
	return out, len(text) - len(rest) + n
}

// sgr returns the length of the SGR sequence that text begins with, without its
// ESC; 0 when there is none, -1 when it may go on behind the end of text. An
// erasure of the rest of the line counts, because compilers print one with each
// color.
func sgr(text []byte) int {
	if len(text) == 0 {
		return -1
	}
	if text[0] != '[' {
		return 0
	}
	parameters := len(text) - 1 - len(bytes.TrimLeft(text[1:], "0123456789;:"))
	switch end := 1 + parameters; {
	case end > maxSequence:
		return 0
	case end == len(text):
		return -1
	case text[end] == 'm' || text[end] == 'K':
		return end + 1
	}
	return 0
}

// escaped appends a character as JSON writes it in ASCII.
func escaped(out []byte, r rune) []byte {
	if r1, r2 := utf16.EncodeRune(r); r1 != unicode.ReplacementChar {
		return fmt.Appendf(out, `\u%04x\u%04x`, r1, r2)
	}
	return fmt.Appendf(out, `\u%04x`, r)
}
