package cli

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/box"
	"github.com/klmcwhirter/ocisi/hierarchy/engine"
	"github.com/klmcwhirter/ocisi/hierarchy/launcher"
	"github.com/klmcwhirter/ocisi/hierarchy/plan"
)

// session is the engines of one run, and does the work of a plan's steps with
// them: it is apply's Puller, Builder, Boxer, Remover and Copier.
type session struct {
	env      Env
	engines  map[hierarchy.Manager]*engine.Engine
	boxes    box.Distrobox
	config   string // path of the config
	force    bool   // boxes that somebody is in are replaced, too
	takeBack bool   // boxes that distrobox migrate has recreated are replaced
	locked   bool   // this run holds the lock

	replaceDrifted bool // boxes that hold what their images do not are replaced, too

	restoring sync.Mutex // the engines are asked at once, and the lock is one

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
		boxes:   env.distrobox(),
		config:  config,
	}
	s.boxes.Owner = env.ownership(config)
	for _, m := range managers {
		e, err := env.openEngine(ctx, m, log)
		if err != nil {
			return nil, errors.Join(err, s.close())
		}
		s.engines[m] = e
	}
	return s, nil
}

// configure tells the session what the config and the flags say about boxes.
func (s *session) configure(l *loaded, force, dry bool) {
	s.force, s.locked = force, !dry
	s.boxes.Start = l.startTimeout
	s.boxes.Host.Dropped = func(o launcher.Owner) bool {
		return s.env.sameFile(o.Config, l.config.File) && !slices.ContainsFunc(l.all.Boxes(), func(im hierarchy.Image) bool {
			return im.Box.Name == o.Box && im.Manager == o.Manager
		})
	}
}

func (env Env) openEngine(ctx context.Context, m hierarchy.Manager, log *slog.Logger) (*engine.Engine, error) {
	return engine.Open(ctx, m, engine.Options{
		Runner: env.Runner, Getenv: env.Getenv, Home: env.Home, Version: env.Version, Log: log, Keychain: env.logins(), Timeout: env.Patience, Patience: env.ListPatience,
		Installation: env.installation,
	})
}

func (s *session) close() error {
	var errs []error
	for _, e := range s.engines {
		errs = append(errs, e.Close())
	}
	return errors.Join(errs...)
}

// observe asks all engines at once what they hold of a graph; everything when
// all is set.
func (s *session) observe(ctx context.Context, g *hierarchy.Graph, all bool) (plan.Stores, error) {
	found := make([]hierarchy.Store, len(s.engines))
	eg, ctx := errgroup.WithContext(ctx)
	for i, m := range slices.Sorted(maps.Keys(s.engines)) {
		eg.Go(func() (err error) {
			found[i], err = s.look(ctx, g, m, all)
			return err
		})
	}
	if err := eg.Wait(); err != nil {
		return nil, err
	}
	out := plan.Stores{}
	for _, store := range found {
		out[store.Manager] = store
	}
	s.boxes.Host.Boxes = boxNames(out)
	for _, im := range g.Boxes() { // which may be made meanwhile
		s.boxes.Host.Boxes[im.Manager] = append(s.boxes.Host.Boxes[im.Manager], im.Box.Name)
	}
	return out, nil
}

// boxNames returns the names of the boxes of every engine that was asked.
func boxNames(stores plan.Stores) map[hierarchy.Manager][]string {
	all := map[hierarchy.Manager][]string{}
	for m, store := range stores {
		all[m] = []string{}
		for _, b := range slices.Concat(store.Boxes, store.RootBoxes) {
			all[m] = append(all[m], b.Name)
		}
	}
	return all
}

// look asks one engine.
func (s *session) look(ctx context.Context, g *hierarchy.Graph, m hierarchy.Manager, all bool) (hierarchy.Store, error) {
	e := s.engines[m]
	var names []string
	if !all {
		names = namesOf(g, m)
	}
	store, err := e.Observe(ctx, names)
	if err != nil {
		return store, err
	}
	if left, err := s.restore(ctx, g, store); err != nil || left {
		if err != nil {
			return store, err
		}
		if store, err = e.Observe(ctx, names); err != nil {
			return store, err
		}
	}
	if err := s.lookAtCopies(ctx, &store, g); err != nil {
		return store, err
	}
	for _, im := range g.Boxes() {
		if im.Manager != m {
			continue
		}
		if err := s.lookAtBox(ctx, &store, im); err != nil {
			return store, err
		}
	}
	return store, nil
}

// namesOf returns the full names of the images that a manager's store is to have,
// and of their bases.
func namesOf(g *hierarchy.Graph, m hierarchy.Manager) []string {
	names := map[string]bool{}
	for _, im := range g.Images {
		if !im.In(m) {
			continue
		}
		names[m.StoreRef(im.Ref())] = true
		for _, b := range im.Bases {
			names[hierarchy.FullRef(b.Pinned())] = true
			names[m.StoreRef(b.Pinned())] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// options are what every plan of the session is made by.
func (s *session) options() plan.Options {
	return plan.Options{Now: s.env.Now(), Config: s.config, Exists: s.env.mayExist, Same: s.env.sameFile, UID: s.env.UID, TakeBack: s.takeBack}
}

// serial reports whether a manager builds one image at a time.
func (s *session) serial(m hierarchy.Manager) bool { return s.engines[m].Serial() }

// Pull implements apply.Puller. A base that is pulled because it is missing, and
// that the engine finds under its name by now, is not pulled. Where the registry
// no longer has the digest that images were built from, what the name stands for
// now has to do; where the lock file wants it, nothing else does.
func (s *session) Pull(ctx context.Context, st plan.Step, emit func(hierarchy.Progress)) error {
	e := s.engines[st.Manager]
	if st.Pin != "" {
		return e.Pull(ctx, st.Name, st.Pin, emit)
	}
	if !st.Newer {
		if _, found, err := e.Inspect(ctx, st.Name); err != nil || found {
			return err
		}
	}
	err := e.Pull(ctx, st.Name, st.Digest, emit)
	if gone, ok := errors.AsType[*engine.GoneError](err); ok && st.Digest != "" {
		emit(hierarchy.Progress{Title: "its registry no longer has that one; taking what it has now"})
		emit(hierarchy.Progress{Log: gone.Error()})
		err = e.Pull(ctx, st.Name, "", emit)
	}
	return err
}

// Build implements apply.Builder.
func (s *session) Build(ctx context.Context, st plan.Step, emit func(hierarchy.Progress)) (string, error) {
	im, e := st.Image, s.engines[st.Manager]
	if err := im.CheckContext(); err != nil {
		return "", err
	}
	fresh := st.Fresh
	if fresh.IsZero() {
		fresh = s.env.Now()
	}
	made, err := im.Made(func(full string) (hierarchy.StoredImage, bool, error) { return e.Inspect(ctx, full) }, fresh)
	if err != nil {
		return "", err
	}
	r := im.Recipe(s.config, made)
	r.NoCache = r.NoCache || st.NoCache
	id, err := e.Build(ctx, r, emit)
	return id, refusedFor(st, err)
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
