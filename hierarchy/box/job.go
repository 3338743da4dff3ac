package box

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/klmcwhirter/ocisi/hierarchy"
)

// job is one box being made, brought back or put right.
type job struct {
	d     *Distrobox
	spec  Spec
	store Engine                // that the box lives in
	args  []string              // of distrobox create
	boxes []hierarchy.StoredBox // of the store, as recover saw them
	links launchers             // of what the spec exports
	emit  func(hierarchy.Progress)
	out   Outcome
}

func (d *Distrobox) newJob(eng Engine, s Spec, emit func(hierarchy.Progress)) *job {
	if emit == nil {
		emit = func(hierarchy.Progress) {}
	}
	j := &job{d: d, spec: s, store: eng, emit: emit}
	j.spec.nonce = d.nonce()
	if s.rootful() {
		j.store = rootStore{d}
	}
	return j
}

// nonce returns the random text of a run.
func (d *Distrobox) nonce() string {
	if d.Nonce != nil {
		return d.Nonce()
	}
	return rand.Text()
}

// prepare checks all that can be checked before anything is touched.
func (d *Distrobox) prepare(ctx context.Context, eng Engine, s Spec, emit func(hierarchy.Progress)) (*job, error) {
	j := d.newJob(eng, s, emit)
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
	if j.links, err = j.launchers(s.Box); err != nil {
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
		return j, rootStore{d}.bring(ctx, j.spec)
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

// keep puts right what a box that stays lacks.
func (j *job) keep(ctx context.Context) error {
	return errors.Join(j.link(ctx), j.surplus(ctx))
}

func (j *job) say(format string, args ...any) {
	j.emit(hierarchy.Progress{Title: fmt.Sprintf(format, args...)})
}

// afterwards returns a context for putting things right: it outlives the one
// of the work, which may have ended, but not by long.
func afterwards(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), 2*shortTimeout)
}

// insist repeats what an engine does not answer to, for half a minute: a daemon
// that is started anew is back by then. A *finalError is the answer.
func insist(ctx context.Context, try func(context.Context) error) error {
	ctx, cancel := afterwards(ctx)
	defer cancel()
	for begun := time.Now(); ; {
		err := try(ctx)
		var final *finalError
		if err == nil || errors.As(err, &final) || time.Since(begun) >= patience {
			return err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return err
		}
	}
}

const (
	patience = 30 * time.Second
	pause    = time.Second
)

// finalError is one that trying again does not mend.
type finalError struct{ error }

func (e *finalError) Unwrap() error { return e.error }
