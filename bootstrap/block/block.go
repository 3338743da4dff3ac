// Package block keeps a few lines of ours in a text file that belongs to its
// user: Put adds them, or replaces them, and Cut takes them out again. Whatever
// is around them stays as it is, byte for byte, and Cut after Put is the text as
// it was before, for every text without such lines.
package block

import (
	"bytes"
	"errors"
)

// The first and the last line of a block, for files whose comments begin with #.
const (
	begin = "# >>> ocisi >>> kept by 'ocisi just install', removed by 'ocisi just uninstall'"
	end   = "# <<< ocisi <<<"

	// What the first line ends with when the file had to be changed for the block:
	// its last line was not ended, or the file was not there.
	joined = " (and the end of the line above)"
	made   = " (and this file)"
)

// ErrBroken says that the lines that mark a block are not a pair any more, so
// that nobody knows what is ours.
var ErrBroken = errors.New("the lines that mark what ocisi keeps there have been changed")

// span is where a block is in a text.
type span struct {
	from, to int    // of its lines
	note     string // what follows begin in its first line
}

// Put returns text with lines as its block: in the place of the one that it has,
// else at its end. Nil is the text of a file that is not there. The lines may not
// hold a line that marks a block; their last one is ended if it is not.
func Put(text, lines []byte) ([]byte, error) {
	at, found, err := find(text)
	if err != nil {
		return nil, err
	}
	if !found {
		at = span{from: len(text), to: len(text)}
		switch {
		case text == nil:
			at.note = made
		case len(text) > 0 && text[len(text)-1] != '\n':
			at.note = joined
		}
	}
	var out bytes.Buffer
	out.Write(text[:at.from])
	if !found && at.note == joined {
		out.WriteByte('\n')
	}
	out.WriteString(begin + at.note + "\n")
	out.Write(lines)
	if len(lines) > 0 && lines[len(lines)-1] != '\n' {
		out.WriteByte('\n')
	}
	out.WriteString(end + "\n")
	out.Write(text[at.to:])
	return out.Bytes(), nil
}

// Cut returns text without its block; nil when the file was made for the block
// and there is nothing else in it. A text without a block is returned as it is.
func Cut(text []byte) ([]byte, error) {
	at, found, err := find(text)
	if err != nil || !found {
		return text, err
	}
	before, after := text[:at.from], text[at.to:]
	if at.note == joined && len(after) == 0 {
		// With something behind the block, the two would become one line.
		before = bytes.TrimSuffix(before, []byte("\n"))
	}
	if at.note == made && len(before)+len(after) == 0 {
		return nil, nil
	}
	return append(append([]byte{}, before...), after...), nil
}

// Has reports whether text has a block, be it a broken one.
func Has(text []byte) bool {
	_, found, err := find(text)
	return found || err != nil
}

// find looks for the lines that mark a block. One that the user's editor gave a
// carriage return is one, too.
func find(text []byte) (span, bool, error) {
	at, opened, closed := span{}, 0, 0
	for from := 0; from < len(text); {
		to := len(text)
		if i := bytes.IndexByte(text[from:], '\n'); i >= 0 {
			to = from + i + 1
		}
		line := bytes.TrimRight(text[from:to], "\r\n")
		if note, ok := bytes.CutPrefix(line, []byte(begin)); ok {
			opened++
			at.from, at.note = from, string(note)
		}
		if bytes.Equal(line, []byte(end)) {
			closed++
			at.to = to
		}
		from = to
	}
	if opened == 0 && closed == 0 {
		return span{}, false, nil
	}
	if opened != 1 || closed != 1 || at.from >= at.to {
		return span{}, false, ErrBroken
	}
	return at, true, nil
}
