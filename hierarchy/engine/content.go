package engine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"

	"github.com/containerd/errdefs"

	"github.com/klmcwhirter/ocisi/hierarchy"
)

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
		maps.DeleteFunc(in.Config.Labels, func(key, _ string) bool { return hierarchy.IsOriginLabel(key) })
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
