package defaults_test

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/klmcwhirter/ocisi/embed/defaults"
)

// thin is an image that the thin layer is put onto, and what came of it.
type thin struct {
	root string
	out  string
	err  error
}

// onto runs the RUN of Containerfile.img-dx as engines do, but for the place of
// the root, with shadow-utils played by this test binary. Users and groups are
// lines as in /etc/passwd and /etc/group.
func onto(t *testing.T, users, groups string, args ...string) thin {
	t.Helper()
	im := thin{root: t.TempDir()}
	bin := filepath.Join(im.root, "played")
	for _, dir := range []string{bin, filepath.Join(im.root, "etc")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for name := range played {
		if err := os.Symlink(self, filepath.Join(bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range map[string]string{"passwd": users, "group": groups, "sudoers": "root ALL=(ALL) ALL\n"} {
		if err := os.WriteFile(filepath.Join(im.root, "etc", name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	lines := instructions(read(t, "fedora/Containerfile.img-dx"))
	run := lines[slices.IndexFunc(lines, func(line string) bool { return strings.HasPrefix(line, "RUN ") })]
	// Every path but the shell's and /dev's is one of the image's.
	rooted := regexp.MustCompile(`([ ="])/(etc|home|var|\.)`).ReplaceAllString(strings.TrimPrefix(run, "RUN "), "${1}"+im.root+"/${2}")
	shell := exec.Command("sh", "-c", rooted)
	// Without GORACE, each program would sleep for a second under the race detector.
	shell.Env = append([]string{"PATH=" + bin + ":/usr/bin:/bin", "PLAYED=" + im.root, "GORACE=atexit_sleep_ms=0"}, args...)
	out, err := shell.CombinedOutput()
	im.out, im.err = string(out), err
	return im
}

func (im thin) text(name string) string {
	data, err := os.ReadFile(filepath.Join(im.root, name))
	if err != nil {
		return err.Error()
	}
	return string(data)
}

// user returns how the image has a user: its name, numbers and home. It is there
// once, or this says how often.
func (im thin) user(name string) string {
	var found []string
	for line := range strings.Lines(im.text("etc/passwd")) {
		if f := strings.Split(strings.TrimSpace(line), ":"); f[0] == name {
			found = append(found, fmt.Sprint(f[0], " ", f[2], ":", f[3], " ", strings.TrimPrefix(f[5], im.root)))
		}
	}
	if len(found) != 1 {
		return fmt.Sprintf("%d times %s", len(found), name)
	}
	return found[0]
}

const (
	systemUsers  = "root:x:0:0::/root:/bin/bash\nman:x:6:12::/var/cache/man:/usr/sbin/nologin\nsystemd-al:x:998:998::/:/bin/false\n"
	systemGroups = "root:x:0:\nman:x:12:\nsystemd-al:x:998:\ndevel:x:990:\n"
)

// The user is there whatever other names are in the image, one of which may have
// the user's name in it, or be what it matches as a pattern.
func TestUserOfAnyName(t *testing.T) {
	users := systemUsers + "alice:x:2000:2000::/home/alice:/bin/sh\naxb:x:2001:2001::/home/axb:/bin/sh\n"
	groups := systemGroups + "alice:x:2000:\naxb:x:2001:\n"
	for _, name := range []string{"al", "dev", "man", "a.b", "root2", "x", "b"} {
		im := onto(t, users, groups, "USER="+name, "UID=1234", "GID=1235")
		if want := name + " 1234:1235 /var/home/" + name; im.err != nil || im.user(name) != want {
			t.Errorf("%s: %v %s: %s, want %s\n%s", name, im.err, im.out, im.user(name), want, im.text("etc/passwd"))
		}
		if !regexp.MustCompile(`(?m)^[^:]+:x:1235:`).MatchString(im.text("etc/group")) {
			t.Errorf("%s: no group 1235 in\n%s", name, im.text("etc/group"))
		}
		if im.user("alice") != "alice 2000:2000 /home/alice" {
			t.Errorf("%s: others were changed:\n%s", name, im.text("etc/passwd"))
		}
	}
}

// Without a name or numbers, as from cron, nothing is changed.
func TestUserOfNoName(t *testing.T) {
	for _, args := range []string{
		"USER= UID=1000 GID=1000", "UID=1000 GID=1000", "USER=al UID= GID=1000", "USER=al UID=1000", "USER=al UID=0 GID=0",
		"USER=1000 UID=1000 GID=1000", "USER=a*l UID=1000 GID=1000", "USER=-l UID=1000 GID=1000", "USER=al UID=10x GID=1000",
	} {
		im := onto(t, systemUsers, systemGroups, strings.Fields(args)...)
		if im.err == nil || !strings.Contains(im.out, "img-dx: ") {
			t.Errorf("%s: %v, %s", args, im.err, im.out)
		}
		if im.text("etc/passwd") != systemUsers || im.text("etc/group") != systemGroups {
			t.Errorf("%s: the image was changed", args)
		}
	}
}

// The user is in the group that distrobox, too, would choose, and in no other.
func TestGroupThatMaySudo(t *testing.T) {
	for groups, want := range map[string]string{
		"wheel:x:10:\n":                "wheel:x:10:al\n",
		"wheel:x:10:\nsudo:x:27:eve\n": "wheel:x:10:\nsudo:x:27:eve,al\n",
		"wheels:x:10:\n":               "wheels:x:10:\n",
	} {
		im := onto(t, systemUsers, systemGroups+groups, "USER=al", "UID=1000", "GID=1000")
		if got := im.text("etc/group"); im.err != nil || !strings.HasPrefix(got, systemGroups+want+"al:x:1000:") {
			t.Errorf("%s: %v %s\n%s", groups, im.err, im.out, got)
		}
	}
}

// The user's numbers may be taken in the image.
func TestNumbersThatAreTaken(t *testing.T) {
	for _, c := range []struct{ name, users, groups, want string }{
		{"by another user", "ubuntu:x:1000:1000::/home/ubuntu:/bin/bash\n", "ubuntu:x:1000:\n", "0 times ubuntu"},
		{"by another group only", "", "node:x:1000:\n", ""},
		{"by another user only", "node:x:1000:2000::/home/node:/bin/bash\n", "node:x:2000:\n", ""},
		{
			"by another user, and the name too", "ubuntu:x:1000:1000::/home/ubuntu:/bin/bash\nal:x:1001:1001::/home/al:/bin/sh\n",
			"ubuntu:x:1000:\nal:x:1001:\n", "ubuntu 1002:1000 /home/ubuntu",
		},
		{"by the user", "al:x:1000:1000::/home/al:/bin/sh\n", "al:x:1000:\n", ""},
		{"the group's name is there", "", "al:x:1001:\n", ""},
	} {
		im := onto(t, systemUsers+c.users, systemGroups+c.groups, "USER=al", "UID=1000", "GID=1000")
		if im.err != nil || im.user("al") != "al 1000:1000 /var/home/al" {
			t.Errorf("%s: %v %s\n%s", c.name, im.err, im.out, im.text("etc/passwd"))
		}
		if name, _, _ := strings.Cut(strings.TrimPrefix(c.want, "0 times "), " "); c.want != "" && im.user(name) != c.want {
			t.Errorf("%s: %s, want %s", c.name, im.user(name), c.want)
		}
	}
}

// sudo is given to one user, in a file of its own that visudo accepts.
func TestSudoIsTheUsersAlone(t *testing.T) {
	for user, file := range map[string]string{"al": "zz-ocisi-al", "a.b": "zz-ocisi-a_b"} {
		im := onto(t, systemUsers, systemGroups, "USER="+user, "UID=1000", "GID=1000")
		if im.err != nil {
			t.Fatal(im.out)
		}
		if got := im.text("etc/sudoers"); got != "root ALL=(ALL) ALL\n" {
			t.Errorf("/etc/sudoers is %q", got)
		}
		files := map[string]string{}
		err := filepath.WalkDir(filepath.Join(im.root, "etc/sudoers.d"), func(_ string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				info, infoErr := d.Info()
				err = infoErr
				files[d.Name()] = fmt.Sprint(info.Mode().Perm(), " ", im.text("etc/sudoers.d/"+d.Name()))
			}
			return err
		})
		want := map[string]string{file: "-r--r----- " + user + " ALL=(ALL:ALL) NOPASSWD: ALL\n"}
		if err != nil || !maps.Equal(files, want) {
			t.Errorf("%q, %v, want %q", files, err, want)
		}
	}
	im := onto(t, systemUsers, systemGroups, "USER=al", "UID=1000", "GID=1000", "VISUDO=refuses")
	if im.err == nil || !strings.Contains(im.out, "visudo refuses") {
		t.Errorf("a bad rule: %v, %s", im.err, im.out)
	}
}

// The files are everybody's; what they show in comments is an example.
func TestNobodysFiles(t *testing.T) {
	home := regexp.MustCompile(`/home/[A-Za-z0-9]|/(Users|root)/|~[A-Za-z]`)
	err := fs.WalkDir(defaults.FS, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(defaults.FS, name)
		for line := range strings.Lines(string(data)) {
			if !strings.HasPrefix(strings.TrimSpace(line), "#") && home.MatchString(line) {
				t.Errorf("%s: somebody's home: %s", name, line)
			}
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestMain(m *testing.M) {
	if play, ok := played[filepath.Base(os.Args[0])]; ok {
		os.Exit(play(etc(os.Getenv("PLAYED")), os.Args[1:]))
	}
	os.Exit(m.Run())
}

// etc is the accounts below a root.
type etc string

func (e etc) lines(file string) [][]string {
	data, err := os.ReadFile(filepath.Join(string(e), "etc", file))
	if err != nil {
		panic(err)
	}
	var all [][]string
	for line := range strings.Lines(string(data)) {
		all = append(all, strings.Split(strings.TrimSpace(line), ":"))
	}
	return all
}

func (e etc) write(file string, lines [][]string) {
	var text strings.Builder
	for _, f := range lines {
		text.WriteString(strings.Join(f, ":") + "\n")
	}
	if err := os.WriteFile(filepath.Join(string(e), "etc", file), []byte(text.String()), 0o644); err != nil {
		panic(err)
	}
}

// find returns where the line is that has a key as its name or number, or -1.
func find(lines [][]string, key string) int {
	field := 0
	if strings.Trim(key, "0123456789") == "" {
		field = 2
	}
	return slices.IndexFunc(lines, func(f []string) bool { return f[field] == key })
}

// options returns what follows -g, -u and the like, and the last word.
func options(args []string) (map[byte]string, string) {
	set := map[byte]string{}
	for i, arg := range args {
		if len(arg) == 2 && arg[0] == '-' && i+1 < len(args) {
			set[arg[1]] = args[i+1]
		}
	}
	return set, args[len(args)-1]
}

// played are the programs that the thin layer calls, with the statuses that
// those of shadow-utils and glibc exit with.
var played = map[string]func(etc, []string) int{
	"chown":  func(etc, []string) int { return 0 },
	"visudo": func(etc, []string) int { return len(os.Getenv("VISUDO")) },
	"getent": func(e etc, args []string) int {
		lines := e.lines(args[0])
		i := find(lines, args[1])
		if i < 0 {
			return 2
		}
		fmt.Println(strings.Join(lines[i], ":"))
		return 0
	},
	"id": func(e etc, args []string) int {
		lines := e.lines("passwd")
		i := find(lines, args[len(args)-1])
		if i < 0 {
			return 1
		}
		fmt.Println(lines[i][map[string]int{"-u": 2, "-g": 3}[args[0]]])
		return 0
	},
	"groupadd": func(e etc, args []string) int { return account(e, "group", args, false) },
	"groupmod": func(e etc, args []string) int { return account(e, "group", args, true) },
	"useradd":  func(e etc, args []string) int { return account(e, "passwd", args, false) },
	"usermod":  func(e etc, args []string) int { return account(e, "passwd", args, true) },
}

// account adds a line or changes one, as the programs named above do.
func account(e etc, file string, args []string, change bool) int {
	lines := e.lines(file)
	set, name := options(args)
	if file == "group" {
		set['u'] = set['g'] // both are the number of the line
	} else if set['g'] != "" && find(e.lines("group"), set['g']) < 0 {
		return 6
	}
	i := find(lines, name)
	switch taken := find(lines, set['u']); {
	case change && i < 0:
		return 6
	case !change && i >= 0, set['l'] != "" && find(lines, set['l']) >= 0:
		return 9
	case set['u'] != "" && taken >= 0 && taken != i:
		return 4
	}
	if !change {
		lines = append(lines, []string{name, "x", "", "", "", "", ""})
		i = len(lines) - 1
	}
	for option, field := range map[byte]int{'l': 0, 'u': 2, 'g': 3, 'd': 5, 's': 6} {
		if value, ok := set[option]; ok && (file == "passwd" || field < 3) {
			lines[i][field] = value
		}
	}
	e.write(file, lines)
	if group, ok := set['G']; ok {
		return join(e, group, name)
	}
	return 0
}

// join appends a user to a group.
func join(e etc, group, user string) int {
	groups := e.lines("group")
	i := find(groups, group)
	if i < 0 {
		return 6
	}
	groups[i][3] = strings.TrimPrefix(groups[i][3]+","+user, ",")
	e.write("group", groups)
	return 0
}
