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

// source is a file with logins: docker's config.json or podman's auth.json,
// which have the same form (docker login, "Credential stores";
// containers-auth.json(5)).
type source struct {
	name string
	err  error // why nothing is known of it

	auths   map[string]entry
	helpers map[string]string // key → suffix of the program
	store   string            // suffix of the program for all that have no other
}

// entry is a login as files have it. docker leaves an empty one behind for each
// login that a credential helper keeps.
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

// normalKeys brings keys to one form. One that has it already counts more than
// an old one of the same meaning.
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

// names reports whether the source tells that there is a login for one of the
// keys.
func (s source) names(keys []string) bool {
	return slices.ContainsFunc(keys, func(key string) bool { return has(s.auths, key) || has(s.helpers, key) })
}

// find returns the login for the first of the keys that has one, and where it
// is from; an empty one when none has.
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
		return authn.AuthConfig{}, errors.New("auth is not that of user:password")
	}
	c.Username, c.Password = user, strings.Trim(password, "\x00")
	return c, nil
}

func program(helper string) string { return "docker-credential-" + helper }

// helperTimeout gives people time to unlock their keyring.
const helperTimeout = time.Minute

// What the protocol of credential helpers (docker-credential-helpers) has no
// field for.
const (
	notFound  = "credentials not found in native keychain" // on standard output, with status 1
	tokenUser = "<token>"                                  // the secret is an identity token
)

// fromHelper runs a credential helper. What it does not have is no error.
func fromHelper(ctx context.Context, r process.Runner, helper, key string) (authn.AuthConfig, error) {
	if strings.ContainsRune(helper, '/') {
		return authn.AuthConfig{}, fmt.Errorf("%q is no name of a credential helper", helper)
	}
	servers := []string{key}
	if key == "docker.io" {
		servers = []string{hub, key} // docker's way, podman's way
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
		var said struct{ Username, Secret string }
		if err := json.Unmarshal([]byte(out), &said); err != nil {
			return authn.AuthConfig{}, fmt.Errorf("reading what %s says: %w", program(helper), err)
		}
		if said.Username == tokenUser {
			return authn.AuthConfig{IdentityToken: said.Secret}, nil
		}
		return authn.AuthConfig{Username: said.Username, Password: said.Secret}, nil
	}
	return authn.AuthConfig{}, nil
}
