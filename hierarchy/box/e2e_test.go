//go:build e2e

package box_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/box"
	"github.com/klmcwhirter/ocisi/hierarchy/engine"
	"github.com/klmcwhirter/ocisi/hierarchy/launcher"
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

// store is an engine, and its program.
type store struct {
	*engine.Engine
	m hierarchy.Manager
}

func (e store) run(ctx context.Context, args ...string) (string, error) {
	return process.Output(ctx, process.System{}, process.Cmd{Name: string(e.m), Args: args, Timeout: 5 * time.Minute})
}

// build builds the image of the boxes; more is added to its Containerfile.
func (e store) build(t *testing.T, name, more string, args ...string) {
	t.Helper()
	dir := t.TempDir()
	text := "FROM ghcr.io/ublue-os/debian-toolbox:latest\n" + more + "\nRUN touch /.containersetupdone\n"
	if err := os.WriteFile(filepath.Join(dir, "Containerfile"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	e.must(t, append([]string{"build", "--quiet", "--tag", name, "--file", filepath.Join(dir, "Containerfile"), dir}, args...)...)
}

func (e store) must(t *testing.T, args ...string) string {
	t.Helper()
	out, err := e.run(t.Context(), args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func each(t *testing.T, do func(t *testing.T, e store, d *box.Distrobox)) {
	for _, m := range []hierarchy.Manager{hierarchy.Docker, hierarchy.Podman} {
		t.Run(string(m), func(t *testing.T) {
			home, err := os.UserHomeDir()
			if err != nil {
				t.Fatal(err)
			}
			opened, err := engine.Open(t.Context(), m, engine.Options{Runner: process.System{}, Getenv: os.Getenv, Home: home})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = opened.Close() })
			d := &box.Distrobox{
				Runner: process.System{}, Home: home, User: os.Getenv("USER"), UID: os.Getuid(), Shell: os.Getenv("SHELL"),
				Owner: hierarchy.Ownership{UID: os.Getuid(), Config: "/a b/it's, 100%.yaml"},
				Data:  t.TempDir(), Host: launcher.Host{Files: os.DirFS("/")},
			}
			if !old(t, d) { // an old one's enter disturbs another's start
				t.Parallel()
			}
			do(t, store{opened, m}, d)
		})
	}
}

func (e store) spec(name string) box.Spec {
	return box.Spec{Manager: e.m, Image: e.m.StoreRef(imageName), Box: hierarchy.Box{Name: name + "-" + string(e.m)}, Keep: 1}
}

func (e store) forget(t *testing.T, name string) {
	t.Cleanup(func() {
		for _, suffix := range []string{"", ".ocisi-old", ".ocisi-1", ".ocisi-2", ".ocisi-3", ".ocisi-4", ".ocisi-5", ".ocisi-6"} {
			_, _ = e.run(context.Background(), "container", "rm", "--force", "--volumes", name+suffix)
		}
	})
}

// in runs a command in a box and returns what it prints.
func (e store) in(t *testing.T, name string, command ...string) string {
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

// boxes returns the names that a box and its generations have, in order.
func (e store) boxes(t *testing.T, name string) string {
	t.Helper()
	all, err := e.Boxes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, b := range all {
		if strings.HasPrefix(b.Name, name) {
			names = append(names, b.Name)
		}
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

// spoil makes a box unable to start.
func (e store) spoil(t *testing.T, name string) {
	t.Helper()
	e.must(t, "start", name)
	e.must(t, "exec", name, "mv", "/usr/bin/sh", "/usr/bin/no-sh")
	e.must(t, "stop", "--time", "0", name)
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
	each(t, func(t *testing.T, e store, d *box.Distrobox) {
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

		_, err := d.Create(t.Context(), e, s, tell(t))
		ee, ok := errors.AsType[*box.ExportError](err)
		if !ok || ee.What != "/usr/bin/obx-none" {
			t.Fatalf("error %v, want one about obx-none alone", err)
		}
		t.Log(err)
		s.Box.ExportedBins = s.Box.ExportedBins[:1]
		if _, err := d.Replace(t.Context(), e, s, tell(t)); err != nil {
			t.Fatal(err)
		}
		c, _, _ := e.Container(t.Context(), s.Box.Name)
		equal(t, "label", c.Labels[hierarchy.LabelConfig], "/a b/it's, 100%.yaml")
		equal(t, "label", fmt.Sprint(box.Exports(c)), fmt.Sprint(hierarchy.Box{
			Name: s.Box.Name, ExportedBinsPath: s.Box.ExportedBinsPath, ExportedBins: []string{"/usr/bin/obx-tool"},
		}, true))
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

		now, _, err := e.Container(t.Context(), s.Box.Name)
		if err == nil {
			err = d.Remove(t.Context(), e, e.m, s.Box.Name, now.ID)
		}
		if err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(filepath.Join(own, "home")); err != nil {
			t.Errorf("the home went with the box: %v", err)
		}
		if _, err := os.Stat(filepath.Join(bins, "obx-tool")); err == nil {
			t.Error("the launcher did not go with the box")
		}
	})
}

func TestRealReplace(t *testing.T) {
	each(t, func(t *testing.T, e store, d *box.Distrobox) {
		name := "obx-rep-" + string(e.m)
		e.build(t, imageName, tool)
		s := e.spec("obx-rep")
		e.forget(t, name)
		if _, err := d.Create(t.Context(), e, s, tell(t)); err != nil {
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
		_, err := d.Replace(t.Context(), e, missing, tell(t))
		if _, ok := errors.AsType[*box.NoImageError](err); !ok {
			t.Errorf("an image that is not there: %v", err)
		}
		stays("no image")

		bad := s
		bad.Box.AdditionalFlags = []string{"--no-such-flag"}
		_, err = d.Replace(t.Context(), e, bad, tell(t))
		if se, ok := errors.AsType[*box.StepError](err); !ok || se.Step != "create" && se.Step != "check" {
			t.Errorf("a flag that the engine does not know: %v", err)
		}
		t.Log(err)
		stays("failed create")

		bad.Box.AdditionalFlags, bad.Box.InitHooks = nil, []string{"echo the hook failed", "false"}
		_, err = d.Replace(t.Context(), e, bad, tell(t))
		if se, ok := errors.AsType[*box.StepError](err); !ok || se.Step != "start" {
			t.Errorf("a hook that fails: %v", err)
		}
		t.Log(err)
		stays("failed start")

		slow := s
		slow.Box.InitHooks = []string{"echo busy", "sleep 600"}
		d.Start = 8 * time.Second
		begun := time.Now()
		_, err = d.Replace(t.Context(), e, slow, tell(t))
		if se, ok := errors.AsType[*box.StepError](err); !ok || se.Step != "start" || !strings.Contains(se.Container, "busy") {
			t.Errorf("a start that hangs: %+v", se)
		}
		t.Logf("%v, after %s", err, time.Since(begun))
		stays("hanging start")
		d.Start = 0

		ctx, cancel := context.WithCancelCause(t.Context())
		stop := errors.New("interrupted")
		_, err = d.Replace(ctx, e, slow, func(p hierarchy.Progress) {
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
		_, err = d.Replace(ctx, e, slow, func(p hierarchy.Progress) {
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
		good.Keep = 0
		if _, err := d.Replace(t.Context(), e, good, tell(t)); err != nil {
			t.Fatal(err)
		}
		now, _, _ := e.Container(t.Context(), name)
		if now.ID == old.ID || e.boxes(t, name) != name {
			t.Errorf("not replaced: %s", e.boxes(t, name))
		}
		e.in(t, name, "test", "!", "-e", "/kept")
	})
}

func TestRealRoot(t *testing.T) {
	each(t, func(t *testing.T, e store, d *box.Distrobox) {
		e.build(t, imageName, tool)
		s := e.spec("obx-root")
		s.Box.Root = true
		s.Box.Home = d.Home + "/" // the user's own is no home of the box's
		e.forget(t, s.Box.Name)
		rootly := func(args ...string) (string, error) {
			return process.Output(context.Background(), process.System{}, process.Cmd{Name: "sudo", Args: append([]string{"-n", "podman"}, args...), Dir: "/"})
		}
		t.Cleanup(func() {
			for _, suffix := range []string{"", ".ocisi-old", ".ocisi-1", ".ocisi-2", ".ocisi-3"} {
				_, _ = rootly("rm", "--force", "--volumes", s.Box.Name+suffix)
			}
		})
		for i := range 2 {
			begun := time.Now()
			if _, err := d.Create(t.Context(), e, s, tell(t)); err != nil {
				t.Fatal(err)
			}
			t.Logf("time %d: %s", i, time.Since(begun))
		}
		made, _, _ := d.Find(t.Context(), e, s)
		e.build(t, imageName, tool, "--label", "ocisi.inputs=root")
		if _, err := d.Replace(t.Context(), e, s, tell(t)); err != nil {
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
		e.replaced(t, d, &s, "/one")
		e.replaced(t, d, &s, "/two")
		rolled, err := d.Rollback(t.Context(), e, s, 0, tell(t))
		if now, _, err := d.Find(t.Context(), e, s); err != nil || now.ID != rolled.After.ID || now.ID == rolled.Before.ID {
			t.Errorf("not rolled back: %v", err)
		}
		if err != nil {
			t.Error(err)
		}
		d.Shell = "/bin/obx-shell"
		s.Box.Volumes = nil
		_, err = d.Replace(t.Context(), e, s, tell(t))
		if ce, ok := errors.AsType[*box.CheckError](err); !ok || ce.What != "shell" {
			t.Errorf("a shell that is not there: %v", err)
		}
		if now, _, err := d.Find(t.Context(), e, s); err != nil || now.ID != rolled.After.ID {
			t.Errorf("not gone back: %v", err)
		}
		_, err = rootly("container", "inspect", s.Box.Name)
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
