package host

import (
	"slices"
	"strings"
)

// Kind is the kind of operating system, as shown to the user.
type Kind string

// The kinds of hosts.
const (
	Bluefin      Kind = "Bluefin"
	BluefinLTS   Kind = "Bluefin LTS"
	Aurora       Kind = "Aurora"
	Bazzite      Kind = "Bazzite"
	Universal    Kind = "Universal Blue"
	FedoraAtomic Kind = "Fedora Atomic"
	Fedora       Kind = "Fedora"
	Enterprise   Kind = "Enterprise Linux"
	Ubuntu       Kind = "Ubuntu"
	Debian       Kind = "Debian"
	Unknown      Kind = ""
)

// Kind returns the kind of the host. It depends on image-info.json, and for images
// that are derived from Universal Blue without that file on os-release.
func (h Host) Kind() Kind {
	release := h.Release()
	name := release.VariantID
	image, ok := h.Image()
	if ok {
		name = image.Name
	}
	words := strings.Split(name, "-")
	switch {
	case slices.Contains(words, "bluefin"), release.ID == "bluefin":
		if slices.Contains(words, "lts") || release.Is("centos") {
			return BluefinLTS
		}
		return Bluefin
	case slices.Contains(words, "aurora"):
		return Aurora
	case slices.Contains(words, "bazzite"):
		return Bazzite
	case ok:
		return Universal
	}
	return h.distribution(release)
}

func (h Host) distribution(release Release) Kind {
	switch {
	case release.Is("ubuntu"): // ID_LIKE includes debian
		return Ubuntu
	case release.Is("debian"):
		return Debian
	case release.Is("rhel"), release.Is("centos"):
		return Enterprise
	case release.Is("fedora") && h.Atomic():
		return FedoraAtomic
	case release.Is("fedora"):
		return Fedora
	}
	return Unknown
}

// Atomic reports whether the system is an ostree or bootc image with a read-only
// /usr.
func (h Host) Atomic() bool { return h.exists("run/ostree-booted") }
