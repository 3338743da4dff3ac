package launcher

import (
	"path"
	"path/filepath"
	"strings"

	"github.com/klmcwhirter/ocisi/hierarchy"
)

// executable is the mode of scripts.
const executable = 0o755

// NewProgram returns the script at a path that runs a program of a box, which
// is an absolute path in the box.
func NewProgram(o Owner, d Dirs, program, at string) File {
	s := script{owner: o, home: d.Home, self: at, what: program}
	return File{Kind: Program, Path: at, Data: s.text(), Mode: executable, What: program, Owner: o}
}

// NewEntrance returns the script that runs its arguments in a box, or, without
// any, the user's shell.
func NewEntrance(o Owner, d Dirs) File {
	at := filepath.Join(d.Entrances(), plainName(o.Box))
	s := script{owner: o, home: d.Home, self: at}
	return File{Kind: Entrance, Path: at, Data: s.text(), Mode: executable, Owner: o}
}

// script is what a script is made of.
type script struct {
	owner Owner
	home  string
	self  string // where it is
	what  string // the program; "" makes an entrance
	root  string // of the file system; only tests set it

	unsealed bool // as it was written before scripts had a checksum
}

// The lines by which launchers are recognised. Distrobox removes a file that has
// the first two of them below the shebang together with its box.
const (
	shebang     = "#!/bin/sh"
	mark        = "# distrobox_binary"
	namePrefix  = "# name: "
	ownerPrefix = "# ocisi: "
)

// text returns the script.
func (s script) text() []byte {
	header := shebang + "\n" + namePrefix + oneLine(s.owner.Box) + "\n" + ownerPrefix + s.header()
	part, name := anything(), "ocisi"
	if s.what != "" {
		header = strings.Replace(header, "\n", "\n"+mark+"\n", 1)
		part, name = just(s.what), path.Base(s.what)
	}
	flags, sudo := "", ""
	if s.owner.Root {
		flags, sudo = "--root ", "${DBX_SUDO_PROGRAM:-sudo} "
	}
	text := strings.NewReplacer(
		"@HEADER@", header,
		"@NAME@", quote(name),
		"@PROGRAM@", part.program,
		"@WORDS@", part.words,
		"@OWN@", part.own,
		"@ENTER@", part.enter,
		"@SHIFT@", part.shift,
		"@BOX@", quote(s.owner.Box),
		"@MANAGER@", quote(string(s.owner.Manager)),
		"@SELF@", quote(s.self),
		"@HOME@", quote(s.home),
		"@MORE@", quote(s.more()),
		"@PATH@", quote(s.root+"/usr/local/bin:"+s.root+"/usr/bin:"+s.root+"/bin"),
		"@PODMAN@", quote(s.root+"/run/.containerenv"),
		"@DOCKER@", quote(s.root+"/.dockerenv"),
		"@GUARD@", part.guard,
		"@FLAGS@", flags,
		"@SUDO@", sudo,
	).Replace(body)
	if s.unsealed {
		return []byte(text)
	}
	return []byte(sealScript(text))
}

// parts are where scripts of the two kinds differ.
type parts struct {
	program string // what is run
	words   string // and with what
	own     string // prepares words, in the box
	shift   string // drops the program from the arguments
	enter   string // makes the arguments what follows --name BOX
	guard   string // against being called on the way into the box
}

// just are the parts of a script that runs a program.
func just(program string) parts {
	return parts{
		program: quote(program), words: quote(program) + ` "$@"`, own: ":", shift: ":",
		enter: `set -- -- "$program" "$@"`,
		guard: `# What distrobox calls on its way into the box is the host's own: an exported awk
# would call itself for ever.
[ -z "${OCISI_ENTERING-}" ] || ! seek "${program##*/}" "" || exec "$found" "$@"
export OCISI_ENTERING=1

`,
	}
}

// anything are the parts of a script that runs its arguments. A program without
// a path is looked up in the box, where the folders of the user's PATH come
// first: those that have a launcher of that name, of another box, go last.
func anything() parts {
	return parts{
		program: `"${1-}"`, words: `"$@"`, shift: "shift",
		own: `[ $# -gt 0 ] || set -- "${SHELL:-/bin/sh}"
		case $1 in
		*/*) ;;
		*) seek "$1" "" && shift && set -- "$found" "$@" ;;
		esac`,
		enter: `front=
back=
IFS=:
set -f
for dir in $PATH; do
	if [ -f "$dir/$program" ] && launcher "$dir/$program"; then
		back=$back:$dir
	else
		front=$front:$dir
	fi
done
set +f
unset IFS
case $program in
*/*) ;;
*) [ -z "$back" ] || set -- env "PATH=${front#:}:/usr/local/bin:/usr/bin:/bin$back" "$@" ;;
esac
[ $# -eq 0 ] || set -- -- "$@"`,
	}
}

