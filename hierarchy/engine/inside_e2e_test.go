//go:build e2e

package engine_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/engine"
	"github.com/klmcwhirter/ocisi/internal/process"
)

// session opens a command in a container, as distrobox does, and returns how to
// kill the program that did.
func (w *world) session(name, script string) (kill func()) {
	w.t.Helper()
	cmd := exec.Command(string(w.m), "exec", "ocisi-e2e-"+name, "sh", "-c", script)
	w.ok(cmd.Start())
	kill = func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	w.t.Cleanup(kill)
	return kill
}

// until waits for a number of sessions.
func (w *world) until(name string, want int) {
	w.t.Helper()
	var n int
	var err error
	for range 100 {
		if n, err = w.e.Sessions(w.t.Context(), "ocisi-e2e-"+name); n == want && err == nil {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	w.t.Errorf("%s: %d sessions, %v; want %d", name, n, err, want)
}

func TestRealSessions(t *testing.T) {
	on(t, func(t *testing.T, w *world) {
		w.container("used", base, "sleep", "1000")
		w.until("used", 0)
		kill := w.session("used", "sleep 1000")
		w.session("used", "sleep 1000 & exit 0")
		w.until("used", 1)
		w.session("used", "sleep 3")
		w.until("used", 2)
		w.run("rename", "ocisi-e2e-used", "ocisi-e2e-renamed")
		w.t.Cleanup(func() {
			_ = process.System{}.Run(context.Background(), process.Cmd{Name: string(w.m), Args: []string{"rm", "-f", "-v", "ocisi-e2e-renamed"}})
		})
		w.until("renamed", 1) // the shorter one has ended
		kill()
		w.until("renamed", 1) // nobody is there, and the command runs on
		w.ok(w.e.StopContainer(t.Context(), "ocisi-e2e-renamed", 0))
		w.until("renamed", 0)
		w.run("start", "ocisi-e2e-renamed")
		w.until("renamed", 0)
	})
}

func TestRealInside(t *testing.T) {
	on(t, func(t *testing.T, w *world) {
		name := "ocisi-e2e-inside"
		before := time.Now().Unix()
		w.container("inside", base, "sh", "-c", "echo one; echo two >&2; echo three; touch /new; echo x >> /etc/passwd; rm /etc/issue; exec sleep 1000")
		for range 100 {
			if ok, err := w.e.Exists(t.Context(), name, "/new"); ok && err == nil {
				break
			}
			time.Sleep(50 * time.Millisecond)
		}
		out, err := w.e.Exec(t.Context(), name, "sh", "-c", "id -u; echo complaint >&2; head -c 100000 /dev/zero | wc -c")
		if out != "0\n100000\n" || err != nil {
			t.Errorf("exec: %q, %v", out, err)
		}
		_, err = w.e.Exec(t.Context(), name, "sh", "-c", "echo bad >&2; exit 37")
		if failed, ok := errors.AsType[*engine.ExitError](err); !ok || failed.Status != 37 || failed.Stderr != "bad\n" {
			t.Errorf("exec: %v", err)
		}
		_, err = w.e.Exec(t.Context(), name, "nosuch")
		t.Logf("no such program: %v", err)
		if err == nil {
			t.Error("a program that is not there runs")
		}
		b, _, err := w.e.Container(t.Context(), name)
		if err != nil || b.Created < before-1 || b.Created > time.Now().Unix() {
			t.Errorf("created %d, %v; now %d", b.Created, err, before)
		}
		// As a whole a container is the same stopped.
		for _, running := range []bool{true, false} {
			if !running {
				w.ok(w.e.StopContainer(t.Context(), name, time.Second))
				w.ok(w.e.StopContainer(t.Context(), name, time.Second))
			}
			w.stored(name)
		}
		_, err = w.e.Exec(t.Context(), name, "true")
		t.Logf("exec in a stopped one: %v", err)
		if err == nil {
			t.Error("a stopped container runs a command")
		}
		for what, err := range questions(t.Context(), w.e, "ocisi-e2e-nosuch") {
			t.Logf("%s: %v", what, err)
			if err == nil || !strings.Contains(strings.ToLower(err.Error()), "no such container") || errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s of no container: %v", what, err)
			}
		}
	})
}

// stored checks what is told of a container's files.
func (w *world) stored(name string) {
	t := w.t
	t.Helper()
	for path, want := range map[string]bool{"/new": true, "/bin/sh": true, "/usr/bin/sh": true, "/usr": true, "/bin": true, "/etc/issue": false, "/usr/bin/nosuch": false, "/nosuch/x": false} {
		if got, err := w.e.Exists(t.Context(), name, path); got != want || err != nil {
			t.Errorf("%s: %v, %v", path, got, err)
		}
	}
	log, err := w.e.Logs(t.Context(), name, 2)
	if lines := strings.Split(log, "\n"); err != nil || len(lines) != 2 || !slices.Contains(lines, "three") && !slices.Contains(lines, "two") {
		t.Errorf("log %q, %v", log, err)
	}
	if n, err := w.e.Written(t.Context(), name); err != nil || n < 100 || n > 1<<20 {
		t.Errorf("written %d, %v", n, err)
	}
	changes, err := w.e.Changes(t.Context(), name)
	for _, want := range []hierarchy.Change{{Path: "/new", Kind: "A"}, {Path: "/etc/passwd", Kind: "C"}, {Path: "/etc/issue", Kind: "D"}} {
		if !slices.Contains(changes, want) {
			t.Errorf("%+v is not in %+v, %v", want, changes, err)
		}
	}
}

func TestRealInfo(t *testing.T) {
	on(t, func(t *testing.T, w *world) {
		info, err := w.e.Info(t.Context())
		w.ok(err)
		t.Logf("%+v", info)
		if w.m != hierarchy.Podman {
			return
		}
		if info.FileSystem == "" || !info.Rootless {
			t.Errorf("%+v", info)
		}
		im, _, err := w.e.Inspect(t.Context(), base)
		w.ok(err)
		if info.Copies {
			w.mapped(im.ID)
		}
	})
}

// mapped looks for copies of an image of our own.
func (w *world) mapped(from string) {
	w.t.Helper()
	id := w.build(w.recipe(w.name("mapped"), base, "RUN echo "+from))
	for _, c := range []struct {
		userns string
		want   bool
	}{{"", false}, {"host", false}, {"keep-id", true}} {
		if c.userns != "" {
			w.run("run", "--rm", "--userns", c.userns, id, "true")
		}
		if got, err := w.e.Mapped(w.t.Context(), id); got != c.want || err != nil {
			w.t.Errorf("after %q: %v, %v", c.userns, got, err)
		}
	}
}

// heldIdle is the idle time of the services of TestRealServiceHeld.
const heldIdle = 3 * time.Second

// Podman's service runs while an engine is open that sends no request, and ends
// after its idle time when ocisi was killed.
func TestRealServiceHeld(t *testing.T) {
	if socket := os.Getenv("OCISI_E2E_HOLDS"); socket != "" {
		e := ownService(t)
		info, err := e.Info(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(socket, []byte(info.Endpoint), 0o600); err != nil {
			t.Fatal(err)
		}
		select {} // until killed
	}
	e := ownService(t)
	file := filepath.Join(t.TempDir(), "endpoint")
	other := exec.Command(os.Args[0], "-test.run", "TestRealServiceHeld")
	other.Env = append(os.Environ(), "OCISI_E2E_HOLDS="+file)
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	var endpoint []byte
	for range 200 {
		if endpoint, _ = os.ReadFile(file); len(endpoint) > 0 {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	_ = other.Process.Kill()
	_ = other.Wait()
	serves := func() bool {
		out, _ := exec.Command("pgrep", "-f", "system service.*"+string(endpoint)).Output()
		return len(out) > 0
	}
	if !serves() {
		t.Errorf("the service at %s has ended with its user, or never was", endpoint)
	}
	start := time.Now()
	for serves() && time.Since(start) < time.Minute {
		time.Sleep(50 * time.Millisecond)
	}
	t.Logf("the service of the one that was killed ended after %s", time.Since(start).Round(time.Second))
	if serves() {
		t.Error("the service of one that was killed runs on")
	}
	time.Sleep(max(0, 2*heldIdle-time.Since(start)))
	if _, err := e.Info(t.Context()); err != nil {
		t.Errorf("after %s of silence: %v", time.Since(start), err)
	}
	start = time.Now()
	if err := e.Close(); err != nil || time.Since(start) > time.Second {
		t.Errorf("closed after %s: %v", time.Since(start), err)
	}
}

// ownService opens podman by a service of its own.
func ownService(t *testing.T) *engine.Engine {
	t.Helper()
	getenv := func(name string) string {
		if name == "XDG_RUNTIME_DIR" || name == "CONTAINER_HOST" {
			return ""
		}
		return os.Getenv(name)
	}
	e, err := engine.Open(t.Context(), hierarchy.Podman, engine.Options{Runner: process.System{}, Getenv: getenv, ServiceIdle: heldIdle})
	if err != nil {
		t.Fatal(err)
	}
	return e
}
