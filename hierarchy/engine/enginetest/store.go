package enginetest

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/distribution/reference"
)

// store is the store of one engine.
type store struct {
	name            string // docker or podman
	dir             string
	calls, requests *record
	held            atomic.Int64 // clients that wait for events

	mu    sync.Mutex
	state State
	execs map[string]*execution // by ID
	cache map[string]string     // the layer that a step has made, by what goes into it
	clock int64                 // the last time that was given out
}

// epoch is when the stores' time begins: it must not depend on the day.
const epoch = 1_700_000_000

func newStore(name, dir string, calls, requests *record) (*store, error) {
	state, err := seed[State](filepath.Join(dir, name+".json"))
	if err != nil {
		return nil, err
	}
	s := &store{name: name, dir: dir, calls: calls, requests: requests, state: state, cache: make(map[string]string), execs: make(map[string]*execution), clock: epoch}
	for _, list := range [][]Image{s.state.Images, s.state.Registry} {
		for i := range list {
			list[i] = s.complete(list[i])
		}
	}
	for _, im := range slices.Concat(s.state.Images, s.state.Registry) {
		s.clock = max(s.clock, im.Created)
	}
	for _, c := range s.state.Containers {
		s.clock = max(s.clock, c.Created) // time goes on from there
	}
	for i, c := range s.state.Containers {
		s.state.Containers[i] = s.completeContainer(c)
	}
	return s, nil
}

// complete fills in what a seed may leave out.
func (s *store) complete(im Image) Image {
	if len(im.Layers) == 0 {
		im.Layers = []Layer{{Size: 100 << 20}}
	}
	for i, l := range im.Layers {
		if l.DiffID == "" {
			im.Layers[i].DiffID = hash("layer", strings.Join(im.Refs, " "), fmt.Sprint(i))
		}
	}
	if im.Created == 0 {
		im.Created = s.now()
	}
	if im.ID == "" {
		im.ID = imageID(im)
	}
	return im
}

// containerd reports whether the engine is docker with the containerd image store.
func (s *store) containerd() bool { return s.name == "docker" && s.state.Containerd }

func (s *store) now() int64 {
	s.clock++
	return s.clock
}

// hash makes up an ID.
func hash(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// imageID is the same for the same config, as a real one is. made are the
// parent and the steps of a build.
func imageID(im Image, made ...string) string {
	config, _ := json.Marshal(struct { // plain values: cannot fail
		Layers []Layer
		Labels map[string]string
		Config Config
		Made   []string
	}{im.Layers, im.Labels, im.Config, made})
	return hash("image", string(config))
}

func (s *store) snapshot() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.state
	st.Images, st.Containers, st.Registry = slices.Clone(st.Images), slices.Clone(st.Containers), slices.Clone(st.Registry)
	st.Volumes = slices.Clone(st.Volumes)
	for i, c := range st.Containers {
		st.Containers[i].Files, st.Containers[i].Labels = maps.Clone(c.Files), maps.Clone(c.Labels)
	}
	return st
}

// normal returns the full name that the engine takes a name for.
func (s *store) normal(name string) string {
	named, err := reference.ParseNormalizedNamed(name)
	if err != nil {
		return name
	}
	return reference.TagNameOnly(named).String()
}

// image finds an image by name, ID or the beginning of an ID. The store must
// be locked.
func (s *store) image(name string) *Image {
	full := []string{s.normal(name)}
	if s.name == "podman" && !strings.Contains(strings.Split(name, ":")[0], "/") {
		full = append([]string{s.normal("localhost/" + name)}, full...)
	}
	for _, f := range full {
		for i, im := range s.state.Images {
			if slices.Contains(im.Refs, f) || slices.Contains(im.Digests, f) {
				return &s.state.Images[i]
			}
		}
	}
	id := strings.TrimPrefix(name, "sha256:")
	for i, im := range s.state.Images {
		if len(id) >= 8 && strings.HasPrefix(strings.TrimPrefix(im.ID, "sha256:"), id) {
			return &s.state.Images[i]
		}
	}
	return nil
}

// put adds an image or moves names to it. The store must be locked.
func (s *store) put(im Image) {
	for i := range s.state.Images {
		for _, ref := range im.Refs {
			s.untag(&s.state.Images[i], ref)
		}
	}
	for i := range s.state.Images {
		if old := &s.state.Images[i]; old.ID == im.ID {
			old.Refs = append(old.Refs, im.Refs...)
			old.Digests = slices.Compact(slices.Sorted(slices.Values(append(old.Digests, im.Digests...))))
			return
		}
	}
	im.Labels = maps.Clone(im.Labels)
	s.state.Images = append(s.state.Images, im)
}

// untag takes a name from an image. Podman knows an image by digest as long as
// it has a name of the same repository. The store must be locked.
func (s *store) untag(im *Image, ref string) {
	if !slices.Contains(im.Refs, ref) {
		return
	}
	im.Refs = slices.DeleteFunc(slices.Clone(im.Refs), func(r string) bool { return r == ref })
	if s.name == "podman" {
		im.Digests = slices.DeleteFunc(slices.Clone(im.Digests), func(d string) bool {
			return !slices.ContainsFunc(im.Refs, func(r string) bool { return repository(r) == repository(d) })
		})
	}
}

// repository returns a full name without its tag or digest.
func repository(ref string) string {
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return ref
	}
	return named.Name()
}

// forget removes an image. Podman's build cache is in its images: what no other
// one has is forgotten, too. The store must be locked.
func (s *store) forget(id string) {
	s.state.Images = slices.DeleteFunc(s.state.Images, func(im Image) bool { return im.ID == id })
	if s.name == "podman" {
		s.forgetUnheld()
	}
}

// forgetUnheld forgets the cached steps that no image has. The store must be locked.
func (s *store) forgetUnheld() {
	maps.DeleteFunc(s.cache, func(_, layer string) bool {
		return !slices.ContainsFunc(s.state.Images, func(im Image) bool {
			return slices.ContainsFunc(im.Layers, func(l Layer) bool { return l.DiffID == layer })
		})
	})
}

// container finds a container by name or ID. The store must be locked.
func (s *store) container(name string) *Container {
	for i, c := range s.state.Containers {
		if c.Name == name || c.ID == name || len(name) >= 12 && strings.HasPrefix(c.ID, name) {
			return &s.state.Containers[i]
		}
	}
	return nil
}

// users returns the names of the containers of an image. The store must be
// locked.
func (s *store) users(id string) []string {
	var names []string
	for _, c := range s.state.Containers {
		if c.ImageID == id {
			names = append(names, c.Name)
		}
	}
	return names
}

// file returns the contents of a file of the story, for the engine as a whole
// or for one image.
func (s *store) file(verb, image, ext string) (string, bool) {
	name := path(image)
	for _, f := range []string{s.name + "-" + verb + "-" + name + ext, s.name + "-" + verb + ext} {
		if data, err := os.ReadFile(filepath.Join(s.dir, f)); err == nil {
			return strings.TrimRight(string(data), "\n"), true
		}
	}
	return "", false
}

// path returns the last part of an image's name, without its tag.
func path(ref string) string {
	ref = ref[strings.LastIndexByte(ref, '/')+1:]
	name, _, _ := strings.Cut(ref, ":")
	return name
}
