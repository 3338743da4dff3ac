package launcher

import (
	"path"
	"strings"
)

// escape returns a value of type string of a desktop file.
func escape(s string) string {
	s = strings.NewReplacer("\\", `\\`, "\n", `\n`, "\t", `\t`, "\r", `\r`).Replace(s)
	if strings.HasPrefix(s, " ") {
		s = `\s` + s[1:]
	}
	return s
}

// unescape returns what a value of type string stands for.
func unescape(value string) string {
	return strings.NewReplacer(`\\`, "\\", `\n`, "\n", `\t`, "\t", `\r`, "\r", `\s`, " ").Replace(value)
}

// execWord returns a word of a key Exec, as it is in the file.
func execWord(s string) string {
	s = strings.ReplaceAll(s, "%", "%%")
	if strings.ContainsAny(s, blanks+"\n\"'\\><~|&;$*?#()`") || s == "" {
		s = `"` + strings.NewReplacer(`"`, `\"`, "`", "\\`", "$", `\$`, `\`, `\\`).Replace(s) + `"`
	}
	return escape(s)
}

// execWords returns the words of a key Exec's value, field codes as they are.
// Unlike the specification, and like distrobox's files, quotes may be inside a word.
func execWords(value string) []string {
	var words []string
	var word strings.Builder
	in, quoted := false, false
	s := unescape(value)
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && i+1 < len(s):
			i++
			word.WriteByte(s[i])
			in = true
		case c == '"':
			quoted, in = !quoted, true
		case !quoted && (c == ' ' || c == '\t' || c == '\n'):
			if in {
				words = append(words, word.String())
			}
			word.Reset()
			in = false
		default:
			word.WriteByte(c)
			in = true
		}
	}
	if in {
		words = append(words, word.String())
	}
	return words
}

// execProgram returns the program that a key Exec's value runs, without env and
// the variables that it sets.
func execProgram(value string) string {
	words := execWords(value)
	if len(words) > 0 && path.Base(words[0]) == "env" {
		words = words[1:]
		for len(words) > 0 && (strings.Contains(words[0], "=") || strings.HasPrefix(words[0], "-")) {
			words = words[1:]
		}
	}
	if len(words) == 0 {
		return ""
	}
	return words[0]
}
