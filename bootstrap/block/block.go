// Package block manages a marked block of lines in a text file of the user. [Put]
// adds or replaces the block, [Cut] removes it. The rest of the text stays the same,
// byte for byte: Cut after Put returns the original text.
package block

import (
	"bytes"
	"errors"
)

// The first and the last line of a block, for files whose comments begin with #.
const (
	begin = "# >>> ocisi >>> kept by 'ocisi just install', removed by 'ocisi just uninstall'"
	end   = "# <<< ocisi <<<"

	// Notes at the end of the first line: Put also ended the last line of the text,
	// or created the file.
	joined  = " (and the end of the line above)"
	created = " (and this file)"
)

// ErrBroken reports that the first and last line of a block are not a pair.
var ErrBroken = errors.New("the lines that mark what ocisi keeps there have been changed")

// span is the position of a block in a text.
type span struct {
	from, to int    // byte offsets of its lines
	note     string // what follows begin in its first line
}

// Put returns text with lines as its block, which replaces an existing block or is
// appended. A nil text is a file that does not exist. The lines must not contain the
// first or last line of a block; Put adds a newline at their end if it is missing.
func Put(text, lines []byte) ([]byte, error) {
	at, found, err := find(text)
	if err != nil {
		return nil, err
	}
	if !found {
		at = span{from: len(text), to: len(text)}
		switch {
		case text == nil:
			at.note = created
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

// Cut returns text without its block, or nil if Put created the file and it
// contains nothing else. A text without a block is returned unchanged.
func Cut(text []byte) ([]byte, error) {
	at, found, err := find(text)
	if err != nil || !found {
		return text, err
	}
	before, after := text[:at.from], text[at.to:]
	if at.note == joined && len(after) == 0 {
		// If text follows the block, the newline separates it from the line above.
		before = bytes.TrimSuffix(before, []byte("\n"))
	}
	if at.note == created && len(before)+len(after) == 0 {
		return nil, nil
	}
	return append(append([]byte{}, before...), after...), nil
}

// Has reports whether text has a block, complete or broken.
func Has(text []byte) bool {
	_, found, err := find(text)
	return found || err != nil
}

// find returns the position of the block. Its lines may end with a carriage return,
// as some editors write them.
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
