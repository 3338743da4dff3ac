//go:build e2e

package box_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/box"
	"github.com/klmcwhirter/ocisi/internal/process"
)

// These tests need docker, rootless podman and distrobox, and sudo without a
// password. They run inside the suite's machine: test/e2e sends them there.
// All that they make is called obx-….

// One image for all, since podman copies an image for its first box, with
// what tests export.
const (
	imageName = "obx-tool-dx:latest"
	tool      = "RUN printf '#!/bin/sh\\necho tool \"$@\"\\n' >/usr/bin/obx-tool && chmod 755 /usr/bin/obx-tool"
)

// engine is an engine by its program.
type engine struct{ m hierarchy.Manager }

func (e engine) run(ctx context.Context, args ...string) (string, error) {
	return process.Output(ctx, process.System{}, process.Cmd{Name: string(e.m), Args: args, Timeout: 5 * time.Minute})
}

func (e engine) inspect(ctx context.Context, kind, name string, into any) (bool, error) {
	out, err := e.run(ctx, kind, "inspect", name)
	if _, failed := errors.AsType[*process.Error](err); failed {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, json.Unmarshal([]byte(out), into)
}

func id(s string) string { return "sha256:" + strings.TrimPrefix(s, "sha256:") }

func (e engine) Inspect(ctx context.Context, full string) (hierarchy.StoredImage, bool, error) {
	var is []struct{ ID string }
	ok, err := e.inspect(ctx, "image", full, &is)
	if !ok || err != nil {
		return hierarchy.StoredImage{}, false, err
	}
	return hierarchy.StoredImage{ID: id(is[0].ID)}, true, nil
}

func (e engine) Content(ctx context.Context, id string) (string, error) {
	var is []struct {
		RootFS struct{ Layers []string }
		Config struct{ Env, Cmd []string }
	}
	ok, err := e.inspect(ctx, "image", id, &is)
	if !ok || err != nil {
		return "", err
	}
	return fmt.Sprint(is[0]), nil
}

func (e engine) Container(ctx context.Context, name string) (hierarchy.StoredBox, bool, error) {
	var cs []struct {
		ID, Name, Image string
		Config          struct{ Labels map[string]string }
	}
	ok, err := e.inspect(ctx, "container", name, &cs)
	if !ok || err != nil {
		return hierarchy.StoredBox{}, false, err
	}
	return hierarchy.StoredBox{ID: cs[0].ID, Name: name, ImageID: id(cs[0].Image), Labels: cs[0].Config.Labels}, true, nil
}

func (e engine) RenameContainer(ctx context.Context, old, name string) error {
	_, err := e.run(ctx, "container", "rename", old, name)
	return err
}

func (e engine) RemoveContainer(ctx context.Context, name string) error {
	_, err := e.run(ctx, "container", "rm", "--force", "--volumes", name)
	return err
}

// build builds the image of the boxes; more is added to its Containerfile.
func (e engine) build(t *testing.T, name, more string, args ...string) {
	t.Helper()
	dir := t.TempDir()
	text := "FROM ghcr.io/ublue-os/debian-toolbox:latest\n" + more + "\nRUN touch /.containersetupdone\n"
	if err := os.WriteFile(filepath.Join(dir, "Containerfile"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	e.must(t, append([]string{"build", "--quiet", "--tag", name, "--file", filepath.Join(dir, "Containerfile"), dir}, args...)...)
}

func (e engine) must(t *testing.T, args ...string) string {
	t.Helper()
	out, err := e.run(t.Context(), args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func each(t *testing.T, do func(t *testing.T, e engine, d *box.Distrobox)) {
	for _, m := range []hierarchy.Manager{hierarchy.Docker, hierarchy.Podman} {
		t.Run(string(m), func(t *testing.T) {
			home, err := os.UserHomeDir()
			if err != nil {
				t.Fatal(err)
			}
			d := &box.Distrobox{Runner: process.System{}, Home: home}
			if !old(t, d) { // an old one's enter disturbs another's start
				t.Parallel()
			}
			do(t, engine{m}, d)
		})
	}
}

func (e engine) spec(name string) box.Spec {
	return box.Spec{Manager: e.m, Image: e.m.StoreRef(imageName), Box: hierarchy.Box{Name: name + "-" + string(e.m)}}
}

func (e engine) forget(t *testing.T, name string) {
	t.Cleanup(func() { _, _ = e.run(context.Background(), "container", "rm", "--force", "--volumes", name) })
}

// in runs a command in a box and returns what it prints.
func (e engine) in(t *testing.T, name string, command ...string) string {
	t.Helper()
	out, err := process.Output(t.Context(), process.System{}, process.Cmd{
		Name: "distrobox", Args: append([]string{"enter", "--name", name, "--no-tty", "--"}, command...),
		Env: []string{"DBX_CONTAINER_MANAGER=" + string(e.m)}, Timeout: time.Minute,
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func equal(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

// old reports whether distrobox is from before host names.
func old(t *testing.T, d *box.Distrobox) bool {
	t.Helper()
	v, err := d.Version(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return v.Major == 1 && v.Minor < 5
}

func tell(t *testing.T) func(hierarchy.Progress) {
	return func(p hierarchy.Progress) { t.Log(p.Title + p.Log) }
}

func TestRealEverything(t *testing.T) {
	each(t, func(t *testing.T, e engine, d *box.Distrobox) {
		e.build(t, imageName, tool)
		s := e.spec("obx-all")
		own := filepath.Join(d.Home, "obx-"+string(e.m))
		data, bins := t.TempDir(), filepath.Join(own, "bins")
		t.Cleanup(func() { _ = os.RemoveAll(own) })
		s.Labels = map[string]string{hierarchy.LabelConfig: "/a b/it's, 100%.yaml"}
		s.Box.Home, s.Box.StartNow = "~/obx-"+string(e.m)+"/home", true
		if !old(t, d) {
			s.Box.Hostname = "obx.lan"
		}
		s.Box.Volumes = []string{data + ":/data:ro"}
		s.Box.AdditionalFlags = []string{"--env OBX=one --env=TWO=2"}
		s.Box.InitHooks = []string{"x='a  b'", `echo "$x" '*' "it's" >/obx-hook; ls /obx-h* >>/obx-hook`}
		s.Box.ExportedBins, s.Box.ExportedBinsPath = []string{"/usr/bin/obx-tool", "/usr/bin/obx-none"}, "$HOME/obx-"+string(e.m)+"/bins"
		e.forget(t, s.Box.Name)

		err := d.Create(t.Context(), e, s, tell(t))
		ee, ok := errors.AsType[*box.ExportError](err)
		if !ok || ee.What != "/usr/bin/obx-none" {
			t.Fatalf("error %v, want one about obx-none alone", err)
		}
		t.Log(err)
		c, _, _ := e.Container(t.Context(), s.Box.Name)
		equal(t, "label", c.Labels[hierarchy.LabelConfig], "/a%20b/it%27s%2C%20100%25.yaml")
		equal(t, "label", c.Labels[hierarchy.LabelSpec], s.Box.Spec())
		equal(t, "label", c.Labels[hierarchy.LabelImageID], c.ImageID)
		equal(t, "user", e.in(t, s.Box.Name, "id", "-un"), os.Getenv("USER"))
		equal(t, "home", e.in(t, s.Box.Name, "printenv", "HOME"), filepath.Join(own, "home"))
		if s.Box.Hostname != "" {
			equal(t, "host name", e.in(t, s.Box.Name, "cat", "/proc/sys/kernel/hostname"), s.Box.Hostname)
		}
		equal(t, "environment", e.in(t, s.Box.Name, "printenv", "OBX", "TWO"), "one\n2")
		equal(t, "hook", e.in(t, s.Box.Name, "cat", "/obx-hook"), "a  b * it's\n/obx-hook")
		equal(t, "volume", e.in(t, s.Box.Name, "stat", "-c", "%u", "/data"), fmt.Sprint(os.Getuid()))
		out, err := process.Output(t.Context(), process.System{}, process.Cmd{
			Name: filepath.Join(bins, "obx-tool"), Args: []string{"a b"}, Env: []string{"DBX_CONTAINER_MANAGER=" + string(e.m)},
		})
		if err != nil || out != "tool a b" {
			t.Errorf("launcher: %q, %v", out, err)
		}

		if err := d.Remove(t.Context(), e, s.Box.Name); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(filepath.Join(own, "home")); err != nil {
			t.Errorf("the home went with the box: %v", err)
		}
	})
}

func TestRealReplace(t *testing.T) {
	each(t, func(t *testing.T, e engine, d *box.Distrobox) {
		name := "obx-rep-" + string(e.m)
		e.build(t, imageName, tool)
		s := e.spec("obx-rep")
		e.forget(t, name)
		e.forget(t, name+".ocisi-old")
		if err := d.Create(t.Context(), e, s, tell(t)); err != nil {
			t.Fatal(err)
		}
		e.must(t, "exec", name, "touch", "/kept") // sudo without a password depends on distrobox
		old, _, _ := e.Container(t.Context(), name)
		stays := func(when string) {
			t.Helper()
			now, _, _ := e.Container(t.Context(), name)
			_, aside, _ := e.Container(t.Context(), name+".ocisi-old")
			if now.ID != old.ID || aside {
				t.Fatalf("%s: box %s, want %s; one aside: %v", when, now.ID, old.ID, aside)
			}
			e.in(t, name, "test", "-e", "/kept")
		}

		missing := s
		missing.Image = e.m.StoreRef("obx-none:latest")
		if _, ok := errors.AsType[*box.NoImageError](d.Replace(t.Context(), e, missing, tell(t))); !ok {
			t.Error("an image that is not there: no such error")
		}
		stays("no image")

		bad := s
		bad.Box.AdditionalFlags = []string{"--no-such-flag"}
		err := d.Replace(t.Context(), e, bad, tell(t))
		if se, ok := errors.AsType[*box.StepError](err); !ok || se.Step != "create" && se.Step != "check" {
			t.Errorf("a flag that the engine does not know: %v", err)
		}
		t.Log(err)
		stays("failed create")

		bad.Box.AdditionalFlags, bad.Box.InitHooks = nil, []string{"echo the hook failed", "false"}
		err = d.Replace(t.Context(), e, bad, tell(t))
		if se, ok := errors.AsType[*box.StepError](err); !ok || se.Step != "start" {
			t.Errorf("a hook that fails: %v", err)
		}
		t.Log(err)
		stays("failed start")

		slow := s
		slow.Box.InitHooks = []string{"sleep 600"}
		ctx, cancel := context.WithCancelCause(t.Context())
		stop := errors.New("interrupted")
		begun := time.Now()
		err = d.Replace(ctx, e, slow, func(p hierarchy.Progress) {
			if strings.HasPrefix(p.Title, "starting") {
				time.AfterFunc(2*time.Second, func() { begun = time.Now(); cancel(stop) })
			}
		})
		if !errors.Is(err, stop) {
			t.Errorf("cancelled start: %v", err)
		}
		t.Logf("cancelled in %s", time.Since(begun))
		stays("cancelled start")

		ctx, cancel = context.WithCancelCause(t.Context())
		err = d.Replace(ctx, e, slow, func(p hierarchy.Progress) {
			if strings.HasPrefix(p.Title, "creating") {
				time.AfterFunc(100*time.Millisecond, func() { cancel(stop) })
			}
		})
		if !errors.Is(err, stop) {
			t.Errorf("cancelled create: %v", err)
		}
		stays("cancelled create")

		good := s
		good.Box.Volumes = []string{d.Home + ":/newer"}
		if err := d.Replace(t.Context(), e, good, tell(t)); err != nil {
			t.Fatal(err)
		}
		now, _, _ := e.Container(t.Context(), name)
		_, aside, _ := e.Container(t.Context(), name+".ocisi-old")
		if now.ID == old.ID || aside {
			t.Errorf("not replaced; one aside: %v", aside)
		}
		e.in(t, name, "test", "!", "-e", "/kept")
	})
}

func TestRealInit(t *testing.T) {
	each(t, func(t *testing.T, e engine, d *box.Distrobox) {
		const withInit = "obx-init-dx:latest"
		e.build(t, withInit, "RUN apt-get update && apt-get install -y --no-install-recommends systemd dbus libpam-systemd && rm -rf /var/lib/apt/lists/*")
		s := e.spec("obx-init")
		s.Image = e.m.StoreRef(withInit)
		s.Box.Init = true
		e.forget(t, s.Box.Name)
		if err := d.Create(t.Context(), e, s, tell(t)); err != nil {
			t.Fatal(err)
		}
		equal(t, "process 1", e.in(t, s.Box.Name, "cat", "/proc/1/comm"), "systemd")
		equal(t, "user", e.in(t, s.Box.Name, "id", "-un"), os.Getenv("USER"))
	})
}

func TestRealRoot(t *testing.T) {
	each(t, func(t *testing.T, e engine, d *box.Distrobox) {
		e.build(t, imageName, tool)
		s := e.spec("obx-root")
		s.Box.Root = true
		s.Box.Home = d.Home + "/" // the user's own is no home of the box's
		e.forget(t, s.Box.Name)
		rootly := func(args ...string) (string, error) {
			return process.Output(context.Background(), process.System{}, process.Cmd{Name: "sudo", Args: append([]string{"-n", "podman"}, args...), Dir: "/"})
		}
		t.Cleanup(func() { _, _ = rootly("rm", "--force", "--volumes", s.Box.Name) })
		for i := range 2 {
			begun := time.Now()
			if err := d.Create(t.Context(), e, s, tell(t)); err != nil {
				t.Fatal(err)
			}
			t.Logf("time %d: %s", i, time.Since(begun))
		}
		made, _, _ := d.Find(t.Context(), e, s)
		e.build(t, imageName, tool, "--label", "ocisi.inputs=root")
		if err := d.Replace(t.Context(), e, s, tell(t)); err != nil {
			t.Fatal(err)
		}
		if now, _, err := d.Find(t.Context(), e, s); err != nil || now.ID != made.ID {
			t.Errorf("replaced by a box of the same content: %v", err)
		}
		_, mine, _ := e.Container(t.Context(), s.Box.Name)
		if mine {
			if env := e.in(t, s.Box.Name, "env"); strings.Contains(env, "DISTROBOX_HOST_HOME") {
				t.Errorf("the user's home became the box's: %s", env)
			}
		}
		_, err := rootly("container", "inspect", s.Box.Name)
		if roots := err == nil; mine != (e.m == hierarchy.Docker) || roots != (e.m == hierarchy.Podman) {
			t.Errorf("in the user's store: %v, in root's: %v", mine, roots)
		}
	})
}

func TestRealVersion(t *testing.T) {
	v, err := (&box.Distrobox{Runner: process.System{}}).Version(t.Context())
	if err != nil || v.Major == 0 || v.Text == "" {
		t.Errorf("%+v, %v", v, err)
	}
	t.Log(v)
}