// header is the owner in one line, values encoded.
func (s script) header() string {
	words := []string{
		"manager=" + hierarchy.LabelValue(string(s.owner.Manager)),
		"image=" + hierarchy.LabelValue(s.owner.Image),
		"config=" + hierarchy.LabelValue(s.owner.Config),
	}
	if s.what != "" {
		words = append(words, "what="+hierarchy.LabelValue(s.what))
	}
	if !s.unsealed {
		words = append(words, "path="+hierarchy.LabelValue(s.self))
	}
	if s.owner.Root {
		words = append(words, "root=true")
	}
	return strings.Join(words, " ")
}

// more are the folders that are searched after PATH.
func (s script) more() string {
	var more strings.Builder
	for _, dir := range places(s.home) {
		more.WriteString(":" + s.root + dir)
	}
	return more.String()
}

// places are the folders where distrobox and the engines are. The PATH of a
// desktop session lacks some of them.
func places(home string) []string {
	return []string{"/usr/local/bin", "/usr/bin", "/bin", home + "/.local/bin", "/home/linuxbrew/.linuxbrew/bin"}
}

// body is POSIX shell. A container is told by the files that podman and docker
// put into it, since variables get out of it through a shared session bus.
// Engines and distrobox are what PATH has, unless that is a launcher: a box may
// export docker. Distrobox lists, as the exported program, the second word of a
// line with exec before a line with the letters fi, so there is one such line.
const body = `@HEADER@
# Written by ocisi, and replaced when the box is.

program=@PROGRAM@
box=@BOX@
manager=@MANAGER@
self=@SELF@

fail() {
	printf '%s: %s\n' @NAME@ "$1" >&2
	exit 127
}

launcher() {
	second=
	{ read -r first && [ "$first" = "#!/bin/sh" ] && read -r second; } 2>/dev/null <"$1"
	[ "$second" = "# distrobox_binary" ]
}

# seek looks in PATH and more folders for a program that is no launcher.
seek() {
	found=
	IFS=:
	set -f
	for dir in $PATH$2; do
		try=${dir:-.}/$1
		if [ -f "$try" ] && [ -x "$try" ] && ! launcher "$try"; then
			found=$try
			break
		fi
	done
	set +f
	unset IFS
	[ -n "$found" ]
}

# need makes sure that distrobox, too, gets the program that seek found.
need() {
	seek "$1" @MORE@ || fail "$1 is not installed"
	case $(command -v "$1") in
	"$found") ;;
	'') PATH=$PATH:${found%/*} ;;
	*) PATH=${found%/*}:$PATH ;;
	esac
}

inside() {
	here=${CONTAINER_ID-}
	if [ "$here" = "$box" ] || [ "$here" != "${here#"$box".ocisi-}" ]; then
		launcher "$program" && fail "$program is a launcher"
		@OWN@
		exec @WORDS@
	fi
	[ -n "$here" ] && seek host-spawn "" && seek distrobox-host-exec "" && exec "$found" "$self" "$@"

	# A dev container that has the same home: the program of its own image.
	[ -x "$program" ] && [ ! -d "$program" ] && ! launcher "$program" && exec @WORDS@
	if ! seek "${program##*/}" ""; then
		[ -n "$here" ] && seek distrobox-host-exec "" && exec "$found" "$self" "$@"
		fail "this container has no ${program##*/}, and $box is on the host"
	fi
	@SHIFT@
	exec "$found" "$@"
}

if [ -e @PODMAN@ ] || [ -e @DOCKER@ ]; then
	inside "$@"
fi

# A desktop session may hand over no environment at all, and distrobox 1.4 then
# stumbles over USER.
[ -n "${HOME-}" ] || HOME=@HOME@
[ -n "${PATH-}" ] || PATH=@PATH@
[ -n "${USER-}" ] || USER=$(id -un)
export HOME PATH USER
if [ -z "${XDG_RUNTIME_DIR-}" ] && [ -d "/run/user/$(id -u)" ]; then
	XDG_RUNTIME_DIR=/run/user/$(id -u)
	export XDG_RUNTIME_DIR
fi

@GUARD@need "$manager"
engine=$found
need distrobox

# distrobox would make a box that is not there.
if ! why=$(@SUDO@"$engine" container inspect --format '{{.Id}}' "$box" 2>&1 >/dev/null </dev/null); then
	fail "cannot enter box $box of $manager: $why"
fi

@ENTER@
if [ ! -t 0 ] || [ ! -t 1 ]; then
	set -- --no-tty "$@"
fi
export DBX_CONTAINER_MANAGER="$manager" DBX_NON_INTERACTIVE=0
exec "$found" enter @FLAGS@--name "$box" "$@"
`
