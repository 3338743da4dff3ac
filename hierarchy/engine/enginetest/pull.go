package enginetest

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
)

// fetch takes an image from the registry into the store.
func (s *store) fetch(ref string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	full := s.normal(ref)
	s.calls.add("%s pull %s", s.name, full)
	if said, ok := s.file("pull", ref, ".err"); ok {
		return errors.New(said)
	}
	for _, im := range s.state.Registry {
		if slices.Contains(im.Refs, full) {
			im.Refs = []string{full}
			s.put(im)
			return nil
		}
	}
	return errors.New("manifest for " + full + " not found: manifest unknown: manifest unknown")
}

func (a *api) pull(w http.ResponseWriter, r *http.Request) {
	err := a.store.fetch(r.FormValue("fromImage") + ":" + r.FormValue("tag"))
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
