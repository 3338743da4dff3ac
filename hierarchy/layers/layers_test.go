package layers_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"github.com/klmcwhirter/ocisi/hierarchy/layers"
)

func Example() {
	common := []layers.Layer{{DiffID: "sha256:aa", Size: 200}, {DiffID: "sha256:bb", Size: 50}}
	report := layers.Analyze([]layers.Image{
		{Ref: "base", Layers: common},
		{Ref: "python", Layers: append(slices.Clone(common), layers.Layer{DiffID: "sha256:cc", Size: 30})},
		{Ref: "other", Layers: common[1:]}, // the same content as the base's second layer, but on nothing: stored again
	})
	fmt.Printf("%d stored for %d referenced, %.0f %% reused\n", report.Stored, report.Referenced, 100*report.Reuse())
	for _, im := range report.Images {
		fmt.Printf("%-6s own %3d shared %3d\n", im.Ref, im.Own, im.Shared)
	}
	// Output:
	// 330 stored for 580 referenced, 43 % reused
	// base   own   0 shared 250
	// python own  30 shared 250
	// other  own  50 shared   0
}

func TestChainID(t *testing.T) {
	// Computed with: printf 'sha256:aa sha256:bb' | sha256sum
	const want = "sha256:b68ad689d6d1ec110ea1c13617437ad6f3766d4b3b309f6a603a222e07a0164f"
	r := layers.Analyze([]layers.Image{{Layers: []layers.Layer{{DiffID: "sha256:aa"}, {DiffID: "sha256:bb"}}}})
	got := r.Images[0].Layers
	if got[0].ChainID != "sha256:aa" || got[1].ChainID != want {
		t.Errorf("chains %s, %s; want sha256:aa, %s", got[0].ChainID, got[1].ChainID, want)
	}
}

func TestSameLayerTwiceInOneImage(t *testing.T) {
	r := layers.Analyze([]layers.Image{{Layers: []layers.Layer{{DiffID: "sha256:aa", Size: 7}, {DiffID: "sha256:aa", Size: 7}}}})
	if r.Stored != 14 || r.Images[0].Own != 14 {
		t.Errorf("stored %d, own %d; want 14: the second stands on the first", r.Stored, r.Images[0].Own)
	}
}

func TestNothing(t *testing.T) {
	if r := layers.Analyze(nil); r.Stored != 0 || r.Reuse() != 0 {
		t.Errorf("got %+v, reuse %v", r, r.Reuse())
	}
}

// forest returns n images that grow from each other, as hierarchies do.
func forest(rng *rand.Rand, n, depth int) []layers.Image {
	size := make(map[string]int64)
	var images []layers.Image
	for i := range n {
		var ls []layers.Layer
		if i > 0 && rng.IntN(5) > 0 {
			parent := images[rng.IntN(i)].Layers
			ls = slices.Clone(parent[:rng.IntN(len(parent)+1)])
		}
		for range 1 + rng.IntN(depth) {
			id := "sha256:" + strconv.Itoa(rng.IntN(4*n))
			if _, ok := size[id]; !ok {
				size[id] = rng.Int64N(1000)
			}
			ls = append(ls, layers.Layer{DiffID: id, Size: size[id]})
		}
		images = append(images, layers.Image{Ref: strconv.Itoa(i), Layers: ls})
	}
	return images
}

func TestProperties(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 1))
		images := forest(rng, 1+rng.IntN(30), 5)
		r := layers.Analyze(images)
		var own, referenced int64
		for i, im := range r.Images {
			own += im.Own
			referenced += im.Own + im.Shared
			var size int64
			for _, l := range images[i].Layers {
				size += l.Size
			}
			if im.Ref != images[i].Ref || im.Own+im.Shared != size {
				t.Fatalf("seed %d: image %d is %s with %d+%d bytes, want %s with %d", seed, i, im.Ref, im.Own, im.Shared, images[i].Ref, size)
			}
		}
		if own+r.Shared != r.Stored || referenced != r.Referenced || r.Stored > r.Referenced {
			t.Fatalf("seed %d: own %d + shared %d, stored %d, referenced %d of %d", seed, own, r.Shared, r.Stored, r.Referenced, referenced)
		}
		if reuse := r.Reuse(); reuse < 0 || reuse >= 1 {
			t.Fatalf("seed %d: reuse %v", seed, reuse)
		}
		permuted(t, rng, images, r)
	}
}

func permuted(t *testing.T, rng *rand.Rand, images []layers.Image, want layers.Report) {
	t.Helper()
	order := rng.Perm(len(images))
	shuffled := make([]layers.Image, len(images))
	for i, j := range order {
		shuffled[i] = images[j]
	}
	got := layers.Analyze(shuffled)
	if got.Stored != want.Stored || got.Shared != want.Shared || got.Referenced != want.Referenced {
		t.Fatalf("order %v: %d, %d, %d; want %d, %d, %d", order, got.Stored, got.Shared, got.Referenced, want.Stored, want.Shared, want.Referenced)
	}
	for i, j := range order {
		if g, w := got.Images[i], want.Images[j]; g.Own != w.Own || g.Shared != w.Shared || !slices.Equal(g.Layers, w.Layers) {
			t.Fatalf("order %v: image %s is %+v, want %+v", order, g.Ref, g, w)
		}
	}
}

func BenchmarkAnalyze(b *testing.B) {
	images := forest(rand.New(rand.NewPCG(1, 1)), 200, 10)
	b.ReportAllocs()
	for b.Loop() {
		layers.Analyze(images)
	}
}
