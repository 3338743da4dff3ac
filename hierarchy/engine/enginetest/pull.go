package enginetest

import (
	"encoding/json"
	"errors"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
)

// fetch takes an image from the registry into the store, by its tag or its
// digest.
func (s *store) fetch(ref string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	full := s.normal(ref)
	s.calls.add("%s pull %s", s.name, full)
	if said, ok := s.file("pull", ref, ".err"); ok {
		return errors.New(said)
	}
	images, err := s.registry()
	if err != nil {
		return err
	}
	for _, im := range images {
		switch {
		case slices.Contains(im.Refs, full):
			im.Refs = []string{full}
		case slices.Contains(im.Digests, full) && s.name == "podman": // which lists it among the tags
			im.Refs = []string{full}
		case slices.Contains(im.Digests, full):
			im.Refs = nil
		default:
			continue
		}
		s.put(im)
		return nil
	}
	return errors.New("manifest for " + full + " not found: manifest unknown: manifest unknown")
}

// registry returns what a pull can find, complete.
func (s *store) registry() ([]Image, error) {
	images, err := seed[[]Image](filepath.Join(s.dir, s.name+"-registry.json"))
	if err != nil {
		return nil, err
	}
	if images == nil {
		images = slices.Clone(s.state.Registry)
	}
	for i, im := range images {
		im = s.complete(im)
		if len(im.Digests) == 0 && len(im.Refs) > 0 {
			im.Digests = []string{repository(im.Refs[0]) + "@" + hash("manifest", im.ID)}
		}
		images[i] = im
	}
	return images, nil
}

func (a *api) pull(w http.ResponseWriter, r *http.Request) {
	ref := r.FormValue("fromImage") + ":" + r.FormValue("tag")
	if strings.HasPrefix(r.FormValue("tag"), "sha256:") {
		ref = r.FormValue("fromImage") + "@" + r.FormValue("tag")
	}
	err := a.store.fetch(ref)
	enc := json.NewEncoder(w)
	if err != nil {
		_ = enc.Encode(map[string]any{"errorDetail": map[string]string{"message": err.Error()}, "error": err.Error()})
		return
	}
	_ = enc.Encode(map[string]string{"status": "Pulling from somewhere", "id": r.FormValue("tag")})
	_ = enc.Encode(map[string]any{"status": "Downloading", "id": "0123456789ab", "progress": "[==> ]", "progressDetail": map[string]int{"current": 1, "total": 2}})
	_ = enc.Encode(map[string]string{"status": "Pull complete", "id": "0123456789ab"})
}

// pullForProgram is how the podman program pulls.
func (a *api) pullForProgram(w http.ResponseWriter, r *http.Request) {
	if err := a.store.fetch(r.FormValue("ref")); err != nil {
		refuse(w, http.StatusNotFound, err.Error())
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// defaultForProgram is how the distrobox program gets its default image, which is
// there for everybody.
func (a *api) defaultForProgram(w http.ResponseWriter, r *http.Request) {
	s := a.store
	s.mu.Lock()
	defer s.mu.Unlock()
	ref := r.FormValue("ref")
	if s.image(ref) == nil {
		s.calls.add("%s pull %s", s.name, ref)
		s.put(s.complete(Image{Refs: []string{ref}}))
	}
	w.WriteHeader(http.StatusNoContent)
}
