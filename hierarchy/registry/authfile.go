package registry

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/klmcwhirter/ocisi/internal/process"
)

// source is a file with logins: docker's config.json or podman's auth.json, which
// share their format (docker login, "Credential stores"; containers-auth.json(5)).
type source struct {
	name string
	err  error // why it cannot be read

	auths   map[string]entry
	helpers map[string]string // suffix of the helper program by key
	store   string            // suffix of the default helper program
}

// entry is a login in a file. docker writes an empty one for each login in a
// credential helper.
type entry struct {
	Auth          string // base64 of user:password
	Username      string
	Password      string
	IdentityToken string
	RegistryToken string
}

func parseSource(name string, data []byte) source {
	var file struct {
		Auths       map[string]entry
		CredHelpers map[string]string
		CredsStore  string
	}
	if err := json.Unmarshal(data, &file); err != nil && len(strings.TrimSpace(string(data))) > 0 {
		return source{name: name, err: err}
	}
	return source{name: name, auths: normalKeys(file.Auths), helpers: normalKeys(file.CredHelpers), store: file.CredsStore}
}

// normalKeys normalizes keys. A key that is already normal has priority over an old
// form of it.
func normalKeys[V any](in map[string]V) map[string]V {
	out := map[string]V{}
	for _, key := range slices.Sorted(maps.Keys(in)) {
		if normal := normalKey(key); normal == key || !has(in, normal) {
			out[normal] = in[key]
		}
	}
	return out
}

func has[V any](m map[string]V, key string) bool {
	_, ok := m[key]
	return ok
}

// hasAny reports whether the source has an entry for one of the keys.
func (s source) hasAny(keys []string) bool {
	return slices.ContainsFunc(keys, func(key string) bool { return has(s.auths, key) || has(s.helpers, key) })
}

// find returns the login for the first key that has one, and the name of its source.
// It returns an empty login if there is none.
func (s source) find(ctx context.Context, r process.Runner, keys []string) (authn.AuthConfig, string, error) {
	if s.err != nil {
		return authn.AuthConfig{}, "", s.err
	}
	for _, key := range keys {
		if helper := s.helpers[key]; helper != "" {
			if c, err := fromHelper(ctx, r, helper, key); err != nil || c != (authn.AuthConfig{}) {
				return c, program(helper), err
			}
		}
	}
	var failed error
	if s.store != "" {
		c, err := fromHelper(ctx, r, s.store, keys[len(keys)-1])
		if err == nil && c != (authn.AuthConfig{}) {
			return c, program(s.store), nil
		}
		failed = err
	}
	for _, key := range keys {
		c, err := s.auths[key].login()
		if err != nil {
			return authn.AuthConfig{}, "", fmt.Errorf("the entry %s: %w", key, err)
		}
		if c != (authn.AuthConfig{}) {
			return c, s.name, nil
		}
	}
	return authn.AuthConfig{}, "", failed
}

func (e entry) login() (authn.AuthConfig, error) {
	c := authn.AuthConfig{Username: e.Username, Password: e.Password, IdentityToken: e.IdentityToken, RegistryToken: e.RegistryToken}
	if e.Auth == "" {
		return c, nil
	}
	plain, err := base64.StdEncoding.DecodeString(e.Auth)
	if err != nil {
		return authn.AuthConfig{}, fmt.Errorf("auth is not base64: %w", err)
	}
	user, password, ok := strings.Cut(string(plain), ":")
	if !ok || user == "" {
		return authn.AuthConfig{}, errors.New("auth does not contain user:password")
	}
	c.Username, c.Password = user, strings.Trim(password, "\x00")
	return c, nil
}

func program(helper string) string { return "docker-credential-" + helper }

// helperTimeout allows for a prompt to unlock a keyring.
const helperTimeout = time.Minute

// Special values in the protocol of docker-credential-helpers.
const (
	notFound  = "credentials not found in native keychain" // on standard output, with status 1
	tokenUser = "<token>"                                  // the secret is an identity token
)

// fromHelper runs a credential helper. A missing login is no error.
func fromHelper(ctx context.Context, r process.Runner, helper, key string) (authn.AuthConfig, error) {
	if strings.ContainsRune(helper, '/') {
		return authn.AuthConfig{}, fmt.Errorf("%q is not the name of a credential helper", helper)
	}
	servers := []string{key}
	if key == "docker.io" {
		servers = []string{hub, key} // the keys of docker and of podman
	}
	for _, server := range servers {
		out, err := process.Output(ctx, r, process.Cmd{
			Name: program(helper), Args: []string{"get"}, Stdin: strings.NewReader(server), Timeout: helperTimeout,
		})
		if err != nil && strings.TrimSpace(out) == notFound {
			continue
		}
		if _, ran := errors.AsType[*process.Error](err); ran && out != "" {
			return authn.AuthConfig{}, fmt.Errorf("%s: %s", program(helper), oneLine(out))
		}
		if err != nil {
			return authn.AuthConfig{}, err
		}
		var got struct{ Username, Secret string }
		if err := json.Unmarshal([]byte(out), &got); err != nil {
			return authn.AuthConfig{}, fmt.Errorf("parsing the output of %s: %w", program(helper), err)
		}
		if got.Username == tokenUser {
			return authn.AuthConfig{IdentityToken: got.Secret}, nil
		}
		return authn.AuthConfig{Username: got.Username, Password: got.Secret}, nil
	}
	return authn.AuthConfig{}, nil
}
