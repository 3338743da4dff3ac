package engine_test

import (
	"archive/tar"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/engine"
	"github.com/klmcwhirter/ocisi/hierarchy/engine/enginetest"
	"github.com/klmcwhirter/ocisi/internal/process"
)

// withBox is a store with a box that runs, one that does not, and a container of
// somebody's.
func withBox() enginetest.State {
	state := withBase()
	im := &state.Images[0]
	im.Files = map[string]string{"/bin": "-> usr/bin", "/usr/bin/zsh": "", "/usr/share/a.desktop": "Exec=a\n", "/usr/share/icons/a.png": "png"}
	im.Commands = map[string]enginetest.Answer{"rpm -qa": {Out: "bash\n"}, "check": {Out: "half", Err: "broken\n", Exit: 3}}
	ref := im.Refs[0]
	state.Containers = []enginetest.Container{
		{
			Name: "box", Image: ref, Labels: map[string]string{hierarchy.LabelBox: "box"}, Created: 1234, SizeRw: 77, Sessions: 2, Ended: 3, Lost: 1,
			Log: "one\ntwo\nthree\n", Changes: []enginetest.Change{{Path: "/etc", Kind: 0}, {Path: "/etc/new", Kind: 1}, {Path: "/gone", Kind: 2}},
			Files: map[string]string{"/etc/new": "text"}, Anonymous: []string{"v1"},
		},
		{Name: "ended", Image: ref, Labels: map[string]string{"manager": "distrobox"}, State: "exited", Sessions: 1, Created: 1235},
		{Name: "db", Image: ref, Mounts: []string{"data:/data"}, Anonymous: []string{"v2"}},
	}
	return state
}

func TestBoxes(t *testing.T) {
	each(t, withBox(), func(t *testing.T, s *story) {
		boxes, err := s.Boxes(t.Context())
		s.ok(err)
		if len(boxes) != 2 || boxes[0].Name != "box" || boxes[0].Created != 1234 || !boxes[0].Running || boxes[1].Created != 1235 {
			t.Errorf("%+v", boxes)
		}
		b, _, err := s.Container(t.Context(), "box")
		if err != nil || b.Created != 1234 {
			t.Errorf("%+v, %v", b, err)
		}
	})
}

func TestSessions(t *testing.T) {
	each(t, withBox(), func(t *testing.T, s *story) {
		for name, want := range map[string]int{"box": 2, "ended": 0, "db": 0} {
			if n, err := s.Sessions(t.Context(), name); n != want || err != nil {
				t.Errorf("%s: %d, %v; want %d", name, n, err, want)
			}
		}
		// What podman has forgotten has ended; an engine that fails has not said so.
		s.server.Edit(string(s.Manager()), func(st *enginetest.State) { st.Containers[0].Sessions = 1 })
		var verdict enginetest.Verdict
		s.server.Watch(func(point string, done bool) enginetest.Verdict {
			if strings.Contains(point, "GET /exec/") && !done {
				return verdict
			}
			return enginetest.Pass
		})
		verdict = enginetest.Fail
		if n, err := s.Sessions(t.Context(), "box"); err == nil {
			t.Errorf("an engine that fails tells of %d sessions", n)
		}
	})
}

func TestStopContainer(t *testing.T) {
	each(t, withBox(), func(t *testing.T, s *story) {
		s.ok(s.StopContainer(t.Context(), "box", 3*time.Second))
		if b, _, err := s.Container(t.Context(), "box"); err != nil || b.Running {
			t.Errorf("%+v, %v", b, err)
		}
		if !slices.ContainsFunc(s.server.Requests(), func(r string) bool { return strings.HasSuffix(r, "POST /containers/box/stop?t=3") }) {
			t.Errorf("requests %q", s.server.Requests())
		}
		s.ok(s.StopContainer(t.Context(), "box", 0))
		s.ok(s.StopContainer(t.Context(), "ended", 0))
		if n, err := s.Sessions(t.Context(), "box"); n != 0 || err != nil {
			t.Errorf("%d sessions, %v", n, err)
		}
	})
}

