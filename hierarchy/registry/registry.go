// Package registry looks up the digests of tags in registries, and whether an engine's
// store is up to date.
//
// A lookup costs one HEAD request per image, after a handshake per repository (GET /v2/
// and a token). Manifests are fetched only if the digest has changed, because the image
// for this platform may be the same. Layers are never fetched.
//
// Plain HTTP is used only for this machine (127.0.0.0/8, ::1, localhost), if HTTPS
// fails. Proxies are those of [http.ProxyFromEnvironment].
package registry

import (
	"context"
	"maps"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"golang.org/x/sync/errgroup"
)

const (
	// parallel is the number of concurrent lookups.
	parallel = 8
	// defaultTimeout is ample for a registry that works, and bearable if one does not.
	defaultTimeout = 10 * time.Second
)

// Client looks up references. It is safe for concurrent use.
type Client struct {
	Keychain  authn.Keychain    // the user's logins; nil: none
	Version   string            // of ocisi, for the User-Agent
	Timeout   time.Duration     // of all requests for one reference; 0: 10 s
	Arch      string            // of the platform linux/ARCH, a GOARCH; "": runtime.GOARCH
	Transport http.RoundTripper // nil: http.DefaultTransport
}

// Local is the image that a store has for a reference.
type Local struct {
	Ref     string
	Digests []string // repo digests, with or without the repository
	ID      string   // digest of its config or its manifest; "": no image
}

// holds reports whether a digest is that of the image.
func (h Local) holds(digest string) bool {
	return digest != "" && (h.ID == digest || slices.ContainsFunc(h.Digests, func(d string) bool {
		return d[strings.LastIndexByte(d, '@')+1:] == digest
	}))
}

// Resolution is the result of a lookup.
type Resolution struct {
	Ref    string // as in the request
	Digest string // current digest of the index or manifest; "" after an error

	// Same reports whether a pull would not change the image in the store. For an
	// index, the image for this platform is compared. It is unknown after an error.
	Same bool

	Platform string // digest of the manifest for this platform, if Digest is an index and it was fetched
	Config   string // digest of the config of that manifest, if it was fetched

	// Err is an [*Error], a [*CredentialsError], [ErrLocal] or the cause of the context.
	Err error
}

// Resolve looks up the digests of references concurrently, and references that are
// equal after normalization once. A reference with a digest needs no request.
func (c *Client) Resolve(ctx context.Context, refs []string) map[string]Resolution {
	images := make([]Local, len(refs))
	for i, ref := range refs {
		images[i].Ref = ref
	}
	out := map[string]Resolution{}
	for _, a := range c.CheckUpdates(ctx, images) {
		out[a.Ref] = a
	}
	return out
}

// CheckUpdates looks up references like [Client.Resolve], and compares the results
// with the images in stores. The results have the order of images. Two images may have
// the same reference, which is looked up once.
func (c *Client) CheckUpdates(ctx context.Context, images []Local) []Resolution {
	results := make([]Resolution, len(images))
	indices := map[target][]int{}
	for i, h := range images {
		results[i].Ref = h.Ref
		t, err := parse(h.Ref)
		switch {
		case err != nil:
			results[i].Err = err
		case t.digest != "":
			results[i].Digest, results[i].Same = t.digest, h.holds(t.digest)
		default:
			indices[t] = append(indices[t], i)
		}
	}
	clients := c.repoClients(slices.Collect(maps.Keys(indices)))
	var eg errgroup.Group
	eg.SetLimit(parallel)
	for t, which := range indices {
		eg.Go(func() error {
			q := &lookup{client: clients[t.repo], target: t, arch: c.arch()}
			c.run(ctx, q, func(ctx context.Context) error {
				if err := q.head(ctx); err != nil {
					return err
				}
				return q.compare(ctx, images, which)
			})
			for _, i := range which {
				results[i] = q.result(images[i])
			}
			return nil
		})
	}
	_ = eg.Wait() // errors are part of the results
	return results
}

// run runs a lookup within the timeout of the client.
func (c *Client) run(ctx context.Context, q *lookup, do func(context.Context) error) {
	limited, cancel := context.WithTimeoutCause(ctx, c.timeout(), &timeoutError{c.timeout()})
	defer cancel()
	if err := do(limited); err != nil {
		q.err = err
		if ctx.Err() != nil {
			q.err = context.Cause(ctx) // the caller has cancelled the lookup
		}
	}
}

func (c *Client) timeout() time.Duration {
	if c.Timeout > 0 {
		return c.Timeout
	}
	return defaultTimeout
}

func (c *Client) arch() string {
	if c.Arch != "" {
		return c.Arch
	}
	return runtime.GOARCH
}

// repoClients returns a client for each repository.
func (c *Client) repoClients(targets []target) map[string]*repoClient {
	clients := map[string]*repoClient{}
	for _, t := range targets {
		if clients[t.repo] == nil {
			clients[t.repo] = newRepoClient(t, c.Keychain, &retryTransport{base: c.Transport, agent: "ocisi/" + c.Version})
		}
	}
	return clients
}
