// Package host queries facts about the machine that ocisi runs on: its operating
// system, the user's groups, free disk space. It reads files through an [fs.FS] and
// runs programs through a [process.Runner], so that a test can describe a machine by
// a map of files and a table of outputs.
//
// File formats: os-release(5), group(5), subuid(5), proc(5). The build of each
// Universal Blue image writes /usr/share/ublue-os/image-info.json.
package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/klmcwhirter/ocisi/internal/input"
	"github.com/klmcwhirter/ocisi/internal/process"
)

// timeout bounds each program. It is shorter than the time limit of a check of
// package doctor, which can then report its other facts.
const timeout = 4 * time.Second

// Host is a machine and the user who runs ocisi on it.
type Host struct {
	Root   fs.FS // the root directory: os.DirFS("/")
	Runner process.Runner
	Getenv func(string) string
	User   User
	Statfs func(path string) (Space, error) // of the file system of an absolute path
}

// User is the user who runs this process.
type User struct {
	Name string
	UID  int
	GIDs []int  // of this process: the primary and the supplementary groups
	Home string // absolute
}

// Space is the size of a file system in bytes.
type Space struct {
	Free  uint64 // for unprivileged users
	Total uint64
}

// Release is the content of os-release. A missing field is "".
type Release struct {
	ID        string   // "fedora", "bluefin"
	IDLike    []string // "fedora"
	Name      string   // PRETTY_NAME
	VersionID string
	VariantID string
	ImageID   string
}

// Release reads os-release. A host without one has an empty Release.
func (h Host) Release() Release {
	data, err := input.ReadFile(h.Root, "etc/os-release", input.MaxSize)
	if err != nil {
		data, _ = input.ReadFile(h.Root, "usr/lib/os-release", input.MaxSize)
	}
	values := map[string]string{}
	for line := range strings.Lines(string(data)) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(key, "#") {
			values[key] = strings.Trim(value, `"'`)
		}
	}
	return Release{
		ID:        values["ID"],
		IDLike:    strings.Fields(values["ID_LIKE"]),
		Name:      values["PRETTY_NAME"],
		VersionID: values["VERSION_ID"],
		VariantID: values["VARIANT_ID"],
		ImageID:   values["IMAGE_ID"],
	}
}

// Is reports whether the release has an ID or is derived from one that has it.
func (r Release) Is(id string) bool { return r.ID == id || slices.Contains(r.IDLike, id) }

// Image is the image-info.json of a Universal Blue image. Tag is the tag of the
// build; the tag that the host follows is only known to bootc.
type Image struct {
	Name   string `json:"image-name"`   // "bluefin-dx-nvidia-open"
	Flavor string `json:"image-flavor"` // "main", "nvidia-open"; never "dx"
	Vendor string `json:"image-vendor"`
	Tag    string `json:"image-tag"`
	Fedora string `json:"fedora-version"`
}

// DX reports whether the image includes developer mode, as dx images did until 2026.
func (i Image) DX() bool { return slices.Contains(strings.Split(i.Name, "-"), "dx") }

// Image returns the content of image-info.json, and false on hosts without a valid
// one.
func (h Host) Image() (Image, bool) {
	var image Image
	data, err := input.ReadFile(h.Root, "usr/share/ublue-os/image-info.json", input.MaxSize)
	if err != nil || input.Unmarshal(data, &image) != nil {
		return Image{}, false
	}
	return image, true
}

// Container returns the name of the container that this process runs in, "a
// container" if the name is unknown, or "" outside a container.
func (h Host) Container() string {
	if name := h.Getenv("CONTAINER_ID"); name != "" {
		return name
	}
	if h.exists("run/.containerenv") || h.exists(".dockerenv") {
		return "a container"
	}
	return ""
}

// Exists reports whether an absolute path exists.
func (h Host) Exists(name string) bool { return h.exists(relative(name)) }

// Socket reports whether an absolute path is a socket.
func (h Host) Socket(name string) bool {
	info, err := fs.Stat(h.Root, relative(name))
	return err == nil && info.Mode()&fs.ModeSocket != 0
}

// Space returns the size of the file system of an absolute path. If the path does
// not exist, its nearest existing parent counts.
func (h Host) Space(name string) (Space, error) {
	space, err := h.Statfs(name)
	for errors.Is(err, fs.ErrNotExist) && path.Dir(name) != name {
		name = path.Dir(name)
		space, err = h.Statfs(name)
	}
	if err != nil {
		return Space{}, fmt.Errorf("querying the disk space at %s: %w", name, err)
	}
	return space, nil
}

// Recipes returns the names of the recipes of ujust, or none without ujust.
func (h Host) Recipes(ctx context.Context) []string {
	out, err := h.output(ctx, "ujust", "--summary")
	if err != nil {
		return nil
	}
	return strings.Fields(out)
}

// version matches a dotted version number.
var version = regexp.MustCompile(`\d+(\.\d+)+\S*`)

// Distrobox returns the version of the installed distrobox, for example 1.8.2.5 or
// 2.0.0-rc.4. If it is not installed, the error is a [*process.NotFoundError].
func (h Host) Distrobox(ctx context.Context) (string, error) {
	out, err := h.output(ctx, "distrobox", "--version")
	if err != nil {
		return "", fmt.Errorf("querying the version of distrobox: %w", err)
	}
	found := version.FindString(out)
	if found == "" {
		return "", fmt.Errorf("parsing the version of distrobox: %q", out)
	}
	return found, nil
}

// PodmanVersion returns the version of the installed podman, for example 5.8.6, or ""
// if it is unknown. It does not initialize podman's storage.
func (h Host) PodmanVersion(ctx context.Context) string {
	out, _ := h.output(ctx, "podman", "--version")
	return version.FindString(out)
}

func (h Host) exists(name string) bool {
	_, err := fs.Stat(h.Root, name)
	return err == nil
}

func (h Host) output(ctx context.Context, name string, args ...string) (string, error) {
	return process.Output(ctx, h.Runner, process.Cmd{Name: name, Args: args, Timeout: timeout})
}

// relative returns an absolute path as a path of an [fs.FS].
func relative(name string) string {
	if name = strings.TrimPrefix(path.Clean(name), "/"); name != "" {
		return name
	}
	return "."
}
