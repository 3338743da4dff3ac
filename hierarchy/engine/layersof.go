package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	bkclient "github.com/moby/buildkit/client"
	"github.com/moby/buildkit/client/llb/sourceresolver"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/layers"
)

// Layers returns the layers of images, given by full name or ID, in the order
// given. The sizes are what the engine counts for the unpacked layers; they are
// not comparable between engines (docker counts the contents of files, podman
// the tar).
func (e *Engine) Layers(ctx context.Context, refs []string) ([]layers.Image, error) {
	ctx, cancel := e.ask(ctx)
	defer cancel()
	images := make([]layers.Image, len(refs))
	parts := make([]pieces, len(refs))
	eg, egCtx := errgroup.WithContext(ctx)
	eg.SetLimit(parallel)
	for i, ref := range refs {
		eg.Go(func() (err error) {
			parts[i], err = e.pieces(egCtx, ref)
			return err
		})
	}
	if err := eg.Wait(); err != nil {
		return nil, fmt.Errorf("asking %s for layers: %w", e.manager, inWords(ctx, err))
	}
	e.findEmpty(ctx, refs, parts)
	for i, ref := range refs {
		images[i] = layers.Image{Ref: ref, Layers: parts[i].pair(e.differs.historyFromTop)}
	}
	return images, nil
}

// pieces are what an engine tells of an image's layers: their IDs in one answer
// and sizes in another, which has more entries and does not say which of them
// are layers.
type pieces struct {
	diffIDs []string
	history []int64 // bytes of every entry, from the base up
	layer   []bool  // which entries are layers; nil: those that have bytes
	total   int64
}

func (e *Engine) pieces(ctx context.Context, ref string) (pieces, error) {
	in, err := e.api.ImageInspect(ctx, ref)
	if err != nil {
		return pieces{}, err
	}
	history, err := e.api.ImageHistory(ctx, in.ID)
	if err != nil {
		return pieces{}, err
	}
	p := pieces{diffIDs: in.RootFS.Layers, total: in.Size, history: make([]int64, len(history))}
	for i, h := range history { // the newest comes first
		p.history[len(history)-1-i] = h.Size
	}
	return p, nil
}

// exact reports whether the entries that have bytes are the layers. They are
// unless a layer is empty, as after RUN true: an entry that is not a layer has
// no bytes.
func (p pieces) exact() bool {
	n := 0
	for _, size := range p.history {
		if size > 0 {
			n++
		}
	}
	return n == len(p.diffIDs)
}

// pair gives every layer its bytes. When the history has fewer layers than the
// image, as in images that were not built by a Containerfile, the first layer
// without bytes gets what is missing from the image's total.
func (p pieces) pair(fromTop bool) []layers.Layer {
	sizes := p.sizes()
	known, missing := len(sizes), len(p.diffIDs)-len(sizes)
	rest := p.total
	for _, size := range sizes {
		rest -= size
	}
	unknown := make([]int64, missing)
	if missing > 0 && rest > 0 {
		unknown[0] = rest
	}
	if fromTop {
		sizes = append(unknown, sizes...)
	} else {
		sizes = append(sizes[:known:known], unknown...)
	}
	ls := make([]layers.Layer, len(p.diffIDs))
	for i, id := range p.diffIDs {
		ls[i] = layers.Layer{DiffID: id, Size: sizes[i]}
	}
	return ls
}

// sizes returns the bytes of the entries that are layers, not more of them than
// there are layers.
func (p pieces) sizes() []int64 {
	var sizes []int64
	for i, size := range p.history {
		if p.layer == nil && size > 0 || p.layer != nil && p.layer[i] {
			sizes = append(sizes, size)
		}
	}
	return sizes[:min(len(sizes), len(p.diffIDs))]
}

// findEmpty asks docker's BuildKit which entries are layers, where it matters:
// the config of an image, which tells, cannot be had from docker's API
// otherwise. It does not ask where images are in containerd's store: there
// every layer has bytes, and the question goes to a registry.
func (e *Engine) findEmpty(ctx context.Context, refs []string, ps []pieces) {
	var unsure []int
	for i, p := range ps {
		// BuildKit would look for an ID in a registry, as for a name.
		if !p.exact() && !strings.HasPrefix(refs[i], "sha256:") {
			unsure = append(unsure, i)
		}
	}
	if len(unsure) == 0 || !e.differs.buildKit {
		return
	}
	if info, err := e.Info(ctx); err != nil || info.Containerd {
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
