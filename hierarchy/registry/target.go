package registry

import (
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/distribution/reference"
	"github.com/google/go-containerregistry/pkg/name"
)

// ErrLocal says that no registry can have an image, by its name: localhost/… is
// what podman calls images that were made here.
var ErrLocal = errors.New("it is in no registry: localhost/ is for images made here")

// target is a reference, the same for all ways to write it.
type target struct {
	repo   string // registry/name
	tag    string
	digest string // "" for a tag
}

func parse(ref string) (target, error) {
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return target{}, fmt.Errorf("%q is no image reference: %w", ref, err)
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

// host returns the registry as people know it.
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

// repository returns what go-containerregistry calls the target.
func (t target) repository() (name.Repository, error) {
	var opts []name.Option
	if loopback(t.host()) {
		opts = append(opts, name.Insecure) // http too, if nothing answers https
	}
	return name.NewRepository(t.repo, opts...)
}

// loopback reports whether a host, with or without a port, is this machine by
// its name or address alone.
func loopback(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
