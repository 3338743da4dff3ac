package enginetest

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/distribution/reference"
	"github.com/docker/docker/api/types/filters"
	dtypes "github.com/docker/docker/api/types/image"
)

// api serves the HTTP API of one store.
type api struct {
	store *store
	watch *watch
	kit   *buildKit // nil: podman
}

// routes returns the handler of the API. The version in front of the paths is
// taken off; all are served alike.
func (a *api) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/_ping", a.ping)
	mux.HandleFunc("GET /version", a.version)
	mux.HandleFunc("GET /info", a.info)
	mux.HandleFunc("GET /libpod/info", a.libpodInfo)
	mux.HandleFunc("GET /libpod/images/{name}/json", a.libpodImage)
	mux.HandleFunc("GET /images/json", a.listImages)
	mux.HandleFunc("POST /images/create", a.pull)
	mux.HandleFunc("GET /images/", a.oneImage)
	mux.HandleFunc("GET /images/get", a.save)
	mux.HandleFunc("POST /images/load", a.load)
	mux.HandleFunc("POST /images/", a.tag)
	mux.HandleFunc("DELETE /images/", a.removeImage)
	mux.HandleFunc("GET /containers/json", a.listContainers)
	mux.HandleFunc("GET /containers/{name}/json", a.inspectContainer)
	mux.HandleFunc("POST /containers/{name}/{verb}", a.changeContainer)
	mux.HandleFunc("POST /containers/{name}/exec", a.createExec)
	mux.HandleFunc("GET /containers/{name}/logs", a.logs)
	mux.HandleFunc("GET /containers/{name}/changes", a.changes)
	mux.HandleFunc("HEAD /containers/{name}/archive", a.archive)
	mux.HandleFunc("POST /exec/{id}/start", a.startExec)
	mux.HandleFunc("GET /exec/{id}/json", a.inspectExec)
	mux.HandleFunc("DELETE /containers/{name}", a.removeContainer)
	mux.HandleFunc("POST /build/prune", a.pruneCache)
	mux.HandleFunc("POST /enginetest/build", a.buildForProgram)
	mux.HandleFunc("POST /enginetest/pull", a.pullForProgram)
	mux.HandleFunc("POST /enginetest/container", a.addContainer)
	mux.HandleFunc("POST /enginetest/prune", a.pruneImages)
	mux.HandleFunc("POST /enginetest/default", a.defaultForProgram)
	mux.HandleFunc("POST /enginetest/run", a.runForProgram)
	mux.HandleFunc("POST /enginetest/start", a.startForProgram)
	mux.HandleFunc("POST /enginetest/session", a.sessionForProgram)
	if a.kit != nil {
		mux.HandleFunc("POST /grpc", a.kit.unlessOnlyNative(a.kit.serveGRPC))
		mux.HandleFunc("POST /session", a.kit.unlessOnlyNative(a.kit.serveSession))
		mux.Handle("POST "+controlPath, a.kit.server)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, version := range []string{"/v1.", "/v4."} {
			if rest, ok := strings.CutPrefix(r.URL.Path, version); ok {
				_, rest, _ = strings.Cut(rest, "/")
				r.URL.Path = "/" + rest
			}
		}
		if r.URL.Path == "/events" {
			a.events(w, r)
			return
		}
		if !strings.HasPrefix(r.URL.Path, "/enginetest/") {
			request := *r.URL
			request.RawQuery, _ = url.QueryUnescape(request.RawQuery)
			a.store.requests.add("%s %s %s", a.store.name, r.Method, strings.TrimSuffix(request.Path+"?"+request.RawQuery, "?"))
		}
		a.store.overlay()
		a.watched(mux, w, r)
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
	if a.kit != nil && a.kit.grpcMode() != "" {
		return "1.56"
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

// events tells of none. It is no part of a story: nobody watches it.
func (a *api) events(w http.ResponseWriter, r *http.Request) {
	w.WriteHeader(http.StatusOK)
	_ = http.NewResponseController(w).Flush()
	a.store.held.Add(1)
	defer a.store.held.Add(-1)
	<-r.Context().Done()
}

// libpodInfo answers for podman 5, for the user 1000 with 65536 more ids.
func (a *api) libpodInfo(w http.ResponseWriter, _ *http.Request) {
	if a.kit != nil {
		refuse(w, http.StatusNotFound, "page not found")
		return
	}
	type idRange struct {
		Container int64 `json:"container_id"`
		Host      int64 `json:"host_id"`
		Size      int64 `json:"size"`
	}
	ids := []idRange{{0, 1000, 1}, {1, 100000, 65536}}
	answer(w, http.StatusOK, map[string]any{
		"host":  map[string]any{"security": map[string]any{"rootless": true}, "idMappings": map[string]any{"uidmap": ids, "gidmap": ids}},
		"store": map[string]any{"graphRoot": a.store.storage(), "graphOptions": map[string]any{}},
	})
}

func (a *api) info(w http.ResponseWriter, _ *http.Request) {
	info := map[string]any{"ServerVersion": a.engineVersion(), "Driver": "overlay2", "DockerRootDir": "/var/lib/docker"}
	if a.store.containerd() {
		info["Driver"], info["DriverStatus"] = "overlayfs", [][2]string{{"driver-type", "io.containerd.snapshotter.v1"}}
	}
	if a.store.name == "podman" {
		info["Driver"], info["DockerRootDir"], info["SecurityOptions"] = "overlay", "/home/user/.local/share/containers/storage", []string{"name=rootless"}
		info["DriverStatus"] = a.store.driverStatus()
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

func (a *api) listImages(w http.ResponseWriter, r *http.Request) {
	a.store.mu.Lock()
	defer a.store.mu.Unlock()
	args, err := filters.FromJSON(r.FormValue("filters"))
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	list := []dtypes.Summary{}
	for _, im := range a.store.state.Images {
		if args.Contains("reference") {
			others := func(name string) bool { return !matchesAny(name, args.Get("reference")) }
			im.Refs = slices.DeleteFunc(slices.Clone(im.Refs), others)
			im.Digests = slices.DeleteFunc(slices.Clone(im.Digests), others)
			if len(im.Refs)+len(im.Digests) == 0 {
				continue
			}
		}
		list = append(list, dtypes.Summary{
			ID: im.ID, RepoTags: a.tags(im.Refs), RepoDigests: a.tags(im.Digests), Labels: im.Labels, Created: im.Created, Size: size(im),
		})
	}
	answer(w, http.StatusOK, list)
}

// matchesAny reports whether docker's filter reference finds a name: a pattern
// is matched with the familiar name, with its tag or digest and without.
func matchesAny(name string, patterns []string) bool {
	named, err := reference.ParseNormalizedNamed(name)
	return err == nil && slices.ContainsFunc(patterns, func(p string) bool {
		ok, err := reference.FamiliarMatch(p, named)
		return ok && err == nil
	})
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
	a.history(w, *im)
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
		s.untag(im, s.normal(name))
		answer(w, http.StatusOK, []dtypes.DeleteResponse{{Untagged: name}})
		return
	}
	if users := s.users(im.ID); len(users) > 0 {
		refuse(w, http.StatusConflict, "conflict: unable to remove repository reference \""+name+"\" (must force) - container "+users[0]+" is using its referenced image")
		return
	}
	id := im.ID
	s.forget(id)
	answer(w, http.StatusOK, []dtypes.DeleteResponse{{Untagged: name}, {Deleted: id}})
}

// pruneImages is how the programs prune: whatever no container uses goes, with
// all its names.
func (a *api) pruneImages(w http.ResponseWriter, _ *http.Request) {
	s := a.store
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, im := range slices.Clone(s.state.Images) {
		if len(s.users(im.ID)) == 0 {
			s.forget(im.ID)
		}
	}
	w.WriteHeader(http.StatusNoContent)
}

// inspected returns an image as GET /images/NAME/json has it.
func (a *api) inspected(im Image) map[string]any {
	ids := make([]string, len(im.Layers))
	for i, l := range im.Layers {
		ids[i] = l.DiffID
	}
	config := struct {
		Config
		Labels map[string]string
	}{im.Config, im.Labels}
	out := map[string]any{
		"Id": im.ID, "RepoTags": a.tags(im.Refs), "RepoDigests": a.tags(im.Digests), "Size": size(im), "Created": rfc3339(im.Created),
		"Config": config, "RootFS": map[string]any{"Type": "layers", "Layers": ids},
	}
	if a.store.containerd() {
		out["Size"] = packed(im)
	} else {
		out["GraphDriver"] = a.store.driver(im)
	}
	return out
}

// packed returns the bytes of an image's blobs.
func packed(im Image) (n int64) {
	for _, l := range im.Layers {
		n += l.Packed
	}
	return n
}
