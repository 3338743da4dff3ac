package registry_test

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/klmcwhirter/ocisi/hierarchy/registry"
)

// answers is a registry that answers /v2/ and then always the same.
func answers(status int, body string, header ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v2/" {
			return
		}
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	})
}

func always(status int, body string, header ...string) http.Handler {
	inner := answers(status, body, header...)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.URL.Path += "x"
		inner.ServeHTTP(w, r)
	})
}

const (
	contentDigest = "Docker-Content-Digest"
	someDigest    = "sha256:0123456789012345678901234567890123456789012345678901234567890123"
	ociIndex      = "application/vnd.oci.image.index.v1+json"
	ociManifest   = "application/vnd.oci.image.manifest.v1+json"
	denied        = `{"errors":[{"code":"DENIED","message":"requested access\nto the resource is denied"}]}`
)

func TestErrors(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		registry http.Handler // nil: no such host
		kind     registry.Kind
		text     string
		after    time.Duration
		took     time.Duration
		sent     int
	}{
		"no such host":             {nil, registry.Unreachable, "ghcr.io does not answer: lookup ghcr.io: no such host", 0, 0, 1},
		"404":                      {answers(404, ""), registry.NotFound, "ghcr.io has no ublue-os/fedora-toolbox:latest", 0, 0, 2},
		"401":                      {answers(401, ""), registry.Unauthorized, "ghcr.io requires a login, or has no ublue-os/fedora-toolbox:latest", 0, 0, 2},
		"403":                      {answers(403, ""), registry.Unauthorized, "ghcr.io requires a login, or has no ublue-os/fedora-toolbox:latest", 0, 0, 2},
		"403 during the handshake": {always(403, denied), registry.Unauthorized, "ghcr.io requires a login, or has no ublue-os/fedora-toolbox: requested access to the resource is denied", 0, 0, 1},
		"429":                      {answers(429, ""), registry.TooManyRequests, "ghcr.io returned 429 (too many requests)", 0, 0, 2},
		"429, when":                {answers(429, "", "Retry-After", "90"), registry.TooManyRequests, "ghcr.io returned 429 (too many requests); retry in 1m30s", 90 * time.Second, 0, 2},
		"429, a date":              {answers(429, "", "Retry-After", "Sat, 01 Jan 2000 00:01:00 GMT"), registry.TooManyRequests, "ghcr.io returned 429 (too many requests); retry in 1m0s", time.Minute, 0, 2},
		"429 during the handshake": {always(429, `{"errors":[{"code":"TOOMANYREQUESTS"}]}`, "Retry-After", "5"), registry.TooManyRequests, "ghcr.io returned 429 (too many requests); retry in 5s: toomanyrequests", 5 * time.Second, 0, 1},
		"500":                      {answers(500, ""), registry.Unavailable, "ghcr.io is unavailable: 500 Internal Server Error", 0, 200 * time.Millisecond, 3},
		"503 during the handshake": {always(503, "<html>go away</html>"), registry.Unavailable, "ghcr.io is unavailable: 503 Service Unavailable", 0, 200 * time.Millisecond, 2},
		"503, when":                {answers(503, "", "Retry-After", "7"), registry.Unavailable, "ghcr.io is unavailable; retry in 7s: 503 Service Unavailable", 7 * time.Second, 0, 2},
		"418":                      {answers(418, ""), registry.Broken, "ghcr.io is not a registry, or is broken: 418 I'm a teapot", 0, 0, 2},
		"not a registry":           {always(404, "<html>"), registry.Broken, "ghcr.io is not a registry, or is broken: 404 Not Found", 0, 0, 1},
		"no digest, no JSON":       {answers(200, "<html>"), registry.Broken, "ghcr.io is not a registry, or is broken: invalid character '<' looking for beginning of value", 0, 0, 3},
		"no digest, no image":      {answers(200, "{}"), registry.Broken, "ghcr.io is not a registry, or is broken: neither an index nor an image manifest", 0, 0, 3},
		"no digest, cut short":     {answers(200, `{"manifests": [{"dig`), registry.Broken, "ghcr.io is not a registry, or is broken: unexpected end of JSON input", 0, 0, 3},
		"no digest, too large":     {answers(200, strings.Repeat(" ", 4<<20+1)), registry.Broken, "ghcr.io is not a registry, or is broken: manifest larger than 4 MiB", 0, 0, 3},
		"index changed in transit": {
			answers(200, `{"manifests": []}`, contentDigest, someDigest, "Content-Type", ociIndex), registry.Broken,
			"ghcr.io is not a registry, or is broken: the content does not match its digest", 0, 0, 3,
		},
		"manifest changed in transit": {
			answers(200, `{"config": {}}`, contentDigest, someDigest, "Content-Type", ociManifest), registry.Broken,
			"ghcr.io is not a registry, or is broken: the content does not match its digest", 0, 0, 3,
		},
		"a wall of words": {
			always(403, `{"errors":[{"code":"DENIED","message":"`+strings.Repeat("no ", 500)+`"}]}`), registry.Unauthorized,
			"ghcr.io requires a login, or has no ublue-os/fedora-toolbox: " + strings.Repeat("no ", 53) + "n…", 0, 0, 1,
		},
		"a terminal's words": {always(403, `{"errors":[{"message":"\u001b[31mred\u0007"}]}`), registry.Unauthorized, "ghcr.io requires a login, or has no ublue-os/fedora-toolbox: [31mred", 0, 0, 1},
		"a token server without a token": {
			tokens(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "{}") }), registry.Broken,
			"ghcr.io is not a registry, or is broken: no token in bearer response: {}", 0, 0, 2,
		},
		"a token server that is gone": {
			tokens(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) }), registry.Broken,
			"ghcr.io is not a registry, or is broken: 404 Not Found", 0, 0, 2,
		},
		"a token server that denies": {
			tokens(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(http.StatusForbidden)
				_, _ = io.WriteString(w, denied)
			}), registry.Unauthorized,
			"ghcr.io requires a login, or has no ublue-os/fedora-toolbox: requested access to the resource is denied", 0, 0, 2,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := network(nil)
				if tt.registry != nil {
					w = one(tt.registry)
				}
				start := time.Now()
				got := (&registry.Client{Transport: w, Arch: "amd64"}).CheckUpdates(t.Context(), []registry.Local{{Ref: toolbox, ID: "sha256:x"}})[0]
				e, ok := errors.AsType[*registry.Error](got.Err)
				if !ok {
					t.Fatalf("%+v", got)
				}
				if e.Kind != tt.kind || e.Error() != tt.text || e.RetryAfter != tt.after || e.Registry != "ghcr.io" {
					t.Errorf("%s: %q, after %s\nwant %s: %q, after %s", e.Kind, e, e.RetryAfter, tt.kind, tt.text, tt.after)
				}
				if took := time.Since(start); took != tt.took {
					t.Errorf("took %s, want %s", took, tt.took)
				}
				if sent := w.requests(); len(sent) != tt.sent {
					t.Errorf("sent %v, want %d requests", sent, tt.sent)
				}
			})
		})
	}
}

