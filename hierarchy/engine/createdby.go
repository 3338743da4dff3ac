package engine

import (
	"regexp"
	"strings"
)

var (
	// byNop is how docker's first builder and buildah note what runs nothing.
	byNop = regexp.MustCompile(`^/bin/sh -c #\(nop\) `)
	// byShell is a shell that a RUN goes through: the default one, or what SHELL says.
	byShell = regexp.MustCompile(`^(?:/usr)?/bin/[a-z]*sh(?: -[a-z]+| pipefail)*? -[a-z]*c (.*)$`)
	// byArgs are the build arguments of a RUN, of which the first builder and
	// BuildKit write values as they are, spaces and all.
	byArgs = regexp.MustCompile(`^\|\d+ .*? ?((?:/usr)?/bin/[a-z]*sh(?: -[a-z]+| pipefail)*? -[a-z]*c .*)$`)
	// byExec is the same without a shell: what follows the last NAME=value.
	byExec = regexp.MustCompile(`^\|\d+ (?:\w+=\S* )*(.*)$`)
	// byHash is what COPY and ADD have copied, where the name is not told.
	byHash = regexp.MustCompile(`^((?:COPY|ADD) (?:file|dir|multi):[0-9a-f]{12})[0-9a-f]{52}\b`)
)

// createdBy returns the line of a Containerfile that made a layer, out of what
// the image's history says of it: BuildKit's RUN /bin/sh -c … # buildkit, the
// first builder's and buildah's /bin/sh -c … and /bin/sh -c #(nop) …, each also
// with build arguments as |2 A=b C=d. The line is not always the one that was
// written: of a here-document only its text is known, of what was copied with
// docker's first builder and with podman only a hash, which is cut. Text of other
// kinds stays as it is, white space apart.
func createdBy(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if nop := byNop.ReplaceAllString(text, ""); nop != text {
		return byHash.ReplaceAllString(nop, "$1")
	}
	kit, isKit := strings.CutSuffix(text, " # buildkit")
	if !isKit {
		if cmd, ok := command(text); ok {
			return "RUN " + cmd
		}
		return text
	}
	run, isRun := strings.CutPrefix(kit, "RUN ")
	if !isRun {
		return kit
	}
	cmd, _ := command(run)
	return "RUN " + cmd
}

// command returns what a RUN runs without its shell and its arguments, and
// whether it had either.
func command(text string) (string, bool) {
	if m := byArgs.FindStringSubmatch(text); m != nil {
		text = m[1]
	}
	if m := byShell.FindStringSubmatch(text); m != nil {
		return m[1], true
	}
	if m := byExec.FindStringSubmatch(text); m != nil {
		return m[1], true
	}
	return text, false
}

// makesLayer reports whether a line is of those that add a layer, even an empty
// one; of what is not a Containerfile's it is not known.
func makesLayer(line string) (makes, known bool) {
	word, _, _ := strings.Cut(line, " ")
	switch word {
	case "RUN", "COPY", "ADD", "WORKDIR":
		return true, true
	case "ARG", "CMD", "ENTRYPOINT", "ENV", "EXPOSE", "HEALTHCHECK", "LABEL", "MAINTAINER", "ONBUILD", "SHELL", "STOPSIGNAL", "USER", "VOLUME":
		return false, true
	}
	return false, false
}
