package enginetest

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
)

// archived is an entry of an archive's manifest.json.
type archived struct {
	Config   string
	RepoTags []string
	Layers   []string
}

// layerBytes is how long the file of a layer is.
const layerBytes = 64 << 10

// save answers with an archive of images.
func (a *api) save(w http.ResponseWriter, r *http.Request) {
	s := a.store
	names := r.URL.Query()["names"]
	s.calls.add("%s save %s", s.name, strings.Join(names, " "))
	data, missing := s.archive(names)
	if missing != "" {
		refuse(w, http.StatusNotFound, "reference does not exist: "+missing)
		return
	}
	_, cut := s.file("save", "", ".cut")
	_, block := s.file("save", "", ".block")
	if cut || block {
		_, _ = w.Write(data[:len(data)/2])
		_ = http.NewResponseController(w).Flush()
	}
	if block {
		s.calls.add("%s save waits", s.name)
		<-r.Context().Done()
	}
	if cut || block {
		panic(http.ErrAbortHandler)
	}
	_, _ = w.Write(data)
}

// archive returns images as an archive, or the name of one that is not there.
func (s *store) archive(names []string) (data []byte, missing string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	add := func(name string, data []byte) {
		_ = w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(data)), Typeflag: tar.TypeReg}) // to memory
		_, _ = w.Write(data)
	}
	var manifest []archived
	seen := make(map[string]bool)
	for _, name := range names {
		im := s.image(name)
		if im == nil {
			return nil, name
		}
		entry := archived{Config: strings.TrimPrefix(im.ID, "sha256:") + ".json"}
		if s.normal(name) != "" && !strings.HasPrefix(name, "sha256:") {
			entry.RepoTags = []string{name}
		}
		for _, l := range im.Layers {
			file := strings.TrimPrefix(l.DiffID, "sha256:") + ".tar"
			entry.Layers = append(entry.Layers, file)
			if !seen[file] {
				seen[file] = true
				add(file, make([]byte, layerBytes))
			}
		}
		config := *im
		config.Refs, config.Digests = nil, nil
		text, _ := json.Marshal(config) // plain values
		add(entry.Config, text)
		manifest = append(manifest, entry)
	}
	text, _ := json.Marshal(manifest)
	add("manifest.json", text)
	if s.name == "docker" {
		text, _ = json.Marshal(manifest[:1])
		add("index.json", text)
		add("oci-layout", []byte(`{"imageLayoutVersion": "1.0.0"}`))
	}
	_ = w.Close()
	return out.Bytes(), ""
}

// load takes the images of an archive into the store. Podman takes one with an OCI
// layout for that, which has one image.
func (a *api) load(w http.ResponseWriter, r *http.Request) {
	s := a.store
	files, err := untar(r.Body)
	var manifest []archived
	if err == nil {
		err = json.Unmarshal(files["manifest.json"], &manifest)
	}
	if said, fails := s.file("load", "", ".err"); fails {
		err = errors.New(said)
	}
	if err != nil {
		s.calls.add("%s load failed", s.name)
		a.refuseLoad(w, err)
		return
	}
	if s.name == "podman" && files["oci-layout"] != nil {
		manifest = manifest[:1]
	}
	_, other := s.file("load", "", ".other")
	said := ""
	for _, entry := range manifest {
		var im Image
		if err := json.Unmarshal(files[entry.Config], &im); err != nil {
			a.refuseLoad(w, err)
			return
		}
		if other {
			im.Layers = append(im.Layers, Layer{DiffID: hash("other", im.ID), Size: 1})
		}
		for _, name := range entry.RepoTags {
			im.Refs = append(im.Refs, s.normal(name))
		}
		s.mu.Lock()
		s.put(im)
		s.mu.Unlock()
		said += "Loaded image ID: " + im.ID + "\n"
	}
	s.calls.add("%s load %d", s.name, len(manifest))
	if s.name == "podman" {
		said = "Loaded image: " + strings.Join(strings.Fields(strings.ReplaceAll(said, "Loaded image ID: ", "")), ",")
	}
	answer(w, http.StatusOK, map[string]string{"stream": said})
}

// refuseLoad fails a load in the way of the engine.
func (a *api) refuseLoad(w http.ResponseWriter, err error) {
	if a.kit == nil {
		refuse(w, http.StatusInternalServerError, err.Error())
		return
	}
	answer(w, http.StatusOK, map[string]any{"errorDetail": map[string]string{"message": err.Error()}, "error": err.Error()})
}

// untar returns the files of an archive.
func untar(r io.Reader) (map[string][]byte, error) {
	files := make(map[string][]byte)
	for archive := tar.NewReader(r); ; {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files, nil
		}
		if err != nil {
			return nil, err
		}
		if files[h.Name], err = io.ReadAll(archive); err != nil {
			return nil, err
		}
	}
}
