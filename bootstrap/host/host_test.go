package host_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/klmcwhirter/ocisi/bootstrap/host"
	"github.com/klmcwhirter/ocisi/internal/process"
)

// answers are programs: a command line and what it prints. One that is not
// there is not installed; one that begins with "exit N" fails.
type answers map[string]string

func (a answers) Run(ctx context.Context, c process.Cmd) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	answer, ok := a[c.String()]
	if !ok {
		for line := range a {
			if strings.HasPrefix(line, c.Name+" ") {
				return &process.Error{Cmd: c, Exit: 1, Err: errors.New("exit status 1")}
			}
		}
		return &process.NotFoundError{Name: c.Name}
	}
	var exit int
	if _, err := fmt.Sscanf(answer, "exit %d", &exit); err == nil {
		return &process.Error{Cmd: c, Exit: exit, Err: errors.New(answer)}
	}
	_, err := io.WriteString(c.Stdout, answer)
	return err
}

func machine(files map[string]string, programs answers) host.Host {
	root := fstest.MapFS{}
	for path, text := range files {
		root[path] = &fstest.MapFile{Data: []byte(text), Mode: 0o644}
	}
	return host.Host{
		Root:   root,
		Runner: programs,
		Getenv: func(string) string { return "" },
		User:   host.User{Name: "dev", UID: 1001, GIDs: []int{1001, 994}, Home: "/var/home/dev"},
	}
}

func TestRelease(t *testing.T) {
	const bluefin = `NAME="Bluefin"
# comment=1
ID=bluefin
ID_LIKE="fedora"
VERSION="44.20260818 (Silverblue)"
VERSION_ID=44
VARIANT_ID=bluefin-dx
IMAGE_ID='bluefin-dx'
PRETTY_NAME="Bluefin (Version: 44.20260818 / FROM Fedora Silverblue 44)"
`
	got := machine(map[string]string{"usr/lib/os-release": bluefin}, nil).Release()
	if got.ID != "bluefin" || got.VersionID != "44" || got.VariantID != "bluefin-dx" || got.ImageID != "bluefin-dx" ||
		got.Name != "Bluefin (Version: 44.20260818 / FROM Fedora Silverblue 44)" {
		t.Errorf("got %+v", got)
	}
	if !got.Is("bluefin") || !got.Is("fedora") || got.Is("debian") {
		t.Errorf("family of %+v", got)
	}
	both := map[string]string{"etc/os-release": "ID=debian\n", "usr/lib/os-release": "ID=fedora\n"}
	if got := machine(both, nil).Release().ID; got != "debian" {
		t.Errorf("/etc/os-release does not win: %s", got)
	}
	if got := machine(nil, nil).Release(); got.ID != "" || got.Is("fedora") {
		t.Errorf("without a file: %+v", got)
	}
}

func TestImage(t *testing.T) {
	const path = "usr/share/ublue-os/image-info.json"
	for name, dx := range map[string]bool{
		"bluefin": false, "bluefin-dx": true, "bluefin-dx-nvidia-open": true, "bluefin-nvidia": false,
		"aurora-dx": true, "bazzite-dx-gnome": true, "dxos": false, "my-dxed": false,
	} {
		text := fmt.Sprintf(`{"image-name": %q, "image-tag": "stable", "image-vendor": "ublue-os", "fedora-version": "44"}`, name)
		got, ok := machine(map[string]string{path: text}, nil).Image()
		if !ok || got.DX() != dx || got.Tag != "stable" || got.Vendor != "ublue-os" || got.Fedora != "44" {
			t.Errorf("%s: %+v, %v", name, got, got.DX())
		}
	}
	for _, text := range []string{"", "{", "[]"} {
		if got, ok := machine(map[string]string{path: text}, nil).Image(); ok {
			t.Errorf("%q: %+v", text, got)
		}
	}
}

func TestContainer(t *testing.T) {
	if got := machine(nil, nil).Container(); got != "" {
		t.Errorf("on a host: %q", got)
	}
	for _, mark := range []string{"run/.containerenv", ".dockerenv"} {
		if got := machine(map[string]string{mark: ""}, nil).Container(); got != "a container" {
			t.Errorf("with %s: %q", mark, got)
		}
	}
	box := machine(nil, nil)
	box.Getenv = func(key string) string { return map[string]string{"CONTAINER_ID": "fedora-python-dx"}[key] }
	if got := box.Container(); got != "fedora-python-dx" {
		t.Errorf("in a box: %q", got)
	}
}

func TestSocket(t *testing.T) {
	h := machine(map[string]string{"run/file": ""}, nil)
	h.Root.(fstest.MapFS)["run/docker.sock"] = &fstest.MapFile{Mode: fs.ModeSocket | 0o660}
	if !h.Socket("/run/docker.sock") || h.Socket("/run/file") || h.Socket("/run/none") {
		t.Error("a socket is not told from a file")
	}
	if !h.Exists("/run/file") || !h.Exists("/") || h.Exists("/run/none") {
		t.Error("a file is not told from nothing")
	}
}

func TestSpace(t *testing.T) {
	h := machine(nil, nil)
	var asked []string
	h.Statfs = func(path string) (host.Space, error) {
		asked = append(asked, path)
		if path == "/var" {
			return host.Space{Free: 1, Total: 2}, nil
		}
		return host.Space{}, fs.ErrNotExist
	}
	got, err := h.Space("/var/lib/docker")
	if err != nil || got.Free != 1 || got.Total != 2 {
		t.Errorf("got %v, %v", got, err)
	}
	if want := []string{"/var/lib/docker", "/var/lib", "/var"}; !slices.Equal(asked, want) {
		t.Errorf("asked %v", asked)
	}
	if _, err := h.Space("/srv"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v", err)
	}
	h.Statfs = func(string) (host.Space, error) { return host.Space{}, fs.ErrPermission }
	if _, err := h.Space("/srv"); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("error %v", err)
	}
}

func TestDistrobox(t *testing.T) {
	for out, want := range map[string]string{
		"distrobox: 1.8.2.5\n":         "1.8.2.5",
		"distrobox: 1.4.2.1":           "1.4.2.1",
		"distrobox version 2.0.0-rc.4": "2.0.0-rc.4",
		"distrobox: unknown":           "",
	} {
		got, err := machine(nil, answers{"distrobox --version": out}).Distrobox(t.Context())
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", out, got, err)
		}
	}
	_, err := machine(nil, nil).Distrobox(t.Context())
	if _, ok := errors.AsType[*process.NotFoundError](err); !ok {
		t.Errorf("without distrobox: %v", err)
	}
}

func TestRecipes(t *testing.T) {
	got := machine(nil, answers{"ujust --summary": "devmode dx-group update\n"}).Recipes(t.Context())
	if !slices.Equal(got, []string{"devmode", "dx-group", "update"}) {
		t.Errorf("got %q", got)
	}
	if got := machine(nil, nil).Recipes(t.Context()); len(got) != 0 {
		t.Errorf("without ujust: %q", got)
	}
}
