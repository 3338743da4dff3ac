package engine_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/engine"
	"github.com/klmcwhirter/ocisi/hierarchy/engine/enginetest"
	"github.com/klmcwhirter/ocisi/internal/process"
)

// pair is two engines of a server, with images of ours in the first.
type pair struct {
	*story
	to   *engine.Engine
	told []hierarchy.Progress
}

// built is an image of ours as a manager's build leaves it.
func built(m hierarchy.Manager, ref, file string, diffIDs ...string) enginetest.Image {
	in := hierarchy.Inputs{Version: 1, Manager: m, File: file}
	im := enginetest.Image{Labels: map[string]string{
		hierarchy.LabelImage: ref, hierarchy.LabelInputs: hierarchy.LabelValue(in.String()),
	}}
	if ref != "" {
		im.Refs = []string{m.StoreRef(ref)}
	}
	for _, id := range diffIDs {
		im.Layers = append(im.Layers, enginetest.Layer{DiffID: id, Size: 100})
	}
	return im
}

// pairs runs a test in both directions. The first engine has go:1 and dx:1, which
// share a layer; the second what held gives for it.
func pairs(t *testing.T, held func(from, to hierarchy.Manager) []enginetest.Image, test func(p *pair)) {
	t.Helper()
	for _, m := range []hierarchy.Manager{hierarchy.Docker, hierarchy.Podman} {
		t.Run(string(m), func(t *testing.T) {
			other := map[hierarchy.Manager]hierarchy.Manager{hierarchy.Docker: hierarchy.Podman, hierarchy.Podman: hierarchy.Docker}[m]
			state := enginetest.State{Images: []enginetest.Image{built(m, "go:1", "new", "sha256:a", "sha256:b"), built(m, "dx:1", "new", "sha256:a", "sha256:b", "sha256:c")}}
			p := &pair{story: start(t, m, state)}
			p.server.Edit(string(other), func(s *enginetest.State) {
				if held == nil {
					return
				}
				for _, im := range held(m, other) {
					if im.ID == "" {
						text, err := json.Marshal(im)
						p.ok(err)
						im.ID = "sha256:" + fmt.Sprintf("%x", sha256.Sum256(text))
					}
					s.Images = append(s.Images, im)
				}
			})
			t.Setenv("CONTAINER_HOST", p.server.PodmanHost())
			var err error
			p.to, err = engine.Open(t.Context(), other, engine.Options{Runner: process.System{}, Getenv: os.Getenv, Timeout: 300 * time.Millisecond})
			p.ok(err)
			t.Cleanup(func() { p.ok(p.to.Close()) })
			test(p)
		})
	}
}

func (p *pair) copy(ctx context.Context, refs ...string) map[string]error {
	return p.CopyTo(ctx, p.to, refs, func(g hierarchy.Progress) { p.told = append(p.told, g) })
}

// images are what the other store holds, by what their names and labels say.
func (p *pair) images() []string {
	p.t.Helper()
	state := p.server.Podman()
	if p.to.Manager() == hierarchy.Docker {
		state = p.server.Docker()
	}
	var all []string
	for _, im := range state.Images {
		in, _ := hierarchy.ReadInputs(hierarchy.PlainLabels(im.Labels), im.Labels[hierarchy.LabelImage])
		all = append(all, strings.Join(im.Refs, "+")+"="+im.Labels[hierarchy.LabelImage]+" "+in.File)
	}
	slices.Sort(all)
	return all
}

// holds fails the test when the other store holds anything else.
func (p *pair) holds(want ...string) {
	p.t.Helper()
	for i, w := range want {
		if name, label, ok := strings.Cut(w, "="); ok && name != "" {
			want[i] = p.to.Manager().StoreRef(name) + "=" + label
		}
	}
	slices.Sort(want)
	if got := p.images(); !slices.Equal(got, want) {
		p.t.Errorf("the other store holds\n%q, want\n%q", got, want)
	}
}

// old is a copy that was made before, under its name and without one.
func old(from, _ hierarchy.Manager) []enginetest.Image {
	return []enginetest.Image{rename(built(from, "go:1", "old", "sha256:x"), from)}
}

