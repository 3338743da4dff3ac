package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/containerd/errdefs"
	bkclient "github.com/moby/buildkit/client"
	"github.com/moby/buildkit/client/llb/sourceresolver"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/layers"
)

// Layers returns the layers of images, given by full name or ID, in the order
// given. One that the store does not list is Unlisted and has none: docker keeps
// the container of an image that was removed by force. Sizes are bytes, but not of the same kind everywhere
// (docs/decisions/0022): docker counts what is in files, and in containerd's
// store what they take on disk; of podman's store it is what a layer takes on
// disk, in whole blocks, where its files can be read, and else the size of the
// tar. A size that nobody tells of that very layer is marked as estimated.
func (e *Engine) Layers(ctx context.Context, refs []string) ([]layers.Image, error) {
	ctx, cancel := e.ask(ctx)
	defer cancel()
	images := make([]layers.Image, len(refs))
	parts := make([]pieces, len(refs))
	e.fromStore(ctx, refs, parts)
	eg, egCtx := errgroup.WithContext(ctx)
	eg.SetLimit(parallel)
	for i, ref := range refs {
		if parts[i].taken != nil {
			continue
		}
		eg.Go(func() (err error) {
			parts[i], err = e.pieces(egCtx, ref)
			if errdefs.IsNotFound(err) {
				images[i].Unlisted = true
				return nil
			}
			return err
		})
	}
	if err := eg.Wait(); err != nil {
		return nil, fmt.Errorf("asking %s for layers: %w", e.manager, inWords(ctx, err))
	}
	e.findEmpty(ctx, refs, parts)
	e.weigh(ctx, parts)
	for i, ref := range refs {
		images[i].Ref, images[i].Layers = ref, parts[i].pair(e.differs.historyFromTop)
	}
	e.addAllBlobs(ctx, parts, images)
	return images, nil
}

// addAllBlobs adds what containerd's store has besides unpacked layers.
func (e *Engine) addAllBlobs(ctx context.Context, parts []pieces, images []layers.Image) {
	var eg errgroup.Group
	eg.SetLimit(parallel)
	for i, p := range parts {
		if p.packedID != "" {
			eg.Go(func() error {
				e.addBlobs(ctx, p.packedID, p.total, images[i].Layers)
				return nil
			})
		}
	}
	_ = eg.Wait()
}

func (e *Engine) pieces(ctx context.Context, ref string) (pieces, error) {
	in, err := e.api.ImageInspect(ctx, ref)
	if err != nil {
		return pieces{}, err
	}
	history, err := e.api.ImageHistory(ctx, in.ID)
	if e.differs.ownStore && errdefs.IsInternal(err) && strings.Contains(err.Error(), "nil pointer") {
		// Podman (seen with 5.8) stumbles over a history that does not say when, as
		// of what nix and bazel make. What its store says is enough.
		e.log.DebugContext(ctx, "asking for a history", "ref", ref, "err", err)
	} else if err != nil {
		return pieces{}, err
	}
	p := pieces{diffIDs: in.RootFS.Layers, total: in.Size, history: make([]entry, len(history))}
	for i, h := range history { // the newest comes first
		p.history[len(history)-1-i] = entry{h.Size, createdBy(h.CreatedBy)}
	}
	if e.differs.ownStore {
		p.folders = layerFolders(in.GraphDriver.Data, len(p.diffIDs))
		return p, nil
	}
	containerd, err := e.usesContainerd(ctx)
	if p.summed = !containerd; containerd {
		p.packedID = in.ID
	}
	return p, err
}

// findEmpty asks docker's BuildKit which entries are layers, where it matters:
// the config of an image, which tells, cannot be had from docker's API
// otherwise. It does not ask where images are in containerd's store: there
// every layer has bytes, and the question goes to a registry.
func (e *Engine) findEmpty(ctx context.Context, refs []string, ps []pieces) {
	var unsure []int
	for i, p := range ps {
		// BuildKit would look for an ID in a registry, as for a name.
		if !p.sized() && !strings.HasPrefix(refs[i], "sha256:") {
			unsure = append(unsure, i)
		}
	}
	if len(unsure) == 0 || !e.differs.buildKit {
		return
	}
	if containerd, err := e.usesContainerd(ctx); err != nil || containerd {
		return
	}
	err := e.withGateway(ctx, func(ctx context.Context, c gateway.Client) error {
		eg, ctx := errgroup.WithContext(ctx)
		eg.SetLimit(parallel)
		for _, i := range unsure {
			eg.Go(func() error {
				ps[i].layer = entries(ctx, c, refs[i], len(ps[i].history))
				return nil
			})
		}
		return eg.Wait()
	})
	if err != nil {
		e.log.DebugContext(ctx, "asking BuildKit for image configs", "err", err)
	}
}

// withGateway runs f inside a build that builds nothing.
func (e *Engine) withGateway(ctx context.Context, f func(context.Context, gateway.Client) error) error {
	bk, err := e.buildKit(ctx)
	if err != nil {
		return err
	}
	_, err = bk.Build(ctx, bkclient.SolveOpt{Internal: true}, "ocisi", func(ctx context.Context, c gateway.Client) (*gateway.Result, error) {
		return gateway.NewResult(), f(ctx, c)
	}, nil)
	return err
}

// entries returns which entries of an image's history are layers; nil when that
// cannot be told.
func entries(ctx context.Context, c gateway.Client, ref string, n int) []bool {
	_, _, config, err := c.ResolveImageConfig(ctx, hierarchy.FullRef(ref), sourceresolver.Opt{
		ImageOpt: &sourceresolver.ResolveImageOpt{ResolveMode: "local"},
	})
	var im ocispec.Image
	if err != nil || json.Unmarshal(config, &im) != nil || len(im.History) != n {
		return nil
	}
	layer := make([]bool, n)
	for i, h := range im.History {
		layer[i] = !h.EmptyLayer
	}
	return layer
}
