package launcher

import (
	"strings"
	"unicode"

	"github.com/klmcwhirter/ocisi/hierarchy"
)

// quote returns a word of a shell.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// oneLine returns a name as it is in a comment. Names of boxes are plain; a
// character that would end the comment is encoded.
func oneLine(s string) string {
	if strings.ContainsFunc(s, unicode.IsControl) {
		return hierarchy.LabelValue(s)
	}
	return s
}

// plainName returns a name of a file for a name.
func plainName(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == '/' || unicode.IsControl(r) {
			return '_'
		}
		return r
	}, s)
	if strings.Trim(s, ".") == "" {
		return "_" + s
	}
	return s
}