func TestRemoveContainerVolumes(t *testing.T) {
	each(t, withBox(), func(t *testing.T, s *story) {
		s.ok(s.RemoveContainer(t.Context(), "box"))
		if got := s.state().Volumes; !slices.Equal(got, []string{"v2", "data"}) {
			t.Errorf("volumes left: %q", got)
		}
	})
}

func TestLogs(t *testing.T) {
	each(t, withBox(), func(t *testing.T, s *story) {
		if log, err := s.Logs(t.Context(), "box", 2); log != "two\nthree" || err != nil {
			t.Errorf("%q, %v", log, err)
		}
		if log, err := s.Logs(t.Context(), "ended", 2); log != "" || err != nil {
			t.Errorf("%q, %v", log, err)
		}
	})
}

func TestExec(t *testing.T) {
	each(t, withBox(), func(t *testing.T, s *story) {
		if out, err := s.Exec(t.Context(), "box", "rpm", "-qa"); out != "bash\n" || err != nil {
			t.Errorf("%q, %v", out, err)
		}
		if out, err := s.Exec(t.Context(), "box", "cat", "/etc/new", "/usr/share/a.desktop"); out != "textExec=a\n" || err != nil {
			t.Errorf("%q, %v", out, err)
		}
		out, err := s.Exec(t.Context(), "box", "check")
		if failed, ok := errors.AsType[*engine.ExitError](err); !ok || out != "half" || failed.Status != 3 || failed.Stderr != "broken\n" || err.Error() != "check: exit status 3: broken" {
			t.Errorf("%q, %v", out, err)
		}
		_, err = s.Exec(t.Context(), "box", "nosuch")
		if failed, ok := errors.AsType[*engine.ExitError](err); !ok || failed.Status != 127 {
			t.Errorf("%v", err)
		}
		if _, err := s.Exec(t.Context(), "ended", "true"); err == nil || !strings.HasSuffix(err.Error(), "is not running") {
			t.Errorf("in a container that has ended: %v", err)
		}
	})
}

func TestArchive(t *testing.T) {
	each(t, withBox(), func(t *testing.T, s *story) {
		for path, want := range map[string]string{
			"/usr/share":         "share/: share/a.desktop:Exec=a\n share/icons/a.png:png",
			"/etc/new":           "new:text",
			"/bin":               "bin:", // the link, not what it leads to
			"/bin/zsh":           "zsh:",
			"/usr/share/nothing": "",
		} {
			r, err := s.Archive(t.Context(), "ended", path)
			if path == "/etc/new" {
				r, err = s.Archive(t.Context(), "box", path)
			}
			if want == "" {
				if !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("%s: %v", path, err)
				}
				continue
			}
			s.ok(err)
			if got := listed(t, r); got != want {
				t.Errorf("%s: %q", path, got)
			}
			s.ok(r.Close())
		}
	})
}

// listed returns names and contents of a tar stream.
func listed(t *testing.T, r io.Reader) string {
	t.Helper()
	var all []string
	for tr := tar.NewReader(r); ; {
		h, err := tr.Next()
		if err == io.EOF { //nolint:errorlint // as tar has it
			return strings.Join(all, " ")
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(tr)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, h.Name+":"+string(data))
	}
}

func TestExists(t *testing.T) {
	each(t, withBox(), func(t *testing.T, s *story) {
		for path, want := range map[string]bool{"/bin/zsh": true, "/usr/bin/zsh": true, "/usr/bin": true, "/bin": true, "/bin/fish": false} {
			if got, err := s.Exists(t.Context(), "ended", path); got != want || err != nil {
				t.Errorf("%s: %v, %v", path, got, err)
			}
		}
	})
}

