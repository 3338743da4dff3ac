package hierarchy

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"

	"github.com/klmcwhirter/ocisi/hierarchy/devcontainer"
)

// maxTag is how many characters a tag has at most. It is no part of the grammar
// below, where a counted repetition would take long to compile at each start.
const maxTag = 128

// The grammars of names and tags are the distribution project's
// (github.com/distribution/reference); box names follow the engines'
// container names.
var (
	nameGrammar = regexp.MustCompile(`^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:[:][0-9]+)?(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$`)
	tagGrammar  = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]*$`)
	boxGrammar  = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]*$`)
)

// ParseManager returns the manager of a name. The empty string is no manager.
func ParseManager(s string) (Manager, error) {
	if m := Manager(s); m == Docker || m == Podman {
		return m, nil
	}
	return "", fmt.Errorf("unknown manager %q", s)
}

// metacharacter returns the first character of a value that a shell would not
// take as itself.
func metacharacter(value string) (rune, bool) {
	for _, r := range value {
		if r < ' ' || r == 0x7f || strings.ContainsRune("`$;&|<>()'\"\\*?[]{}!#~", r) {
			return r, true
		}
	}
	return 0, false
}

// Unsafe returns the first character of a value that a shell would touch in any
// way, blanks among them. distrobox 1.x hands its command line to a shell,
// unquoted, so no such value may reach it.
func Unsafe(value string) (rune, bool) {
	const safe = "@%+=:,./_-"
	for _, r := range value {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune(safe, r) {
			return r, true
		}
	}
	return 0, false
}

// The check functions return what is wrong with a value, or "".

func checkName(s string) string {
	if !nameGrammar.MatchString(s) {
		return fmt.Sprintf("%q is no image name: lower-case letters, digits, and single . _ or - between them", s)
	}
	return ""
}

func checkTag(s string) string {
	if len(s) > maxTag || !tagGrammar.MatchString(s) {
		return fmt.Sprintf("%q is no image tag: letters, digits, _ . and -, at most %d", s, maxTag)
	}
	return ""
}

func checkBoxName(s string) string {
	if !boxGrammar.MatchString(s) {
		return fmt.Sprintf("%q is no container name: letters, digits, _ . and -", s)
	}
	return ""
}

func checkRef(s string) string {
	if s == "" || strings.ContainsAny(s, " \t\n") {
		return fmt.Sprintf("%q is no image reference", s)
	}
	return checkPath(s)
}

func checkPath(s string) string {
	if s == "" {
		return "is empty"
	}
	if r, bad := metacharacter(s); bad {
		return fmt.Sprintf("%q holds %q, which a shell would not take as itself", s, r)
	}
	return ""
}

func checkPlain(s string) string {
	if s == "" {
		return "is empty"
	}
	if r, bad := Unsafe(s); bad {
		return fmt.Sprintf("%q holds %q, which distrobox would hand to a shell", s, r)
	}
	return ""
}

// Expand replaces ~, $HOME or ${HOME} at the start of a path of a config, and
// reports whether there was one.
func Expand(value, home string) (string, bool) { return devcontainer.Expand(value, home) }

// checkExpandable lets a value, and each part of it between colons, begin with
// ~, $HOME or ${HOME}.
func checkExpandable(s string) string {
	for part := range strings.SplitSeq(s, ":") {
		part, _ = Expand(part, "/home")
		if problem := checkPlain(part); problem != "" {
			return problem
		}
	}
	return ""
}

// checkWords is for values that may be several words.
func checkWords(s string) string {
	for word := range strings.FieldsSeq(s) {
		if problem := checkExpandable(word); problem != "" {
			return problem
		}
	}
	if strings.TrimSpace(s) == "" {
		return "is empty"
	}
	return ""
}

func checkExportedBin(s string) string {
	if !strings.HasPrefix(s, "/") {
		return fmt.Sprintf("%q is not absolute: give the program's path in the box, /usr/bin/NAME", s)
	}
	return checkPlain(s)
}

func checkArg(s string) string {
	if strings.ContainsAny(s, "\n\r\x00") {
		return fmt.Sprintf("%q holds a line break", s)
	}
	return ""
}

// checkLine is for values that are shell by nature.
func checkLine(s string) string {
	if strings.TrimSpace(s) == "" {
		return "is empty"
	}
	if strings.ContainsRune(s, 0) {
		return "holds a zero byte"
	}
	return ""
}
