package layers_test

import (
	"slices"
	"testing"

	"github.com/klmcwhirter/ocisi/hierarchy/layers"
)

func withBlob(id string, size int64, digest string, packed int64) layers.Layer {
	return layers.Layer{DiffID: id, Size: size, Blob: layers.Blob{Digest: digest, Size: packed}}
}

// Chains are stored once each, and blobs once each: two chains can have one blob.
func TestBlobs(t *testing.T) {
	base := withBlob("sha256:aa", 100, "sha256:1", 40)
	images := []layers.Image{
		{Ref: "base", Layers: []layers.Layer{base}},
		{Ref: "a", Parents: []string{"base"}, Layers: []layers.Layer{base, withBlob("sha256:bb", 20, "sha256:2", 7)}},
		{Ref: "b", Layers: []layers.Layer{withBlob("sha256:cc", 5, "sha256:3", 3), withBlob("sha256:bb", 20, "sha256:2", 7)}},
	}
	for range 2 {
		r := layers.Analyze(images)
		if r.Stored != 100+20+5+20+40+7+3 || r.Packed != 50 || r.Shared != 100+40+7 || r.Referenced != 140+167+35 {
			t.Errorf("stored %d, packed %d, shared %d, referenced %d", r.Stored, r.Packed, r.Shared, r.Referenced)
		}
		var sum int64
		for _, n := range r.Tree {
			sum += n.Size + n.Above
		}
		if sum != r.Stored {
			t.Errorf("the tree has %d bytes, stored are %d", sum, r.Stored)
		}
		for _, im := range r.Images {
			want := map[string][3]int64{"base": {0, 140, 0}, "a": {20, 147, 27}, "b": {28, 7, 0}}[im.Ref]
			if got := [3]int64{im.Own, im.Shared, im.Added}; got != want {
				t.Errorf("%s: own, shared, added %d, want %d", im.Ref, got, want)
			}
		}
		for gone, want := range map[string]int64{"base": 0, "a": 20, "b": 28} {
			if got := layers.Freed(images, r, map[string]bool{gone: true}); got != want {
				t.Errorf("without %s %d bytes less, want %d", gone, got, want)
			}
		}
		if got := layers.Freed(images, r, map[string]bool{"base": true, "a": true, "b": true}); got != r.Stored {
			t.Errorf("without all %d bytes less, want %d", got, r.Stored)
		}
		slices.Reverse(images)
	}
}
