package host_test

import (
	"io/fs"
	"slices"
	"syscall"
	"testing"
	"testing/fstest"

	"github.com/klmcwhirter/ocisi/bootstrap/host"
)

func at(root fstest.MapFS, env map[string]string) host.Host {
	h := machine(nil, nil)
	h.Root = root
	h.Getenv = func(key string) string { return env[key] }
	return h
}

func TestFind(t *testing.T) {
	root := fstest.MapFS{
		"a/podman":       {Mode: 0o644},
		"b/podman":       {Mode: 0o755},
		"c/podman/x":     {Mode: 0o755},
		"usr/bin/podman": {Mode: 0o755},
		"bin":            {Mode: fs.ModeSymlink | 0o777, Data: []byte("usr/bin")},
	}
	got := at(root, map[string]string{"PATH": "/a:/b::relative:/c:/usr/bin:/bin"}).Find("podman")
	if want := []string{"/b/podman", "/usr/bin/podman", "/bin/podman"}; !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	if got := at(root, nil).Find("podman"); len(got) != 0 {
		t.Errorf("without PATH: %q", got)
	}
}

func TestText(t *testing.T) {
	h := at(fstest.MapFS{"a/b": {Data: []byte("12345")}}, nil)
	for got, want := range map[string]string{
		h.Text("/a/b"): "12345", h.Text("/a"): "", h.Head("/a/b", 3): "123", h.Head("/a/b", 9) + "!": "12345!", h.Head("/a", 9) + h.Head("/no", 9) + "?": "?",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if got := h.List("/a"); len(got) != 1 || got[0].Name() != "b" || len(h.List("/no")) != 0 {
		t.Errorf("listed %v", got)
	}
}

func TestConfigHome(t *testing.T) {
	for value, want := range map[string]string{"": "/var/home/dev/.config", "/cfg": "/cfg", "cfg": "/var/home/dev/.config"} {
		if got := at(nil, map[string]string{"XDG_CONFIG_HOME": value}).ConfigHome(); got != want {
			t.Errorf("%q: %s", value, got)
		}
	}
}

func TestReal(t *testing.T) {
	link := func(to string) *fstest.MapFile {
		return &fstest.MapFile{Mode: fs.ModeSymlink | 0o777, Data: []byte(to)}
	}
	h := at(fstest.MapFS{
		"var/home/dev/x": {}, "home": link("var/home"), "abs": link("/home/dev"), "var/up": link("../home"),
		"loop": link("loop"), "gone": link("/nowhere/at/all"),
	}, nil)
	for name, want := range map[string]string{
		"/var/home/dev": "/var/home/dev", "/home/dev": "/var/home/dev", "/home/dev/": "/var/home/dev", "/abs/x": "/var/home/dev/x",
		"/var/up/dev": "/var/home/dev", "/gone/x": "/nowhere/at/all/x", "/not/there": "/not/there", "/": "/", "/loop": "/loop",
	} {
		if got := h.Real(name); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

func TestOwner(t *testing.T) {
	of := func(uid uint32) *fstest.MapFile { return &fstest.MapFile{Mode: 0o644, Sys: &syscall.Stat_t{Uid: uid}} }
	h := at(fstest.MapFS{"s/a": of(1001), "s/b/c/d/e": of(0), "s/mine": of(1001), "t/x": of(0), "mute": {}}, nil)
	if uid, ok := h.Owner("/s/a"); uid != 1001 || !ok {
		t.Errorf("owner %d, %v", uid, ok)
	}
	for _, name := range []string{"/mute", "/nowhere"} {
		if _, ok := h.Owner(name); ok {
			t.Errorf("%s has an owner", name)
		}
	}
	for levels, want := range map[int]string{2: "", 3: "", 4: "/s/b/c/d/e"} {
		if got := h.OwnedByRoot("/s", levels); got != want {
			t.Errorf("%d levels: %q", levels, got)
		}
	}
	if got := h.OwnedByRoot("/t", 1); got != "/t/x" {
		t.Errorf("/t: %q", got)
	}
	if got := h.OwnedByRoot("/nowhere", 1); got != "" {
		t.Errorf("nowhere: %q", got)
	}
}
