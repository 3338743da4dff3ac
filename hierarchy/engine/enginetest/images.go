package enginetest

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/distribution/reference"
	dtypes "github.com/docker/docker/api/types/image"
)

// api serves the HTTP API of one store.
type api struct {
	store *store
	kit   *buildKit // nil: podman
}

// routes returns the handler of the API. The version in front of the paths is
// taken off; all are served alike.
func (a *api) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/_ping", a.ping)
	mux.HandleFunc("GET /version", a.version)
	mux.HandleFunc("GET /info", a.info)
	mux.HandleFunc("GET /images/json", a.listImages)
	mux.HandleFunc("POST /images/create", a.pull)
	mux.HandleFunc("GET /images/", a.oneImage)
	mux.HandleFunc("POST /images/", a.tag)
	mux.HandleFunc("DELETE /images/", a.removeImage)
	mux.HandleFunc("GET /containers/json", a.listContainers)
	mux.HandleFunc("GET /containers/{name}/json", a.inspectContainer)
	mux.HandleFunc("POST /containers/{name}/{verb}", a.changeContainer)
	mux.HandleFunc("DELETE /containers/{name}", a.removeContainer)
	mux.HandleFunc("GET /system/df", a.diskUsage)
	mux.HandleFunc("POST /build/prune", a.pruneCache)
	mux.HandleFunc("POST /enginetest/build", a.buildForProgram)
	mux.HandleFunc("POST /enginetest/pull", a.pullForProgram)
	mux.HandleFunc("POST /enginetest/container", a.addContainer)
	if a.kit != nil {
		mux.HandleFunc("POST /grpc", a.kit.serveGRPC)
		mux.HandleFunc("POST /session", a.kit.serveSession)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if rest, ok := strings.CutPrefix(r.URL.Path, "/v1."); ok {
			_, rest, _ = strings.Cut(rest, "/")
			r.URL.Path = "/" + rest
		}
		mux.ServeHTTP(w, r)
	})
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if v != nil {
		_ = json.NewEncoder(w).Encode(v)
	}
}

func refuse(w http.ResponseWriter, status int, message string) {
	answer(w, status, map[string]string{"message": message})
}

func (a *api) apiVersion() string {
	if a.store.name == "podman" {
		return "1.41"
	}
	return "1.51"
}

func (a *api) engineVersion() string {
	if a.store.name == "podman" {
		return "5.8.6"
	}
	return "28.5.2"
}

func (a *api) ping(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Api-Version", a.apiVersion())
	w.Header().Set("Ostype", "linux")
	if a.kit != nil {
		w.Header().Set("Builder-Version", "2")
	}
	w.WriteHeader(http.StatusOK)
}

func (a *api) version(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, map[string]string{"Version": a.engineVersion(), "ApiVersion": a.apiVersion(), "MinAPIVersion": "1.24", "Os": "linux"})
}

func (a *api) info(w http.ResponseWriter, _ *http.Request) {
	info := map[string]any{"ServerVersion": a.engineVersion(), "Driver": "overlay2", "DockerRootDir": "/var/lib/docker"}
	if a.store.name == "podman" {
		info["Driver"], info["DockerRootDir"], info["SecurityOptions"] = "overlay", "/home/user/.local/share/containers/storage", []string{"name=rootless"}
	}
	answer(w, http.StatusOK, info)
}

// tags returns names as the engine lists them: docker leaves its own registry
// out.
func (a *api) tags(refs []string) []string {
	tags := slices.Clone(refs)
	if a.store.name == "docker" {
		for i, r := range tags {
			if named, err := reference.ParseNormalizedNamed(r); err == nil {
				tags[i] = reference.FamiliarString(named)
			}
		}
	}
	return tags
}

func size(im Image) (n int64) {
	for _, l := range im.Layers {
		n += l.Size
	}
	return n
}

