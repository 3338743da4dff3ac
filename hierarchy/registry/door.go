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

// maxManifest is the size up to which every registry takes manifests
// (distribution-spec, "Pushing Manifests"), in bytes.
const maxManifest = 4 << 20

var (
	errNoManifest = errors.New("neither an index nor an image manifest")
	errTooLarge   = errors.New("a manifest of more than 4 MiB")
	errTruncated  = errors.New("cut short, or changed on its way: another digest than it is asked for by")
)

// door is the way into one repository: what the registry wants to know first is
// answered once, by whoever comes first.
type door struct {
	target   target
	keychain authn.Keychain
	courier  *courier

	turn   chan struct{} // holds whoever is at the door
	opened bool
	repo   name.Repository
	client *http.Client
	login  *login // nil: none
	err    error
}

func newDoor(t target, k authn.Keychain, c *courier) *door {
	return &door{target: target{repo: t.repo}, keychain: k, courier: c, turn: make(chan struct{}, 1)}
}

// open lets in, or returns why nobody gets in.
func (d *door) open(ctx context.Context) error {
	select {
	case d.turn <- struct{}{}:
		defer func() { <-d.turn }()
	case <-ctx.Done():
		return d.explain(ctx, d.target, ctx.Err())
	}
	if d.opened {
		return d.err
	}
	d.opened = true
	if err := d.handshake(ctx); err != nil {
		d.err = d.explain(ctx, d.target, err)
		if e, ok := errors.AsType[*Error](d.err); ok && e.Kind == NotFound {
			e.Kind, e.Words = Broken, cmp.Or(e.Words, "404 Not Found") // no registry at all, or its token server is gone
		}
	}
	return d.err
}

func (d *door) handshake(ctx context.Context) error {
	var err error
	if d.repo, err = d.target.repository(); err != nil {
		return err
	}
	auth := authn.Anonymous
	if d.keychain != nil {
		if auth, err = authn.Resolve(ctx, d.keychain, d.repo); err != nil {
			return err
		}
	}
	d.login, _ = auth.(*login)
	if d.login == nil && auth != authn.Anonymous {
		d.login = &login{source: "the user"}
	}
	t, err := transport.NewWithContext(ctx, d.repo.Registry, auth, d.courier, []string{d.repo.Scope(transport.PullScope)})
	d.client = &http.Client{Transport: t}
	return err
}

// manifest is an index or a manifest, or what is known of it.
type manifest struct {
	digest string
	kind   types.MediaType
	body   []byte // nil until fetched
}

// document is what counts of an index or a manifest.
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

func (d *door) request(ctx context.Context, method, identifier string) (*http.Response, error) {
	u := url.URL{Scheme: "https", Host: d.repo.RegistryStr(), Path: "/v2/" + d.repo.RepositoryStr() + "/manifests/" + identifier}
	req, err := http.NewRequestWithContext(ctx, method, u.String(), http.NoBody)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", strings.Join([]string{
		string(types.OCIImageIndex), string(types.DockerManifestList), string(types.OCIManifestSchema1), string(types.DockerManifestSchema2),
	}, ","))
	return d.client.Do(req)
}

// head asks for the digest of a tag. It returns one without a digest when the
// registry answers without one.
func (d *door) head(ctx context.Context, t target) (manifest, error) {
	if err := d.open(ctx); err != nil {
		return manifest{}, err
	}
	resp, err := d.request(ctx, http.MethodHead, t.tag)
	if err != nil {
		return manifest{}, d.explain(ctx, t, err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode == http.StatusMethodNotAllowed {
		return manifest{}, nil
	}
	if err := transport.CheckError(resp, http.StatusOK); err != nil {
		return manifest{}, d.explain(ctx, t, err)
	}
	digest, err := v1.NewHash(resp.Header.Get("Docker-Content-Digest"))
	if err != nil {
		return manifest{}, nil // the caller asks in another way
	}
	return manifest{digest: digest.String(), kind: types.MediaType(resp.Header.Get("Content-Type"))}, nil
}

// get fetches a manifest by its tag or its digest.
func (d *door) get(ctx context.Context, t target, identifier string) (manifest, error) {
	resp, err := d.request(ctx, http.MethodGet, identifier)
	if err != nil {
		return manifest{}, d.explain(ctx, t, err)
	}
	defer func() { _ = resp.Body.Close() }()
	if err := transport.CheckError(resp, http.StatusOK); err != nil {
		return manifest{}, d.explain(ctx, t, err)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxManifest+1))
	if err == nil && len(body) > maxManifest {
		err = errTooLarge
	}
	if err != nil {
		return manifest{}, d.explain(ctx, t, err)
	}
	m := manifest{digest: fmt.Sprintf("sha256:%x", sha256.Sum256(body)), kind: types.MediaType(resp.Header.Get("Content-Type")), body: body}
	if strings.HasPrefix(identifier, "sha256:") && identifier != m.digest {
		return manifest{}, d.broken(t, errTruncated)
	}
	if _, err := m.decode(); err != nil {
		return manifest{}, d.broken(t, err)
	}
	return m, nil
}
