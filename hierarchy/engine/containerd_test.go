package engine_test

import (
	"slices"
	"testing"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/engine"
	"github.com/klmcwhirter/ocisi/hierarchy/engine/enginetest"
	"github.com/klmcwhirter/ocisi/hierarchy/layers"
)

func TestInfoStore(t *testing.T) {
	for store, state := range map[string]enginetest.State{engine.ContainerdStore: {Containerd: true}, "overlay2": {}} {
		info, err := start(t, hierarchy.Docker, state).Info(t.Context())
		if err != nil || info.Store != store {
			t.Errorf("store %q, %v; want %q", info.Store, err, store)
		}
	}
}

// unpacked returns the layers of an image without blobs.
func unpacked(im layers.Image) []layers.Layer {
	all := slices.Clone(im.Layers)
	for i := range all {
		all[i].Blob = layers.Blob{}
	}
	return all
}

func withBlobs() enginetest.State {
	return enginetest.State{Containerd: true, Images: []enginetest.Image{
		{Refs: []string{"localhost/low:1"}, Layers: []enginetest.Layer{{DiffID: "sha256:aa", Size: 40960, Packed: 5000}}},
		{Refs: []string{"localhost/high:1"}, Layers: []enginetest.Layer{{DiffID: "sha256:aa", Size: 40960, Packed: 5000}, {DiffID: "sha256:bb", Size: 8192, Packed: 1000}}},
		// The same content on top of something else: another snapshot, the same blob.
		{Refs: []string{"localhost/other:1"}, Layers: []enginetest.Layer{{DiffID: "sha256:cc", Size: 4096, Packed: 10}, {DiffID: "sha256:bb", Size: 8192, Packed: 1000}}},
	}}
}

func TestLayersWithBlobs(t *testing.T) {
	s := start(t, hierarchy.Docker, withBlobs())
	images, err := s.Layers(t.Context(), []string{s.full("low:1"), s.full("high:1"), s.full("other:1")})
	s.ok(err)
	r := layers.Analyze(images)
	// Blobs take whole blocks of 4096 bytes.
	const snapshots, blobs = 40960 + 8192 + 4096 + 8192, 8192 + 4096 + 4096
	if r.Estimated || r.Stored != snapshots+blobs || r.Packed != blobs {
		t.Errorf("%d stored, %d of it packed, estimated %v; want %d, %d", r.Stored, r.Packed, r.Estimated, snapshots+blobs, blobs)
	}
	freed, err := s.Freed(t.Context(), []string{s.full("high:1")})
	if err != nil || freed.Total != 8192 || freed.Own[s.full("high:1")] != 8192 || len(freed.Estimated) > 0 {
		t.Errorf("a blob that another image has is freed: %+v, %v", freed, err)
	}
	freed, err = s.Freed(t.Context(), []string{s.full("high:1"), s.full("other:1")})
	if want := int64(8192 + 4096 + 8192 + 4096 + 4096); err != nil || freed.Total != want {
		t.Errorf("%d bytes are freed, want %d; %v", freed.Total, want, err)
	}
}

// Older versions of docker do not serve the content store.
func TestLayersWithoutContentStore(t *testing.T) {
	state := withBlobs()
	state.Containerd = false
	s := start(t, hierarchy.Docker, state)
	s.server.Edit("docker", func(state *enginetest.State) { state.Containerd = true })
	images, err := s.Layers(t.Context(), []string{s.full("high:1")})
	s.ok(err)
	if r := layers.Analyze(images); !r.Estimated || r.Packed != 6000 || r.Stored != 40960+8192+6000 {
		t.Errorf("%+v", r)
	}
	freed, err := s.Freed(t.Context(), []string{s.full("high:1")})
	if err != nil || !freed.Estimated[s.full("high:1")] {
		t.Errorf("%+v, %v", freed, err)
	}
}