// rename gives an image of one manager's the name that the other one writes.
func rename(im enginetest.Image, from hierarchy.Manager) enginetest.Image {
	to := hierarchy.Docker
	if from == to {
		to = hierarchy.Podman
	}
	im.Refs = []string{to.StoreRef(im.Labels[hierarchy.LabelImage])}
	return im
}

func TestCopyTo(t *testing.T) {
	pairs(t, nil, func(p *pair) {
		if errs := p.copy(p.t.Context(), "dx:1", "go:1"); len(errs) > 0 {
			p.t.Fatal(errs)
		}
		p.holds("go:1=go:1 new", "dx:1=dx:1 new")
		from, to := string(p.Manager()), string(p.to.Manager())
		var saved []string
		for _, c := range p.server.Calls() {
			if strings.HasPrefix(c, from+" save sha256:") {
				saved = append(saved, c)
			}
		}
		if len(saved) != 1 || !p.called(to+" load 2") || saved[0] != from+" save "+p.id("dx:1")+" "+p.id("go:1") {
			t.Errorf("%q\n%q", saved, p.server.Calls())
		}
	})
}

func TestCopyToReplaces(t *testing.T) {
	pairs(t, func(from, to hierarchy.Manager) []enginetest.Image {
		left := built(from, "go:1", "left by a run that was killed", "sha256:y")
		theirs := built(to, "go:1", "an intermediate image of the other manager's", "sha256:z")
		other := built(from, "other:1", "not copied now", "sha256:w")
		for _, im := range []*enginetest.Image{&left, &theirs, &other} {
			im.Refs = nil
		}
		return append(old(from, to), left, theirs, other)
	}, func(p *pair) {
		if errs := p.copy(p.t.Context(), "go:1"); len(errs) > 0 {
			p.t.Fatal(errs)
		}
		p.holds("go:1=go:1 new", "=go:1 an intermediate image of the other manager's", "=other:1 not copied now")
		// A second time, nothing is different.
		if errs := p.copy(p.t.Context(), "go:1"); len(errs) > 0 {
			p.t.Fatal(errs)
		}
		p.holds("go:1=go:1 new", "=go:1 an intermediate image of the other manager's", "=other:1 not copied now")
	})
}

// What the other manager had built itself under the name is replaced, too, unless
// a container uses it.
func TestCopyToKeepsImageOfContainer(t *testing.T) {
	pairs(t, func(_, to hierarchy.Manager) []enginetest.Image {
		return []enginetest.Image{built(to, "go:1", "old", "sha256:x"), built(to, "dx:1", "old", "sha256:x", "sha256:y")}
	}, func(p *pair) {
		p.server.Edit(string(p.to.Manager()), func(s *enginetest.State) {
			s.Containers = append(s.Containers, enginetest.Container{Name: "used", ImageID: s.Images[0].ID})
		})
		if errs := p.copy(p.t.Context(), "go:1", "dx:1"); len(errs) > 0 {
			p.t.Fatal(errs)
		}
		p.holds("go:1=go:1 new", "dx:1=dx:1 new", "=go:1 old")
	})
}

func TestCopyToForeign(t *testing.T) {
	pairs(t, func(_, to hierarchy.Manager) []enginetest.Image {
		foreign := built(to, "go:1", "old", "sha256:x")
		foreign.Labels = map[string]string{hierarchy.LabelImage: "base:1"} // inherited
		return []enginetest.Image{foreign}
	}, func(p *pair) {
		errs := p.copy(p.t.Context(), "go:1", "dx:1")
		fe, ok := errors.AsType[*engine.ForeignError](errs["go:1"])
		if !ok || fe.Manager != p.to.Manager() || len(errs) != 1 {
			p.t.Error(errs)
		}
		p.holds("go:1=base:1 ", "dx:1=dx:1 new") // the other one is copied
		if errs := p.copy(p.t.Context(), "go:1"); len(errs) != 1 || len(slices.DeleteFunc(p.server.Calls(), func(c string) bool { return !strings.Contains(c, " save sha256:") })) != 1 {
			p.t.Errorf("%v\n%q", errs, p.server.Calls())
		}
	})
}

func TestCopyToMissing(t *testing.T) {
	pairs(t, nil, func(p *pair) {
		errs := p.copy(p.t.Context(), "nosuch:1")
		if me, ok := errors.AsType[*engine.MissingError](errs["nosuch:1"]); !ok || me.Need != p.full("nosuch:1") {
			p.t.Error(errs)
		}
	})
}

