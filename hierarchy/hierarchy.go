// Package hierarchy holds what is wanted and what is there, as values: the
// images of a config file and the graph they form, and the images and boxes
// that an engine was seen to hold. It reads files through an fs.FS and asks
// nobody else.
package hierarchy

import (
	"slices"
	"strings"
	"time"

	"github.com/distribution/reference"

	"github.com/klmcwhirter/ocisi/hierarchy/containerfile"
	"github.com/klmcwhirter/ocisi/hierarchy/devcontainer"
)

// Manager names a container engine, and is the program that drives it.
type Manager string

// The managers that ocisi knows.
const (
	Docker Manager = "docker"
	Podman Manager = "podman"
)

// Labels that ocisi puts on what it makes. What has none of them is not ours.
// In a store the values of those that begin with ocisi. are percent-encoded
// (LabelValue); in a StoredImage, a StoredBox and a Recipe they are plain.
const (
	// LabelImage is the reference of the image, name:tag, as the config has it.
	LabelImage = "ocisi.image"
	// LabelParent is the reference of the managed image it is built from.
	LabelParent = "ocisi.parent"
	// LabelConfig is the absolute path of the config file.
	LabelConfig = "ocisi.config"
	// LabelInputs is what an image was built from (Inputs).
	LabelInputs = "ocisi.inputs"
	// LabelVersion is the version of ocisi that made it.
	LabelVersion = "ocisi.version"
	// LabelBox is on boxes: the name of the box.
	LabelBox = "ocisi.box"
	// LabelSpec is on boxes: what the box was made to be (Box.Spec).
	LabelSpec = "ocisi.spec"
	// LabelImageID is on boxes: the ID of the image that the box was created from.
	LabelImageID = "ocisi.image-id"
	// LabelExports is on boxes: what the box exports to the host, as JSON, so that
	// its launchers can be made again when it comes back from a generation.
	LabelExports = "ocisi.exports"
	// LabelUID is on boxes: the UID of the user that the box was made for.
	LabelUID = "ocisi.uid"
	// LabelNonce is on boxes: random text of the run that created the box, by which
	// that run recognizes it.
	LabelNonce = "ocisi.nonce"

	// LabelBaseName and LabelBaseDigest are the image, not managed, that the last
	// stage of the Containerfile is built on, and its digest in the registry. The
	// keys are those of the OCI image specification (annotations.md). Images built
	// on such an image inherit them.
	LabelBaseName   = "org.opencontainers.image.base.name"
	LabelBaseDigest = "org.opencontainers.image.base.digest"

	// LabelDevContainer is on thin layers: what their dev containers are made by.
	LabelDevContainer = devcontainer.Label
)

// Key identifies an image: two stores may hold the same reference.
type Key struct {
	Manager Manager
	Ref     string // name:tag
}

func (k Key) String() string { return string(k.Manager) + " " + k.Ref }

// Image is an entry of the config, resolved: what to build and from what.
type Image struct {
	Name          string
	Tag           string
	Manager       Manager             // builds it, and has its box
	Also          []Manager           // whose stores have a copy of it
	Context       string              // absolute path of the build context
	Containerfile string              // absolute path
	Args          map[string]string   // build arguments
	Parents       []Need              // managed images, each once, in the order of the Containerfile
	Bases         []Need              // images that are not managed, each once; Ref as written, As what to use instead
	Box           *Box                // the distrobox made from it; nil: none
	More          []BoxOf             // further ones, when Box is one
	MaxAge        time.Duration       // how old its steps may be when bases are refreshed; 0: as old as they like
	Keep          int                 // how many generations of its box stay for a rollback
	Wish          *devcontainer.Wish  // for dev containers of it and of what is built from it; nil: none
	Dev           *devcontainer.Image // what its dev containers are made by; nil: it is no thin layer
	Inputs        Inputs              // what it is to be built from, as far as files tell; set by Graph.Read

	file   *containerfile.File
	ignore []byte
	unsent string // a path of the build context that no engine can be sent
}

// BoxOf is a further box of an image.
type BoxOf struct {
	Box  *Box
	Keep int // how many generations of it stay for a rollback
}

// Boxes returns the image once for each of its boxes, which is the Box of the
// copy; an image without a box is returned by no copy.
func (im Image) Boxes() []Image {
	if im.Box == nil {
		return nil
	}
	all := []Image{im}
	for _, b := range im.More {
		copied := im
		copied.Box, copied.Keep = b.Box, b.Keep
		all = append(all, copied)
	}
	return all
}

// Ref returns name:tag.
func (im Image) Ref() string { return im.Name + ":" + im.Tag }

// Key returns the image's identity.
func (im Image) Key() Key { return Key{im.Manager, im.Ref()} }

// In reports whether a manager's store is to have the image: built there, or as
// a copy.
func (im Image) In(m Manager) bool { return im.Manager == m || slices.Contains(im.Also, m) }

// Thin reports whether the image is a thin layer: built by
// Containerfile.img-dx, never shared, always last.
func (im Image) Thin() bool { return strings.HasSuffix(im.Name, ThinSuffix) }

