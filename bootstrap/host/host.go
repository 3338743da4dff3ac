// Package host tells facts about the machine that ocisi runs on: what system it
// is, which groups count, how much room there is. It reads files below a root
// and runs programs through a Runner, so a test describes a machine by a map of
// files and a table of answers.
//
// The files and their formats: os-release(5), group(5), subuid(5), proc(5);
// /usr/share/ublue-os/image-info.json is written by every image of Universal
// Blue when it is built.
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

// patience is how long a program may take to tell a fact: less than a check of
// package doctor has, which can then say what it knows without it.
const patience = 4 * time.Second

// Host is a machine and the user who runs ocisi on it.
type Host struct {
	Root   fs.FS // of the file system: os.DirFS("/")
	Runner process.Runner
	Getenv func(string) string
	User   User
	Statfs func(path string) (Space, error) // of the file system that holds an absolute path
}

// User is the user of this process.
type User struct {
	Name string
	UID  int
	GIDs []int  // of this process: the primary group and the others
	Home string // absolute
}

// Space is the room in a file system, in bytes.
type Space struct {
	Free  uint64 // for ordinary users
	Total uint64
}

// Release is what os-release says; what it leaves out is "".
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

// Is reports whether the release is one of an id or derived from it.
func (r Release) Is(id string) bool { return r.ID == id || slices.Contains(r.IDLike, id) }

// Image is what an image of Universal Blue says about itself. Tag is the one it
// was built as; the one that the host follows, only bootc knows.
type Image struct {
	Name   string `json:"image-name"`   // "bluefin-dx-nvidia-open"
	Flavor string `json:"image-flavor"` // "main", "nvidia-open"; never "dx"
	Vendor string `json:"image-vendor"`
	Tag    string `json:"image-tag"`
	Fedora string `json:"fedora-version"`
}

// DX reports whether developer mode is built in, as it was until 2026.
func (i Image) DX() bool { return slices.Contains(strings.Split(i.Name, "-"), "dx") }

// Image reads image-info.json; false says that the host is not such an image.
// An unreadable file is one that tells nothing.
func (h Host) Image() (Image, bool) {
	var image Image
	data, err := input.ReadFile(h.Root, "usr/share/ublue-os/image-info.json", input.MaxSize)
	if err != nil || input.Unmarshal(data, &image) != nil {
		return Image{}, false
	}
	return image, true
}

// Container returns the name of the container that this process runs in,
// "a container" when it has no name, or "".
func (h Host) Container() string {
	if name := h.Getenv("CONTAINER_ID"); name != "" {
		return name
	}
	if h.exists("run/.containerenv") || h.exists(".dockerenv") {
		return "a container"
	}
	return ""
}

// Exists reports whether there is anything at an absolute path.
func (h Host) Exists(name string) bool { return h.exists(relative(name)) }

// Socket reports whether there is a socket at an absolute path.
func (h Host) Socket(name string) bool {
	info, err := fs.Stat(h.Root, relative(name))
	return err == nil && info.Mode()&fs.ModeSocket != 0
}

// Space returns the room at an absolute path, or at the nearest folder above it
// that exists.
func (h Host) Space(name string) (Space, error) {
	space, err := h.Statfs(name)
	for errors.Is(err, fs.ErrNotExist) && path.Dir(name) != name {
		name = path.Dir(name)
		space, err = h.Statfs(name)
	}
	if err != nil {
		return Space{}, fmt.Errorf("asking for the room at %s: %w", name, err)
	}
	return space, nil
}

// Recipes returns the names that ujust knows; none without ujust.
func (h Host) Recipes(ctx context.Context) []string {
	out, err := h.output(ctx, "ujust", "--summary")
	if err != nil {
		return nil
	}
	return strings.Fields(out)
}

// version is a dotted number somewhere in a line.
var version = regexp.MustCompile(`\d+(\.\d+)+\S*`)

// Distrobox returns the version of the installed distrobox, for instance
// 1.8.2.5 or 2.0.0-rc.4. A *process.NotFoundError says that there is none.
func (h Host) Distrobox(ctx context.Context) (string, error) {
	out, err := h.output(ctx, "distrobox", "--version")
	if err != nil {
		return "", fmt.Errorf("asking distrobox for its version: %w", err)
	}
	found := version.FindString(out)
	if found == "" {
		return "", fmt.Errorf("asking distrobox for its version: it said %q", out)
	}
	return found, nil
}

// PodmanVersion returns the version of the installed podman, for instance 5.8.6;
// "" if it does not print one. It needs no storage.
func (h Host) PodmanVersion(ctx context.Context) string {
	out, _ := h.output(ctx, "podman", "--version")
	return version.FindString(out)
}

func (h Host) exists(name string) bool {
	_, err := fs.Stat(h.Root, name)
	return err == nil
}

func (h Host) output(ctx context.Context, name string, args ...string) (string, error) {
	return process.Output(ctx, h.Runner, process.Cmd{Name: name, Args: args, Timeout: patience})
}

// relative turns an absolute path into a name for an fs.FS.
func relative(name string) string {
	if name = strings.TrimPrefix(path.Clean(name), "/"); name != "" {
		return name
	}
	return "."
}
