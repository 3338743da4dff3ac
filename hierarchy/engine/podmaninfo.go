package engine

import (
	"context"
	"errors"
	"slices"
	"strings"
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
	err := e.libpod(ctx, "/info", &info)
	return info, err
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
