package enginetest

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"strings"

	dtypes "github.com/docker/docker/api/types/image"
)

// history answers GET /images/NAME/history, or fails at it as podman does.
func (a *api) history(w http.ResponseWriter, im Image) {
	if im.Undated && a.kit == nil {
		refuse(w, http.StatusInternalServerError, "runtime error: invalid memory address or nil pointer dereference")
		return
	}
	history := []dtypes.HistoryResponseItem{{ID: im.ID, CreatedBy: im.lastEntry(), Created: im.Created}}
	for _, l := range slices.Backward(im.Layers) {
		history = append(history, dtypes.HistoryResponseItem{ID: "<missing>", CreatedBy: a.store.madeBy(l), Size: l.Size, Created: im.Created})
	}
	answer(w, http.StatusOK, history)
}

// libpodImage answers GET /libpod/images/NAME/json with what is asked of it.
func (a *api) libpodImage(w http.ResponseWriter, r *http.Request) {
	a.store.mu.Lock()
	defer a.store.mu.Unlock()
	im := a.store.image(r.PathValue("name"))
	if im == nil {
		refuse(w, http.StatusNotFound, "no such image")
		return
	}
	answer(w, http.StatusOK, map[string]any{"Id": im.ID, "History": []map[string]string{{"created_by": im.lastEntry()}}})
}

// lastEntry returns the last entry of an image's history.
func (im Image) lastEntry() string {
	if ref := im.Labels["ocisi.image"]; ref != "" && im.By == "" {
		return labeledBy(map[string]string{"ocisi.image": ref})
	}
	return cmp.Or(im.By, "CMD")
}

// labeledBy returns the entry that podman build --label leaves in a history; "" if
// there is no label.
func labeledBy(labels map[string]string) string {
	if len(labels) == 0 {
		return ""
	}
	var by strings.Builder
	by.WriteString("/bin/sh -c #(nop) LABEL")
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		fmt.Fprintf(&by, " %q=%q", key, labels[key])
	}
	return by.String()
}

// withoutLabel cuts a LABEL off the end of a Containerfile: it is an entry of the
// history, and BuildKit reports no step of it.
func withoutLabel(text string) (rest, by string) {
	lines := strings.SplitAfter(strings.TrimRight(text, "\n"), "\n")
	last := lines[len(lines)-1]
	if !strings.HasPrefix(last, "LABEL ") {
		return text, ""
	}
	return strings.TrimSuffix(text, last+"\n"), last
}

// madeBy returns how the engine notes the line that made a layer.
func (s *store) madeBy(l Layer) string {
	command, isRun := strings.CutPrefix(l.By, "RUN ")
	switch {
	case l.By == "":
		return "RUN"
	case s.name == "docker" && isRun:
		return "RUN |1 A=b /bin/sh -c " + command + " # buildkit"
	case s.name == "docker":
		return l.By + " # buildkit"
	case isRun:
		return "|1 A=b /bin/sh -c " + command
	}
	return "/bin/sh -c #(nop) " + l.By + " "
}

// driver returns what the engine says of where it keeps an image.
func (s *store) driver(im Image) map[string]any {
	name, root := "overlay2", "/var/lib/docker/overlay2"
	if s.name == "podman" {
		name, root = "overlay", filepath.Join(s.storage(), "overlay")
	}
	var folders []string // the uppermost comes first
	for _, l := range slices.Backward(im.Layers) {
		folders = append(folders, filepath.Join(root, strings.TrimPrefix(l.DiffID, "sha256:"), "diff"))
	}
	data := map[string]string{}
	if len(folders) > 0 {
		data["UpperDir"] = folders[0]
	}
	if len(folders) > 1 {
		data["LowerDir"] = strings.Join(folders[1:], ":")
	}
	return map[string]any{"Name": name, "Data": data}
}

// storage is where podman says that its store is.
func (s *store) storage() string { return filepath.Join(s.dir, "podman-storage") }
