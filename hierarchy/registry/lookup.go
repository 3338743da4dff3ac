package registry

import (
	"context"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// lookup is the lookup of one reference and its results so far.
type lookup struct {
	client *repoClient
	target target
	arch   string

	top    manifest // the manifest or index of the tag
	images []image  // for this platform, the best first
	err    error
}

// image is a manifest for this platform.
type image struct {
	digest string
	config string // digest; "" until fetched
}

// head looks up the digest of the tag. If the registry does not send it, or does not
// support HEAD, head fetches the manifest.
func (q *lookup) head(ctx context.Context) error {
	var err error
	q.top, err = q.client.head(ctx, q.target)
	if err == nil && q.top.digest == "" {
		q.top, err = q.client.get(ctx, q.target, q.target.tag)
	}
	return err
}

// compare fetches the manifests that are needed to decide whether stores are current.
func (q *lookup) compare(ctx context.Context, stored []Local, which []int) error {
	unknown := slices.DeleteFunc(slices.Clone(which), func(i int) bool {
		return stored[i].ID == "" && len(stored[i].Digests) == 0 || q.same(stored[i])
	})
	if len(unknown) == 0 {
		return nil
	}
	if err := q.platforms(ctx); err != nil {
		return err
	}
	for i := range q.images {
		unknown = slices.DeleteFunc(unknown, func(i int) bool { return q.same(stored[i]) })
		if len(unknown) == 0 {
			return nil
		}
		if err := q.config(ctx, &q.images[i]); err != nil {
			return err
		}
	}
	return nil
}

// platforms sets the images for this platform.
func (q *lookup) platforms(ctx context.Context) error {
	if q.top.kind == types.OCIManifestSchema1 || q.top.kind == types.DockerManifestSchema2 {
		q.images = []image{{digest: q.top.digest}}
		return nil
	}
	if q.top.body == nil {
		m, err := q.client.get(ctx, q.target, q.top.digest)
		if err != nil {
			return err
		}
		q.top = m
	}
	doc, err := q.top.decode()
	if err != nil {
		return q.client.broken(q.target, err)
	}
	if doc.Config != nil {
		q.images = []image{{digest: q.top.digest, config: doc.Config.Digest.String()}}
		return nil
	}
	q.images = forPlatform(doc.Manifests, q.arch)
	if len(q.images) == 0 {
		return q.client.noPlatform(q.target, q.arch)
	}
	return nil
}

// config sets the digest of an image's config.
func (q *lookup) config(ctx context.Context, im *image) error {
	m := q.top
	if m.body == nil || im.digest != m.digest {
		var err error
		if m, err = q.client.get(ctx, q.target, im.digest); err != nil {
			return err
		}
	}
	doc, err := m.decode()
	if err != nil {
		return q.client.broken(q.target, err)
	}
	if doc.Config == nil {
		return q.client.broken(q.target, errNoManifest)
	}
	im.config = doc.Config.Digest.String()
	return nil
}

// held returns the image for this platform that a store contains.
func (q *lookup) held(h Local) (image, bool) {
	i := slices.IndexFunc(q.images, func(im image) bool { return h.holds(im.digest) || h.holds(im.config) })
	if i < 0 {
		return image{}, false
	}
	return q.images[i], true
}

// same reports whether a store contains the image, as far as it was looked up.
func (q *lookup) same(h Local) bool {
	_, held := q.held(h)
	return held || h.holds(q.top.digest)
}

func (q *lookup) result(h Local) Resolution {
	a := Resolution{Ref: h.Ref, Digest: q.top.digest, Same: q.same(h), Err: q.err}
	if a.Same {
		a.Err = nil // a lookup for another store failed
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

// maxVariants limits the manifests that are examined for a platform: an index has one,
// or a few for variants of the processor.
const maxVariants = 4

// forPlatform returns the images of an index for Linux and an architecture. An engine
// selects a variant by its processor, so each variant may be the one in the store.
// Images without a variant come first, and for arm those with the highest.
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
