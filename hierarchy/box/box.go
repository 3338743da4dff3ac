// Package box makes distroboxes out of images: it creates them, replaces one
// by a newer one, removes them, and reads the distrobox.ini that people have.
//
// Boxes are made by "distrobox create", one at a time and by arguments, which
// mean the same in distrobox 1 and 2; its manifests do not. A box that was
// there stays, aside and under another name, until its successor has been
// created and entered. Homes are never removed.
package box

import (
	"context"
	"fmt"
	"time"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/internal/process"
)

// How long distrobox may take. A first start may install packages.
const (
	createTimeout = 10 * time.Minute
	startTimeout  = 15 * time.Minute
	shortTimeout  = time.Minute
)

// Distrobox makes boxes with the program of that name. Several may be made at
// once, with one Distrobox.
type Distrobox struct {
	Runner process.Runner
	Home   string // the user's real home
	Bin    string // the program; "" is distrobox, from PATH
	Sudo   string // the program that root's boxes are asked for with; "" is sudo

	entering turn
}

// An Engine is what a box needs of a container engine. Names of containers
// are exact, those of images full (hierarchy.Manager.StoreRef).
type Engine interface {
	// Inspect returns the image of a name, or false when the store has none.
	Inspect(ctx context.Context, full string) (hierarchy.StoredImage, bool, error)
	// Content returns a text that is the same for images whose layers and
	// inherited configuration are, or "" when the store has no image of that ID.
	Content(ctx context.Context, id string) (string, error)
	// Container returns the container of a name, or false when there is none.
	Container(ctx context.Context, name string) (hierarchy.StoredBox, bool, error)
	// RenameContainer gives a container, running or not, another name.
	RenameContainer(ctx context.Context, old, name string) error
	// RemoveContainer stops a container at once and removes it together with
	// its anonymous volumes.
	RemoveContainer(ctx context.Context, name string) error
}

// Spec is a box to make.
type Spec struct {
	Manager hierarchy.Manager
	Box     hierarchy.Box
	Image   string            // the full name of the image
	ImageID string            // what that name must stand for; "" is whatever it does
	Labels  map[string]string // more of them than the three that every box has
}

// Create makes a box, enters it once so that it is known to work, and exports
// what the spec names. A box that cannot be entered is removed again; one
// whose exports fail stays, and each failure is an *ExportError.
//
// A box that is there already is fine when it was made from the same spec and
// image, or from an image of the same content; otherwise it is left alone and the error is an *ExistsError, except
// for root's boxes in podman, which no inventory lists: they are replaced.
func (d *Distrobox) Create(ctx context.Context, eng Engine, s Spec, emit func(hierarchy.Progress)) error {
	return d.make(ctx, eng, s, emit, s.rootful())
}

// Replace makes a box in the place of the one that has its name, which is
// renamed aside first and removed last. When anything fails, or ctx ends,
// before the new box has been entered, the old one gets its name back. Failing
// exports are no reason to go back: they are reported as Create does.
//
// Without an old box Replace is Create. What an earlier Replace left behind,
// because it was killed, is put right first (Recover).
func (d *Distrobox) Replace(ctx context.Context, eng Engine, s Spec, emit func(hierarchy.Progress)) error {
	return d.make(ctx, eng, s, emit, true)
}

func (d *Distrobox) make(ctx context.Context, eng Engine, s Spec, emit func(hierarchy.Progress), replace bool) error {
	j, err := d.prepare(ctx, eng, s, emit)
	if err != nil {
		return err
	}
	if err := j.recover(ctx); err != nil {
		return err
	}
	old, found, err := j.store.Container(ctx, s.Box.Name)
	if err != nil {
		return fmt.Errorf("looking for box %s: %w", s.Box.Name, err)
	}
	upToDate, err := j.upToDate(ctx, old)
	switch {
	case err != nil:
		return fmt.Errorf("comparing the image of box %s with its newer one: %w", s.Box.Name, err)
	case !found:
		err = j.create(ctx, "")
	case upToDate:
		j.say("box %s is up to date", s.Box.Name)
	case !isBox(old):
		return &NotBoxError{Name: s.Box.Name}
	case !replace:
		return &ExistsError{Name: s.Box.Name}
	default:
		err = j.replace(ctx, old)
	}
	if err != nil {
		return err
	}
	return j.export(ctx)
}

// Remove removes a box with the engine, not with "distrobox rm", which also
// deletes launchers and icons of others. What is no box is a *NotBoxError; a
// box that is not there is fine. Its home stays.
func (d *Distrobox) Remove(ctx context.Context, eng Engine, name string) error {
	c, found, err := eng.Container(ctx, name)
	if err != nil {
		return fmt.Errorf("looking for box %s: %w", name, err)
	}
	if !found {
		return nil
	}
	if !isBox(c) {
		return &NotBoxError{Name: name}
	}
	if err := eng.RemoveContainer(ctx, name); err != nil {
		return fmt.Errorf("removing box %s: %w", name, err)
	}
	return nil
}

// Find returns the box that a spec is for, or false when there is none. The
// boxes of root's podman are looked up in root's store, with sudo.
func (d *Distrobox) Find(ctx context.Context, eng Engine, s Spec) (hierarchy.StoredBox, bool, error) {
	if s.rootful() {
		eng = rootStore{d}
	}
	return eng.Container(ctx, s.Box.Name)
}

// isBox reports whether a container was made by distrobox or by ocisi.
func isBox(c hierarchy.StoredBox) bool {
	return c.Labels[hierarchy.LabelBox] != "" || c.Labels["manager"] == "distrobox"
}

// rootful reports whether the box lives in root's store. Docker has one store
// only, which is root's, so there root: true changes nothing.
func (s Spec) rootful() bool { return s.Box.Root && s.Manager == hierarchy.Podman }

// shownImage is the image's name as lists of boxes show it. Only docker means
// the same by a short name.
func (s Spec) shownImage() string {
	if s.Manager == hierarchy.Docker {
		return hierarchy.FamiliarRef(s.Image)
	}
	return s.Image
}
