// Package box makes distroboxes out of images: it creates them, replaces one
// by a newer one, goes back to the former one, removes them, and reads the
// distrobox.ini that people have.
//
// Boxes are made by "distrobox create", one at a time and by arguments, which
// mean the same in distrobox 1 and 2; its manifests do not. A box that was
// there waits aside, under another name, until its successor has been created,
// entered and checked, and is kept after that for a rollback. The names of the
// containers are the journal: whenever a run ends, by whatever cause, they tell
// the next one what it was about. Homes are never removed.
package box

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/launcher"
	"github.com/klmcwhirter/ocisi/internal/disk"
	"github.com/klmcwhirter/ocisi/internal/process"
)

// How long distrobox and the engines may take. A first start may install
// packages.
const (
	createTimeout = 10 * time.Minute
	startTimeout  = 15 * time.Minute
	shortTimeout  = time.Minute
	stopGrace     = 10 * time.Second
)

// Distrobox makes boxes with the program of that name. Several may be made at
// once, with one Distrobox.
type Distrobox struct {
	Runner process.Runner
	Home   string        // the user's real home
	User   string        // the user's name, which a box must have too; "" checks neither it nor UID
	UID    int           // the user's number
	Shell  string        // $SHELL of the host, which an image that needs no set-up must have; "" is not looked for
	Lang   string        // $LANG of the host; "" is not looked for
	Start  time.Duration // how long a box may take to start, and its check to run; 0 is 15 minutes
	Data   string        // $XDG_DATA_HOME; "" is below the home
	Host   launcher.Host // where launchers go; without Files there are none
	Disk   disk.Disk     // writes them
	Bin    string        // the program; "" is distrobox, from PATH
	Sudo   string        // the program that root's boxes are asked for with; "" is sudo

	// Owner decides which containers may be changed. The zero value compares UID 0.
	Owner hierarchy.Ownership

	// Nonce returns random text for the label by which a run recognizes the box
	// that it has created. Nil returns 256 random bits in hexadecimal.
	Nonce func() string

	entering turn
}

// An Engine is what a box needs of a container engine. Container finds a container
// by its exact name; all other methods take a container's ID, since another
// container may have got its name. Names of images are full
// (hierarchy.Manager.StoreRef).
type Engine interface {
	// Inspect returns the image of a name, or false when the store has none.
	Inspect(ctx context.Context, full string) (hierarchy.StoredImage, bool, error)
	// Content returns a text that is the same for images whose layers and
	// inherited configuration are, or "" when the store has no image of that ID.
	Content(ctx context.Context, id string) (string, error)
	// Boxes returns every container that distrobox or ocisi made.
	Boxes(ctx context.Context) ([]hierarchy.StoredBox, error)
	// Container returns the container of a name, or false when there is none.
	Container(ctx context.Context, name string) (hierarchy.StoredBox, bool, error)
	// RenameContainer gives a container, running or not, another name.
	RenameContainer(ctx context.Context, id, name string) error
	// Starts starts a container, and reports whether the engine could. The error is of
	// an engine that did not answer.
	Starts(ctx context.Context, id string) (bool, error)
	// StopContainer asks a container's processes to end, and kills what is left
	// after grace. One that does not run is fine.
	StopContainer(ctx context.Context, id string, grace time.Duration) error
	// RemoveContainer stops a container at once and removes it together with
	// its anonymous volumes.
	RemoveContainer(ctx context.Context, id string) error
	// Sessions returns how many commands somebody runs in a container.
	Sessions(ctx context.Context, id string) (int, error)
	// Logs returns the last lines that a container itself has printed.
	Logs(ctx context.Context, id string, lines int) (string, error)
	// Exec runs a command as root in a container that runs, and returns what it
	// wrote to standard output, even when it fails.
	Exec(ctx context.Context, id string, argv ...string) (string, error)
	// Exists reports whether a path is there in a container, which does not run.
	Exists(ctx context.Context, id, path string) (bool, error)
}

