package box

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/klmcwhirter/ocisi/hierarchy"
)

// aside ends the name of a box that waits for its successor to work.
const aside = hierarchy.Aside

// job is one box being made.
type job struct {
	d     *Distrobox
	spec  Spec
	store Engine   // that the box lives in
	args  []string // of distrobox create
	todo  []exported
	emit  func(hierarchy.Progress)
}

// prepare checks all that can be checked before anything is touched.
func (d *Distrobox) prepare(ctx context.Context, eng Engine, s Spec, emit func(hierarchy.Progress)) (*job, error) {
	j := &job{d: d, spec: s, store: eng, emit: emit}
	if emit == nil {
		j.emit = func(hierarchy.Progress) {}
	}
	im, found, err := eng.Inspect(ctx, s.Image)
	if err != nil {
		return nil, fmt.Errorf("looking for the image of box %s: %w", s.Box.Name, err)
	}
	if !found || s.ImageID != "" && im.ID != s.ImageID {
		return nil, &NoImageError{Manager: s.Manager, Ref: s.Image}
	}
	j.spec.ImageID = im.ID
	if j.args, err = d.createArgs(j.spec); err != nil {
		return nil, err
	}
	if j.todo, err = d.exports(s.Box); err != nil {
		return nil, err
	}
	lacks, err := d.lacks(ctx, s.Box)
	if err != nil {
		return nil, err
	}
	if lacks { // nvidia is best effort in distrobox too
		j.args = slices.DeleteFunc(j.args, func(arg string) bool { return arg == "--nvidia" })
		j.say("leaving out nvidia of box %s, which needs distrobox 1.5 or later", s.Box.Name)
	}
	if s.rootful() {
		root := rootStore{d}
		if err := root.bring(ctx, j.spec); err != nil {
			return nil, err
		}
		j.store = root
	}
	return j, nil
}

// lacks reports whether this distrobox is too old for --nvidia, and refuses a
// box with other keys that it does not have. It asks for the version only when
// there is such a key.
func (d *Distrobox) lacks(ctx context.Context, b hierarchy.Box) (nvidia bool, err error) {
	var key, value string
	switch {
	case b.Hostname != "":
		key, value = "hostname", b.Hostname
	case len(b.AdditionalPackages) > 0:
		key, value = "additional_packages", b.AdditionalPackages[0]
	case !b.Nvidia:
		return false, nil
	}
	v, err := d.Version(ctx)
	if err != nil || !v.before(1, 5) {
		return false, err
	}
	if key != "" {
		return true, &ValueError{Box: b.Name, Key: key, Value: value, Reason: "needs distrobox 1.5 or later; this is " + v.Text}
	}
	return true, nil
}

// upToDate reports whether a box is what a new one would be: as the spec wants
// it, and of an image of the same content.
func (j *job) upToDate(ctx context.Context, old hierarchy.StoredBox) (bool, error) {
	if old.Labels[hierarchy.LabelSpec] != j.spec.Box.Spec() {
		return false, nil
	}
	if old.ImageID == j.spec.ImageID {
		return true, nil
	}
	before, err := j.store.Content(ctx, old.ImageID)
	if err != nil || before == "" {
		return false, err
	}
	after, err := j.store.Content(ctx, j.spec.ImageID)
	return after == before, err
}

func (j *job) say(format string, args ...any) {
	j.emit(hierarchy.Progress{Title: fmt.Sprintf(format, args...)})
}

// create makes the box and enters it. Whatever goes wrong, no half-made box
// stays; keep is the ID of a container that is never removed.
func (j *job) create(ctx context.Context, keep string) error {
	err := j.tryCreate(ctx)
	if err == nil {
		return nil
	}
	ctx, cancel := afterwards(ctx)
	defer cancel()
	name := j.spec.Box.Name
	c, found, lookErr := j.store.Container(ctx, name)
	if lookErr != nil {
		return errors.Join(err, fmt.Errorf("looking for what is left of box %s: %w", name, lookErr))
	}
	if !found || c.ID == keep {
		return err
	}
	if rmErr := j.store.RemoveContainer(ctx, name); rmErr != nil {
		return errors.Join(err, fmt.Errorf("removing what is left of box %s: %w", name, rmErr))
	}
	return err
}

func (j *job) tryCreate(ctx context.Context) error {
	name := j.spec.Box.Name
	j.say("creating box %s", name)
	log, err := j.distrobox(ctx, createTimeout, j.args...)
	if err != nil {
		return &StepError{Box: name, Step: "create", Log: log, Err: err}
	}
	// Old versions report success when the engine failed, and all of them when
	// a container of that name was there.
	c, found, err := j.store.Container(ctx, name)
	switch {
	case err != nil:
		err = fmt.Errorf("looking for the new box: %w", err)
	case !found:
		err = errors.New("distrobox reports success, but there is no box")
	case c.ImageID != j.spec.ImageID:
		err = fmt.Errorf("made from image %s instead of %s", c.ImageID, j.spec.ImageID)
	case c.Labels[hierarchy.LabelSpec] != j.spec.Box.Spec():
		err = errors.New("made without ocisi's labels")
	}
	if err != nil {
		return &StepError{Box: name, Step: "check", Log: log, Err: err}
	}
	j.say("starting box %s", name)
	if log, err = j.enter(ctx, startTimeout, "true"); err != nil {
		return &StepError{Box: name, Step: "start", Log: log, Err: err}
	}
	return nil
}

// replace creates the box while the old one waits aside.
func (j *job) replace(ctx context.Context, old hierarchy.StoredBox) error {
	name := j.spec.Box.Name
	j.say("setting box %s aside", name)
	err := j.store.RenameContainer(ctx, name, name+aside)
	if err == nil {
		err = j.create(ctx, old.ID)
	} else {
		err = fmt.Errorf("setting box %s aside: %w", name, err)
	}
	ctx, cancel := afterwards(ctx)
	defer cancel()
	if err != nil {
		return errors.Join(err, j.putBack(ctx, old))
	}
	j.say("removing the old box %s", name)
	if err := j.store.RemoveContainer(ctx, name+aside); err != nil {
		return fmt.Errorf("removing the old box %s: %w", name+aside, err)
	}
	return nil
}

// putBack gives the old box its name again, unless it never lost it.
func (j *job) putBack(ctx context.Context, old hierarchy.StoredBox) error {
	name := j.spec.Box.Name
	c, found, err := j.store.Container(ctx, name)
	if err == nil && found && c.ID == old.ID {
		return nil
	}
	if err == nil && found {
		// An engine may finish a create after the program that asked is gone.
		err = j.store.RemoveContainer(ctx, name)
	}
	if err == nil {
		err = j.store.RenameContainer(ctx, name+aside, name)
	}
	if err != nil {
		return fmt.Errorf("putting the old box back, which is now called %s: %w", name+aside, err)
	}
	j.say("the old box %s is back", name)
	return nil
}

// export exports what the spec names, all of it that can be.
func (j *job) export(ctx context.Context) error {
	var failed []error
	for _, e := range j.todo {
		if ctx.Err() != nil {
			return errors.Join(append(failed, context.Cause(ctx))...)
		}
		j.say("exporting %s from box %s", e.what, j.spec.Box.Name)
		log, err := j.enter(ctx, shortTimeout, e.argv...)
		if err != nil {
			failed = append(failed, &ExportError{Box: j.spec.Box.Name, What: e.what, Log: log, Err: err})
		}
	}
	return errors.Join(failed...)
}

// afterwards returns a context for putting things right: it outlives the one
// of the work, which may have ended, but not by long.
func afterwards(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), shortTimeout)
}
