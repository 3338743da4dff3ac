package launcher

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// A machine is a folder that plays the root of a file system, with fakes of the
// engines and of distrobox that write down how they were called.
type machine struct {
	t    *testing.T
	root string
	path string // PATH
}

const fakeHome = "/home/u"

// fake tells its name and its arguments, and the variables that matter, then does
// as its caller wants.
const fake = `#!/bin/sh
{
	printf '%s' "${0##*/}"
	for arg; do printf ' [%s]' "$arg"; done
	printf ' manager=%s ask=%s home=%s\n' "${DBX_CONTAINER_MANAGER-}" "${DBX_NON_INTERACTIVE-}" "${HOME-}"
} >>CALLS
`

func newMachine(t *testing.T) *machine {
	t.Helper()
	m := &machine{t: t, root: t.TempDir()}
	m.path = m.root + "/usr/bin"
	for _, tool := range []string{"id", "cat"} {
		target, err := exec.LookPath(tool)
		if err != nil {
			t.Fatal(err)
		}
		m.put("/usr/bin/"+tool, "")
		if err := os.Remove(m.root + "/usr/bin/" + tool); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(target, m.root+"/usr/bin/"+tool); err != nil {
			t.Fatal(err)
		}
	}
	m.fake("/usr/bin/docker", `[ "$1 $2" != "container inspect" ] || ! cat | grep .`)
	m.fake("/usr/bin/podman", "echo 'Error: no such container' >&2; exit 125")
	m.fake("/usr/bin/distrobox", "cat; exit 37")
	return m
}

func (m *machine) put(path, text string) {
	m.t.Helper()
	if err := os.MkdirAll(filepath.Dir(m.root+path), 0o755); err != nil {
		m.t.Fatal(err)
	}
	if err := os.WriteFile(m.root+path, []byte(text), 0o755); err != nil {
		m.t.Fatal(err)
	}
}

func (m *machine) fake(path, more string) {
	m.put(path, strings.Replace(fake, "CALLS", quote(m.root+"/calls"), 1)+more+"\n")
}

// script puts a script there and returns its path.
func (m *machine) script(s script) string {
	m.t.Helper()
	s.root, s.home = m.root, fakeHome
	if s.owner.Box == "" {
		s.owner.Box = "box"
	}
	if s.owner.Manager == "" {
		s.owner.Manager = "docker"
	}
	if s.self == "" {
		s.self = fakeHome + "/.local/bin/" + filepath.Base(s.what)
	}
	at := s.self
	s.self = m.root + at
	m.put(at, string(s.text()))
	return m.root + at
}

// program puts a script for a program there; its path in the box is in our root,
// too, so that it can be there or not.
func (m *machine) program() string { return m.script(script{what: m.root + "/usr/bin/tool"}) }

// result is what running a script gave.
type result struct {
	out, err string
	status   int
	calls    string
}

// run runs a program in a shell, with an environment of PATH and more.
func (m *machine) run(shell []string, env []string, args ...string) result {
	m.t.Helper()
	_ = os.Remove(m.root + "/calls")
	ctx, cancel := context.WithTimeout(m.t.Context(), 20*time.Second)
	defer cancel()
	argv := append(slices.Clone(shell), args...)
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = append([]string{"PATH=" + m.path}, env...)
	cmd.Stdin = strings.NewReader("in\nput")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if ctx.Err() != nil {
		m.t.Fatalf("%v does not end", args)
	}
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		m.t.Fatal(err)
	}
	calls, _ := os.ReadFile(m.root + "/calls")
	return result{out.String(), errs.String(), cmd.ProcessState.ExitCode(), strings.ReplaceAll(string(calls), m.root, "")}
}

// shells are those that are here, of the ones that /bin/sh may be.
func shells(t *testing.T) [][]string {
	t.Helper()
	var found [][]string
	for _, shell := range [][]string{{"sh"}, {"dash"}, {"bash", "--posix"}, {"bash"}, {"busybox", "sh"}} {
		if path, err := exec.LookPath(shell[0]); err == nil {
			found = append(found, append([]string{path}, shell[1:]...))
		}
	}
	return found
}

