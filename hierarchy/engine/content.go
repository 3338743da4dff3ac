package engine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"

	"github.com/containerd/errdefs"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/klmcwhirter/ocisi/hierarchy"
)

// builderLabel is what podman's builder puts on all that it builds: its own
// version.
const builderLabel = "io.buildah.version"

// Content returns a text that is the same for images of the same content: the
// same layers, and the same of what a container takes from its image, but for
// labels that only tell how the image came about. It compares images of one
// engine. An image that is not there has the content "".
func (e *Engine) Content(ctx context.Context, id string) (string, error) {
	ctx, cancel := e.ask(ctx)
	defer cancel()
	in, err := e.api.ImageInspect(ctx, id)
	if errdefs.IsNotFound(err) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("inspecting %s: %w", id, inWords(ctx, err))
	}
	if in.Config != nil {
		in.Config.OnBuild = nil // is for builds
		maps.DeleteFunc(in.Config.Labels, func(key, _ string) bool { return tellsOrigin(key) })
	}
	// What is empty in one answer and absent in another is left out, and JSON has
	// the keys of a map in order.
	data, err := json.Marshal(struct {
		DiffIDs []string
		Config  any
	}{in.RootFS.Layers, in.Config})
	if err != nil {
		return "", fmt.Errorf("comparing images: %w", err)
	}
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:]), nil
}

// tellsOrigin reports whether a label tells how an image came about, or what to
// do with it elsewhere, and not what is in it.
func tellsOrigin(label string) bool {
	return hierarchy.IsOwnLabel(label) || label == hierarchy.LabelBaseName || label == hierarchy.LabelBaseDigest ||
		label == hierarchy.LabelDevContainer || // no box is made by it
		label == ocispec.AnnotationCreated || label == builderLabel
}
