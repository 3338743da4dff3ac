package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/docker/docker/client"
)

// idRange is a part of a map of ids, as containers/storage writes it.
type idRange struct {
	Container int64 `json:"container_id"`
	Host      int64 `json:"host_id"`
	Size      int64 `json:"size"`
}

// libpodInfo is what podman says in its own API (libpod/define.Info), and docker's
// has no place for.
type libpodInfo struct {
	Host struct {
		Security   struct{ Rootless bool }
		IDMappings struct{ UIDMap []idRange }
	}
	Store struct {
		GraphRoot    string
		GraphOptions map[string]any
	}
}

func (e *Engine) libpodInfo(ctx context.Context) (libpodInfo, error) {
	var info libpodInfo
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+client.DummyHost+"/v4.0.0/libpod/info", http.NoBody)
	if err != nil {
		return info, err
	}
	resp, err := e.api.HTTPClient().Do(req)
	if err != nil {
		return info, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return info, errors.New("podman answered " + resp.Status)
	}
	return info, json.NewDecoder(resp.Body).Decode(&info)
}

// addPodman adds what only podman has: older versions (seen with 4.3) tell that
// they are rootless, and that the storage shifts ids, in their own API only.
func (e *Engine) addPodman(ctx context.Context, info *Info, status [][2]string) {
	shifting, told := false, false
	for _, s := range status {
		if s[0] == "Supports shifting" {
			shifting, told = s[1] == "true", true
		}
	}
	if !info.Rootless || !told {
		own, _ := e.libpodInfo(ctx) // without an answer it says nothing
		info.Rootless = info.Rootless || own.Host.Security.Rootless
		for option := range own.Store.GraphOptions {
			shifting = shifting || strings.HasSuffix(option, ".mount_program") // fuse-overlayfs
		}
	}
	reflinks := slices.Contains([]string{"btrfs", "xfs", ""}, info.FileSystem)
	info.Copies = info.Rootless && info.Driver == "overlay" && !shifting && !reflinks
}

// ErrUnknown says that an engine does not tell.
var ErrUnknown = errors.New("cannot be told")

// Mapped reports whether the store has its copy of an image (Info.Copies) for
// containers whose user is the caller, as boxes are (--userns keep-id, with or
// without a size): then another such container costs none. Podman tells nobody; it is read from the store's own
// files, and is ErrUnknown where they cannot be: the engine is docker, or not on
// this machine. The files are those of containers/storage (images.go, layers.go).
func (e *Engine) Mapped(ctx context.Context, imageID string) (bool, error) {
	ctx, cancel := e.ask(ctx)
	defer cancel()
	if !e.differs.serial { // docker
		return false, ErrUnknown
	}
	own, err := e.libpodInfo(ctx)
	if err != nil {
		return false, fmt.Errorf("asking podman about its store: %w", inWords(ctx, err))
	}
	return mapped(own, imageID)
}

// mapped looks for an image's copy in the files of a store.
func mapped(own libpodInfo, imageID string) (bool, error) {
	want := keepID(own.Host.IDMappings.UIDMap)
	var images []struct {
		ID     string
		Mapped []string `json:"mapped-layers"`
	}
	var layers []struct {
		ID     string
		UIDMap []idRange `json:"uidmap"`
	}
	root := own.Store.GraphRoot
	if want == nil || read(root, "overlay-images/images.json", &images) != nil || read(root, "overlay-layers/layers.json", &layers) != nil {
		return false, ErrUnknown
	}
	for _, im := range images {
		if fullID(im.ID) != imageID {
			continue
		}
		for _, l := range layers {
			if slices.Contains(im.Mapped, l.ID) && sameUser(l.UIDMap, want) {
				return true, nil
			}
		}
	}
	return false, nil
}

// sameUser reports whether two maps give the user the same id, however many ids
// they have in all.
func sameUser(a, b []idRange) bool {
	if len(a) != len(b) || len(a) == 0 {
		return false
	}
	a, b = slices.Clone(a), slices.Clone(b)
	a[len(a)-1].Size, b[len(b)-1].Size = 0, 0
	return slices.Equal(a, b)
}

func read(root, name string, into any) error {
	data, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		return err
	}
	return json.Unmarshal(data, into)
}

// keepID returns the map of --userns keep-id in a user namespace of this map,
// whose id 0 is the user: all others move to make room for the user's own id. It
// is nil where there are too few ids.
func keepID(of []idRange) []idRange {
	if len(of) == 0 {
		return nil
	}
	var all int64
	for _, r := range of {
		all += r.Size
	}
	user := of[0].Host
	if of[0].Container != 0 || user+1 >= all {
		return nil
	}
	return []idRange{{0, 1, user}, {user, 0, 1}, {user + 1, user + 1, all - user - 1}}
}