// inEach runs a test in each shell.
func inEach(t *testing.T, test func(t *testing.T, m *machine, sh []string)) {
	t.Helper()
	for _, sh := range shells(t) {
		t.Run(filepath.Base(sh[0])+strings.Join(sh[1:], ""), func(t *testing.T) {
			t.Parallel()
			test(t, newMachine(t), sh)
		})
	}
}

func TestOnTheHost(t *testing.T) {
	t.Parallel()
	inEach(t, func(t *testing.T, m *machine, sh []string) {
		at := m.program()
		got := m.run(sh, []string{"HOME=/h", "DBX_NON_INTERACTIVE=1", "DBX_CONTAINER_MANAGER=podman", "CONTAINER_ID=box"},
			at, "a  b", "", "it's", `q"q`, "x\ny", "$HOME", "*", "`id`", "--", "-n", `\`)
		want := result{
			out: "in\nput", status: 37,
			calls: "docker [container] [inspect] [--format] [{{.Id}}] [box] manager=podman ask=1 home=/h\n" +
				"distrobox [enter] [--name] [box] [--no-tty] [--] [/usr/bin/tool]" +
				" [a  b] [] [it's] [q\"q] [x\ny] [$HOME] [*] [`id`] [--] [-n] [\\] manager=docker ask=0 home=/h\n",
		}
		if got != want {
			t.Errorf("got  %+v\nwant %+v", got, want)
		}
	})
}

// Distrobox calls programs of the host on its way into a box. One that is
// exported, too, must not lead there again: it would for ever.
func TestCalledOnTheWay(t *testing.T) {
	t.Parallel()
	inEach(t, func(t *testing.T, m *machine, sh []string) {
		at := m.program()
		m.put("/usr/bin/distrobox", "#!/bin/sh\necho distrobox\ntool of the host\nexit 5\n")
		m.fake("/usr/bin/tool", "")
		m.path = filepath.Dir(at) + ":" + m.path
		got := m.run(sh, []string{"HOME=/h"}, at)
		if got.status != 5 || strings.Count(got.calls, "tool [of] [the] [host]") != 1 || strings.Count(got.out, "distrobox\n") != 1 {
			t.Errorf("%+v", got)
		}
	})
}

func TestNoEnvironment(t *testing.T) {
	t.Parallel()
	inEach(t, func(t *testing.T, m *machine, sh []string) {
		m.path = ""
		for _, place := range []string{"/usr/local/bin", fakeHome + "/.local/bin", "/home/linuxbrew/.linuxbrew/bin"} {
			_ = os.Remove(m.root + "/usr/bin/distrobox")
			m.fake(place+"/distrobox", "echo $PATH; [ -n \"$USER\" ] || echo nobody")
			got := m.run(sh, nil, m.program(), "a")
			if !strings.HasSuffix(got.calls, "distrobox [enter] [--name] [box] [--no-tty] [--] [/usr/bin/tool] [a] manager=docker ask=0 home=/home/u\n") {
				t.Errorf("distrobox in %s: %+v", place, got)
			}
			if path := strings.TrimSpace(strings.ReplaceAll(got.out, m.root, "")); !strings.HasPrefix(path, "/usr/local/bin:/usr/bin:/bin") || !strings.HasSuffix(path, place) && place != "/usr/local/bin" {
				t.Errorf("distrobox in %s has the PATH %s", place, path)
			}
			_ = os.Remove(m.root + place + "/distrobox")
		}
		if got := m.run(sh, nil, m.program()); got.status != 127 || got.err != "tool: distrobox is not installed\n" {
			t.Errorf("without distrobox: %+v", got)
		}
	})
}

func TestBoxIsGone(t *testing.T) {
	t.Parallel()
	inEach(t, func(t *testing.T, m *machine, sh []string) {
		at := m.script(script{owner: Owner{Manager: "podman"}, what: "/usr/bin/tool"})
		got := m.run(sh, nil, at)
		if got.status != 127 || got.out != "" || !strings.HasSuffix(got.err, "of podman: Error: no such container\n") || strings.Contains(got.calls, "distrobox") {
			t.Errorf("%+v", got)
		}
	})
}

func TestRootsBox(t *testing.T) {
	t.Parallel()
	inEach(t, func(t *testing.T, m *machine, sh []string) {
		m.fake("/usr/bin/sudo", "")
		m.fake("/usr/bin/doas", "")
		at := m.script(script{owner: Owner{Manager: "podman", Root: true}, what: "/usr/bin/tool"})
		for program, env := range map[string]string{"sudo": "X=", "doas [-x]": "DBX_SUDO_PROGRAM=doas -x"} {
			got := m.run(sh, []string{env}, at, "a")
			want := program + " [/usr/bin/podman] [container] [inspect] [--format] [{{.Id}}] [box] manager= ask= home=/home/u\n" +
				"distrobox [enter] [--root] [--name] [box] [--no-tty] [--] [/usr/bin/tool] [a] manager=podman ask=0 home=/home/u\n"
			if got.calls != want {
				t.Errorf("got %+v, want %s", got, want)
			}
		}
	})
}

// A box may export docker, and distrobox itself asks docker.
func TestEngineIsALauncher(t *testing.T) {
	t.Parallel()
	inEach(t, func(t *testing.T, m *machine, sh []string) {
		m.fake("/usr/bin/distrobox", "docker from distrobox")
		at := m.script(script{what: m.root + "/usr/bin/docker"})
		m.path = filepath.Dir(at) + ":" + m.path
		got := m.run(sh, nil, at, "ps")
		if want := "docker [from] [distrobox] manager=docker ask=0 home=/home/u\n"; strings.Count(got.calls, "\n") != 3 || !strings.HasSuffix(got.calls, want) {
			t.Errorf("%+v", got)
		}
	})
}

func TestInTheBox(t *testing.T) {
	t.Parallel()
	inEach(t, func(t *testing.T, m *machine, sh []string) {
		m.put("/.dockerenv", "")
		m.fake("/usr/bin/tool", "cat; exit 5")
		at := m.program()
		m.path = filepath.Dir(at) + ":" + m.path
		for _, id := range []string{"box", "box.ocisi-2"} {
			got := m.run(sh, []string{"CONTAINER_ID=" + id}, at, "a  b", "", "*")
			if want := (result{out: "in\nput", status: 5, calls: "tool [a  b] [] [*] manager= ask= home=\n"}); got != want {
				t.Errorf("%s: got %+v, want %+v", id, got, want)
			}
		}
		m.put("/usr/bin/tool", string(script{owner: Owner{Box: "box"}, what: m.root + "/usr/bin/tool", root: m.root}.text()))
		if got := m.run(sh, []string{"CONTAINER_ID=box"}, at); got.status != 127 || !strings.Contains(got.err, "is a launcher") {
			t.Errorf("a launcher of a launcher: %+v", got)
		}
	})
}

func TestInAnotherBox(t *testing.T) {
	t.Parallel()
	inEach(t, func(t *testing.T, m *machine, sh []string) {
		m.put("/run/.containerenv", "")
		m.fake("/usr/bin/distrobox-host-exec", "cat; exit 6")
		at := m.program()
		self := "/home/u/.local/bin/tool"
		for _, step := range []struct {
			put  func()
			want string
		}{
			{func() {}, "distrobox-host-exec [" + self + "] [a b] []"},
			{func() { m.fake("/usr/bin/tool", "cat; exit 6") }, "tool [a b] []"},
			{func() { m.fake("/usr/bin/host-spawn", "") }, "distrobox-host-exec [" + self + "] [a b] []"},
		} {
			step.put()
			got := m.run(sh, []string{"CONTAINER_ID=box2"}, at, "a b", "")
			if want := (result{out: "in\nput", status: 6, calls: step.want + " manager= ask= home=\n"}); got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
		}
	})
}

func TestInADevContainer(t *testing.T) {
	t.Parallel()
	inEach(t, func(t *testing.T, m *machine, sh []string) {
		m.put("/run/.containerenv", "")
		m.fake("/usr/bin/distrobox-host-exec", "")
		m.fake("/usr/bin/host-spawn", "")
		m.fake("/odd1/tool", "")
		at := m.program()
		m.path = filepath.Dir(at) + ":" + m.root + "/home/u/two::" + m.root + "/odd?:" + m.path
		m.script(script{what: "/elsewhere/tool", self: "/home/u/two/tool"})
		m.script(script{what: m.root + "/usr/bin/tool", self: "/usr/bin/tool"})
		got := m.run(sh, nil, at, "a")
		if got.status != 127 || got.calls != "" || got.err != "tool: this container has no tool, and box is on the host\n" {
			t.Errorf("only launchers: %+v", got)
		}
		m.fake("/opt/tool", "cat; exit 7")
		m.path += ":" + m.root + "/opt"
		want := result{out: "in\nput", status: 7, calls: "tool [a b] [] manager= ask= home=\n"}
		if got := m.run(sh, nil, at, "a b", ""); got != want {
			t.Errorf("elsewhere in PATH: got %+v, want %+v", got, want)
		}
		m.fake("/usr/bin/tool", "exit 8")
		_ = os.Remove(m.root + "/usr/bin/distrobox-host-exec")
		if got := m.run(sh, []string{"CONTAINER_ID=other"}, at); got.status != 8 {
			t.Errorf("at its own path: %+v", got)
		}
	})
}

func TestEntrance(t *testing.T) {
	t.Parallel()
	inEach(t, func(t *testing.T, m *machine, sh []string) {
		at := m.script(script{self: fakeHome + "/.local/share/ocisi/enter/box"})
		got := m.run(sh, nil, at)
		if !strings.HasSuffix(got.calls, "distrobox [enter] [--name] [box] [--no-tty] manager=docker ask=0 home=/home/u\n") {
			t.Errorf("a shell: %+v", got)
		}
		got = m.run(sh, nil, at, "/opt/app", "a b", "")
		if !strings.HasSuffix(got.calls, "distrobox [enter] [--name] [box] [--no-tty] [--] [/opt/app] [a b] [] manager=docker ask=0 home=/home/u\n") {
			t.Errorf("a path: %+v", got)
		}

		got = m.run(sh, nil, at, "app", "a b", "")
		if !strings.HasSuffix(got.calls, "distrobox [enter] [--name] [box] [--no-tty] [--] [app] [a b] [] manager=docker ask=0 home=/home/u\n") {
			t.Errorf("a name: %+v", got)
		}

		// A name is looked up in the box, where another box's launcher comes first.
		other := m.script(script{owner: Owner{Box: "other"}, what: "/usr/bin/app"})
		m.fake("/usr/bin/app", "cat; exit 9")
		bins := filepath.Dir(other)
		m.path = m.root + "/odd?:" + bins + ":" + m.path
		got = m.run(sh, nil, at, "app", "a b", "")
		path := strings.ReplaceAll("[PATH=ROOT/odd?:ROOT/usr/bin:/usr/local/bin:/usr/bin:/bin:"+bins+"]", "ROOT", m.root)
		if !strings.Contains(got.calls, strings.ReplaceAll(" [--] [env] "+path+" [app] [a b] [] manager=docker", m.root, "")) {
			t.Errorf("a name that another box has: %+v", got)
		}
		if got = m.run(sh, nil, at, m.root+"/usr/bin/app"); !strings.Contains(got.calls, " [--] [/usr/bin/app] manager=docker") {
			t.Errorf("a path that another box has: %+v", got)
		}
		want := result{out: "in\nput", status: 9}
		m.put("/.dockerenv", "")
		want.calls = "app [a b] [] manager= ask= home=\n"
		if got := m.run(sh, []string{"CONTAINER_ID=box"}, at, "app", "a b", ""); got != want {
			t.Errorf("in the box: got %+v, want %+v", got, want)
		}
		if got := m.run(sh, []string{"CONTAINER_ID=box", "SHELL=" + m.root + "/usr/bin/app"}, at); got.status != 9 {
			t.Errorf("a shell in the box: %+v", got)
		}
		if got := m.run(sh, nil, at, "app", "a b", ""); got != want {
			t.Errorf("in a dev container: got %+v, want %+v", got, want)
		}
	})
}

func TestOddNames(t *testing.T) {
	t.Parallel()
	inEach(t, func(t *testing.T, m *machine, sh []string) {
		const odd = "a'b \"$(touch OWNED)`touch OWNED`\n; touch OWNED; #\\"
		o := Owner{Box: odd, Image: odd, Config: odd}
		at := m.script(script{owner: o, what: "/usr/bin/" + odd, self: fakeHome + "/x"})
		got := m.run(sh, nil, at, "a")
		if want := "distrobox [enter] [--name] [" + odd + "] [--no-tty] [--] [/usr/bin/" + odd + "] [a] manager=docker ask=0 home=/home/u\n"; !strings.HasSuffix(got.calls, want) {
			t.Errorf("got %+v, want %s", got, want)
		}
		if _, err := os.Stat("OWNED"); err == nil {
			t.Error("a name was executed")
		}
		data, err := os.ReadFile(at)
		if err != nil {
			t.Fatal(err)
		}
		f, ok := Read(at, data, nil)
		if !ok || f.Owner.Image != odd || f.Owner.Config != odd || f.What != "/usr/bin/"+odd {
			t.Errorf("read %+v, %v", f, ok)
		}
	})
}

// Distrobox's own pipelines find the lines that they look for.
func TestDistroboxReadsScripts(t *testing.T) {
	t.Parallel()
	f := NewProgram(Owner{Manager: "docker", Box: "b", Config: "/fi/ocisi.yaml"}, Dirs{Home: "/home/fifi"}, "/usr/bin/jq", t.TempDir()+"/jq")
	if err := os.WriteFile(f.Path, f.Data, f.Mode); err != nil {
		t.Fatal(err)
	}
	for command, want := range map[string]string{
		`grep -B1 "fi" "$0" | grep exec | cut -d" " -f2`: "'/usr/bin/jq'\n",
		`grep -c "^# distrobox_binary" "$0"`:             "1\n",
		`grep "^# name:.*" "$0"`:                         "# name: b\n",
		`grep -c "# name: b$" "$0"`:                      "1\n",
	} {
		out, err := exec.Command("sh", "-c", command, f.Path).Output()
		if string(out) != want || err != nil {
			t.Errorf("%s: got %q, %v, want %q", command, out, err, want)
		}
	}
}

// Where shellcheck is, it has nothing to say.
func TestShellcheck(t *testing.T) {
	t.Parallel()
	o := Owner{Manager: "podman", Box: "b", Root: true}
	for _, f := range []File{NewEntrance(o, Dirs{Home: "/h"}), NewProgram(o, Dirs{Home: "/h"}, "/usr/bin/jq", "/h/jq"), NewEntrance(Owner{}, Dirs{})} {
		for _, tool := range [][]string{{"shellcheck", "-s", "sh", "-"}, {"sh", "-n"}} {
			if _, err := exec.LookPath(tool[0]); err != nil {
				continue
			}
			cmd := exec.Command(tool[0], tool[1:]...)
			cmd.Stdin = bytes.NewReader(f.Data)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%s: %v\n%s", f.Path, err, out)
			}
		}
	}
}
