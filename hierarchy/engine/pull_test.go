package engine

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/klmcwhirter/ocisi/hierarchy"
)

// loginsOf is a keychain by repository; of others, it has nobody's.
type loginsOf map[string]authn.AuthConfig

func (k loginsOf) Resolve(r authn.Resource) (authn.Authenticator, error) {
	return k.ResolveContext(context.Background(), r)
}

func (k loginsOf) ResolveContext(ctx context.Context, r authn.Resource) (authn.Authenticator, error) {
	if r.RegistryStr() == "locked.io" {
		return nil, errors.New("the keyring is locked")
	}
	return authn.FromConfig(k[r.String()]), ctx.Err()
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	e := &Engine{opts: Options{Keychain: loginsOf{
		"ghcr.io/ublue-os/fedora-toolbox": {Username: "al", Password: "secret"},
		"index.docker.io/library/alpine":  {IdentityToken: "token"},
		"127.0.0.1:5000/x":                {RegistryToken: "bearer"},
	}}}
	for ref, want := range map[string]string{
		"ghcr.io/ublue-os/fedora-toolbox:latest":                            `{"username":"al","password":"secret","serveraddress":"ghcr.io"}`,
		"ghcr.io/ublue-os/fedora-toolbox@sha256:" + strings.Repeat("a", 64): `{"username":"al","password":"secret","serveraddress":"ghcr.io"}`,
		"alpine":             `{"serveraddress":"https://index.docker.io/v1/","identitytoken":"token"}`,
		"127.0.0.1:5000/x":   `{"serveraddress":"127.0.0.1:5000","registrytoken":"bearer"}`,
		"ghcr.io/ublue-os/x": "",
		"localhost/x:1":      "",
	} {
		got, err := e.credentials(t.Context(), ref)
		if err != nil {
			t.Errorf("%s: %v", ref, err)
			continue
		}
		plain, err := base64.URLEncoding.DecodeString(got)
		if err != nil || string(plain) != want {
			t.Errorf("%s: %s, want %s", ref, plain, want)
		}
	}
	if _, err := e.credentials(t.Context(), "locked.io/x"); err == nil || err.Error() != "credentials for locked.io: the keyring is locked" {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := e.credentials(ctx, "alpine"); !errors.Is(err, context.Canceled) {
		t.Errorf("a question that nobody waits for: %v", err)
	}
}

func TestPullMessages(t *testing.T) {
	t.Parallel()
	for stream, want := range map[string]string{
		`{"status":"Pulling from x","id":"1"}{"status":"Downloading","id":"a","progress":"[=> ]"}{"status":"Status: done"}`: "1: Pulling from x|Status: done|<nil>",
		`{"errorDetail":{"message":"denied"},"error":"denied, in short"}`:                                                   "denied",
		`{"status":"Waiting","id":"a"}{"error":"denied"}`:                                                                   "a: Waiting|denied",
		`{"status":`: "reading the engine's answer: unexpected EOF",
	} {
		var said strings.Builder
		err := pullMessages(strings.NewReader(stream), func(p hierarchy.Progress) { said.WriteString(p.Log + "|") })
		if got := said.String() + fmt.Sprint(err); got != want {
			t.Errorf("%s: %s, want %s", stream, got, want)
		}
	}
}

// A registry that has no such manifest says so in one of two ways; that it does
// not answer is something else.
func TestIsGone(t *testing.T) {
	t.Parallel()
	for said, want := range map[string]bool{
		"manifest for x not found: manifest unknown: manifest unknown":                      true,
		"failed to resolve reference \"ghcr.io/x@sha256:1\": ghcr.io/x@sha256:1: not found": true,
		"dial tcp: lookup ghcr.io: no such host":                                            false,
		"credential helper not found in $PATH":                                              false,
	} {
		if got := isGone(errors.New(said)); got != want {
			t.Errorf("%s: %v", said, got)
		}
	}
}
