// Package registry asks registries what a tag stands for, and tells whether
// that is what a store holds already.
//
// A question costs one HEAD for each image, besides what the registry wants to
// know first (a GET of /v2/ and one of a token for each repository). Only where
// the answer is new are manifests fetched, to see whether it is new for this
// machine's platform too. Layers never are.
//
// Plain http is spoken with this machine alone, 127.0.0.0/8, ::1 and localhost,
// and there only when nothing answers https. Proxies are those of the usual
// variables (net/http.ProxyFromEnvironment).
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
	// parallel is how many registries or repositories are asked at the same time.
	parallel = 8
	// defaultTimeout is long for a registry that works, and about as long as people
	// wait for one that does not.
	defaultTimeout = 10 * time.Second
)

// Client asks registries. Its methods may be called from several goroutines.
type Client struct {
	Keychain  authn.Keychain    // the user's logins; nil: none
	Version   string            // of ocisi, for the User-Agent
	Timeout   time.Duration     // for all that is asked about one reference; 0: 10 s
	Arch      string            // of the platform linux/ARCH, as Go names it; "" is this program's
	Transport http.RoundTripper // nil: http.DefaultTransport
}

// Have is what a store holds under a reference.
type Have struct {
	Ref     string
	Digests []string // under which it was pulled, with or without a name and @ before them
	ID      string   // of the image: the digest of its config, or of its manifest; "" when there is no image
}

// holds reports whether a digest is one of what the store holds.
func (h Have) holds(digest string) bool {
	return digest != "" && (h.ID == digest || slices.ContainsFunc(h.Digests, func(d string) bool {
		return d[strings.LastIndexByte(d, '@')+1:] == digest
	}))
}

// Answer is what a registry says of a reference.
type Answer struct {
	Ref    string // as it was given
	Digest string // what the reference stands for now: an index's or a manifest's; "" when Err says why

	// Same says that a pull would bring what the store holds; of an index, this
	// platform's part counts. It is not known when Err is set.
	Same bool

	Platform string // digest of this platform's manifest when Digest is an index's; "" unless it had to be asked for
	Config   string // digest of that manifest's config; "" unless it had to be asked for

	// Err is an *Error, a *CredentialsError, ErrLocal, or what ended the context.
	Err error
}

// Heads asks what references stand for, each once, however it is written, and
// all at the same time. One with a digest is answered without asking.
func (c *Client) Heads(ctx context.Context, refs []string) map[string]Answer {
	have := make([]Have, len(refs))
	for i, ref := range refs {
		have[i].Ref = ref
	}
	out := map[string]Answer{}
	for _, a := range c.Moved(ctx, have) {
		out[a.Ref] = a
	}
	return out
}

// Moved asks as Heads does, and whether the answers are what stores hold. The
// answers are in the order of have; two stores may hold the same reference,
// which is asked once.
func (c *Client) Moved(ctx context.Context, have []Have) []Answer {
	answers := make([]Answer, len(have))
	asked := map[target][]int{}
	for i, h := range have {
		answers[i].Ref = h.Ref
		t, err := parse(h.Ref)
		switch {
		case err != nil:
			answers[i].Err = err
		case t.digest != "":
			answers[i].Digest, answers[i].Same = t.digest, h.holds(t.digest)
		default:
			asked[t] = append(asked[t], i)
		}
	}
	doors := c.doors(slices.Collect(maps.Keys(asked)))
	var eg errgroup.Group
	eg.SetLimit(parallel)
	for t, which := range asked {
		eg.Go(func() error {
			q := &question{door: doors[t.repo], target: t, arch: c.arch()}
			c.ask(ctx, q, func(ctx context.Context) error {
				if err := q.head(ctx); err != nil {
					return err
				}
				return q.compare(ctx, have, which)
			})
			for _, i := range which {
				answers[i] = q.answer(have[i])
			}
			return nil
		})
	}
	_ = eg.Wait() // no answer fails another
	return answers
}

// ask puts a question within the client's time.
func (c *Client) ask(ctx context.Context, q *question, put func(context.Context) error) {
	limited, cancel := context.WithTimeoutCause(ctx, c.timeout(), &noAnswerError{c.timeout()})
	defer cancel()
	if err := put(limited); err != nil {
		q.err = err
		if ctx.Err() != nil {
			q.err = context.Cause(ctx) // nobody waits for the answer
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

// doors returns a door for each repository.
func (c *Client) doors(targets []target) map[string]*door {
	doors := map[string]*door{}
	for _, t := range targets {
		if doors[t.repo] == nil {
			doors[t.repo] = newDoor(t, c.Keychain, &courier{base: c.Transport, agent: "ocisi/" + c.Version})
		}
	}
	return doors
}
