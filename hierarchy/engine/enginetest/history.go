package enginetest

import (
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
	history := []dtypes.HistoryResponseItem{{ID: im.ID, CreatedBy: "CMD", Created: im.Created}}
	for _, l := range slices.Backward(im.Layers) {
		history = append(history, dtypes.HistoryResponseItem{ID: "<missing>", CreatedBy: a.store.madeBy(l), Size: l.Size, Created: im.Created})
	}
	answer(w, http.StatusOK, history)
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