func TestWritten(t *testing.T) {
	each(t, withBox(), func(t *testing.T, s *story) {
		if n, err := s.Written(t.Context(), "box"); n != 77 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		want := []hierarchy.Change{{Path: "/etc", Kind: "C"}, {Path: "/etc/new", Kind: "A"}, {Path: "/gone", Kind: "D"}}
		if got, err := s.Changes(t.Context(), "box"); !slices.Equal(got, want) || err != nil {
			t.Errorf("%+v, %v", got, err)
		}
		if got, err := s.Changes(t.Context(), "db"); len(got) != 0 || err != nil {
			t.Errorf("%+v, %v", got, err)
		}
	})
}

// questions asks all that there is to ask about a container, at once.
func questions(ctx context.Context, e *engine.Engine, name string) map[string]error {
	all := make(map[string]error)
	var mu sync.Mutex
	var wg sync.WaitGroup
	for what, ask := range map[string]func() error{
		"sessions": func() error { _, err := e.Sessions(ctx, name); return err },
		"logs":     func() error { _, err := e.Logs(ctx, name, 5); return err },
		"exec":     func() error { _, err := e.Exec(ctx, name, "true"); return err },
		"exists":   func() error { _, err := e.Exists(ctx, name, "/nothing"); return err },
		"written":  func() error { _, err := e.Written(ctx, name); return err },
		"changes":  func() error { _, err := e.Changes(ctx, name); return err },
		"stop":     func() error { return e.StopContainer(ctx, name, 0) },
		"archive":  func() error { _, err := e.Archive(ctx, name, "/nothing"); return err },
	} {
		wg.Go(func() {
			err := ask()
			mu.Lock()
			all[what] = err
			mu.Unlock()
		})
	}
	wg.Wait()
	return all
}

func TestContainerGone(t *testing.T) {
	each(t, withBox(), func(t *testing.T, s *story) {
		for what, err := range questions(t.Context(), s.Engine, "nosuch") {
			if err == nil || !strings.Contains(err.Error(), "No such container: nosuch") || errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s: %v", what, err)
			}
		}
	})
}

func TestEngineHangs(t *testing.T) {
	for _, m := range []hierarchy.Manager{hierarchy.Docker, hierarchy.Podman} {
		for _, after := range []bool{false, true} {
			s := start(t, m, withBox())
			t.Setenv("CONTAINER_HOST", s.server.PodmanHost())
			e, err := engine.Open(t.Context(), m, engine.Options{Runner: process.System{}, Getenv: os.Getenv, Timeout: 400 * time.Millisecond})
			s.ok(err)
			s.server.Watch(func(_ string, done bool) enginetest.Verdict {
				if done == after {
					return enginetest.Hang
				}
				return enginetest.Pass
			})
			all := questions(t.Context(), e, "box")
			_, all["boxes"] = e.Boxes(t.Context())
			_, all["info"] = e.Info(t.Context())
			for what, err := range all {
				if err == nil || !strings.HasSuffix(err.Error(), "no answer after 400ms") {
					t.Errorf("%s: %v", what, err)
				}
			}
			s.server.Watch(nil)
			s.ok(e.Close())
		}
	}
}

func TestEngineGone(t *testing.T) {
	each(t, withBox(), func(t *testing.T, s *story) {
		up := s.server.Down(string(s.Manager()))
		for what, err := range questions(t.Context(), s.Engine, "box") {
			if err == nil || errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s: %v", what, err)
			}
		}
		s.ok(up())
		if n, err := s.Written(t.Context(), "box"); n != 77 || err != nil {
			t.Errorf("the engine is up again: %d, %v", n, err)
		}
	})
}

