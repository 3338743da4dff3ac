package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/docker/docker/api/types/container"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/internal/process"
)

// Untagged returns the images without a name that ocisi provably built, that no
// container uses and that no other image is built on. Runs that were killed leave
// them: a name had moved on, or was not given yet.
func (e *Engine) Untagged(ctx context.Context) ([]hierarchy.StoredImage, error) {
	list, err := e.dangling(ctx)
	if err != nil {
		return nil, fmt.Errorf("asking %s for images without a name: %w", e.manager, err)
	}
	var found []hierarchy.StoredImage
	for _, im := range list {
		if isUntagged(im) {
			found = append(found, hierarchy.StoredImage{ID: fullID(im.ID), Labels: hierarchy.PlainLabels(im.Labels), Created: im.Created, Size: im.Size})
		}
	}
	if len(found) == 0 {
		return nil, nil
	}
	used, err := e.used(ctx)
	if err != nil {
		return nil, fmt.Errorf("asking %s for the images of containers: %w", e.manager, err)
	}
	var out []hierarchy.StoredImage
	for _, im := range found {
		if used[im.ID] {
			continue
		}
		if im, err = e.Sealed(ctx, im); err != nil {
			return nil, err
		}
		if im.Sealed {
			out = append(out, im)
		}
	}
	return out, nil
}

// used returns the IDs of the images that containers use, those of buildah among
// them, which podman's API does not list; but not those that killed builds left.
func (e *Engine) used(ctx context.Context) (map[string]bool, error) {
	ctx, cancel := e.ask(ctx)
	defer cancel()
	list, err := e.api.ContainerList(ctx, container.ListOptions{All: true})
	if err != nil {
		return nil, inWords(ctx, err)
	}
	ids := map[string]bool{}
	for _, c := range list {
		ids[fullID(c.ImageID)] = true
	}
	if !e.differs.external {
		return ids, nil
	}
	external, err := e.external(ctx)
	if err != nil {
		return nil, err
	}
	interrupted, err := e.interrupted(ctx, external)
	if err != nil {
		return nil, err
	}
	for _, c := range external {
		if !slices.Contains(interrupted, c.ID) {
			ids[fullID(c.ImageID)] = true
		}
	}
	return ids, nil
}

// externalContainer is a container in the output of podman ps.
type externalContainer struct {
	ID      string `json:"Id"`
	ImageID string
	Names   []string
	State   string
}

// external returns podman's containers, those that buildah created included.
func (e *Engine) external(ctx context.Context) ([]externalContainer, error) {
	out, err := process.Output(ctx, e.opts.Runner, process.Cmd{Name: "podman", Args: []string{"ps", "--all", "--external", "--format", "json"}})
	if err != nil {
		return nil, err
	}
	return parseExternal(out)
}

func parseExternal(ps string) ([]externalContainer, error) {
	var list []externalContainer
	if err := json.Unmarshal([]byte(ps), &list); err != nil {
		return nil, fmt.Errorf("reading the output of podman ps: %w", err)
	}
	return list, nil
}

// RemoveUntagged removes an image of Untagged. It verifies before that the image
// still has no name, and that ocisi built it. One that is not there is fine.
func (e *Engine) RemoveUntagged(ctx context.Context, id string) error {
	im, found, err := e.Inspect(ctx, id)
	if err != nil || !found {
		return err
	}
	built, err := e.built(ctx, im)
	switch {
	case err != nil:
		return err
	case !built:
		return &ForeignError{Manager: e.manager, Ref: id}
	case len(im.Refs) > 0:
		return fmt.Errorf("removing %s: it has a name by now, %s", id, hierarchy.FamiliarRef(im.Refs[0]))
	}
	return e.remove(ctx, im.ID)
}
