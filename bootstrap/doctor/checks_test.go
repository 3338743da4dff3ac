package doctor_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"

	"github.com/klmcwhirter/ocisi/bootstrap/doctor"
	"github.com/klmcwhirter/ocisi/bootstrap/host"
	"github.com/klmcwhirter/ocisi/internal/process"
)

// machine describes the host that checks look at.
type machine struct {
	files    map[string]string // text by path; "socket", "-> TARGET" and "root's" make such
	programs map[string]string // what a command line prints; "exit N" fails
	env      map[string]string
	root     bool
	gids     []int
	free     uint64 // bytes
	statErr  error
	docker   doctor.Engine
	podman   doctor.Engine
	homes    map[string]string // of boxes
}

func (m machine) Run(_ context.Context, c process.Cmd) error {
	answer, ok := m.programs[c.String()]
	if !ok {
		return &process.NotFoundError{Name: c.Name}
	}
	var exit int
	if _, err := fmt.Sscanf(answer, "exit %d", &exit); err == nil {
		return &process.Error{Cmd: c, Exit: exit, Err: errors.New(answer)}
	}
	_, err := io.WriteString(c.Stdout, answer)
	return err
}

func (m machine) facts() doctor.Facts {
	root := fstest.MapFS{}
	for path, text := range m.files {
		root[path] = &fstest.MapFile{Data: []byte(text), Mode: 0o755, Sys: &syscall.Stat_t{Uid: 1001}}
		target, link := strings.CutPrefix(text, "-> ")
		switch {
		case text == "socket":
			root[path].Mode = fs.ModeSocket
		case link:
			root[path].Data, root[path].Mode = []byte(target), fs.ModeSymlink|0o777
		case text == "root's":
			root[path].Sys = &syscall.Stat_t{Uid: 0}
		}
	}
	user := host.User{Name: "dev", UID: 1001, GIDs: m.gids, Home: "/var/home/dev"}
	if m.root {
		user = host.User{Name: "root", Home: "/root"}
	}
	return doctor.Facts{
		Host: host.Host{
			Root: root, Runner: m, User: user,
			Getenv: func(key string) string { return m.env[key] },
			Statfs: func(string) (host.Space, error) { return host.Space{Free: m.free, Total: 100 << 30}, m.statErr },
		},
		Docker: func(context.Context) doctor.Engine { return m.docker },
		Podman: func(context.Context) doctor.Engine { return m.podman },
		Config: "/cfg/ocisi.yaml", Homes: m.homes,
	}
}

// examine runs one check.
func (m machine) examine(t *testing.T, id string) doctor.Result {
	t.Helper()
	for _, c := range doctor.Checks() {
		if c.ID == id {
			return doctor.Run(t.Context(), m.facts(), []doctor.Check{c})[0]
		}
	}
	t.Fatalf("there is no check %s", id)
	return doctor.Result{}
}

// example is a machine and what one check says about it.
type example struct {
	name   string
	check  string
	on     machine
	status doctor.Status
	detail string // part of it
	fix    string // all commands, joined by " ; "
}

func try(t *testing.T, examples []example) {
	t.Helper()
	for _, e := range examples {
		got := e.on.examine(t, e.check)
		fix := strings.Join(got.Fix, " ; ")
		if got.Status != e.status || !strings.Contains(got.Detail, e.detail) || fix != e.fix {
			t.Errorf("%s: %s\n got %s %q, fix %q\nwant %s %q, fix %q", e.check, e.name, got.Status, got.Detail, fix, e.status, e.detail, e.fix)
		}
		if got.Detail == "" {
			t.Errorf("%s: %s: says nothing", e.check, e.name)
		}
	}
}

var errRefused = errors.New("connection refused")

const (
	imageInfo = "usr/share/ublue-os/image-info.json"
	gib       = 1 << 30
)

func TestSubIDs(t *testing.T) {
	podman := doctor.Engine{Installed: true, Wanted: true}
	both := func(uid, gid string) map[string]string {
		return map[string]string{"etc/subuid": uid, "etc/subgid": gid}
	}
	try(t, []example{
		{"ranges", "podman.userns", machine{podman: podman, files: both("dev:100000:65536", "dev:100000:65536")}, doctor.OK, "dev has ids", ""},
		{"in two pieces", "podman.userns", machine{podman: podman, files: both("dev:1:30000\ndev:100000:40000", "dev:100000:65536")}, doctor.OK, "dev has ids", ""},
		{
			"none", "podman.userns", machine{podman: podman}, doctor.Fail, "/etc/subuid grants dev 0 ids, /etc/subgid grants dev 0 ids",
			"sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 dev ; podman system migrate",
		},
		{
			"one too small, another user's above it", "podman.userns",
			machine{podman: podman, files: both("dev:100000:65536\nann:165536:65536", "dev:100000:1000")},
			doctor.Fail, "/etc/subgid grants dev 1000 ids; containers want 65536",
			"sudo usermod --add-subuids 231072-296607 --add-subgids 231072-296607 dev ; podman system migrate",
		},
		{
			"none, and podman not wanted", "podman.userns", machine{podman: doctor.Engine{Installed: true}}, doctor.Warn, "grants dev 0",
			"sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 dev ; podman system migrate",
		},
		{"no podman", "podman.userns", machine{}, doctor.Skip, "podman", ""},
		{"root", "podman.userns", machine{podman: podman, root: true}, doctor.Skip, "podman", ""},
	})
}

