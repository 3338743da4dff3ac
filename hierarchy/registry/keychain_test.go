package registry_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"

	"github.com/klmcwhirter/ocisi/hierarchy/registry"
	"github.com/klmcwhirter/ocisi/internal/process"
)

// helpers plays docker-credential-…: program → server → what it prints. A
// program that is not there is not installed.
type helpers struct {
	said map[string]map[string]string
	mu   sync.Mutex
	ran  []string
}

func (h *helpers) Run(_ context.Context, c process.Cmd) error {
	server, err := io.ReadAll(c.Stdin)
	if err != nil {
		return err
	}
	h.mu.Lock()
	h.ran = append(h.ran, c.Name+" "+strings.Join(c.Args, " ")+" "+string(server))
	h.mu.Unlock()
	answers, ok := h.said[c.Name]
	if !ok {
		return &process.NotFoundError{Name: c.Name}
	}
	answer, ok := answers[string(server)]
	if !ok {
		answer = "credentials not found in native keychain\n"
	}
	_, _ = io.WriteString(c.Stdout, answer)
	if !strings.HasPrefix(answer, "{") {
		return &process.Error{Cmd: c, Exit: 1, Err: errors.New("exit status 1")}
	}
	return nil
}

func auth(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

const (
	dockerFile  = "home/.docker/config.json"
	runtimeFile = "run/containers/auth.json"
	configFile  = "home/.config/containers/auth.json"
)

// keychain returns one for files below a directory, by their contents; values of
// the environment that begin with @ are below it too.
func keychain(t *testing.T, files, env map[string]string, h process.Runner) (*registry.Keychain, string) {
	t.Helper()
	root := t.TempDir()
	for path, text := range files {
		file := filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	getenv := func(key string) string {
		if rest, ok := strings.CutPrefix(env[key], "@"); ok {
			return filepath.Join(root, rest)
		}
		return env[key]
	}
	return registry.NewKeychain(getenv, filepath.Join(root, "home"), h), root
}

func logins(pairs ...string) string {
	var parts []string
	for i := 0; i < len(pairs); i += 2 {
		parts = append(parts, fmt.Sprintf("%q: {\"auth\": %q}", pairs[i], auth(pairs[i+1])))
	}
	return `{"auths": {` + strings.Join(parts, ", ") + `}}`
}

func TestKeychain(t *testing.T) {
	t.Parallel()
	run := map[string]string{"XDG_RUNTIME_DIR": "@run"}
	installed := map[string]map[string]string{
		"docker-credential-pass": {
			"ghcr.io":                     `{"ServerURL":"ghcr.io","Username":"al","Secret":"pass"}`,
			"https://index.docker.io/v1/": `{"Username":"<token>","Secret":"idt"}`,
			"quay.io":                     "the keyring is locked\n",
			"bad.io":                      "{nonsense",
		},
		"docker-credential-podman": {"docker.io": `{"Username":"pod","Secret":"man"}`},
	}
	for test, tt := range map[string]struct {
		files, env map[string]string
		repo       string // ghcr.io/ublue-os/fedora-toolbox
		want       string // user:password, token …, or error …
		ran        []string
	}{
		"nothing": {},
		"docker":  {files: map[string]string{dockerFile: logins("ghcr.io", "a:b")}, want: "a:b"},
		"a colon in the password, docker's zeros": {
			files: map[string]string{dockerFile: logins("ghcr.io", "a:b:c\x00\x00")}, want: "a:b:c",
		},
		"podman, and docker without":  {files: map[string]string{dockerFile: `{"auths": {"quay.io": {}}}`, runtimeFile: logins("ghcr.io", "c:d")}, env: run, want: "c:d"},
		"docker first":                {files: map[string]string{dockerFile: logins("ghcr.io", "a:b"), runtimeFile: logins("ghcr.io", "c:d")}, env: run, want: "a:b"},
		"podman's order":              {files: map[string]string{configFile: logins("ghcr.io", "e:f"), runtimeFile: logins("ghcr.io", "c:d")}, env: run, want: "c:d"},
		"podman's second":             {files: map[string]string{configFile: logins("ghcr.io", "e:f"), runtimeFile: logins("quay.io", "c:d")}, env: run, want: "e:f"},
		"no runtime directory":        {files: map[string]string{configFile: logins("ghcr.io", "e:f")}, want: "e:f"},
		"XDG_CONFIG_HOME":             {files: map[string]string{"c/containers/auth.json": logins("ghcr.io", "e:f")}, env: map[string]string{"XDG_CONFIG_HOME": "@c"}, want: "e:f"},
		"DOCKER_CONFIG":               {files: map[string]string{dockerFile: logins("ghcr.io", "a:b"), "d/config.json": logins("ghcr.io", "g:h")}, env: map[string]string{"DOCKER_CONFIG": "@d"}, want: "g:h"},
		"REGISTRY_AUTH_FILE":          {files: map[string]string{"r.json": logins("ghcr.io", "i:j"), runtimeFile: logins("ghcr.io", "c:d")}, env: map[string]string{"REGISTRY_AUTH_FILE": "@r.json", "XDG_RUNTIME_DIR": "@run"}, want: "i:j"},
		"REGISTRY_AUTH_FILE, without": {files: map[string]string{"r.json": "{}", runtimeFile: logins("ghcr.io", "c:d"), configFile: logins("ghcr.io", "e:f")}, env: map[string]string{"REGISTRY_AUTH_FILE": "@r.json", "XDG_RUNTIME_DIR": "@run"}, want: "e:f"},
		"DOCKER_AUTH_CONFIG":          {files: map[string]string{dockerFile: logins("ghcr.io", "a:b")}, env: map[string]string{"DOCKER_AUTH_CONFIG": logins("ghcr.io", "k:l")}, want: "k:l"},
		"the longest key": {
			files: map[string]string{configFile: logins("ghcr.io", "1:1", "ghcr.io/ublue-os", "2:2", "ghcr.io/ublue-os/fedora", "3:3", "ghcr.io/ublue", "4:4")}, want: "2:2",
		},
		"the repository":    {files: map[string]string{configFile: logins("ghcr.io/ublue-os", "2:2", "ghcr.io/ublue-os/fedora-toolbox", "5:5")}, want: "5:5"},
		"not this one":      {files: map[string]string{configFile: logins("ghcr.io/bluefin", "2:2", "ghcr.io:443", "3:3", "xghcr.io", "4:4")}},
		"an address":        {files: map[string]string{dockerFile: logins("https://ghcr.io/v2/", "a:b")}, want: "a:b"},
		"an address, stale": {files: map[string]string{dockerFile: logins("https://ghcr.io", "old:old", "ghcr.io", "new:new", "http://ghcr.io/v1/", "x:x")}, want: "new:new"},
		"docker's hub":      {files: map[string]string{dockerFile: logins("https://index.docker.io/v1/", "a:b")}, repo: "docker.io/library/alpine", want: "a:b"},
		"podman's hub":      {files: map[string]string{configFile: logins("docker.io", "a:b")}, repo: "docker.io/library/alpine", want: "a:b"},
		"podman's hub, one": {files: map[string]string{configFile: logins("docker.io", "a:b", "docker.io/library/alpine", "c:d")}, repo: "docker.io/library/alpine", want: "c:d"},
		"a token":           {files: map[string]string{dockerFile: `{"auths": {"ghcr.io": {"auth": "` + auth("u:") + `", "identitytoken": "t"}}}`}, want: "token t"},
		"in the clear":      {files: map[string]string{dockerFile: `{"auths": {"ghcr.io": {"username": "a", "password": "b"}}}`}, want: "a:b"},
		"an empty file":     {files: map[string]string{dockerFile: "", configFile: logins("ghcr.io", "e:f")}, want: "e:f"},

		"a helper": {
			files: map[string]string{dockerFile: `{"credHelpers": {"ghcr.io": "pass"}}`}, want: "al:pass",
			ran: []string{"docker-credential-pass get ghcr.io"},
		},
		"a store": {
			files: map[string]string{dockerFile: `{"auths": {"ghcr.io": {}}, "credsStore": "pass"}`}, want: "al:pass",
			ran: []string{"docker-credential-pass get ghcr.io"},
		},
		"a store, a stale entry": {
			files: map[string]string{dockerFile: `{"auths": {"ghcr.io": {"auth": "` + auth("x:y") + `"}}, "credsStore": "pass"}`}, want: "al:pass",
			ran: []string{"docker-credential-pass get ghcr.io"},
		},
		"a helper before the store": {
			files: map[string]string{dockerFile: `{"credHelpers": {"ghcr.io": "podman"}, "credsStore": "pass"}`}, want: "al:pass",
			ran: []string{"docker-credential-podman get ghcr.io", "docker-credential-pass get ghcr.io"},
		},
		"a store's token for the hub": {
			files: map[string]string{dockerFile: `{"credsStore": "pass"}`}, repo: "docker.io/library/alpine", want: "token idt",
			ran: []string{"docker-credential-pass get https://index.docker.io/v1/"},
		},
		"podman's helper for the hub": {
			files: map[string]string{configFile: `{"credHelpers": {"docker.io": "podman"}}`}, repo: "docker.io/library/alpine", want: "pod:man",
			ran: []string{"docker-credential-podman get https://index.docker.io/v1/", "docker-credential-podman get docker.io"},
		},
		"a helper that has none": {
			files: map[string]string{dockerFile: `{"credHelpers": {"x.io": "pass"}}`}, repo: "x.io/a",
			ran: []string{"docker-credential-pass get x.io"},
		},

		"a missing helper":              {files: map[string]string{dockerFile: `{"credHelpers": {"ghcr.io": "gone"}}`}, want: "error no login for ghcr.io from DOCKER: docker-credential-gone: program not found", ran: []string{"docker-credential-gone get ghcr.io"}},
		"a missing helper of another":   {files: map[string]string{dockerFile: `{"credHelpers": {"gcr.io": "gone"}}`}},
		"a missing helper, podman's":    {files: map[string]string{dockerFile: `{"credHelpers": {"ghcr.io": "gone"}}`, configFile: logins("ghcr.io", "e:f")}, want: "e:f", ran: []string{"docker-credential-gone get ghcr.io"}},
		"a missing store":               {files: map[string]string{dockerFile: `{"auths": {"gcr.io": {}}, "credsStore": "desktop"}`}, ran: []string{"docker-credential-desktop get ghcr.io"}},
		"a missing store that is meant": {files: map[string]string{dockerFile: `{"auths": {"ghcr.io": {}}, "credsStore": "desktop"}`}, want: "error no login for ghcr.io from DOCKER: docker-credential-desktop: program not found", ran: []string{"docker-credential-desktop get ghcr.io"}},
		"a missing store, an entry":     {files: map[string]string{dockerFile: `{"auths": {"ghcr.io": {"auth": "` + auth("x:y") + `"}}, "credsStore": "desktop"}`}, want: "x:y", ran: []string{"docker-credential-desktop get ghcr.io"}},
		"a locked keyring":              {files: map[string]string{dockerFile: `{"credHelpers": {"quay.io": "pass"}}`}, repo: "quay.io/a/b", want: "error no login for quay.io from DOCKER: docker-credential-pass: the keyring is locked", ran: []string{"docker-credential-pass get quay.io"}},
		"a helper with invalid output":  {files: map[string]string{dockerFile: `{"credHelpers": {"bad.io": "pass"}}`}, repo: "bad.io/a", want: "error no login for bad.io from DOCKER: parsing the output of docker-credential-pass: invalid character 'n' looking for beginning of object key string", ran: []string{"docker-credential-pass get bad.io"}},
		"a helper with a path":          {files: map[string]string{dockerFile: `{"credHelpers": {"ghcr.io": "../../tmp/x"}}`}, want: `error no login for ghcr.io from DOCKER: "../../tmp/x" is not the name of a credential helper`},
		"no base64":                     {files: map[string]string{dockerFile: `{"auths": {"ghcr.io": {"auth": "%"}, "quay.io": {"auth": "` + auth("a:b") + `"}}}`}, want: "error no login for ghcr.io from DOCKER: the entry ghcr.io: auth is not base64: illegal base64 data at input byte 0"},
		"no base64, another's":          {files: map[string]string{dockerFile: `{"auths": {"ghcr.io": {"auth": "%"}, "quay.io": {"auth": "` + auth("a:b") + `"}}}`}, repo: "quay.io/x", want: "a:b"},
		"no password":                   {files: map[string]string{dockerFile: logins("ghcr.io", "user")}, want: "error no login for ghcr.io from DOCKER: the entry ghcr.io: auth does not contain user:password"},
		"no JSON":                       {files: map[string]string{dockerFile: `{"auths"`}},
		"no JSON, podman's":             {files: map[string]string{dockerFile: `{"auths"`, configFile: logins("ghcr.io", "e:f")}, want: "e:f"},
		"a directory":                   {files: map[string]string{dockerFile + "/x": "", configFile: logins("ghcr.io", "e:f")}, want: "e:f"},
	} {
		t.Run(test, func(t *testing.T) {
			t.Parallel()
			h := &helpers{said: installed}
			k, root := keychain(t, tt.files, tt.env, h)
			if tt.repo == "" {
				tt.repo = "ghcr.io/ublue-os/fedora-toolbox"
			}
			got := ""
			a, err := k.Resolve(must(name.NewRepository(tt.repo)))
			if err != nil {
				got = "error " + strings.ReplaceAll(err.Error(), filepath.Join(root, dockerFile), "DOCKER")
				if _, ok := errors.AsType[*registry.CredentialsError](err); !ok {
					t.Errorf("%v is no CredentialsError", err)
				}
			} else {
				switch c := must(a.Authorization()); {
				case c.IdentityToken != "":
					got = "token " + c.IdentityToken
				case *c != authn.AuthConfig{}:
					got = c.Username + ":" + c.Password
				}
			}
			if got != tt.want || !slices.Equal(h.ran, tt.ran) {
				t.Errorf("got %q after %q,\nwant %q after %q", got, h.ran, tt.want, tt.ran)
			}
		})
	}
}

// A registry by itself, without a repository, as docker's own pull names it.
func TestKeychainOfRegistry(t *testing.T) {
	t.Parallel()
	k, _ := keychain(t, map[string]string{dockerFile: logins("https://index.docker.io/v1/", "a:b", "ghcr.io/x", "c:d")}, nil, &helpers{})
	for host, want := range map[string]string{"docker.io": "a", "index.docker.io": "a", "ghcr.io": "", "localhost:5000": ""} {
		a, err := k.Resolve(must(name.NewRegistry(host)))
		if err != nil {
			t.Fatal(err)
		}
		if c := must(a.Authorization()); c.Username != want {
			t.Errorf("%s: %+v", host, c)
		}
	}
}

// What kept a login from being found is told when the registry wants one, and
// not before.
func TestLoginsInMessages(t *testing.T) {
	t.Parallel()
	box := img(t)
	w := network(map[string]http.Handler{"ghcr.io": withBasic("pass"), "quay.io": quiet()})
	push(t, withAuth{w, basic("al:pass")}, toolbox, box)
	push(t, w, "quay.io/a/b:1", box)
	for test, tt := range map[string]struct{ file, want string }{
		"broken":  {"{", "ghcr.io requires a login, or has no ublue-os/fedora-toolbox:latest (DOCKER cannot be used: unexpected end of JSON input)"},
		"missing": {`{"credsStore": "gone"}`, "ghcr.io requires a login, or has no ublue-os/fedora-toolbox:latest (DOCKER cannot be used: docker-credential-gone: program not found)"},
		"wrong":   {logins("ghcr.io", "al:guess"), "ghcr.io refuses the login from DOCKER"},
		"right":   {logins("ghcr.io", "al:pass"), ""},
	} {
		k, root := keychain(t, map[string]string{dockerFile: tt.file}, nil, &helpers{})
		got := (&registry.Client{Transport: w, Keychain: k}).Resolve(t.Context(), []string{toolbox, "quay.io/a/b:1"})
		if err := got["quay.io/a/b:1"].Err; err != nil {
			t.Errorf("%s: a registry that is public: %v", test, err)
		}
		text := ""
		if err := got[toolbox].Err; err != nil {
			text = strings.ReplaceAll(err.Error(), filepath.Join(root, dockerFile), "DOCKER")
		}
		if text != tt.want {
			t.Errorf("%s: %q, want %q", test, text, tt.want)
		}
	}
}

// A helper that waits for somebody does not keep a plan waiting.
func TestHelperThatHangs(t *testing.T) {
	t.Parallel()
	k, _ := keychain(t, map[string]string{dockerFile: `{"credHelpers": {"ghcr.io": "slow"}}`}, nil, stuck{})
	synctest.Test(t, func(t *testing.T) {
		got := (&registry.Client{Transport: network(nil), Keychain: k}).Resolve(t.Context(), []string{toolbox})[toolbox]
		if e, ok := errors.AsType[*registry.CredentialsError](got.Err); !ok || !strings.Contains(e.Error(), "no answer after 10s") {
			t.Errorf("%v", got.Err)
		}
	})
}

type stuck struct{}

func (stuck) Run(ctx context.Context, _ process.Cmd) error {
	<-ctx.Done()
	return context.Cause(ctx)
}
