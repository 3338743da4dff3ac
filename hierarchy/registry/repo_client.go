package registry

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// maxManifest is the size in bytes that every registry must accept for a manifest
// (distribution-spec, "Pushing Manifests").
const maxManifest = 4 << 20

var (
	errNoManifest = errors.New("neither an index nor an image manifest")
	errTooLarge   = errors.New("manifest larger than 4 MiB")
	errDigest     = errors.New("the content does not match its digest")
)

// repoClient sends requests to one repository. The first request also performs the
// authentication handshake, once for all.
type repoClient struct {
	target    target
	keychain  authn.Keychain
	transport *retryTransport

	turn   chan struct{} // a mutex for open that respects the context
	opened bool
	repo   name.Repository
	client *http.Client
	login  *login // nil: none
	err    error
}

func newRepoClient(t target, k authn.Keychain, c *retryTransport) *repoClient {
	return &repoClient{target: target{repo: t.repo}, keychain: k, transport: c, turn: make(chan struct{}, 1)}
}

// open performs the handshake, or returns the error of a previous one.
func (rc *repoClient) open(ctx context.Context) error {
	select {
	case rc.turn <- struct{}{}:
		defer func() { <-rc.turn }()
	case <-ctx.Done():
		return rc.explain(ctx, rc.target, ctx.Err())
	}
	if rc.opened {
		return rc.err
	}
	rc.opened = true
	if err := rc.handshake(ctx); err != nil {
		rc.err = rc.explain(ctx, rc.target, err)
		if e, ok := errors.AsType[*Error](rc.err); ok && e.Kind == NotFound {
			e.Kind, e.Words = Broken, cmp.Or(e.Words, "404 Not Found") // not a registry, or its token server does not exist
		}
	}
	return rc.err
}

func (rc *repoClient) handshake(ctx context.Context) error {
	var err error
	if rc.repo, err = rc.target.repository(); err != nil {
		return err
	}
	auth := authn.Anonymous
	if rc.keychain != nil {
		if auth, err = authn.Resolve(ctx, rc.keychain, rc.repo); err != nil {
			return err
		}
	}
	rc.login, _ = auth.(*login)
	if rc.login == nil && auth != authn.Anonymous {
		rc.login = &login{source: "the user"}
	}
	t, err := transport.NewWithContext(ctx, rc.repo.Registry, auth, rc.transport, []string{rc.repo.Scope(transport.PullScope)})
	rc.client = &http.Client{Transport: t}
	return err
}

// manifest is an index or an image manifest, possibly without its content.
type manifest struct {
	digest string
	kind   types.MediaType
	body   []byte // nil until fetched
}

// document contains the used fields of an index or an image manifest.
type document struct {
	Manifests []v1.Descriptor
	Config    *v1.Descriptor
	Layers    []v1.Descriptor
}

func (m manifest) decode() (document, error) {
	var doc document
	if err := json.Unmarshal(m.body, &doc); err != nil {
		return document{}, err
	}
	if doc.Config == nil && doc.Manifests == nil {
		return document{}, errNoManifest
	}
	return doc, nil
}

func (rc *repoClient) request(ctx context.Context, method, identifier string) (*http.Response, error) {
	u := url.URL{Scheme: "https", Host: rc.repo.RegistryStr(), Path: "/v2/" + rc.repo.RepositoryStr() + "/manifests/" + identifier}
	req, err := http.NewRequestWithContext(ctx, method, u.String(), http.NoBody)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", strings.Join([]string{
		string(types.OCIImageIndex), string(types.DockerManifestList), string(types.OCIManifestSchema1), string(types.DockerManifestSchema2),
	}, ","))
	return rc.client.Do(req)
}

// head requests the digest of a tag. It returns a manifest without a digest if the
// registry does not send one.
func (rc *repoClient) head(ctx context.Context, t target) (manifest, error) {
	if err := rc.open(ctx); err != nil {
		return manifest{}, err
	}
	resp, err := rc.request(ctx, http.MethodHead, t.tag)
	if err != nil {
		return manifest{}, rc.explain(ctx, t, err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode == http.StatusMethodNotAllowed {
		return manifest{}, nil
	}
	if err := transport.CheckError(resp, http.StatusOK); err != nil {
		return manifest{}, rc.explain(ctx, t, err)
	}
	digest, err := v1.NewHash(resp.Header.Get("Docker-Content-Digest"))
	if err != nil {
		return manifest{}, nil // the caller sends a GET
	}
	return manifest{digest: digest.String(), kind: types.MediaType(resp.Header.Get("Content-Type"))}, nil
}

// get fetches a manifest by tag or digest.
func (rc *repoClient) get(ctx context.Context, t target, identifier string) (manifest, error) {
	resp, err := rc.request(ctx, http.MethodGet, identifier)
	if err != nil {
		return manifest{}, rc.explain(ctx, t, err)
	}
	defer func() { _ = resp.Body.Close() }()
	if err := transport.CheckError(resp, http.StatusOK); err != nil {
		return manifest{}, rc.explain(ctx, t, err)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxManifest+1))
	if err == nil && len(body) > maxManifest {
		err = errTooLarge
	}
	if err != nil {
		return manifest{}, rc.explain(ctx, t, err)
	}
	m := manifest{digest: fmt.Sprintf("sha256:%x", sha256.Sum256(body)), kind: types.MediaType(resp.Header.Get("Content-Type")), body: body}
	if strings.HasPrefix(identifier, "sha256:") && identifier != m.digest {
		return manifest{}, rc.broken(t, errDigest)
	}
	if _, err := m.decode(); err != nil {
		return manifest{}, rc.broken(t, err)
	}
	return m, nil
}
