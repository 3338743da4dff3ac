package registry

import (
	"context"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// question is what is asked about one reference, and what is known so far.
type question struct {
	door   *door
	target target
	arch   string

	top    manifest // what the tag stands for
	images []image  // of this platform; the best comes first
	err    error
}

// image is a manifest for this platform.
type image struct {
	digest string
	config string // "" until asked
}

// head asks what the tag stands for. A registry that leaves the digest out of
// its answer, or that does not know HEAD, is asked for the manifest itself.
func (q *question) head(ctx context.Context) error {
	var err error
	q.top, err = q.door.head(ctx, q.target)
	if err == nil && q.top.digest == "" {
		q.top, err = q.door.get(ctx, q.target, q.target.tag)
	}
	return err
}

// compare asks as much as it takes to tell whether stores hold the answer.
func (q *question) compare(ctx context.Context, have []Have, which []int) error {
	open := slices.DeleteFunc(slices.Clone(which), func(i int) bool {
		return have[i].ID == "" && len(have[i].Digests) == 0 || q.same(have[i])
	})
	if len(open) == 0 {
		return nil
	}
	if err := q.platforms(ctx); err != nil {
		return err
	}
	for i := range q.images {
		open = slices.DeleteFunc(open, func(i int) bool { return q.same(have[i]) })
		if len(open) == 0 {
			return nil
		}
		if err := q.config(ctx, &q.images[i]); err != nil {
			return err
		}
	}
	return nil
}

// platforms finds the manifests for this platform.
func (q *question) platforms(ctx context.Context) error {
	if q.top.kind == types.OCIManifestSchema1 || q.top.kind == types.DockerManifestSchema2 {
		q.images = []image{{digest: q.top.digest}}
		return nil
	}
	if q.top.body == nil {
		m, err := q.door.get(ctx, q.target, q.top.digest)
		if err != nil {
			return err
		}
		q.top = m
	}
	doc, err := q.top.decode()
	if err != nil {
		return q.door.broken(q.target, err)
	}
	if doc.Config != nil {
		q.images = []image{{digest: q.top.digest, config: doc.Config.Digest.String()}}
		return nil
	}
	q.images = forPlatform(doc.Manifests, q.arch)
	if len(q.images) == 0 {
		return q.door.noPlatform(q.target, q.arch)
	}
	return nil
}

// config asks for the digest of an image's config.
func (q *question) config(ctx context.Context, im *image) error {
	m := q.top
	if m.body == nil || im.digest != m.digest {
		var err error
		if m, err = q.door.get(ctx, q.target, im.digest); err != nil {
			return err
		}
	}
	doc, err := m.decode()
	if err != nil {
		return q.door.broken(q.target, err)
	}
	if doc.Config == nil {
		return q.door.broken(q.target, errNoManifest)
	}
	im.config = doc.Config.Digest.String()
	return nil
}

// held returns the image of this platform that a store holds.
func (q *question) held(h Have) (image, bool) {
	i := slices.IndexFunc(q.images, func(im image) bool { return h.holds(im.digest) || h.holds(im.config) })
	if i < 0 {
		return image{}, false
	}
	return q.images[i], true
}

// same reports whether a store holds the answer, as far as is known.
func (q *question) same(h Have) bool {
	_, held := q.held(h)
	return held || h.holds(q.top.digest)
}

func (q *question) answer(h Have) Answer {
	a := Answer{Ref: h.Ref, Digest: q.top.digest, Same: q.same(h), Err: q.err}
	if a.Same {
		a.Err = nil // what failed was asked for another store
	}
	im, held := q.held(h)
	if !held && len(q.images) > 0 {
		im = q.images[0]
	}
	if im.digest != q.top.digest {
		a.Platform = im.digest
	}
	a.Config = im.config
	return a
}

// maxVariants is how many manifests of one platform are looked into: indexes
// have one, or a few for variants of its processor.
const maxVariants = 4

// forPlatform returns an index's images for linux and an architecture. Which
// variant an engine would take depends on the processor it runs on, and any that
// it took before is a good one to find again, so all are returned: those without
// a variant first, or the highest one of arm, which has no plain one.
func forPlatform(manifests []v1.Descriptor, arch string) []image {
	fits := slices.DeleteFunc(slices.Clone(manifests), func(d v1.Descriptor) bool {
		return d.Platform == nil || d.Platform.OS != "linux" || d.Platform.Architecture != arch || d.MediaType.IsIndex()
	})
	slices.SortStableFunc(fits, func(a, b v1.Descriptor) int { return rank(*b.Platform) - rank(*a.Platform) })
	var images []image
	for _, d := range fits[:min(len(fits), maxVariants)] {
		images = append(images, image{digest: d.Digest.String()})
	}
	return images
}

func rank(p v1.Platform) int {
	if p.Architecture == "arm" && len(p.Variant) == 2 && p.Variant <= "v7" {
		return int(p.Variant[1])
	}
	if p.Variant == "" || p.Architecture == "arm64" && p.Variant == "v8" {
		return 1
	}
	return 0
}
