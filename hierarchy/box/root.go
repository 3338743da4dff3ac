package box

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"strings"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/internal/process"
)

// rootStore is podman's store of root, asked through sudo. It never waits for
// a password.
type rootStore struct{ d *Distrobox }

// Inspect implements Engine.
func (r rootStore) Inspect(ctx context.Context, full string) (hierarchy.StoredImage, bool, error) {
	var found []struct{ ID string }
	ok, err := r.inspect(ctx, "image", full, &found)
	if !ok || err != nil || len(found) == 0 {
		return hierarchy.StoredImage{}, false, err
	}
	return hierarchy.StoredImage{ID: digest(found[0].ID), Refs: []string{full}}, true, nil
}

// Content implements Engine. Its texts tell images of root's store apart, and
// are not those of the user's.
func (r rootStore) Content(ctx context.Context, id string) (string, error) {
	var found []struct {
		RootFS struct{ Layers []string }
		Config map[string]any
	}
	ok, err := r.inspect(ctx, "image", id, &found)
	if !ok || err != nil || len(found) == 0 {
		return "", err
	}
	im := found[0]
	if labels, ok := im.Config["Labels"].(map[string]any); ok {
		maps.DeleteFunc(labels, func(key string, _ any) bool { return hierarchy.IsOriginLabel(key) })
	}
	delete(im.Config, "OnBuild") // is for builds
	text, err := json.Marshal(im)
	if err != nil {
		return "", fmt.Errorf("comparing image %s of root's podman: %w", id, err)
	}
	return string(text), nil
}

// may makes sure that root can be asked without a password.
func (r rootStore) may(ctx context.Context, box string) error {
	if err := r.d.Runner.Run(ctx, r.cmd("true")); err != nil {
		if _, failed := errors.AsType[*process.Error](err); failed {
			return &SudoError{Box: box, Program: r.d.sudo(), Err: err}
		}
		return fmt.Errorf("asking for root's boxes: %w", err)
	}
	return nil
}

// bring copies the image of a box from the user's store to root's, unless it
// is there.
func (r rootStore) bring(ctx context.Context, s Spec) error {
	if err := r.may(ctx, s.Box.Name); err != nil {
		return err
	}
	if im, found, err := r.Inspect(ctx, s.Image); err != nil || found && im.ID == s.ImageID {
		return err
	}
	if err := r.copy(ctx, s.Image); err != nil {
		return fmt.Errorf("copying image %s to root's store: %w", hierarchy.FamiliarRef(s.Image), err)
	}
	im, found, err := r.Inspect(ctx, s.Image)
	if err == nil && (!found || im.ID != s.ImageID) {
		err = fmt.Errorf("copying image %s to root's store: it arrived as %q", hierarchy.FamiliarRef(s.Image), im.ID)
	}
	return err
}

// copy pipes the image from one podman to the other. The OCI form keeps its ID.
func (r rootStore) copy(ctx context.Context, image string) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	from, to := io.Pipe()
	saved := make(chan error, 1)
	go func() {
		err := r.d.Runner.Run(ctx, process.Cmd{
			Name: string(hierarchy.Podman), Args: []string{"save", "--quiet", "--format", "oci-archive", image},
			Stdout: to, Timeout: createTimeout,
		})
		to.CloseWithError(err)
		saved <- err
	}()
	load := r.cmd(string(hierarchy.Podman), "load", "--quiet")
	load.Stdin, load.Timeout = from, createTimeout
	loadErr := r.d.Runner.Run(ctx, load)
	// A load that ended early would leave the save writing to nobody.
	from.CloseWithError(io.ErrClosedPipe)
	if loadErr != nil {
		cancel(loadErr)
	}
	saveErr := <-saved
	if saveErr != nil && !errors.Is(saveErr, loadErr) {
		return errors.Join(saveErr, loadErr)
	}
	return loadErr
}

// inspect decodes podman's description of one thing, or returns false when
// there is none.
func (r rootStore) inspect(ctx context.Context, kind, name string, into any) (bool, error) {
	err := r.run(ctx, kind, "exists", name)
	if pe, failed := errors.AsType[*process.Error](err); failed && pe.Exit == 1 {
		return false, nil
	}
	var out string
	if err == nil {
		out, err = process.Output(ctx, r.d.Runner, r.cmd(string(hierarchy.Podman), kind, "inspect", name))
	}
	if err == nil {
		err = json.Unmarshal([]byte(out), into)
	}
	if err != nil {
		return false, fmt.Errorf("asking root's podman for %s %s: %w", kind, name, err)
	}
	return true, nil
}

func (r rootStore) run(ctx context.Context, args ...string) error {
	return r.d.Runner.Run(ctx, r.cmd(string(hierarchy.Podman), args...))
}

// cmd is a program run as root, from a folder that root can be in.
func (r rootStore) cmd(name string, args ...string) process.Cmd {
	return process.Cmd{Name: r.d.sudo(), Args: append([]string{"-n", name}, args...), Dir: "/", Timeout: shortTimeout}
}

// digest returns an ID as the engines' programming interface writes it.
func digest(id string) string {
	if id == "" || strings.HasPrefix(id, "sha256:") {
		return id
	}
	return "sha256:" + id
}
