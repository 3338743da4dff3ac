package host

import (
	"slices"
	"strings"
)

// Kind is what sort of system a host is, for people.
type Kind string

// The kinds that are told apart. A host of no other kind is Unknown.
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

// Kind tells what the host is. An image of Universal Blue says so itself; what
// is built on one and says nothing can still be told by its os-release.
func (h Host) Kind() Kind {
	release := h.Release()
	name := release.VariantID
	image, is := h.Image()
	if is {
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
	case is:
		return Universal
	}
	return h.distribution(release)
}

func (h Host) distribution(release Release) Kind {
	switch {
	case release.Is("ubuntu"): // it is like debian, too
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

// Atomic reports whether the system is an image: /usr cannot be written, and
// programs are not installed by its package manager.
func (h Host) Atomic() bool { return h.exists("run/ostree-booted") }
