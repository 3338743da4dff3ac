package doctor_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/klmcwhirter/ocisi/bootstrap/doctor"
	"github.com/klmcwhirter/ocisi/bootstrap/host"
	"github.com/klmcwhirter/ocisi/internal/process"
)

// machine describes the host that checks look at.
type machine struct {
	files    map[string]string // text by path; "socket" makes one
	programs map[string]string // what a command line prints; "exit N" fails
	env      map[string]string
	root     bool
	gids     []int
	free     uint64 // bytes
	statErr  error
	docker   doctor.Engine
	podman   doctor.Engine
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
		root[path] = &fstest.MapFile{Data: []byte(text)}
		if text == "socket" {
			root[path] = &fstest.MapFile{Mode: fs.ModeSocket}
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

func TestSystem(t *testing.T) {
	bluefin := map[string]string{
		"usr/lib/os-release": `PRETTY_NAME="Bluefin (Version: 44)"`,
		imageInfo:            `{"image-name":"bluefin-dx","image-tag":"stable"}`,
	}
	try(t, []example{
		{"bluefin", "host.system", machine{files: bluefin}, doctor.OK, "Bluefin (Version: 44), image bluefin-dx:stable", ""},
		{"nothing known", "host.system", machine{}, doctor.OK, "unknown", ""},
		{"host", "host.container", machine{}, doctor.OK, "not in", ""},
		{
			"box", "host.container", machine{env: map[string]string{"CONTAINER_ID": "fedora-python-dx"}},
			doctor.Warn, "this is fedora-python-dx", "distrobox-host-exec ocisi doctor",
		},
	})
}

func TestDevMode(t *testing.T) {
	image := func(name string, more ...string) map[string]string {
		files := map[string]string{imageInfo: fmt.Sprintf(`{"image-name":%q}`, name)}
		for _, path := range more {
			files[path] = ""
		}
		return files
	}
	wanted := doctor.Engine{Wanted: true}
	try(t, []example{
		{"plain Fedora", "host.devmode", machine{docker: wanted}, doctor.Skip, "Universal Blue", ""},
		{"dx image", "host.devmode", machine{files: image("bluefin-dx"), docker: wanted}, doctor.OK, "retired", ""},
		{
			"wizard of 2026", "host.devmode", machine{files: image("bluefin", "var/home/dev/.config/bluefin/devmode"), docker: wanted},
			doctor.OK, "/var/home/dev/.config/bluefin/devmode", "",
		},
		{"bctl", "host.devmode", machine{files: image("bluefin", "etc/ublue-os/devmode"), docker: wanted}, doctor.OK, "/etc/ublue-os/devmode", ""},
		{"off, podman only", "host.devmode", machine{files: image("bluefin")}, doctor.OK, "not needed", ""},
		{"off, docker came otherwise", "host.devmode", machine{files: image("bluefin"), docker: doctor.Engine{Wanted: true, Installed: true}}, doctor.OK, "not needed", ""},
		{
			"off, docker wanted", "host.devmode",
			machine{files: image("bluefin"), docker: wanted, programs: map[string]string{"ujust --summary": "update toggle-devmode devmode"}},
			doctor.Warn, "wants docker", "ujust devmode",
		},
		{
			"an old recipe only", "host.devmode",
			machine{files: image("bluefin"), docker: wanted, programs: map[string]string{"ujust --summary": "toggle-devmode"}},
			doctor.Warn, "wants docker", "ujust toggle-devmode",
		},
		{
			"bctl without recipes", "host.devmode",
			machine{files: image("bluefin", "home/linuxbrew/.linuxbrew/bin/bctl"), docker: wanted},
			doctor.Warn, "wants docker", "bctl devmode --enable",
		},
		{"no way to switch it on", "host.devmode", machine{files: image("bluefin"), docker: wanted}, doctor.Warn, "wants docker", "export DBX_CONTAINER_MANAGER=podman"},
	})
}

func TestSubIDs(t *testing.T) {
	podman := doctor.Engine{Installed: true, Wanted: true}
	both := func(uid, gid string) map[string]string {
		return map[string]string{"etc/subuid": uid, "etc/subgid": gid}
	}
	try(t, []example{
		{"ranges", "podman.subids", machine{podman: podman, files: both("dev:100000:65536", "dev:100000:65536")}, doctor.OK, "dev has ranges", ""},
		{"in two pieces", "podman.subids", machine{podman: podman, files: both("dev:1:30000\ndev:100000:40000", "dev:100000:65536")}, doctor.OK, "dev has ranges", ""},
		{
			"none", "podman.subids", machine{podman: podman}, doctor.Fail, "/etc/subuid grants dev 0 ids, /etc/subgid grants dev 0 ids",
			"sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 dev ; podman system migrate",
		},
		{
			"one too small, another user's above it", "podman.subids",
			machine{podman: podman, files: both("dev:100000:65536\nann:165536:65536", "dev:100000:1000")},
			doctor.Fail, "/etc/subgid grants dev 1000 ids; containers want 65536",
			"sudo usermod --add-subuids 231072-296607 --add-subgids 231072-296607 dev ; podman system migrate",
		},
		{
			"none, and podman not wanted", "podman.subids", machine{podman: doctor.Engine{Installed: true}}, doctor.Warn, "grants dev 0",
			"sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 dev ; podman system migrate",
		},
		{"no podman", "podman.subids", machine{}, doctor.Skip, "podman", ""},
		{"root", "podman.subids", machine{podman: podman, root: true}, doctor.Skip, "podman", ""},
	})
}

func TestSpace(t *testing.T) {
	podman := doctor.Engine{Installed: true, Wanted: true, Root: "/var/home/dev/.local/share/containers/storage"}
	spare := podman
	spare.Wanted = false
	try(t, []example{
		{"plenty", "podman.space", machine{podman: podman, free: 50 * gib}, doctor.OK, "50.0 GiB free of 100.0 at /var/home/dev/.local", ""},
		{"just enough", "podman.space", machine{podman: podman, free: 10 * gib}, doctor.OK, "10.0 GiB", ""},
		{"scarce", "podman.space", machine{podman: podman, free: 10*gib - 1}, doctor.Warn, "10.0 GiB", "ocisi clean"},
		{"least", "podman.space", machine{podman: podman, free: 2 * gib}, doctor.Warn, "2.0 GiB", "ocisi clean"},
		{"too little", "podman.space", machine{podman: podman, free: 2*gib - 1}, doctor.Fail, "2.0 GiB", "ocisi clean"},
		{"too little, not wanted", "podman.space", machine{podman: spare, free: 0}, doctor.Warn, "0.0 GiB", "ocisi clean"},
		{"no answer", "podman.space", machine{podman: podman, statErr: fs.ErrPermission}, doctor.Warn, "permission denied", ""},
		{"store elsewhere", "docker.space", machine{docker: doctor.Engine{Installed: true}}, doctor.Skip, "not known", ""},
		{"docker's", "docker.space", machine{docker: doctor.Engine{Installed: true, Root: "/var/lib/docker"}, free: 20 * gib}, doctor.OK, "/var/lib/docker", ""},
	})
}

func TestDistrobox(t *testing.T) {
	says := func(out string) machine {
		return machine{programs: map[string]string{"distrobox version": out}, files: map[string]string{"etc/os-release": "ID=debian"}}
	}
	at := func(files map[string]string) machine { return machine{files: files} }
	try(t, []example{
		{"Fedora 44's", "distrobox", says("distrobox: 1.8.2.5"), doctor.OK, "1.8.2.5", ""},
		{"the Go one", "distrobox", says("distrobox: 2.0.0-rc.4"), doctor.OK, "2.0.0-rc.4", ""},
		{"1.10 is later than 1.8", "distrobox", says("distrobox: 1.10.0"), doctor.OK, "1.10.0", ""},
		{"bookworm's", "distrobox", says("distrobox: 1.4.2.1"), doctor.Warn, "1.4.2.1 works", "sudo apt install distrobox"},
		{"too old", "distrobox", says("distrobox: 1.3.1"), doctor.Fail, "too old", "sudo apt install distrobox"},
		{"talks nonsense", "distrobox", says("?"), doctor.Warn, "it said", "distrobox version"},
		{"fails", "distrobox", says("exit 1"), doctor.Warn, "exit 1", "distrobox version"},
		{"none, Debian", "distrobox", at(map[string]string{"etc/os-release": "ID=debian"}), doctor.Fail, "not installed", "sudo apt install distrobox"},
		{"none, Fedora Workstation", "distrobox", at(map[string]string{"etc/os-release": "ID=fedora"}), doctor.Fail, "not installed", "sudo dnf install distrobox"},
		{"none, Silverblue", "distrobox", at(map[string]string{"etc/os-release": "ID=fedora", "run/ostree-booted": ""}), doctor.Fail, "not installed", "brew install distrobox"},
		{"none, unknown", "distrobox", at(nil), doctor.Fail, "not installed", "brew install distrobox"},
	})
}

func TestShell(t *testing.T) {
	with := func(shell string) machine { return machine{env: map[string]string{"SHELL": shell}} }
	try(t, []example{
		{"zsh", "shell", with("/usr/bin/zsh"), doctor.OK, "zsh", ""},
		{"fish of brew", "shell", with("/home/linuxbrew/.linuxbrew/bin/fish"), doctor.OK, "fish", ""},
		{"none", "shell", machine{}, doctor.OK, "bash", ""},
		{"nushell", "shell", with("/usr/bin/nu"), doctor.Warn, "nu is not in", "SHELL=/bin/bash ocisi process"},
		{"ends alike", "shell", with("/usr/bin/rbash"), doctor.Warn, "rbash is not in", "SHELL=/bin/bash ocisi process"},
	})
}
