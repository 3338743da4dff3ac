package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/client"

	"github.com/klmcwhirter/ocisi/hierarchy"
)

// Sealed returns an image with its Sealed set: whether the last step of its history
// is the one by which ocisi labels an image of its reference. It costs one request,
// none for an image without ocisi's labels.
func (e *Engine) Sealed(ctx context.Context, im hierarchy.StoredImage) (hierarchy.StoredImage, error) {
	im.Sealed = false
	ref := im.Labels[hierarchy.LabelImage]
	if ref == "" || im.ID == "" {
		return im, nil
	}
	ctx, cancel := e.ask(ctx)
	defer cancel()
	lastStep := e.lastStep
	if e.differs.ownHistory {
		lastStep = e.lastLibpodStep
	}
	step, err := lastStep(ctx, im.ID)
	if err != nil && !errdefs.IsNotFound(err) {
		return im, fmt.Errorf("asking for the history of %s: %w", ref, inWords(ctx, err))
	}
	im.Sealed = hierarchy.IsSeal(step, ref)
	return im, nil
}

// built reports whether an image was provably built by ocisi, for whichever config.
func (e *Engine) built(ctx context.Context, im hierarchy.StoredImage) (bool, error) {
	im, err := e.Sealed(ctx, im)
	return hierarchy.Ownership{UID: -1}.Image(im) != hierarchy.Unowned, err
}

// lastStep returns what made the last entry of an image's history; "" if it has
// no history.
func (e *Engine) lastStep(ctx context.Context, id string) (string, error) {
	history, err := e.api.ImageHistory(ctx, id)
	if err != nil || len(history) == 0 {
		return "", err
	}
	return history[0].CreatedBy, nil // the newest comes first
}

// lastLibpodStep is lastStep of podman's own API. Docker's fails there when an
// entry of the history has no time, as in what nix and bazel make.
func (e *Engine) lastLibpodStep(ctx context.Context, id string) (string, error) {
	var im struct {
		History []struct {
			CreatedBy string `json:"created_by"`
		}
	}
	err := e.libpod(ctx, "/images/"+strings.TrimPrefix(id, "sha256:")+"/json", &im)
	if err != nil || len(im.History) == 0 {
		return "", err
	}
	return im.History[len(im.History)-1].CreatedBy, nil
}

// libpod decodes an answer of podman's own API.
func (e *Engine) libpod(ctx context.Context, path string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+client.DummyHost+"/v4.0.0/libpod"+path, http.NoBody)
	if err != nil {
		return err
	}
	resp, err := e.api.HTTPClient().Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	switch resp.StatusCode {
	case http.StatusOK:
		return json.NewDecoder(resp.Body).Decode(into)
	case http.StatusNotFound:
		return errdefs.ErrNotFound
	}
	return errors.New("podman answered " + resp.Status)
}
