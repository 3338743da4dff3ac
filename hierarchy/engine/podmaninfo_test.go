package engine_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/engine"
)

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
