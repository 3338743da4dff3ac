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

// Keychain finds the user's logins: in docker's config with its credential helpers,
// then in podman's auth files. (The keychain of go-containerregistry ignores the
// latter if the former exists.) It implements [authn.Keychain] and
// [authn.ContextKeychain], and reads the files at each call.
type Keychain struct {
	files  []string
	inline string // content of DOCKER_AUTH_CONFIG
	runner process.Runner
}

// CredentialsError reports that a configured login for a registry cannot be read.
type CredentialsError struct {
	Registry string
	Source   string // file
	Err      error
}

func (e *CredentialsError) Error() string {
	return fmt.Sprintf("no login for %s from %s: %v", e.Registry, e.Source, e.Err)
}

func (e *CredentialsError) Unwrap() error { return e.Err }

// NewKeychain returns the keychain of a user with an environment and a home directory.
// It runs credential helpers by r.
func NewKeychain(getenv func(string) string, home string, r process.Runner) *Keychain {
	dirOf := func(variable, fallback string) string {
		if dir := getenv(variable); dir != "" {
			return dir
		}
		return filepath.Join(home, fallback)
	}
	k := &Keychain{runner: r, inline: getenv("DOCKER_AUTH_CONFIG")}
	k.files = append(k.files, filepath.Join(dirOf("DOCKER_CONFIG", ".docker"), "config.json"))
	// The order of containers-auth.json(5).
	if file := getenv("REGISTRY_AUTH_FILE"); file != "" {
		k.files = append(k.files, file)
	} else if run := getenv("XDG_RUNTIME_DIR"); run != "" {
		k.files = append(k.files, filepath.Join(run, "containers", "auth.json"))
	}
	k.files = append(k.files, filepath.Join(dirOf("XDG_CONFIG_HOME", ".config"), "containers", "auth.json"))
	return k
}

// Resolve implements authn.Keychain.
func (k *Keychain) Resolve(r authn.Resource) (authn.Authenticator, error) {
	return k.ResolveContext(context.Background(), r)
}

// ResolveContext returns the login for a repository or a registry: from the first file
// that has one, by the longest key that matches. Without a login it returns an
// anonymous one. The error is a [*CredentialsError] if a file names a login for the
// registry and no file provides it. An unreadable file is no error, because the
// repository may be public.
func (k *Keychain) ResolveContext(ctx context.Context, r authn.Resource) (authn.Authenticator, error) {
	keys := keysOf(r)
	var missing *CredentialsError
	var skipped error
	for _, source := range k.sources() {
		c, where, err := source.find(ctx, k.runner, keys)
		switch {
		case err == nil && c != authn.AuthConfig{}:
			return &login{config: c, source: where}, nil
		case err == nil:
		case !source.hasAny(keys):
			skipped = errors.Join(skipped, fmt.Errorf("%s cannot be used: %w", source.name, err))
		case missing == nil:
			missing = &CredentialsError{Registry: keys[len(keys)-1], Source: source.name, Err: err}
		}
	}
	if missing != nil {
		return nil, missing
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

// login is the result of a search in a keychain.
type login struct {
	config  authn.AuthConfig
	source  string // "": none was found
	skipped error  // why a login may not have been found
}

// Authorization implements authn.Authenticator.
func (l *login) Authorization() (*authn.AuthConfig, error) {
	c := l.config
	return &c, nil
}

// keysOf returns the keys that can match a resource, from the longest to that of the
// registry.
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

// hub is the key of docker.io in docker's files.
const hub = authn.DefaultAuthKey

// normalKey returns a key of an auth file in the form of keysOf: registry or
// registry/namespace. Keys in old files are URLs.
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