// ThinSuffix ends the names of images that are thin layers.
const ThinSuffix = "-dx"

// Need is one image that a Containerfile reads.
type Need struct {
	Ref  string // as the Containerfile has it, arguments resolved
	As   string // the reference to use in its place: the managed image's name:tag, or the override of a base
	Pin  string // digest that the lock file wants of a base, sha256:…; "" when it is not locked
	Line int    // in the Containerfile
}

// Pinned returns the reference to pull and to build from: As, by its digest
// where the base is locked.
func (n Need) Pinned() string {
	if n.Pin == "" {
		return n.As
	}
	return WithDigest(n.As, n.Pin)
}

// WithDigest returns a reference with a digest in place of its tag.
func WithDigest(ref, digest string) string {
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return ref
	}
	return reference.FamiliarName(named) + "@" + digest
}

// Box is a distrobox: what distrobox.ini holds, as values.
type Box struct {
	Name               string
	Home               string // "" is the user's own
	Hostname           string
	Init               bool // systemd inside
	Nvidia             bool
	Root               bool // rootful podman
	StartNow           bool
	Volumes            []string // SRC:DST[:MODE]
	ExportedBins       []string // absolute paths in the box
	ExportedApps       []string
	ExportedBinsPath   string // "" is ~/.local/bin
	AdditionalPackages []string
	InitHooks          []string // shell, run in the box at every start
	AdditionalFlags    []string // for the engine's create
	Check              []string // a command that must succeed in a new box before it takes over; not part of Spec
}

// Position is a place in a file; lines and columns count from 1.
type Position struct {
	File         string
	Line, Column int
}

// Store is what one engine was seen to hold.
type Store struct {
	Manager     Manager
	Images      []StoredImage
	Boxes       []StoredBox
	Untagged    []StoredImage // without a name, built by ocisi and not in use; nil: not queried
	RootBoxes   []StoredBox   // of root's podman, as far as they are wanted
	RootUnknown bool          // nobody could look at root's podman
	Others      []string      // names of containers that are no boxes
}

// StoredImage is an image in an engine's store.
type StoredImage struct {
	ID      string            // sha256:…
	Refs    []string          // full names: registry/name:tag
	Digests []string          // full names by digest: registry/name@sha256:…, as it was pulled
	Labels  map[string]string //
	Created int64             // Unix seconds
	Size    int64             // bytes, as the engine counts them
	Content string            // the same for images that differ in ocisi's labels at most; "" when nobody asked
	DiffIDs []string          // of its layers, from the base up; nil when nobody asked
	Sealed  bool              // its history ends with the step by which ocisi labels an image; false if not queried
}

// Digest returns the digest under which the image was pulled by a name, or "":
// it was built here, or pulled by another name.
func (im StoredImage) Digest(ref string) string {
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return ""
	}
	for _, d := range im.Digests {
		if digest, ok := strings.CutPrefix(d, named.Name()+"@"); ok {
			return digest
		}
	}
	return ""
}

// StoredBox is a container that distrobox or ocisi made.
type StoredBox struct {
	ID      string
	Name    string
	ImageID string // sha256:…
	Image   string // the reference that it was created from; the ID where docker has the name no more
	Labels  map[string]string
	Running bool
	Created int64    // Unix seconds
	Content string   // of the image that it was created from; "" when nobody asked
	Lacks   []string // programs and applications that it should have on the host and has not
	Drifted bool     // a generation that holds packages or data that its image does not; false if not queried
	Started string   // when it was last started, in the engine's words; "" of a list
}

// StoreRef returns the full name under which a manager's store holds a managed
// image: podman puts localhost/ before a name without a registry, docker
// docker.io/library/. A base of the same short name is thus another image
// under podman, and the same one under docker.
func (m Manager) StoreRef(ref string) string {
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return ref
	}
	full := reference.TagNameOnly(named).String()
	if first, _, _ := strings.Cut(ref, "/"); m == Podman && !strings.HasPrefix(full, first+"/") {
		return "localhost/" + ref + strings.TrimPrefix(full, named.String())
	}
	return full
}

// FullRef returns the full name of an image that is not managed, with
// docker.io and the tag latest where the reference leaves them out.
func FullRef(ref string) string { return Docker.StoreRef(ref) }

// FamiliarRef returns a full name as people type it: without docker.io/ and
// docker.io/library/. A localhost/ stays.
func FamiliarRef(ref string) string {
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return ref
	}
	return reference.FamiliarString(named)
}

// Image returns the image that holds a full name (StoreRef, FullRef), with its
// tag or its digest, or false.
func (s Store) Image(full string) (StoredImage, bool) {
	for _, im := range s.Images {
		if slices.Contains(im.Refs, full) || slices.Contains(im.Digests, full) {
			return im, true
		}
	}
	return StoredImage{}, false
}

// Box returns the box of a name, or false.
func (s Store) Box(name string) (StoredBox, bool) {
	i := slices.IndexFunc(s.Boxes, func(b StoredBox) bool { return b.Name == name })
	if i < 0 {
		return StoredBox{}, false
	}
	return s.Boxes[i], true
}
