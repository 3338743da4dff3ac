package enginetest

import (
	"encoding/json"

	content "github.com/containerd/containerd/api/services/content/v1"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"
)

// contents is containerd's content store, as BuildKit serves it. It has a manifest
// for each image, under the image's ID.
type contents struct {
	content.UnimplementedContentServer

	store *store
}

// Read implements content.ContentServer.
func (c contents) Read(r *content.ReadContentRequest, out content.Content_ReadServer) error {
	data, ok := c.manifest(r.Digest)
	if !ok {
		return grpcstatus.Error(codes.NotFound, "content "+r.Digest+": not found")
	}
	half := len(data) / 2
	for _, part := range [][]byte{data[:half], data[half:]} {
		if err := out.Send(&content.ReadContentResponse{Data: part}); err != nil {
			return err
		}
	}
	return nil
}

func (c contents) manifest(id string) ([]byte, bool) {
	c.store.mu.Lock()
	defer c.store.mu.Unlock()
	for _, im := range c.store.state.Images {
		if im.ID != id {
			continue
		}
		m := ocispec.Manifest{MediaType: ocispec.MediaTypeImageManifest, Layers: []ocispec.Descriptor{}}
		for _, l := range im.Layers {
			m.Layers = append(m.Layers, ocispec.Descriptor{
				MediaType: ocispec.MediaTypeImageLayerGzip, Digest: digest.Digest(hash("blob", l.DiffID)), Size: l.Packed,
			})
		}
		data, _ := json.Marshal(m) // plain values: cannot fail
		return data, true
	}
	return nil, false
}
