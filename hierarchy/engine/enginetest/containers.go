package enginetest

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/docker/docker/api/types/filters"
)

func rfc3339(unix int64) string { return time.Unix(unix, 0).UTC().Format(time.RFC3339Nano) }

func (a *api) listContainers(w http.ResponseWriter, r *http.Request) {
	s := a.store
	s.mu.Lock()
	defer s.mu.Unlock()
	args, err := filters.FromJSON(r.FormValue("filters"))
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	list := []map[string]any{}
	for _, c := range s.state.Containers {
		if !args.MatchKVList("label", c.Labels) || r.FormValue("all") == "" && c.State != "running" {
			continue
		}
		image := c.Image
		// Docker names the image only while the name still means it.
		if im := s.image(c.Image); s.name == "docker" && (im == nil || im.ID != c.ImageID) {
			image = c.ImageID
		}
		one := map[string]any{
			"Id": c.ID, "Names": []string{"/" + c.Name}, "Image": image, "ImageID": c.ImageID, "Labels": c.Labels, "State": c.State,
			"Created": c.Created,
		}
		if sized(r) {
			one["SizeRw"] = c.SizeRw
		}
		list = append(list, one)
	}
	answer(w, http.StatusOK, list)
}

// sized reports whether a request is for what containers have written, too.
func sized(r *http.Request) bool {
	size := r.FormValue("size")
	return size == "1" || size == "true"
}

// withContainer calls f with the container of the path, the store locked.
func (a *api) withContainer(w http.ResponseWriter, r *http.Request, f func(c *Container)) {
	a.store.mu.Lock()
	defer a.store.mu.Unlock()
	c := a.store.container(r.PathValue("name"))
	if c == nil {
		refuse(w, http.StatusNotFound, "No such container: "+r.PathValue("name"))
		return
	}
	f(c)
}

func (a *api) inspectContainer(w http.ResponseWriter, r *http.Request) {
	a.withContainer(w, r, func(c *Container) {
		in := map[string]any{
			"Id": c.ID, "Name": "/" + c.Name, "Image": c.ImageID, "Created": rfc3339(c.Created),
			"Config":     map[string]any{"Image": c.Image, "Labels": c.Labels},
			"State":      map[string]any{"Status": c.State, "Running": c.State == "running", "StartedAt": rfc3339(c.Created + int64(c.starts))},
			"HostConfig": map[string]any{"Binds": c.Mounts, "UsernsMode": c.Userns},
			"ExecIDs":    a.store.execIDs(c),
		}
		if sized(r) {
			in["SizeRw"] = c.SizeRw
		}
		answer(w, http.StatusOK, in)
	})
}

func (a *api) changeContainer(w http.ResponseWriter, r *http.Request) {
	a.withContainer(w, r, func(c *Container) {
		verb := r.PathValue("verb")
		switch {
		case verb == "rename":
			a.rename(w, r, c)
			return
		case verb == "kill" && c.State != "running":
			refuse(w, http.StatusConflict, "container "+c.ID+" is not running")
			return
		case verb == "stop" && c.State != "running", verb == "start" && c.State == "running":
			w.WriteHeader(http.StatusNotModified)
			return
		case verb == "stop", verb == "kill":
			a.store.calls.add("%s stop %s", a.store.name, c.Name)
			c.end()
		case verb == "start":
			c.State = "running"
			c.starts++
		default:
			refuse(w, http.StatusNotFound, "page not found")
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
}

func (a *api) rename(w http.ResponseWriter, r *http.Request, c *Container) {
	name := strings.TrimPrefix(r.FormValue("name"), "/")
	if a.store.container(name) != nil {
		refuse(w, http.StatusConflict, "The container name \""+name+"\" is already in use")
		return
	}
	a.store.calls.add("%s rename %s %s", a.store.name, c.Name, name)
	c.Name = name
	w.WriteHeader(http.StatusNoContent)
}

func (a *api) removeContainer(w http.ResponseWriter, r *http.Request) {
	a.withContainer(w, r, func(c *Container) {
		if c.State == "running" && r.FormValue("force") != "1" {
			refuse(w, http.StatusConflict, "cannot remove container \"/"+c.Name+"\": container is running: stop the container before removing or force remove")
			return
		}
		st := a.store
		st.calls.add("%s rm %s", st.name, c.Name)
		id, volumes := c.ID, c.Anonymous
		if r.FormValue("v") == "1" {
			st.state.Volumes = slices.DeleteFunc(slices.Clone(st.state.Volumes), func(v string) bool { return slices.Contains(volumes, v) })
		}
		st.state.Containers = slices.DeleteFunc(st.state.Containers, func(c Container) bool { return c.ID == id })
		w.WriteHeader(http.StatusNoContent)
	})
}

// addContainer is how the distrobox program makes a box.
func (a *api) addContainer(w http.ResponseWriter, r *http.Request) {
	s := a.store
	s.mu.Lock()
	defer s.mu.Unlock()
	var c Container
	if err := json.NewDecoder(r.Body).Decode(&c); err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	if s.container(c.Name) != nil {
		refuse(w, http.StatusConflict, "The container name \""+c.Name+"\" is already in use")
		return
	}
	im := s.image(c.Image)
	if im == nil {
		refuse(w, http.StatusNotFound, "No such image: "+c.Image)
		return
	}
	labels := make(map[string]string)
	maps.Copy(labels, im.Labels)
	maps.Copy(labels, c.Labels)
	c.Labels = labels
	if s.name == "podman" && len(im.Refs) > 0 {
		c.Image = im.Refs[0]
	}
	c.Files, c.Created = maps.Clone(c.Files), s.now()
	c.ID = strings.TrimPrefix(hash("container", c.Name, itoa(int(c.Created))), "sha256:")
	for _, what := range []string{"pts", "journal"} { // as distrobox has them
		c.Anonymous = append(c.Anonymous, strings.TrimPrefix(hash("volume", c.ID, what), "sha256:"))
	}
	c = s.completeContainer(c)
	s.state.Containers = append(s.state.Containers, c)
	answer(w, http.StatusCreated, map[string]string{"Id": c.ID})
}

func (a *api) pruneCache(w http.ResponseWriter, r *http.Request) {
	a.store.mu.Lock()
	defer a.store.mu.Unlock()
	a.store.calls.add("%s builder prune", a.store.name)
	freed, deleted := a.store.state.Cache, []string{"cache"}
	a.store.state.Cache = 0
	if r.FormValue("all") == "1" {
		freed, deleted = freed+1<<30, append(deleted, "shared")
		clear(a.store.cache)
	} else {
		a.store.forgetUnheld()
	}
	answer(w, http.StatusOK, map[string]any{"SpaceReclaimed": freed, "CachesDeleted": deleted})
}