func TestSpace(t *testing.T) {
	podman := doctor.Engine{Installed: true, Wanted: true, Root: "/var/home/dev/.local/share/containers/storage"}
	spare := podman
	spare.Wanted = false
	try(t, []example{
		{"plenty", "storage.free", machine{podman: podman, free: 50 * gib}, doctor.OK, "50.0 GiB free of 100.0 at ~/.local", ""},
		{"just enough", "storage.free", machine{podman: podman, free: 10 * gib}, doctor.OK, "10.0 GiB", ""},
		{"scarce", "storage.free", machine{podman: podman, free: 10*gib - 1}, doctor.Warn, "10.0 GiB", "ocisi clean"},
		{"least", "storage.free", machine{podman: podman, free: 2 * gib}, doctor.Warn, "2.0 GiB", "ocisi clean"},
		{"too little", "storage.free", machine{podman: podman, free: 2*gib - 1}, doctor.Fail, "2.0 GiB", "ocisi clean"},
		{"too little, not wanted", "storage.free", machine{podman: spare, free: 0}, doctor.Warn, "0.0 GiB", "ocisi clean"},
		{"no answer", "storage.free", machine{podman: podman, statErr: fs.ErrPermission}, doctor.Warn, "permission denied", ""},
		{"store elsewhere", "storage.free", machine{docker: doctor.Engine{Installed: true}}, doctor.Skip, "no engine tells", ""},
		{"docker's", "storage.free", machine{docker: doctor.Engine{Installed: true, Root: "/var/lib/docker"}, free: 20 * gib}, doctor.OK, "/var/lib/docker", ""},
	})
}

func TestDistrobox(t *testing.T) {
	says := func(out string) machine {
		return machine{programs: map[string]string{"distrobox --version": out}, files: map[string]string{"etc/os-release": "ID=debian"}}
	}
	at := func(files map[string]string) machine { return machine{files: files} }
	try(t, []example{
		{"Fedora 44's", "distrobox.bin", says("distrobox: 1.8.2.5"), doctor.OK, "1.8.2.5", ""},
		{"the Go one", "distrobox.bin", says("distrobox: 2.0.0-rc.4"), doctor.OK, "2.0.0-rc.4", ""},
		{"1.10 is later than 1.8", "distrobox.bin", says("distrobox: 1.10.0"), doctor.OK, "1.10.0", ""},
		{"bookworm's", "distrobox.bin", says("distrobox: 1.4.2.1"), doctor.Warn, "1.4.2.1 works", "sudo apt install distrobox"},
		{"too old", "distrobox.bin", says("distrobox: 1.3.1"), doctor.Fail, "too old", "sudo apt install distrobox"},
		{"talks nonsense", "distrobox.bin", says("?"), doctor.Warn, "parsing the version", "distrobox --version"},
		{"fails", "distrobox.bin", says("exit 1"), doctor.Warn, "exit 1", "distrobox --version"},
		{"none, Debian", "distrobox.bin", at(map[string]string{"etc/os-release": "ID=debian"}), doctor.Fail, "not installed", "sudo apt install distrobox"},
		{"none, Fedora Workstation", "distrobox.bin", at(map[string]string{"etc/os-release": "ID=fedora"}), doctor.Fail, "not installed", "sudo dnf install distrobox"},
		{"none, Silverblue", "distrobox.bin", at(map[string]string{"etc/os-release": "ID=fedora", "run/ostree-booted": ""}), doctor.Fail, "not installed", "brew install distrobox"},
		{"none, unknown", "distrobox.bin", at(nil), doctor.Fail, "not installed", "brew install distrobox"},
	})
}

func TestShell(t *testing.T) {
	with := func(shell string) machine { return machine{env: map[string]string{"SHELL": shell}} }
	try(t, []example{
		{"zsh", "home.shell", with("/usr/bin/zsh"), doctor.OK, "zsh, is in", ""},
		{"fish of brew", "home.shell", with("/home/linuxbrew/.linuxbrew/bin/fish"), doctor.OK, "fish, is in", ""},
		{"none", "home.shell", machine{}, doctor.OK, "bash", ""},
		{"nushell", "home.shell", with("/usr/bin/nu"), doctor.Warn, "nu is not in", "SHELL=/bin/bash ocisi process"},
		{"ends alike", "home.shell", with("/usr/bin/rbash"), doctor.Warn, "rbash is not in", "SHELL=/bin/bash ocisi process"},
	})
}
