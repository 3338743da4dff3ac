package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/apply"
	"github.com/klmcwhirter/ocisi/hierarchy/box"
	"github.com/klmcwhirter/ocisi/hierarchy/engine"
	"github.com/klmcwhirter/ocisi/hierarchy/launcher"
	"github.com/klmcwhirter/ocisi/hierarchy/plan"
)

// distrobox is what makes the user's boxes.
func (env Env) distrobox() box.Distrobox {
	return box.Distrobox{
		Runner: env.Runner, Disk: env.Disk, Host: env.launcherHost(), Data: env.DataHome, Sudo: env.Getenv("DBX_SUDO_PROGRAM"),
		Home: env.Home, User: env.User, UID: env.UID, Shell: env.Getenv("SHELL"), Lang: env.Getenv("LANG"),
	}
}

// lookAtBox adds to a store what is only known by asking about one box: those
// of root, whether one that was made from another image differs in content,
// and what it lacks on the host.
func (s *session) lookAtBox(ctx context.Context, store *hierarchy.Store, im hierarchy.Image) error {
	e := s.engines[im.Manager]
	if im.Box.Root && im.Manager == hierarchy.Podman {
		s.lookAtRoot(ctx, store, im)
		return nil
	}
	if err := s.lookForDrift(ctx, store, im); err != nil {
		return err
	}
	i := slices.IndexFunc(store.Boxes, func(b hierarchy.StoredBox) bool { return b.Name == im.Box.Name })
	if i < 0 {
		return nil
	}
	b := &store.Boxes[i]
	if b.Labels[hierarchy.LabelSpec] == im.Box.Spec() { // else it is another one's launchers that it has
		b.Lacks = s.lacking(im, *b)
	}
	j := slices.IndexFunc(store.Images, func(stored hierarchy.StoredImage) bool {
		return slices.Contains(stored.Refs, im.Manager.StoreRef(im.Ref()))
	})
	if j < 0 || store.Images[j].ID == b.ImageID {
		return nil
	}
	if err := setContents(ctx, e, store.Boxes, i); err != nil {
		return err
	}
	var err error
	store.Images[j].Content, err = e.Content(ctx, store.Images[j].ID)
	return err
}

// setContents sets the content of the box with index i and of its generations: the
// box may have been rolled back from one of them.
func setContents(ctx context.Context, e *engine.Engine, boxes []hierarchy.StoredBox, i int) (err error) {
	name := boxes[i].Name
	for k := range boxes {
		if of, role, _ := boxes[k].Role(); k != i && (of != name || role != hierarchy.Kept) {
			continue
		}
		if boxes[k].Content, err = e.Content(ctx, boxes[k].ImageID); err != nil {
			return err
		}
	}
	return nil
}

// lookAtRoot adds a box of root's podman, and what it was before.
func (s *session) lookAtRoot(ctx context.Context, store *hierarchy.Store, im hierarchy.Image) {
	found, ok, err := s.boxes.Find(ctx, s.engines[im.Manager], s.spec(im))
	if ok {
		store.RootBoxes = append(store.RootBoxes, found)
	}
	var all []hierarchy.StoredBox
	if err == nil {
		all, err = s.boxes.RootBoxes(ctx)
	}
	for _, b := range all {
		if of, role, _ := b.Role(); of == im.Box.Name && role != hierarchy.Current {
			store.RootBoxes = append(store.RootBoxes, b)
		}
	}
	store.RootUnknown = store.RootUnknown || err != nil // no sudo without a password, most likely
}

// lacking returns the launchers that a box should have and has not.
func (s *session) lacking(im hierarchy.Image, made hierarchy.StoredBox) []string {
	b := *im.Box
	if len(b.ExportedBins)+len(b.ExportedApps) == 0 {
		return nil
	}
	dirs := s.env.launcherDirs()
	return launcher.Lacking(launcher.Scan(s.env.Files, dirs, []string{dirs.Bins(b)}), s.owner(im, made), b, dirs)
}

// spec is what an image's box is made by.
func (s *session) spec(im hierarchy.Image) box.Spec {
	return box.Spec{
		Manager: im.Manager, Box: *im.Box, Keep: im.Keep, Force: s.force, TakeBack: s.takeBack, Drifted: s.driftCheck(im),
		Image:  im.Manager.StoreRef(im.Ref()),
		Labels: map[string]string{hierarchy.LabelConfig: s.config, hierarchy.LabelVersion: s.env.Version, hierarchy.LabelImage: im.Ref()},
	}
}

// specFor is what the box of a step is made by.
func (s *session) specFor(st plan.Step) box.Spec {
	spec := s.spec(st.Image)
	spec.ID = st.ID
	return spec
}

// specOf returns what is known of a box by its name alone: all of it when the
// config wants it.
func (s *session) specOf(g *hierarchy.Graph, m hierarchy.Manager, name string) box.Spec {
	for _, im := range g.Boxes() {
		if im.Manager == m && im.Box.Name == name {
			return s.spec(im)
		}
	}
	return box.Spec{Manager: m, Box: hierarchy.Box{Name: name}, Keep: hierarchy.DefaultKeep, Force: s.force}
}

