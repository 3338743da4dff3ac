package hierarchy

import (
	"fmt"
	"regexp"
	"strings"
)

// The grammars of names and tags are the distribution project's
// (github.com/distribution/reference); box names follow the engines'
// container names.
var (
	nameGrammar = regexp.MustCompile(`^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:[:][0-9]+)?(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$`)
	tagGrammar  = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$`)
	boxGrammar  = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]*$`)
)

// ParseManager returns the manager of a name. The empty string is no manager.
func ParseManager(s string) (Manager, error) {
	if m := Manager(s); m == Docker || m == Podman {
		return m, nil
	}
	return "", fmt.Errorf("unknown manager %q", s)
}

// Metacharacter returns the first character of a value that a shell would not
// take as itself. distrobox 1.x evaluates its command line in a shell, so no
// such value may reach it.
func Metacharacter(value string) (rune, bool) {
	for _, r := range value {
		if r < ' ' || r == 0x7f || strings.ContainsRune("`$;&|<>()'\"\\*?[]{}!#", r) {
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
	if !tagGrammar.MatchString(s) {
		return fmt.Sprintf("%q is no image tag: letters, digits, _ . and -, at most 128", s)
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
	return checkPlain(s)
}

func checkPlain(s string) string {
	if s == "" {
		return "is empty"
	}
	if r, bad := Metacharacter(s); bad {
		return fmt.Sprintf("%q holds %q, which a shell would not take as itself", s, r)
	}
	return ""
}

// checkExpandable lets a value begin with ~ or $HOME, or name them after a colon
// or an equals sign, as volumes and flags do.
func checkExpandable(s string) string {
	return checkPlain(strings.NewReplacer("$HOME", "HOME", "${HOME}", "HOME", "$USER", "USER", "${USER}", "USER").Replace(s))
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
