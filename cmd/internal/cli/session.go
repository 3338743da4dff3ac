package cli

import (
	"context"
	"errors"
	"log/slog"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/box"
	"github.com/klmcwhirter/ocisi/hierarchy/engine"
	"github.com/klmcwhirter/ocisi/hierarchy/layers"
	"github.com/klmcwhirter/ocisi/hierarchy/plan"
)

// session is the engines of one run, and does the work of a plan's steps with
// them: it is apply's Puller, Builder, Boxer and Remover.
type session struct {
	env     Env
	engines map[hierarchy.Manager]*engine.Engine
	boxes   box.Distrobox
	config  string // path of the config

	mu         sync.Mutex
	superseded []storedID // images of boxes that were replaced
}

// storedID is an image in a store.
type storedID struct {
	manager hierarchy.Manager
	id      string
}

// open connects to engines.
func (env Env) open(ctx context.Context, managers []hierarchy.Manager, config string, log *slog.Logger) (*session, error) {
	s := &session{
		env:     env,
		engines: map[hierarchy.Manager]*engine.Engine{},
		boxes:   box.Distrobox{Runner: env.Runner, Home: env.Home, Sudo: env.Getenv("DBX_SUDO_PROGRAM")},
		config:  config,
	}
	for _, m := range managers {
		e, err := env.openEngine(ctx, m, log)
		if err != nil {
			return nil, errors.Join(err, s.close())
		}
		s.engines[m] = e
	}
	return s, nil
}

func (env Env) openEngine(ctx context.Context, m hierarchy.Manager, log *slog.Logger) (*engine.Engine, error) {
	return engine.Open(ctx, m, engine.Options{
		Runner: env.Runner, Getenv: env.Getenv, Home: env.Home, Version: env.Version, Log: log,
	})
}

func (s *session) close() error {
	var errs []error
	for _, e := range s.engines {
		errs = append(errs, e.Close())
	}
	return errors.Join(errs...)
}

// observe asks all engines at once what they hold.
func (s *session) observe(ctx context.Context) (plan.Stores, error) {
	stores := make(chan hierarchy.Store, len(s.engines))
	eg, ctx := errgroup.WithContext(ctx)
	for _, e := range s.engines {
		eg.Go(func() error {
			store, err := e.Observe(ctx)
			stores <- store
			return err
		})
	}
	if err := eg.Wait(); err != nil {
		return nil, err
	}
	close(stores)
	out := plan.Stores{}
	for store := range stores {
		out[store.Manager] = store
	}
	return out, nil
}

// serial reports whether a manager builds one image at a time.
func (s *session) serial(m hierarchy.Manager) bool { return s.engines[m].Serial() }

// Pull implements apply.Puller. A base that the engine finds under its name is
// not pulled.
func (s *session) Pull(ctx context.Context, m hierarchy.Manager, ref string, emit func(hierarchy.Progress)) error {
	_, found, err := s.engines[m].Inspect(ctx, ref)
	if err != nil || found {
		return err
	}
	return s.engines[m].Pull(ctx, ref, emit)
}

// Build implements apply.Builder.
func (s *session) Build(ctx context.Context, im hierarchy.Image, emit func(hierarchy.Progress)) (string, error) {
	return s.engines[im.Manager].Build(ctx, im.Recipe(s.config, im.Inputs), emit)
}

// Box implements apply.Boxer.
func (s *session) Box(ctx context.Context, im hierarchy.Image, emit func(hierarchy.Progress)) (plan.Action, error) {
	e := s.engines[im.Manager]
	spec := box.Spec{
		Manager: im.Manager, Box: *im.Box,
		Image:  im.Manager.StoreRef(im.Ref()),
		Labels: map[string]string{hierarchy.LabelConfig: s.config, hierarchy.LabelVersion: s.env.Version},
	}
	before, was, err := s.boxes.Find(ctx, e, spec)
	if err != nil {
		return "", err
	}
	if err := s.boxes.Replace(ctx, e, spec, emit); err != nil {
		return "", err
	}
	after, _, err := s.boxes.Find(ctx, e, spec)
	switch {
	case err != nil:
		return "", err
	case !was:
		return plan.Create, nil
	case before.ID == after.ID:
		return plan.Keep, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.superseded = append(s.superseded, storedID{im.Manager, before.ImageID})
	return plan.Recreate, nil
}

// Remove implements apply.Remover.
func (s *session) Remove(ctx context.Context, t plan.Target) error {
	e := s.engines[t.Manager]
	if t.Kind == plan.Box {
		return s.boxes.Remove(ctx, e, t.Name)
	}
	return e.RemoveImage(ctx, t.Name)
}

// storeReport is what the images of a hierarchy take in one store.
type storeReport struct {
	Manager hierarchy.Manager `json:"manager"`
	layers.Report
}

// sharing measures the images of a graph and their bases, as far as they are
// in the stores.
func (s *session) sharing(ctx context.Context, g *hierarchy.Graph) ([]storeReport, error) {
	reports := []storeReport{} // in JSON a list, however short
	for _, m := range g.Managers() {
		refs, err := s.present(ctx, g, m)
		if err != nil {
			return nil, err
		}
		images, err := s.engines[m].Layers(ctx, refs)
		if err != nil {
			return nil, err
		}
		reports = append(reports, storeReport{Manager: m, Report: layers.Analyze(images)})
	}
	return reports, nil
}

// present returns the full names of a manager's images and bases that are in
// its store, bases first.
func (s *session) present(ctx context.Context, g *hierarchy.Graph, m hierarchy.Manager) ([]string, error) {
	store, err := s.engines[m].Observe(ctx)
	if err != nil {
		return nil, err
	}
	var bases, images []string
	seen := map[string]bool{}
	add := func(to *[]string, full string) {
		if _, ok := store.Image(full); ok && !seen[full] {
			seen[full] = true
			*to = append(*to, full)
		}
	}
	for _, im := range g.Images {
		if im.Manager != m {
			continue
		}
		for _, b := range im.Bases {
			add(&bases, hierarchy.FullRef(b.As))
		}
		add(&images, m.StoreRef(im.Ref()))
	}
	return append(bases, images...), nil
}

// removeSuperseded removes the images of boxes that were replaced, unless
// something still uses them.
func (s *session) removeSuperseded(ctx context.Context) {
	for _, old := range s.superseded {
		s.engines[old.manager].RemoveSuperseded(ctx, old.id)
	}
}

// with opens engines for as long as f runs.
func (env Env) with(ctx context.Context, managers []hierarchy.Manager, config string, f func(context.Context, *session) error) (err error) {
	s, err := env.open(ctx, managers, config, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	return f(ctx, s)
}
