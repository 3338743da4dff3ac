package engine

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
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
