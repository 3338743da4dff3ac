package containerfile

import (
	"bytes"
	"slices"
	"strings"
)

// Replace returns the file's text with images replaced: a key is an image's
// Ref, its value what to write instead. Everything else stays as it was.
func (f *File) Replace(with map[string]string) []byte {
	lines := bytes.SplitAfter(f.text, []byte("\n"))
	for _, s := range f.spans {
		to, ok := with[s.ref]
		if !ok || to == s.ref {
			continue
		}
		for i := s.first - 1; i >= 0 && i < s.last && i < len(lines); i++ {
			var done bool
			if lines[i], done = replaceWord(lines[i], s.prefix+s.raw, s.prefix+to); done {
				break
			}
		}
	}
	return bytes.Join(lines, nil)
}

// replaceWord replaces the first whole word of a line: one that ends at white
// space, a comma or the line's end, and begins after white space, a comma, a
// quote or an equals sign.
func replaceWord(line []byte, from, to string) ([]byte, bool) {
	for at := 0; ; {
		i := bytes.Index(line[at:], []byte(from))
		if i < 0 {
			return line, false
		}
		start, end := at+i, at+i+len(from)
		before := start == 0 || strings.ContainsRune(" \t,=\"'", rune(line[start-1]))
		after := end == len(line) || strings.ContainsRune(" \t,\r\n\"'", rune(line[end]))
		if before && after {
			return slices.Concat(line[:start], []byte(to), line[end:]), true
		}
		at = start + 1
	}
}
