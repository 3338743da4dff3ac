package cli

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/klmcwhirter/ocisi/bootstrap/doctor"
	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/engine"
)

func found(s doctor.Status, detail string, fix ...string) doctor.Result {
	return doctor.Result{Status: s, Detail: detail, Fix: fix}
}

// each calls f with every engine of the config that answers, and returns how
// many do. Those that do not have a check of their own.
func (c *clinic) each(f func(*engine.Engine) error) (asked int, err error) {
	for _, m := range c.managers() {
		e, err := c.engines[m]()
		if err != nil {
			continue
		}
		asked++
		if err := f(e); err != nil {
			return asked, err
		}
	}
	return asked, nil
}

// unasked is the result of a check that no engine answered; nil when one did.
func (c *clinic) unasked(asked int, err error) *doctor.Result {
	var r doctor.Result
	switch {
	case c.graph == nil:
		r = found(doctor.Skip, "there is no config that is right")
	case err != nil:
		r = found(doctor.Skip, err.Error())
	case asked == 0:
		r = found(doctor.Skip, "no engine that is wanted answers")
	default:
		return nil
	}
	return &r
}

// missing is what the config wants and the stores do not have.
type missing struct {
	all, bases   int
	images, from []string // references of images, and of bases
	seen         map[hierarchy.Key]bool
}

// imagesThere tells of images that are gone: people, and ujust clean-system,
// prune what no container uses.
func (c *clinic) imagesThere(ctx context.Context, _ doctor.Facts) doctor.Result {
	gone := missing{seen: map[hierarchy.Key]bool{}}
	asked, err := c.each(func(e *engine.Engine) error {
		store, err := e.Observe(ctx, namesOf(c.graph, e.Manager()))
		if err == nil {
			gone.look(c.graph, store)
		}
		return err
	})
	process := c.env.self(c.path) + " process"
	switch r := c.unasked(asked, err); {
	case r != nil:
		return *r
	case len(gone.images) == 0 && len(gone.from) == 0:
		return found(doctor.OK, count(gone.all, "image", "images")+" and "+count(gone.bases, "base", "bases")+" are there")
	case len(gone.images) == gone.all:
		return found(doctor.Info, "no image is built yet", process)
	case len(gone.images) == 0:
		return found(doctor.Info, "gone are bases, which are pulled when a build wants them: "+strings.Join(gone.from, ", "))
	}
	return found(doctor.Info, fmt.Sprintf("%d of %d images are not there, and are built again: %s", len(gone.images), gone.all, strings.Join(gone.images, ", ")), process)
}

// look adds what one store lacks.
func (gone *missing) look(g *hierarchy.Graph, store hierarchy.Store) {
	for _, im := range g.Images {
		if im.Manager != store.Manager {
			continue
		}
		gone.all++
		if _, there := store.Image(im.Manager.StoreRef(im.Ref())); !there {
			gone.images = append(gone.images, im.Ref())
		}
		for _, b := range im.Bases {
			key := hierarchy.Key{Manager: im.Manager, Ref: b.As}
			if gone.seen[key] {
				continue
			}
			gone.seen[key] = true
			gone.bases++
			if !hasBase(store, b) {
				gone.from = append(gone.from, b.As)
			}
		}
	}
}

func hasBase(store hierarchy.Store, b hierarchy.Need) bool {
	for _, name := range []string{hierarchy.FullRef(b.Pinned()), store.Manager.StoreRef(b.Pinned())} {
		if _, there := store.Image(name); there {
			return true
		}
	}
	return false
}

// entrypoints tells of images that run something whatever they are told to:
// distrobox looks into an image by running true in it.
func (c *clinic) entrypoints(ctx context.Context, _ doctor.Facts) doctor.Result {
	looked := 0
	var bad []string
	asked, err := c.each(func(e *engine.Engine) error {
		for _, im := range c.boxes() {
			if im.Manager != e.Manager() {
				continue
			}
			looked++
			starts, err := e.Entrypoint(ctx, im.Manager.StoreRef(im.Ref()))
			if err != nil {
				return err
			}
			if len(starts) > 0 && !slices.Contains(bad, im.Ref()) {
				bad = append(bad, im.Ref())
			}
		}
		return nil
	})
	if r := c.unasked(asked, err); r != nil {
		return *r
	}
	if len(bad) == 0 {
		return found(doctor.OK, count(looked, "box", "boxes")+" with an image that starts nothing of its own")
	}
	return found(doctor.Warn, strings.Join(bad, ", ")+" has an ENTRYPOINT, which gets in the way when distrobox looks into it: write ENTRYPOINT [] at the end of its Containerfile",
		c.env.self(c.path)+" process")
}

