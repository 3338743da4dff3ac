package registry

import (
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/distribution/reference"
	"github.com/google/go-containerregistry/pkg/name"
)

// ErrLocal reports that an image is not in a registry by its name: podman names images
// that were built on this machine localhost/….
var ErrLocal = errors.New("not in a registry: localhost/ is for images that were built on this machine")

// target is a normalized reference.
type target struct {
	repo   string // registry/name
	tag    string
	digest string // "" for a tag
}

func parse(ref string) (target, error) {
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return target{}, fmt.Errorf("%q is not an image reference: %w", ref, err)
	}
	t := target{repo: named.Name()}
	if d, ok := named.(reference.Digested); ok {
		t.digest = d.Digest().String()
		return t, nil
	}
	if reference.Domain(named) == "localhost" {
		return target{}, ErrLocal
	}
	if tagged, ok := reference.TagNameOnly(named).(reference.Tagged); ok {
		t.tag = tagged.Tag()
	}
	return t, nil
}

// host returns the name of the registry, as in references.
func (t target) host() string {
	host, _, _ := strings.Cut(t.repo, "/")
	return host
}

// short returns name:tag, without the registry.
func (t target) short() string {
	_, path, _ := strings.Cut(t.repo, "/")
	if t.tag == "" {
		return path
	}
	return path + ":" + t.tag
}

// repository returns the repository as a type of go-containerregistry.
func (t target) repository() (name.Repository, error) {
	var opts []name.Option
	if loopback(t.host()) {
		opts = append(opts, name.Insecure) // HTTP if HTTPS fails
	}
	return name.NewRepository(t.repo, opts...)
}

// loopback reports whether a host, with or without a port, is localhost or a loopback
// address.
func loopback(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
