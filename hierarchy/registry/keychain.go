package registry

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/klmcwhirter/ocisi/internal/input"
	"github.com/klmcwhirter/ocisi/internal/process"
)

// Keychain finds the user's logins: docker's config with its credential helpers
// first, then podman's auth files. (go-containerregistry's own keychain leaves
// out the second where the first exists.) It implements authn.Keychain and
// authn.ContextKeychain; files are read anew each time.
type Keychain struct {
	files  []string
	inline string // what DOCKER_AUTH_CONFIG holds
	runner process.Runner
}

// CredentialsError says that there is a login for a registry, and that it cannot
// be had.
type CredentialsError struct {
	Registry string
	Source   string // file
	Err      error
}

func (e *CredentialsError) Error() string {
	return fmt.Sprintf("no login for %s from %s: %v", e.Registry, e.Source, e.Err)
}

func (e *CredentialsError) Unwrap() error { return e.Err }

// NewKeychain returns the keychain of a user, by the environment and the home
// directory. Credential helpers are run by the runner.
func NewKeychain(getenv func(string) string, home string, r process.Runner) *Keychain {
	under := func(variable, otherwise string) string {
		if dir := getenv(variable); dir != "" {
			return dir
		}
		return filepath.Join(home, otherwise)
	}
	k := &Keychain{runner: r, inline: getenv("DOCKER_AUTH_CONFIG")}
	k.files = append(k.files, filepath.Join(under("DOCKER_CONFIG", ".docker"), "config.json"))
	// The order of containers-auth.json(5).
	if file := getenv("REGISTRY_AUTH_FILE"); file != "" {
		k.files = append(k.files, file)
	} else if run := getenv("XDG_RUNTIME_DIR"); run != "" {
		k.files = append(k.files, filepath.Join(run, "containers", "auth.json"))
	}
	k.files = append(k.files, filepath.Join(under("XDG_CONFIG_HOME", ".config"), "containers", "auth.json"))
	return k
}

// Resolve implements authn.Keychain.
func (k *Keychain) Resolve(r authn.Resource) (authn.Authenticator, error) {
	return k.ResolveContext(context.Background(), r)
}

// ResolveContext returns the login for a repository or a registry. The first
// file that has one counts, and in it the key that names most of the
// repository. Without a login it is one of nobody; a *CredentialsError is
// returned when a file tells that there is one and no file gives it. A file that
// cannot be read at all keeps nobody from what is public.
func (k *Keychain) ResolveContext(ctx context.Context, r authn.Resource) (authn.Authenticator, error) {
	keys := keysOf(r)
	var wanted *CredentialsError
	var skipped error
	for _, source := range k.sources() {
		c, where, err := source.find(ctx, k.runner, keys)
		switch {
		case err == nil && c != authn.AuthConfig{}:
			return &login{config: c, source: where}, nil
		case err == nil:
		case !source.names(keys):
			skipped = errors.Join(skipped, fmt.Errorf("%s is of no use: %w", source.name, err))
		case wanted == nil:
			wanted = &CredentialsError{Registry: keys[len(keys)-1], Source: source.name, Err: err}
		}
	}
	if wanted != nil {
		return nil, wanted
	}
	return &login{skipped: skipped}, nil
}

func (k *Keychain) sources() []source {
	var out []source
	if k.inline != "" {
		out = append(out, parseSource("DOCKER_AUTH_CONFIG", []byte(k.inline)))
	}
	for _, file := range k.files {
		data, err := input.ReadPath(file, input.MaxSize)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			out = append(out, source{name: file, err: err})
		default:
			out = append(out, parseSource(file, data))
		}
	}
	return out
}

// login is one that was found, or none.
type login struct {
	config  authn.AuthConfig
	source  string // "" for none
	skipped error  // why there may be one all the same
}

// Authorization implements authn.Authenticator.
func (l *login) Authorization() (*authn.AuthConfig, error) {
	c := l.config
	return &c, nil
}

// keysOf returns the keys that a login for a resource may have, the longest
// first and the registry's last.
func keysOf(r authn.Resource) []string {
	key := normalKey(r.String())
	keys := []string{key}
	for {
		i := strings.LastIndexByte(key, '/')
		if i < 0 {
			return keys
		}
		key = key[:i]
		keys = append(keys, key)
	}
}

// hub is docker.io's key in docker's files: the address of its first API.
const hub = authn.DefaultAuthKey

// normalKey returns a key of an auth file in the one form that keysOf has:
// registry or registry/namespace. Old files have addresses.
func normalKey(key string) string {
	rest, address := strings.CutPrefix(key, "https://")
	if !address {
		rest, address = strings.CutPrefix(key, "http://")
	}
	host, path, _ := strings.Cut(rest, "/")
	if host == "index.docker.io" || host == "registry-1.docker.io" {
		host = "docker.io"
	}
	path = strings.Trim(path, "/")
	if address || path == "" || path == "v1" || path == "v2" {
		return host
	}
	return host + "/" + path
}