// waitingBoxes checks that no box waits under another name for what a run that
// was stopped did not finish.
func (c *clinic) waitingBoxes(ctx context.Context, _ doctor.Facts) doctor.Result {
	seen := 0
	var waiting []string
	asked, err := c.each(func(e *engine.Engine) error {
		boxes, err := e.Boxes(ctx)
		seen += len(boxes)
		for _, b := range boxes {
			if name, role, _ := b.Role(); role == hierarchy.Waiting {
				waiting = append(waiting, fmt.Sprintf("%s is called %s", name, b.Name))
			}
		}
		return err
	})
	if r := c.unasked(asked, err); r != nil {
		return *r
	}
	if len(waiting) == 0 {
		return found(doctor.OK, count(seen, "box is", "boxes are")+" what they are called")
	}
	return found(doctor.Warn, "another ocisi is at work, or one was stopped: "+strings.Join(waiting, ", "), c.env.self(c.path)+" process")
}

// migratedBoxes reports boxes that distrobox migrate has committed to an image of
// their own.
func (c *clinic) migratedBoxes(ctx context.Context, _ doctor.Facts) doctor.Result {
	var migrated, names []string
	seen := 0
	asked, err := c.each(func(e *engine.Engine) error {
		boxes, err := e.Boxes(ctx)
		seen += len(boxes)
		for _, b := range boxes {
			if _, role, _ := b.Role(); role == hierarchy.Current && b.Migrated() {
				migrated = append(migrated, fmt.Sprintf("%s (%s)", b.Name, hierarchy.FamiliarRef(b.Image)))
				names = append(names, b.Name)
			}
		}
		return err
	})
	switch r := c.unasked(asked, err); {
	case r != nil:
		return *r
	case len(migrated) == 0:
		return found(doctor.OK, count(seen, "box", "boxes")+", none made by distrobox migrate")
	}
	return found(doctor.Warn, "distrobox migrate created these boxes from images of their own, so ocisi no longer updates them: "+strings.Join(migrated, ", ")+
		". What they are now stays as a generation", c.env.self(c.path)+" process --take-back "+strings.Join(names, " "))
}

// helpers tells of boxes that were made by a distrobox that is no longer where
// it was (distrobox's issue 1751): its scripts are mounted into them from there,
// and without them the box does not start again.
func (c *clinic) helpers(ctx context.Context, _ doctor.Facts) doctor.Result {
	seen := 0
	var gone, ours []string
	asked, err := c.each(func(e *engine.Engine) error {
		boxes, err := e.Boxes(ctx)
		if err != nil {
			return err
		}
		for _, b := range boxes {
			seen++
			binds, err := e.Binds(ctx, b.Name)
			if err != nil {
				return err
			}
			i := slices.IndexFunc(binds, func(bind engine.Bind) bool { return isHelper(bind) && !c.env.mayExist(bind.Source) })
			if i < 0 {
				continue
			}
			gone = append(gone, fmt.Sprintf("%s wants %s", b.Name, binds[i].Source))
			if b.Labels[hierarchy.LabelBox] == b.Name {
				ours = append(ours, b.Name)
			}
		}
		return nil
	})
	switch r := c.unasked(asked, err); {
	case r != nil:
		return *r
	case len(gone) == 0:
		return found(doctor.OK, count(seen, "box finds", "boxes find")+" what distrobox mounts into them")
	}
	detail := "the distrobox that made them has moved, and they do not start again: " + strings.Join(gone, ", ")
	if len(ours) == 0 {
		return found(doctor.Warn, detail+". None is ocisi's: whoever made them can make them again")
	}
	return found(doctor.Warn, detail, c.env.self(c.path)+" recreate --force "+strings.Join(ours, " "))
}

func isHelper(b engine.Bind) bool {
	return b.Target == "/usr/bin/entrypoint" || strings.HasPrefix(path.Base(b.Target), "distrobox-")
}
