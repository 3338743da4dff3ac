package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	contentapi "github.com/containerd/containerd/api/services/content/v1"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/klmcwhirter/ocisi/hierarchy/layers"
)

// maxManifest bounds what is read as a manifest, an index or a config. Registries
// refuse manifests above 4 MiB.
const maxManifest = 8 << 20

// blobs returns the compressed layers of an image in docker's containerd store, from
// the base up, in bytes on disk. Docker's API has no manifests, but BuildKit serves
// the content store to whoever may build.
func (e *Engine) blobs(ctx context.Context, imageID string, diffIDs []string) ([]layers.Blob, error) {
	kit, err := e.buildKit(ctx)
	if err != nil {
		return nil, err
	}
	content := contentReader{kit.ContentClient()}
	m, err := content.manifest(e.quiet(ctx), imageID, diffIDs)
	if err != nil {
		return nil, fmt.Errorf("reading the manifest of %s: %w", imageID, err)
	}
	all := make([]layers.Blob, len(m.Layers))
	for i, l := range m.Layers {
		all[i] = layers.Blob{Digest: l.Digest.String(), Size: blocks(l.Size)}
	}
	return all, nil
}

// contentReader reads small files of a content store.
type contentReader struct{ client contentapi.ContentClient }

// manifest returns the manifest of the image of these layers that id names. An ID is
// the digest of a manifest, or of an index, of which the store may lack platforms.
func (r contentReader) manifest(ctx context.Context, id string, diffIDs []string) (ocispec.Manifest, error) {
	var m struct {
		ocispec.Manifest
		Manifests []ocispec.Descriptor
	}
	if err := r.decode(ctx, id, &m); err != nil {
		return ocispec.Manifest{}, err
	}
	if m.Manifests == nil {
		if len(m.Layers) != len(diffIDs) {
			return ocispec.Manifest{}, errors.New("the manifest has other layers")
		}
		return m.Manifest, nil
	}
	for _, d := range m.Manifests {
		var one ocispec.Manifest
		var config ocispec.Image
		if r.decode(ctx, d.Digest.String(), &one) != nil || r.decode(ctx, one.Config.Digest.String(), &config) != nil {
			continue // another platform
		}
		same := slices.EqualFunc(config.RootFS.DiffIDs, diffIDs, func(a digest.Digest, b string) bool { return a.String() == b })
		if same && len(one.Layers) == len(diffIDs) {
			return one, nil
		}
	}
	return ocispec.Manifest{}, errors.New("the index has no manifest of these layers")
}

func (r contentReader) decode(ctx context.Context, digest string, into any) error {
	stream, err := r.client.Read(ctx, &contentapi.ReadContentRequest{Digest: digest})
	if err != nil {
		return err
	}
	var data []byte
	for {
		part, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return json.Unmarshal(data, into)
		}
		if err != nil {
			return err
		}
		if data = append(data, part.Data...); len(data) > maxManifest {
			return fmt.Errorf("%s is too large", digest)
		}
	}
}

// addBlobs sets the blobs of layers. Where the content store cannot be read, the
// image's total, which is that of its blobs, is divided by the sizes of layers.
func (e *Engine) addBlobs(ctx context.Context, imageID string, total int64, ls []layers.Layer) {
	ids := make([]string, len(ls))
	var sum int64
	for i, l := range ls {
		ids[i] = l.DiffID
		sum += l.Size
	}
	all, err := e.blobs(ctx, imageID, ids)
	if err == nil {
		for i := range ls {
			ls[i].Blob = all[i]
		}
		return
	}
	e.log.DebugContext(ctx, "reading the content store", "image", imageID, "err", err)
	for i := range ls {
		ls[i].Estimated = true
		if sum > 0 {
			ls[i].Blob = layers.Blob{Digest: "unknown blob of " + ls[i].DiffID, Size: int64(float64(total) * float64(ls[i].Size) / float64(sum))}
		}
	}
}
