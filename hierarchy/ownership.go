package hierarchy

import (
	"path"
	"strconv"
	"strings"

	"github.com/distribution/reference"
)

// Ownership decides which objects of an engine's store a run may change or
// remove. docs/decisions/0030-ownership.md gives the reasons.
type Ownership struct {
	UID    int                      // of the user that runs ocisi; negative: not compared
	Config string                   // absolute path of the run's config
	Exists func(config string) bool // reports whether another config exists; nil: none does
	Same   func(a, b string) bool   // reports whether two paths are the same config; nil compares the paths
}

// Claim is the owner of an object, as far as it can be proved.
type Claim string

// The claims.
const (
	Unowned     Claim = ""             // not made by ocisi, or that cannot be proved
	OtherUser   Claim = "other user"   // made by ocisi for another UID
	OtherConfig Claim = "other config" // made from another config, which exists
	Owned       Claim = "owned"        // made from this config, or from one that no longer exists
)

// Box returns the claim on a container. A container is a box of ocisi only under
// a name of its role, and only if it runs the image that it was created from:
// labels are inherited by docker commit, and stay when a user renames it. One that
// distrobox migrate has recreated is ocisi's once TakeBack has renamed it.
func (o Ownership) Box(b StoredBox) Claim {
	_, role, _ := b.Role()
	made := b.ImageID != "" && b.Labels[LabelImageID] == b.ImageID
	return o.claim(b.Labels, role != NoRole && made || role != Current && b.Migrated())
}

// TakeBack returns the claim on a box that distrobox migrate has recreated, which a
// run replaces only if its user asks for it. Any other container is Unowned.
func (o Ownership) TakeBack(b StoredBox) Claim { return o.claim(b.Labels, b.Migrated()) }

// Migrated reports whether distrobox migrate has recreated a box of ocisi: from the
// image NAME:migrate-…, which it committed from the box, with its labels. Such a box
// shares no layers with other images.
func (b StoredBox) Migrated() bool {
	box, role, _ := b.Role()
	named, err := reference.ParseNormalizedNamed(b.Image)
	if err != nil || role == NoRole || b.Labels[LabelImageID] == "" || b.Labels[LabelImageID] == b.ImageID {
		return false
	}
	tagged, ok := named.(reference.Tagged)
	return ok && strings.HasPrefix(tagged.Tag(), "migrate-") && path.Base(reference.Path(named)) == strings.ToLower(box)
}

// Refusal returns why a run must not change a container, as people read it, or ""
// if it is Owned.
func (o Ownership) Refusal(b StoredBox) string {
	switch o.Box(b) {
	case Owned:
		return ""
	case OtherUser:
		return OfOtherUser + b.Labels[LabelUID]
	case OtherConfig:
		return "a box of " + b.Labels[LabelConfig] + " has this name"
	case Unowned:
	}
	switch _, role, _ := b.Role(); {
	case role == NoRole:
		return "a box of this name was not made by ocisi"
	case b.Migrated():
		return ByMigrate + " from " + FamiliarRef(b.Image) + ", so it shares no layers"
	case b.Labels[LabelImageID] == "":
		return "a box of this name was made by an old version of ocisi or by another program"
	}
	return "not made by ocisi: image and label ocisi.image-id differ"
}

// What refusals begin with: that of another user's box, and that of one that
// distrobox migrate has recreated.
const (
	OfOtherUser = "box belongs to UID "
	ByMigrate   = "recreated by distrobox migrate"
)

// Image returns the claim on an image. Labels are inherited by FROM and docker
// commit, so they count only for an image that is sealed.
func (o Ownership) Image(im StoredImage) Claim {
	return o.claim(im.Labels, im.Labels[LabelImage] != "" && im.Sealed)
}

// claim is the only place that decides. proved says that nothing but ocisi can
// have made the object that has the labels.
func (o Ownership) claim(labels map[string]string, proved bool) Claim {
	if !proved {
		return Unowned
	}
	if uid := labels[LabelUID]; uid != "" && o.UID >= 0 && uid != strconv.Itoa(o.UID) {
		return OtherUser
	}
	if o.OtherConfig(labels) != "" {
		return OtherConfig
	}
	return Owned
}

// OtherConfig returns the path of the config that labels name, if it is not this
// run's and exists; otherwise "".
func (o Ownership) OtherConfig(labels map[string]string) string {
	config := labels[LabelConfig]
	if config == "" || o.same(config) || o.Exists == nil || !o.Exists(config) {
		return ""
	}
	return config
}

// OwnsBox reports whether a container is Owned and was made from this run's config.
// It is false for one that was made from a config that no longer exists.
func (o Ownership) OwnsBox(b StoredBox) bool {
	return o.Box(b) == Owned && o.FromConfig(b.Labels)
}

// FromConfig reports whether labels name this run's config.
func (o Ownership) FromConfig(labels map[string]string) bool {
	return labels[LabelConfig] != "" && o.same(labels[LabelConfig])
}

func (o Ownership) same(config string) bool {
	if config == o.Config {
		return true
	}
	return o.Same != nil && o.Same(config, o.Config)
}