// A command that is started and whose engine then hangs ends with the caller.
func TestExecHangs(t *testing.T) {
	each(t, withBox(), func(t *testing.T, s *story) {
		ctx, cancel := context.WithCancelCause(t.Context())
		enough := errors.New("enough")
		s.server.Watch(func(point string, done bool) enginetest.Verdict {
			if strings.HasSuffix(point, "/start") && done {
				cancel(enough)
				return enginetest.Hang
			}
			return enginetest.Pass
		})
		if _, err := s.Exec(ctx, "box", "true"); !errors.Is(err, enough) {
			t.Errorf("got %v", err)
		}
		s.server.Watch(func(point string, done bool) enginetest.Verdict {
			if strings.HasSuffix(point, "/start") && !done {
				return enginetest.Fail
			}
			return enginetest.Pass
		})
		if _, err := s.Exec(t.Context(), "box", "true"); err == nil || !strings.HasSuffix(err.Error(), "the engine has failed, as the test wants") {
			t.Errorf("got %v", err)
		}
	})
}

func TestCopies(t *testing.T) {
	state := withBase()
	for _, c := range []struct {
		fs       string
		shifting bool
		want     bool
	}{{"extfs", false, true}, {"extfs", true, false}, {"btrfs", false, false}, {"xfs", false, false}, {"tmpfs", false, true}} {
		state.FileSystem, state.Shifting = c.fs, c.shifting
		each(t, state, func(t *testing.T, s *story) {
			info, err := s.Info(t.Context())
			s.ok(err)
			if podman := s.Manager() == hierarchy.Podman; info.Copies != (c.want && podman) || podman && info.FileSystem != c.fs {
				t.Errorf("%+v: %+v", c, info)
			}
		})
	}
}

func TestMapped(t *testing.T) {
	each(t, withBase(), func(t *testing.T, s *story) {
		id := "sha256:" + strings.Repeat("ab", 32)
		if _, err := s.Mapped(t.Context(), id); !errors.Is(err, engine.ErrUnknown) {
			t.Errorf("without the store's files: %v", err)
		}
		map3 := func(id, user, rest string) string {
			return `{"id":"` + id + `","uidmap":[{"container_id":0,"host_id":1,"size":` + user + `},{"container_id":` + user + `,"host_id":0,"size":1},{"container_id":1001,"host_id":1001,"size":` + rest + `}]}`
		}
		for name, text := range map[string]string{
			"images": `[{"id":"` + strings.Repeat("ab", 32) + `","mapped-layers":["sized","plain"]},{"id":"cd","mapped-layers":["other"]},{"id":"ef"}]`,
			"layers": "[" + map3("sized", "1000", "64535") + "," + map3("other", "999", "64536") + "," + map3("plain", "1000", "64536") + "]",
		} {
			dir := filepath.Join(s.dir, "podman-storage", "overlay-"+name)
			s.ok(os.MkdirAll(dir, 0o700))
			s.ok(os.WriteFile(filepath.Join(dir, name+".json"), []byte(text), 0o600))
		}
		if s.Manager() == hierarchy.Docker {
			if _, err := s.Mapped(t.Context(), id); !errors.Is(err, engine.ErrUnknown) {
				t.Errorf("docker: %v", err)
			}
			return
		}
		for image, want := range map[string]bool{id: true, "sha256:cd": false, "sha256:ef": false, "sha256:nosuch": false} {
			if got, err := s.Mapped(t.Context(), image); got != want || err != nil {
				t.Errorf("%s: %v, %v", image, got, err)
			}
		}
	})
}

// Podman's service ends by itself, so it is held for as long as the engine is open.
func TestPodmanServiceIsHeld(t *testing.T) {
	s := start(t, hierarchy.Podman, withBase())
	for range 1000 {
		if s.server.Held() == 1 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	var r runner
	e := s.another(&r)
	for range 1000 {
		if s.server.Held() == 2 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	if n := s.server.Held(); n != 2 {
		t.Errorf("%d services are held", n)
	}
	s.ok(e.Close())
	for range 1000 {
		if s.server.Held() == 1 {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Errorf("%d services are held", s.server.Held())
}