// restore completes or undoes what a run that was interrupted left of boxes, and
// reports whether there was anything. Only a run that holds the lock does; any other
// one reports it. A box of which it cannot be determined whether it works stays as it
// is, and the run goes on.
func (s *session) restore(ctx context.Context, g *hierarchy.Graph, store hierarchy.Store) (bool, error) {
	waiting := s.waiting(store.Boxes)
	if len(waiting) == 0 {
		return false, nil
	}
	s.restoring.Lock()
	defer s.restoring.Unlock()
	if !s.locked {
		for _, b := range waiting {
			name, _, _ := b.Role()
			fmt.Fprintf(s.env.Stderr, "ocisi: box %s: its replacement is running or was interrupted; the previous box is %s (to complete or undo it: %s process)\n",
				name, b.Name, s.env.self(s.config))
		}
		return false, nil
	}
	e := s.engines[store.Manager]
	var errs []error
	for _, b := range waiting {
		name, _, _ := b.Role()
		report := func(p hierarchy.Progress) {
			if p.Title != "" {
				fmt.Fprintln(s.env.Stderr, "ocisi: "+p.Title)
			}
		}
		err := s.boxes.Recover(ctx, e, s.specOf(g, store.Manager, name), store.Boxes, report)
		if is[*box.UnknownError](err) {
			fmt.Fprintf(s.env.Stderr, "ocisi: %v\nhint: %s\n", err, hint(err, s.env.self(s.config)))
			continue
		}
		errs = append(errs, err)
	}
	return true, errors.Join(errs...)
}

// waiting returns the boxes that a run of this user and config, or of one that no
// longer exists, has set aside.
func (s *session) waiting(boxes []hierarchy.StoredBox) []hierarchy.StoredBox {
	var found []hierarchy.StoredBox
	for _, b := range boxes {
		if _, role, _ := b.Role(); role == hierarchy.Waiting && s.boxes.Owner.Box(b) == hierarchy.Owned {
			found = append(found, b)
		}
	}
	return found
}

// Box implements apply.Boxer.
func (s *session) Box(ctx context.Context, st plan.Step, emit func(hierarchy.Progress)) (plan.Action, error) {
	e := s.engines[st.Manager]
	var out box.Outcome
	var err error
	switch st.Action {
	case plan.RollBack:
		spec := box.Spec{Manager: st.Manager, Box: hierarchy.Box{Name: st.Name, Root: st.Root}, Force: s.force, ID: st.ID}
		out, err = s.boxes.Rollback(ctx, e, spec, st.Generation, emit)
	case plan.Trim:
		out, err = s.boxes.Trim(ctx, e, s.specFor(st), emit)
	default:
		spec := s.specFor(st)
		if st.Drift != nil && !s.replaceDrifted {
			spec.Protect = &driftedError{manager: st.Manager, box: st.Name, id: st.ID, drift: *st.Drift}
		}
		out, err = s.boxes.Replace(ctx, e, spec, emit)
	}
	s.supersede(st.Manager, out)
	switch {
	case is[*box.InUseError](err), is[*driftedError](err):
		return "", &apply.PostponedError{Err: err}
	case err != nil:
		return "", err
	case st.Action == plan.RollBack, st.Action == plan.Trim, st.Action == plan.Export && out.Before.ID != "":
		return st.Action, nil
	case out.Before.ID == "":
		return plan.Create, nil
	case out.Before.ID != out.After.ID:
		return st.Action, nil
	}
	return plan.Keep, nil
}

// supersede notes the images that lose a box.
func (s *session) supersede(m hierarchy.Manager, out box.Outcome) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range append(out.Removed, out.Before) {
		if b.ImageID != "" && b.ImageID != out.After.ImageID {
			s.superseded = append(s.superseded, storedID{m, b.ImageID})
		}
	}
}

// interrupted counts the working containers that killed builds left.
func (s *session) interrupted(ctx context.Context) (int, error) {
	n := 0
	for _, e := range s.engines {
		ids, err := e.Interrupted(ctx)
		if err != nil {
			return 0, err
		}
		n += len(ids)
	}
	return n, nil
}

// removeInterrupted removes those of some managers. They contain nothing of the
// user's, and keep images from being removed. An error is only a warning: the next run
// tries again.
func (s *session) removeInterrupted(ctx context.Context, among []hierarchy.Manager) {
	for _, m := range among {
		if err := s.engines[m].RemoveInterrupted(ctx); err != nil {
			fmt.Fprintf(s.env.Stderr, "ocisi: warning: %v\n", err)
		}
	}
}

// removeSuperseded removes the images of boxes that were replaced or removed from
// the stores of some managers, unless something still uses them; without managers,
// from all stores.
func (s *session) removeSuperseded(ctx context.Context, among ...hierarchy.Manager) {
	for _, old := range s.superseded {
		if len(among) > 0 && !slices.Contains(among, old.manager) {
			continue
		}
		s.engines[old.manager].RemoveSuperseded(ctx, old.id)
	}
}