func (a *api) listImages(w http.ResponseWriter, _ *http.Request) {
	a.store.mu.Lock()
	defer a.store.mu.Unlock()
	list := []dtypes.Summary{}
	for _, im := range a.store.state.Images {
		list = append(list, dtypes.Summary{ID: im.ID, RepoTags: a.tags(im.Refs), Labels: im.Labels, Created: im.Created, Size: size(im)})
	}
	answer(w, http.StatusOK, list)
}

// named takes the name of an image out of a path; names have slashes.
func named(r *http.Request, suffix string) (string, bool) {
	name := strings.TrimPrefix(r.URL.Path, "/images/")
	return strings.CutSuffix(name, suffix)
}

func (a *api) oneImage(w http.ResponseWriter, r *http.Request) {
	a.store.mu.Lock()
	defer a.store.mu.Unlock()
	name, inspect := named(r, "/json")
	if !inspect {
		name, _ = named(r, "/history")
	}
	im := a.store.image(name)
	if im == nil {
		refuse(w, http.StatusNotFound, "No such image: "+name)
		return
	}
	if inspect {
		answer(w, http.StatusOK, a.inspected(*im))
		return
	}
	history := []dtypes.HistoryResponseItem{{ID: im.ID, CreatedBy: "CMD", Created: im.Created}}
	for _, l := range slices.Backward(im.Layers) {
		history = append(history, dtypes.HistoryResponseItem{ID: "<missing>", CreatedBy: "RUN", Size: l.Size, Created: im.Created})
	}
	answer(w, http.StatusOK, history)
}

func (a *api) tag(w http.ResponseWriter, r *http.Request) {
	a.store.mu.Lock()
	defer a.store.mu.Unlock()
	name, ok := named(r, "/tag")
	im := a.store.image(name)
	if !ok || im == nil {
		refuse(w, http.StatusNotFound, "No such image: "+name)
		return
	}
	ref := a.store.normal(r.FormValue("repo") + ":" + r.FormValue("tag"))
	a.store.calls.add("%s tag %s", a.store.name, ref)
	a.store.put(Image{ID: im.ID, Refs: []string{ref}})
	w.WriteHeader(http.StatusCreated)
}

func (a *api) removeImage(w http.ResponseWriter, r *http.Request) {
	s := a.store
	s.mu.Lock()
	defer s.mu.Unlock()
	name, _ := named(r, "")
	im := s.image(name)
	if im == nil {
		refuse(w, http.StatusNotFound, "No such image: "+name)
		return
	}
	s.calls.add("%s rmi %s", s.name, name)
	byName := slices.Contains(im.Refs, s.normal(name))
	if byName && len(im.Refs) > 1 {
		im.Refs = slices.DeleteFunc(slices.Clone(im.Refs), func(ref string) bool { return ref == s.normal(name) })
		answer(w, http.StatusOK, []dtypes.DeleteResponse{{Untagged: name}})
		return
	}
	if users := s.users(im.ID); len(users) > 0 {
		refuse(w, http.StatusConflict, "conflict: unable to remove repository reference \""+name+"\" (must force) - container "+users[0]+" is using its referenced image")
		return
	}
	id := im.ID
	s.state.Images = slices.DeleteFunc(s.state.Images, func(i Image) bool { return i.ID == id })
	answer(w, http.StatusOK, []dtypes.DeleteResponse{{Untagged: name}, {Deleted: id}})
}

// inspected returns an image as GET /images/NAME/json has it.
func (a *api) inspected(im Image) map[string]any {
	ids := make([]string, len(im.Layers))
	for i, l := range im.Layers {
		ids[i] = l.DiffID
	}
	return map[string]any{
		"Id": im.ID, "RepoTags": a.tags(im.Refs), "Size": size(im), "Created": rfc3339(im.Created),
		"Config": map[string]any{"Labels": im.Labels}, "RootFS": map[string]any{"Type": "layers", "Layers": ids},
	}
}