// Whatever fails, the name stays with what had it, and nothing is left over.
func TestCopyToFails(t *testing.T) {
	for _, c := range []struct {
		name string
		file string // in the story, of the engine that it is about
		from bool   // which is the first one
		text string
		want string
	}{
		{"cut", "save.cut", true, "", "reading the images from "},
		{"no space", "load.err", false, "write /big: no space left on device", "loading the images into FROM: write /big: no space left on device"},
		{"other layers", "load.other", false, "", "is not what "},
	} {
		t.Run(c.name, func(t *testing.T) {
			pairs(t, old, func(p *pair) {
				about := p.to.Manager()
				if c.from {
					about = p.Manager()
				}
				p.write(string(about)+"-"+c.file, c.text)
				errs := p.copy(p.t.Context(), "go:1", "dx:1")
				want := strings.ReplaceAll(c.want, "FROM", string(p.to.Manager()))
				for _, ref := range []string{"go:1", "dx:1"} {
					if errs[ref] == nil || !strings.Contains(errs[ref].Error(), want) {
						p.t.Errorf("%s: %v", ref, errs[ref])
					}
				}
				p.holds("go:1=go:1 old")
				p.ok(os.Remove(filepath.Join(p.dir, string(about)+"-"+c.file)))
				if errs := p.copy(p.t.Context(), "go:1", "dx:1"); len(errs) > 0 {
					p.t.Error(errs)
				}
				p.holds("go:1=go:1 new", "dx:1=dx:1 new")
			})
		})
	}
}

// So it is when a request fails, is cut off or has no answer, before or after it
// was done.
func TestCopyToUnanswered(t *testing.T) {
	for what, verdict := range map[string]enginetest.Verdict{"refused": enginetest.Fail, "cut": enginetest.Cut} {
		t.Run(what, func(t *testing.T) {
			for _, path := range []string{" GET /images/get", " POST /images/load", "/tag"} {
				pairs(t, old, func(p *pair) {
					p.server.Watch(func(point string, done bool) enginetest.Verdict {
						if !done && strings.HasSuffix(point, path) {
							return verdict
						}
						return enginetest.Pass
					})
					if errs := p.copy(p.t.Context(), "go:1"); errs["go:1"] == nil {
						p.t.Errorf("%s: no error", path)
					}
					p.holds("go:1=go:1 old")
				})
			}
		})
	}
}

// An engine that falls silent in the middle is noticed; one that only takes long
// is waited for.
func TestCopyToSilence(t *testing.T) {
	pairs(t, old, func(p *pair) {
		p.write(string(p.Manager())+"-save.block", "")
		p.server.Watch(func(point string, _ bool) enginetest.Verdict {
			if p.called(" save waits") && strings.HasPrefix(point, string(p.to.Manager())+" ") {
				return enginetest.Hang
			}
			return enginetest.Pass
		})
		// The other one's Timeout counts for its ping, the first one's for when to ask.
		from, err := engine.Open(p.t.Context(), p.Manager(), engine.Options{Runner: process.System{}, Getenv: os.Getenv, Timeout: 200 * time.Millisecond})
		p.ok(err)
		defer func() { p.ok(from.Close()) }()
		errs := from.CopyTo(p.t.Context(), p.to, []string{"go:1"}, nil)
		if ue, ok := errors.AsType[*engine.UnreachableError](errs["go:1"]); !ok || ue.Manager != p.to.Manager() || !strings.HasSuffix(ue.Error(), "no answer after 300ms") {
			p.t.Error(errs)
		}
		p.server.Watch(nil)
		p.holds("go:1=go:1 old")
	})
}

func TestCopyToStopped(t *testing.T) {
	pairs(t, old, func(p *pair) {
		p.write(string(p.Manager())+"-save.block", "")
		ctx, cancel := context.WithCancelCause(p.t.Context())
		enough := errors.New("enough")
		go func() {
			for !p.called(" save waits") {
				time.Sleep(time.Millisecond)
			}
			time.Sleep(500 * time.Millisecond) // the engines answer pings: that is no silence
			cancel(enough)
		}()
		if errs := p.copy(ctx, "go:1"); !errors.Is(errs["go:1"], enough) {
			p.t.Error(errs)
		}
		p.holds("go:1=go:1 old")
	})
}