// Spec is a box to make.
type Spec struct {
	Manager hierarchy.Manager
	Box     hierarchy.Box
	Image   string            // the full name of the image
	ImageID string            // what that name must stand for; "" is whatever it does
	Labels  map[string]string // more of them than those that every box has
	Keep    int               // how many former boxes stay for a rollback
	Force   bool              // replace a box that somebody uses, too
	Protect error             // why a box that is there must not be replaced; nil: it may be

	// ID is of the container that had the box's name when the run was planned. Another
	// one that has the name now is a *ChangedError. "" accepts any.
	ID string

	// TakeBack also replaces a box that distrobox migrate has recreated
	// (hierarchy.Ownership.TakeBack); it becomes a generation as any other.
	TakeBack bool

	// Drifted reports whether a generation contains packages or files that its image
	// does not have. Such a generation, and one for which it returns an error, is not
	// removed. Nil: none is drifted.
	Drifted func(ctx context.Context, b hierarchy.StoredBox) (bool, error)

	nonce string // of this run; the label of the box that it creates
}

// Outcome is what became of a box.
type Outcome struct {
	Before, After hierarchy.StoredBox   // who had the name, and who has it now; without an ID: nobody
	Removed       []hierarchy.StoredBox // generations that had to go
}

// Create makes a box, enters it so that it is known to work, and exports what
// the spec names. A box that does not work is removed again; one whose exports
// fail stays, and the error is an *ExportError.
//
// A box that is there already is fine when it was made from the same spec and
// image, or from an image of the same content; otherwise it is left alone and
// the error is an *ExistsError, except for root's boxes in podman, which no
// inventory lists: they are replaced.
func (d *Distrobox) Create(ctx context.Context, eng Engine, s Spec, emit func(hierarchy.Progress)) (Outcome, error) {
	return d.make(ctx, eng, s, emit, s.rootful())
}

// Replace makes a box in the place of the one that has its name, which waits
// aside and is a generation in the end, stopped; Keep of them stay. When
// anything fails, or ctx ends, before the new box has been entered and checked
// and its launchers are written, the old one gets its name and launchers back.
// What fails after that is an error too, but the new box stays.
//
// A box that somebody uses is left alone unless the spec says Force: that is an
// *InUseError. So is, with an *ExistsError, one that Owner does not allow to change.
// Without an old box Replace is Create. What an earlier run left behind, because it
// was killed, is put right first (Recover). If the spec has Protect, a box that would
// be replaced stays, and that is the error.
func (d *Distrobox) Replace(ctx context.Context, eng Engine, s Spec, emit func(hierarchy.Progress)) (Outcome, error) {
	return d.make(ctx, eng, s, emit, true)
}

func (d *Distrobox) make(ctx context.Context, eng Engine, s Spec, emit func(hierarchy.Progress), replace bool) (Outcome, error) {
	j, err := d.prepare(ctx, eng, s, emit)
	if err == nil {
		err = j.recover(ctx)
	}
	if err != nil {
		return Outcome{}, err
	}
	old, found, err := j.store.Container(ctx, s.Box.Name)
	if err != nil {
		return Outcome{}, fmt.Errorf("looking for box %s: %w", s.Box.Name, err)
	}
	j.out = Outcome{Before: old, After: old}
	if err := s.isPlanned(old); err != nil {
		return j.out, err
	}
	switch {
	case !found:
		err = j.create(ctx)
	case !isBox(old):
		err = &NotBoxError{Name: s.Box.Name}
	default:
		err = j.update(ctx, old, replace)
	}
	return j.out, err
}

