package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/distribution/reference"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/registry"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/internal/process"
)

// GoneError says that a registry no longer has what a digest stands for.
type GoneError struct {
	Ref    string // as it was asked for, without a digest
	Digest string // sha256:…
	Err    error  // in the engine's words
}

func (e *GoneError) Error() string {
	return fmt.Sprintf("the registry of %s no longer has %s: %v", e.Ref, e.Digest, e.Err)
}

func (e *GoneError) Unwrap() error { return e.Err }

// Pull fetches an image from its registry, with the credentials that the user
// has for it, also when an older one of the same name is there. With a digest it
// fetches what that stands for, and names it ref unless another image has that name,
// one that is newer or was not pulled.
// A digest, here or in ref, that the registry does not have is a *GoneError. What the
// engine tells meanwhile is emitted as lines; emit may be nil.
func (e *Engine) Pull(ctx context.Context, ref, digest string, emit func(hierarchy.Progress)) error {
	if emit == nil {
		emit = func(hierarchy.Progress) {}
	}
	pull := e.pullByProgram
	if e.differs.buildKit {
		pull = e.pullByAPI
	}
	what := ref
	if digest != "" {
		what = hierarchy.WithDigest(ref, digest)
	}
	if err := pull(ctx, what, emit); err != nil {
		err = inWords(ctx, err)
		if name, wanted, ok := strings.Cut(what, "@"); ok && isGone(err) {
			if digest != "" {
				name = ref
			}
			return &GoneError{Ref: name, Digest: wanted, Err: err}
		}
		return fmt.Errorf("pulling %s: %w", what, err)
	}
	if digest == "" {
		return nil
	}
	return e.name(ctx, hierarchy.FullRef(what), hierarchy.FullRef(ref))
}

// name gives an image that was pulled by its digest the name that a pull by tag
// gives. The name moves forward only, from an older image that was pulled from the
// same repository. Otherwise the image stays known by its digest, which is what is
// built from: the name is the user's. Podman keeps the
// digest as one more name, which would keep the image from being pruned when it is
// superseded. (Docker with containerd's store lists it, too, but takes all names away
// with it.)
func (e *Engine) name(ctx context.Context, pulled, full string) error {
	ctx, cancel := e.ask(ctx)
	defer cancel()
	held, found, err := e.Inspect(ctx, full)
	if err != nil {
		return err
	}
	if found {
		im, _, err := e.Inspect(ctx, pulled)
		older := held.Digest(full) != "" && held.Created < im.Created
		if err != nil || im.ID != held.ID && !older {
			e.log.DebugContext(ctx, "left the name to another image", "ref", full, "id", held.ID)
			return err
		}
	}
	if err := e.api.ImageTag(ctx, pulled, full); err != nil {
		return fmt.Errorf("tagging %s: %w", full, inWords(ctx, err))
	}
	if !e.differs.digestIsName {
		return nil
	}
	in, err := e.api.ImageInspect(ctx, full)
	if err != nil || !slices.Contains(in.RepoTags, pulled) {
		return nil // the image is there and has its name
	}
	_, err = e.api.ImageRemove(ctx, pulled, image.RemoveOptions{})
	e.log.DebugContext(ctx, "took the digest off the names of the image", "ref", full, "err", err)
	return nil
}

// isGone reports whether a registry has answered that it does not have a
// manifest. Neither engine has another sign of it than the registry's words:
// MANIFEST_UNKNOWN of the distribution specification, and what containerd makes
// of status 404.
func isGone(err error) bool {
	said := err.Error()
	return strings.Contains(said, "manifest unknown") || strings.HasSuffix(said, ": not found")
}

func (e *Engine) pullByAPI(ctx context.Context, ref string, emit func(hierarchy.Progress)) error {
	auth, err := e.credentials(ctx, ref)
	if err != nil {
		return err
	}
	body, err := e.api.ImagePull(ctx, ref, image.PullOptions{RegistryAuth: auth})
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()
	return pullMessages(body, emit)
}

// credentials returns what docker's API takes as X-Registry-Auth; "" for a
// registry that the user has not logged in to.
func (e *Engine) credentials(ctx context.Context, ref string) (string, error) {
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return "", err
	}
	repo, err := name.NewRepository(named.Name())
	if err != nil {
		return "", err
	}
	keys := e.opts.Keychain
	if keys == nil {
		keys = authn.DefaultKeychain
	}
	a, err := authn.Resolve(ctx, keys, repo)
	if err != nil {
		return "", fmt.Errorf("credentials for %s: %w", reference.Domain(named), err)
	}
	c, err := authn.Authorization(ctx, a)
	if err != nil {
		return "", fmt.Errorf("credentials for %s: %w", reference.Domain(named), err)
	}
	if *c == (authn.AuthConfig{}) {
		return "", nil
	}
	address := repo.RegistryStr()
	if address == name.DefaultRegistry {
		address = authn.DefaultAuthKey // docker's name for Docker Hub: the address of its first API
	}
	return registry.EncodeAuthConfig(registry.AuthConfig{
		Username: c.Username, Password: c.Password, Auth: c.Auth,
		IdentityToken: c.IdentityToken, RegistryToken: c.RegistryToken, ServerAddress: address,
	})
}

// pullMessages reads the stream of messages of a pull. An error after the
// first byte is a message too.
func pullMessages(body io.Reader, emit func(hierarchy.Progress)) error {
	for dec := json.NewDecoder(body); ; {
		var m struct {
			ID, Status  string
			Progress    string `json:"progress"`
			ErrorDetail *struct{ Message string }
			Error       string
		}
		err := dec.Decode(&m)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("reading the engine's answer: %w", err)
		case m.ErrorDetail != nil:
			return errors.New(m.ErrorDetail.Message)
		case m.Error != "":
			return errors.New(m.Error)
		case m.Status == "" || m.Progress != "": // a bar that moves, many times a second
		case m.ID != "":
			emit(hierarchy.Progress{Log: m.ID + ": " + m.Status})
		default:
			emit(hierarchy.Progress{Log: m.Status})
		}
	}
}

// pullByProgram leaves short names and credentials to podman's own rules.
func (e *Engine) pullByProgram(ctx context.Context, ref string, emit func(hierarchy.Progress)) error {
	var mu sync.Mutex
	tell := func(line string) {
		mu.Lock()
		defer mu.Unlock()
		if line != "" {
			emit(hierarchy.Progress{Log: line})
		}
	}
	out, errs := process.NewLines(tell), process.NewLines(tell)
	err := e.opts.Runner.Run(ctx, process.Cmd{Name: "podman", Args: []string{"pull", ref}, Env: []string{"LC_ALL=C"}, Stdout: out, Stderr: errs})
	out.Flush()
	errs.Flush()
	return err
}
