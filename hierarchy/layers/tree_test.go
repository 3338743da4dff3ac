package layers_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/klmcwhirter/ocisi/hierarchy/layers"
)

// sum walks a tree: the bytes and refs of all nodes, each of which must say what
// is above it.
func sum(t *testing.T, nodes []layers.Node) (bytes int64, refs []string) {
	t.Helper()
	for i, n := range nodes {
		above, more := sum(t, n.Children)
		if n.Above != above {
			t.Errorf("%s says that %d bytes are above it, not %d", n.ChainID, n.Above, above)
		}
		if i > 0 && n.Size+n.Above > nodes[i-1].Size+nodes[i-1].Above {
			t.Errorf("%s has more than the one before it", n.ChainID)
		}
		bytes += n.Size + above
		refs = append(append(refs, n.Refs...), more...)
	}
	return bytes, refs
}

func TestTreeProperties(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 2))
		images := forest(rng, 1+rng.IntN(30), 5)
		r := layers.Analyze(images)
		bytes, refs := sum(t, r.Tree)
		if bytes != r.Stored || len(refs) != len(images) {
			t.Fatalf("seed %d: the tree has %d bytes of %d, %d images of %d", seed, bytes, r.Stored, len(refs), len(images))
		}
		rng.Shuffle(len(images), func(i, j int) { images[i], images[j] = images[j], images[i] })
		if again, _ := sum(t, layers.Analyze(images).Tree); again != bytes {
			t.Fatalf("seed %d: another order, another tree", seed)
		}
		fewer := layers.Analyze(images[1:])
		if saved, before := r.Referenced-r.Stored, fewer.Referenced-fewer.Stored; saved < before {
			t.Fatalf("seed %d: image %s lowers what is saved from %d to %d", seed, images[0].Ref, before, saved)
		}
	}
}

func TestWhatImagesCost(t *testing.T) {
	base := []layers.Layer{{DiffID: "sha256:aa", Size: 100}, {DiffID: "sha256:bb", Size: 20, Estimated: true}}
	dev := append(slices.Clone(base), layers.Layer{DiffID: "sha256:cc", Size: 7, By: "RUN make"})
	dev[1].Size, dev[1].Estimated = 30, false
	images := []layers.Image{
		{Ref: "base", Base: true, Layers: base},
		{Ref: "dev", Parents: []string{"gone", "base"}, Layers: dev, Copies: []int64{1000, 1001}, Boxes: []layers.Box{{Name: "b", Box: "b", Written: 5}, {Name: "b.ocisi-1", Box: "b", Generation: 1, Written: 3}}},
		{Ref: "moved", Parents: []string{"dev", "base"}, Layers: dev[:2]},
	}
	r := layers.Analyze(images)
	if r.Stored != 137 || r.Copied != 2001 || r.Written != 8 || r.Kept != 3 || r.Total != 137+2001+8 || r.Estimated {
		t.Errorf("%+v", r)
	}
	if im := r.Images[1]; im.Parent != "base" || im.Added != 7 || im.Copied != 2001 {
		t.Errorf("dev: %+v", im)
	}
	if im := r.Images[2]; im.Parent != "base" || im.Added != 0 {
		t.Errorf("moved: %+v; dev is not below it any more", im)
	}
	if n := r.Tree[0].Children[0]; n.Size != 30 || n.Estimated || !slices.Equal(n.Refs, []string{"base", "moved"}) || n.Above != 7 || n.Children[0].By != "RUN make" {
		t.Errorf("%+v", n)
	}
	if !layers.Analyze(images[:1]).Estimated {
		t.Error("an estimate is not marked")
	}
}

func TestTwice(t *testing.T) {
	docker := layers.Analyze([]layers.Image{{Ref: "a", Layers: []layers.Layer{{DiffID: "sha256:aa", Size: 100}, {DiffID: "sha256:bb", Size: 5}}}, {Ref: "b", Layers: []layers.Layer{{DiffID: "sha256:aa", Size: 100}}}})
	podman := layers.Analyze([]layers.Image{{Ref: "c", Layers: []layers.Layer{{DiffID: "sha256:aa", Size: 103}, {DiffID: "sha256:dd", Size: 9}}}})
	if got := layers.Twice(docker, podman); got != 100 {
		t.Errorf("twice %d, want 100", got)
	}
	if got := layers.Twice(docker); got != 0 {
		t.Errorf("one store has %d twice", got)
	}
}