// A connection that ends too early.
func TestTruncated(t *testing.T) {
	t.Parallel()
	w := one(answers(200, `{"manifests": []}`, "Content-Length", "400"))
	got := (&registry.Client{Transport: cut{w}}).Resolve(t.Context(), []string{toolbox})[toolbox]
	if e, ok := errors.AsType[*registry.Error](got.Err); !ok || e.Kind != registry.Broken || !errors.Is(e, io.ErrUnexpectedEOF) {
		t.Errorf("%+v", got)
	}
}

// cut is a network whose answers end in the middle.
type cut struct{ w *wire }

func (c cut) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := c.w.RoundTrip(r)
	if err == nil && r.URL.Path != "/v2/" {
		resp.Body = io.NopCloser(io.MultiReader(io.LimitReader(resp.Body, 9), broken{}))
	}
	return resp, err
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// Registries that do not know HEAD, or answer it without a usable digest, are
// asked for the manifest; and that alone tells all.
func TestHeadFallsBackToGet(t *testing.T) {
	t.Parallel()
	for name, header := range map[string]struct{ status, digest string }{
		"missing": {}, "invalid": {digest: "sha256:xyz"}, "405": {status: "405"},
	} {
		inner := quiet()
		w := one(inner)
		old := img(t)
		idx := index(part{"linux/amd64", old})
		push(t, w, toolbox, idx)
		w.hosts["ghcr.io"] = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodHead {
				inner.ServeHTTP(rw, r)
				return
			}
			if header.status != "" {
				rw.WriteHeader(http.StatusMethodNotAllowed)
				return
			}
			rw.Header().Set(contentDigest, header.digest)
		})
		got := (&registry.Client{Transport: w, Arch: "amd64"}).CheckUpdates(t.Context(), []registry.Local{{Ref: toolbox, ID: digestOf(old)}})[0]
		if got.Err != nil || got.Digest != digestOf(idx) || !got.Same || got.Platform != digestOf(old) {
			t.Errorf("%s: %+v", name, got)
		}
		if sent := w.requests(); len(sent) != 3 {
			t.Errorf("%s: sent %v", name, sent)
		}
	}
}

// One failure of the kind that passes is not told about.
func TestTroubleThatPasses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		inner := quiet()
		w := one(inner)
		box := img(t)
		push(t, w, toolbox, box)
		failed := false
		w.hosts["ghcr.io"] = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodHead && !failed {
				failed = true
				rw.WriteHeader(http.StatusBadGateway)
				return
			}
			inner.ServeHTTP(rw, r)
		})
		got := (&registry.Client{Transport: w}).Resolve(t.Context(), []string{toolbox})[toolbox]
		if got.Err != nil || got.Digest != digestOf(box) {
			t.Errorf("%+v", got)
		}
	})
}