// update replaces a box that is there, unless it is up to date or may not be changed.
func (j *job) update(ctx context.Context, old hierarchy.StoredBox, replace bool) error {
	name := j.spec.Box.Name
	upToDate, err := j.upToDate(ctx, old)
	if err != nil {
		return fmt.Errorf("comparing the image of box %s with its newer one: %w", name, err)
	}
	claim := j.d.Owner.Box(old)
	if j.spec.TakeBack && j.d.Owner.TakeBack(old) == hierarchy.Owned {
		claim, upToDate = hierarchy.Owned, false
	}
	switch {
	case claim == hierarchy.Unowned || claim == hierarchy.OtherUser:
		return j.d.exists(old)
	case upToDate:
		j.say("box %s is up to date", name)
		return j.keep(ctx)
	case !replace || claim != hierarchy.Owned:
		return j.d.exists(old)
	}
	return j.replace(ctx, old)
}

// Trim removes the generations of a box that are more than the spec keeps, the
// oldest first, but none that somebody uses or that is Drifted. Nothing else is looked
// at.
func (d *Distrobox) Trim(ctx context.Context, eng Engine, s Spec, emit func(hierarchy.Progress)) (Outcome, error) {
	j := d.newJob(eng, s, emit)
	if s.rootful() {
		if err := (rootStore{d}).may(ctx, s.Box.Name); err != nil {
			return Outcome{}, err
		}
	}
	err := j.surplus(ctx)
	return j.out, err
}

// Remove removes the box of a name and an ID with the engine, not with "distrobox
// rm", which also deletes launchers and icons of others. What is no box is a
// *NotBoxError; a box that is not there, or has another ID, is fine. Its launchers
// go with it; its home stays.
func (d *Distrobox) Remove(ctx context.Context, eng Engine, m hierarchy.Manager, name, id string) error {
	c, found, err := eng.Container(ctx, name)
	if err != nil {
		return fmt.Errorf("looking for box %s: %w", name, err)
	}
	if !found || c.ID != id {
		return nil
	}
	switch {
	case !isBox(c):
		return &NotBoxError{Name: name}
	case d.Owner.Box(c) != hierarchy.Owned:
		return d.exists(c)
	}
	if err := eng.RemoveContainer(ctx, id); err != nil {
		return fmt.Errorf("removing box %s: %w", name, err)
	}
	if _, role, _ := c.Role(); role == hierarchy.Kept {
		return nil // the launchers are the box's that has the name
	}
	return d.unlink(m, c)
}

// unlink removes the launchers of a box.
func (d *Distrobox) unlink(m hierarchy.Manager, c hierarchy.StoredBox) error {
	if d.Host.Files == nil {
		return nil
	}
	exported, _ := Exports(c)
	dirs := d.dirs()
	found := launcher.Scan(d.Host.Files, dirs, []string{dirs.Bins(exported)})
	owner := launcher.Owner{Manager: m, Box: c.Name}
	if err := launcher.Remove(d.Disk, launcher.Obsolete(found, owner, nil)); err != nil {
		return fmt.Errorf("removing the launchers of box %s: %w", c.Name, err)
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

// isCurrent reports whether a container is a box that this run may change, under
// the name that it was made with.
func (d *Distrobox) isCurrent(c hierarchy.StoredBox) bool {
	_, role, _ := c.Role()
	return role == hierarchy.Current && d.Owner.Box(c) == hierarchy.Owned
}

// exists returns the error for a container that is there and stays.
func (d *Distrobox) exists(c hierarchy.StoredBox) error {
	return &ExistsError{Name: c.Name, Refusal: d.Owner.Refusal(c)}
}

// generations returns those of some boxes that are generations of a box and that
// this run may change, the latest first.
func (d *Distrobox) generations(boxes []hierarchy.StoredBox, box string) []hierarchy.StoredBox {
	return slices.DeleteFunc(hierarchy.Generations(boxes, box), func(b hierarchy.StoredBox) bool {
		return d.Owner.Box(b) != hierarchy.Owned
	})
}

// isPlanned returns a *ChangedError if a container is another one than planned.
func (s Spec) isPlanned(c hierarchy.StoredBox) error {
	if s.ID == "" || c.ID == "" || c.ID == s.ID {
		return nil
	}
	return &ChangedError{Name: s.Box.Name, Planned: s.ID, ID: c.ID}
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
