package engine_test

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/engine"
	"github.com/klmcwhirter/ocisi/hierarchy/engine/enginetest"
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

// An engine that cannot start a container says so; one that does not answer, or that
// has no such container, has said nothing about it.
func TestStarts(t *testing.T) {
	each(t, withBox(), func(t *testing.T, s *story) {
		if ok, err := s.Starts(t.Context(), "ended"); !ok || err != nil {
			t.Errorf("%v, %v", ok, err)
		}
		if b, _, err := s.Container(t.Context(), "ended"); err != nil || !b.Running {
			t.Errorf("%+v, %v", b, err)
		}
		if ok, err := s.Starts(t.Context(), "nosuch"); ok || err == nil {
			t.Errorf("no such container: %v, %v", ok, err)
		}
		for verdict, answers := range map[enginetest.Verdict]bool{enginetest.Fail: true, enginetest.Cut: false} {
			s.server.Watch(func(point string, done bool) enginetest.Verdict {
				if strings.HasSuffix(point, "/start") && !done {
					return verdict
				}
				return enginetest.Pass
			})
			if ok, err := s.Starts(t.Context(), "ended"); ok || (err == nil) != answers {
				t.Errorf("%v: %v, %v", verdict, ok, err)
			}
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

func TestBoxSizes(t *testing.T) {
	state := withBase()
	state.Containers = []enginetest.Container{
		{Name: "runs", Image: "ghcr.io/x/base:latest", SizeRw: 70}, {Name: "ended", Image: "ghcr.io/x/base:latest", State: "exited", SizeRw: 5},
		{Name: "new", Image: "ghcr.io/x/base:latest", State: "created"},
	}
	each(t, state, func(t *testing.T, s *story) {
		before := len(s.server.Requests())
		got, err := s.BoxSizes(t.Context())
		s.ok(err)
		if want := map[string]int64{"runs": 70, "ended": 5, "new": 0}; !maps.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
		if asked := s.asked(before); len(asked) != 1 {
			t.Errorf("asked %q", asked)
		}
		for name, size := range got {
			if one, err := s.Written(t.Context(), name); err != nil || one != size {
				t.Errorf("%s: %d bytes, %v; %d in the list", name, one, err, size)
			}
		}
	})
}