// Asking again takes no longer than the question may.
func TestTroubleWithinTheTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		c := &registry.Client{Transport: one(answers(500, "")), Timeout: 50 * time.Millisecond}
		got := c.Resolve(t.Context(), []string{toolbox})[toolbox]
		if e, ok := errors.AsType[*registry.Error](got.Err); !ok || e.Kind != registry.Unreachable || time.Since(start) != 50*time.Millisecond {
			t.Errorf("%v after %s", got.Err, time.Since(start))
		}
	})
}

// tokens is a registry whose tokens come from a handler.
func tokens(issue http.HandlerFunc) http.Handler {
	inner := quiet()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/token":
			issue(w, r)
		case r.Header.Get("Authorization") == "Bearer let-me-in":
			inner.ServeHTTP(w, r)
		default:
			w.Header().Set("WWW-Authenticate", `Bearer realm="https://ghcr.io/token",service="ghcr.io"`)
			w.WriteHeader(http.StatusUnauthorized)
		}
	})
}

// withBasic is a registry for al, who knows the password.
func withBasic(password string) http.Handler {
	inner := quiet()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if u, p, _ := r.BasicAuth(); u != "al" || p != password {
			w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		inner.ServeHTTP(w, r)
	})
}

// keys is a keychain of one login.
type keys authn.AuthConfig

func (k keys) Resolve(authn.Resource) (authn.Authenticator, error) {
	return authn.FromConfig(authn.AuthConfig(k)), nil
}

type withAuth struct {
	rt   http.RoundTripper
	auth string
}

func (a withAuth) RoundTrip(r *http.Request) (*http.Response, error) {
	r.Header.Set("Authorization", a.auth)
	return a.rt.RoundTrip(r)
}

func TestLogins(t *testing.T) {
	t.Parallel()
	var asked []string
	issue := func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.RawQuery)
		if u, p, _ := r.BasicAuth(); u != "al" || p != "secret" {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, `{"errors":[{"code":"UNAUTHORIZED","message":"who is that"}]}`)
			return
		}
		_, _ = io.WriteString(w, `{"token": "let-me-in"}`)
	}
	box := img(t)
	good, bad := keys{Username: "al", Password: "secret"}, keys{Username: "al", Password: "guess"}
	for name, tt := range map[string]struct {
		host  http.Handler
		auth  string
		keys  authn.Keychain
		error string
	}{
		"basic":              {withBasic("secret"), basic("al:secret"), good, ""},
		"basic, refused":     {withBasic("secret"), basic("al:secret"), bad, "ghcr.io refuses the login from the user"},
		"basic, none":        {withBasic("secret"), basic("al:secret"), nil, "ghcr.io requires a login, or has no ublue-os/fedora-toolbox:latest"},
		"token":              {tokens(issue), "Bearer let-me-in", good, ""},
		"token, refused":     {tokens(issue), "Bearer let-me-in", bad, "ghcr.io refuses the login from the user: who is that"},
		"token, none":        {tokens(issue), "Bearer let-me-in", nil, "ghcr.io requires a login, or has no ublue-os/fedora-toolbox: who is that"},
		"a ready-made token": {tokens(issue), "Bearer let-me-in", keys{RegistryToken: "let-me-in"}, ""},
	} {
		w := one(tt.host)
		push(t, withAuth{w, tt.auth}, toolbox, box)
		w.requests()
		asked = nil
		got := (&registry.Client{Transport: w, Keychain: tt.keys}).Resolve(t.Context(), []string{toolbox})[toolbox]
		if tt.error == "" && (got.Err != nil || got.Digest != digestOf(box)) || tt.error != "" && (got.Err == nil || got.Err.Error() != tt.error) {
			t.Errorf("%s: %+v, want %q", name, got, tt.error)
		}
		if e, ok := errors.AsType[*registry.Error](got.Err); tt.error != "" && (!ok || e.Kind != registry.Unauthorized || e.Status != 401) {
			t.Errorf("%s: %#v", name, got.Err)
		}
		if sent := w.requests(); countOf(sent, "GET https://ghcr.io/v2/u") > 0 || countOf(sent, "HEAD") > 1 {
			t.Errorf("%s: sent %v", name, sent)
		}
		if want := []string{"scope=repository%3Aublue-os%2Ffedora-toolbox%3Apull&service=ghcr.io"}; strings.HasPrefix(name, "token") && !slices.Equal(asked, want) {
			t.Errorf("%s: asked the token server for %v", name, asked)
		}
	}
}

func basic(s string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(s)) }

type noKeys struct{ err error }

func (k noKeys) Resolve(authn.Resource) (authn.Authenticator, error) { return nil, k.err }

func TestLoginThatCannotBeHad(t *testing.T) {
	t.Parallel()
	w := one(quiet())
	want := &registry.CredentialsError{Registry: "ghcr.io", Source: "/f", Err: context.DeadlineExceeded}
	got := (&registry.Client{Transport: w, Keychain: noKeys{want}}).Resolve(t.Context(), []string{toolbox})[toolbox]
	if e, ok := errors.AsType[*registry.CredentialsError](got.Err); !ok || e != want {
		t.Errorf("%+v", got)
	}
	if sent := w.requests(); len(sent) > 0 {
		t.Errorf("sent %v", sent)
	}
}
