package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/plan"
	"github.com/klmcwhirter/ocisi/hierarchy/registry"
)

// registries returns what asks registries, with the user's logins.
func (env Env) registries() *registry.Client {
	return &registry.Client{Keychain: env.logins(), Version: env.Version}
}

// logins finds the user's registry logins.
func (env Env) logins() *registry.Keychain {
	return registry.NewKeychain(env.Getenv, env.Home, env.Runner)
}

// remote asks the registries of a graph's bases whether they have moved. An
// image that was never pulled has no registry, whatever its name: it was built
// here. Locked bases are asked about only when locked is set; they stay in any
// case.
func (s *session) remote(ctx context.Context, g *hierarchy.Graph, stores plan.Stores, locked bool) map[plan.Target]plan.Remote {
	known := plan.Known(g, stores, locked)
	var targets []plan.Target
	var have []registry.Local
	for _, t := range sortedTargets(known) {
		if im := known[t]; im.ID == "" || im.Digest(t.Name) != "" {
			targets = append(targets, t)
			have = append(have, registry.Local{Ref: t.Name, ID: im.ID, Digests: im.Digests})
		}
	}
	out := map[plan.Target]plan.Remote{}
	for i, a := range s.env.registries().CheckUpdates(ctx, have) {
		if !errors.Is(a.Err, registry.ErrLocal) {
			out[targets[i]] = plan.Remote{Digest: a.Digest, Moved: a.Err == nil && !a.Same, Err: a.Err}
		}
	}
	return out
}

// weighPulls sets what pulls have to fetch, as far as registries say. It is for runs
// that ask them anyway.
func (s *session) weighPulls(ctx context.Context, steps []plan.Step) {
	refs := map[int]string{}
	for i, st := range steps {
		if st.Action != plan.Pull {
			continue
		}
		refs[i] = st.Name
		if digest := cmp.Or(st.Pin, st.Digest); digest != "" {
			refs[i] = hierarchy.WithDigest(st.Name, digest)
		}
	}
	if len(refs) == 0 {
		return
	}
	sizes := s.env.registries().Sizes(ctx, slices.Collect(maps.Values(refs)))
	for i, ref := range refs {
		steps[i].Fetches = sizes[ref]
	}
}

func sortedTargets[V any](m map[plan.Target]V) []plan.Target {
	return slices.SortedFunc(maps.Keys(m), func(a, b plan.Target) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Manager, b.Manager))
	})
}

// warnUnknown says which bases nobody could be asked about, each once.
func (env Env) warnUnknown(remote map[plan.Target]plan.Remote) {
	said := map[string]bool{}
	for _, t := range sortedTargets(remote) {
		if err := remote[t].Err; err != nil && !said[t.Name] {
			said[t.Name] = true
			fmt.Fprintf(env.Stderr, "ocisi: warning: base %s is unknown, kept: %v\n", t.Name, err)
		}
	}
}

// observeLocked observes, and gives bases that a lock file does not have yet an
// entry (lockMissing); what is wanted of the stores may be something else then.
func (s *session) observeLocked(ctx context.Context, g *hierarchy.Graph, all bool, lock *hierarchy.Lock, dryRun bool) (plan.Stores, error) {
	stores, err := s.observe(ctx, g, all)
	if err != nil {
		return nil, err
	}
	changed, err := s.lockMissing(ctx, g, stores, lock, dryRun)
	if err != nil || !changed {
		return stores, err
	}
	return s.observe(ctx, g, all)
}

// lockMissing gives the bases of a graph that a lock file does not have yet an
// entry, when there is a lock file, and reports whether that has changed what is
// wanted of the stores. A dry run does not write the file.
func (s *session) lockMissing(ctx context.Context, g *hierarchy.Graph, stores plan.Stores, lock *hierarchy.Lock, dryRun bool) (bool, error) {
	missing := withDigest(g.Pin(lock), plan.Known(g, stores, true))
	if len(missing) == 0 {
		return false, nil
	}
	digests, err := s.digests(ctx, g, stores, missing)
	if err != nil {
		fmt.Fprintf(s.env.Stderr, "ocisi: warning: not locked: %v\n", err)
	}
	changes := lock.Update(digests)
	if len(changes) == 0 {
		return false, nil
	}
	verb := "would lock"
	if !dryRun {
		verb = "locked"
		if err := s.env.writeLock(lock); err != nil {
			return false, err
		}
	}
	for _, c := range changes {
		fmt.Fprintf(s.env.Stderr, "ocisi: %s %s to %s\n", verb, hierarchy.FamiliarRef(c.Ref), c.New)
	}
	g.Pin(lock)
	return true, nil
}

// lockFileError says that the lock file cannot be written.
type lockFileError struct {
	file string
	err  error
}

func (e *lockFileError) Error() string { return fmt.Sprintf("writing %s: %v", e.file, e.err) }
func (e *lockFileError) Unwrap() error { return e.err }

func (env Env) writeLock(lock *hierarchy.Lock) error {
	err := env.Disk.Write(lock.File, lock.Encode(), 0o644, nil)
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		err = pe.Err // its path is that of a temporary file
	}
	if err != nil {
		return &lockFileError{lock.File, err}
	}
	return nil
}

// withDigest returns those bases that can have a digest: an image that is in a
// store and was never pulled has none, whatever its name.
func withDigest(refs []string, known map[plan.Target]hierarchy.StoredImage) []string {
	built, pulled := map[string]bool{}, map[string]bool{}
	for t, im := range known {
		switch {
		case im.ID == "":
		case im.Digest(t.Name) == "":
			built[hierarchy.FullRef(t.Name)] = true
		default:
			pulled[hierarchy.FullRef(t.Name)] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(refs), func(ref string) bool { return built[ref] && !pulled[ref] })
}

// digests returns what bases are, to be locked: what a store holds, else what
// the registry has. The digest that the registry knows an unchanged image by is
// preferred, since it is good for other machines' platforms as well. A base that
// neither knows is left out, and named in the error.
func (s *session) digests(ctx context.Context, g *hierarchy.Graph, stores plan.Stores, refs []string) (map[string]string, error) {
	known := plan.Known(g, stores, true)
	var have []registry.Local
	var local []string
	for _, ref := range refs {
		h := registry.Local{Ref: ref}
		digest := ""
		for _, t := range sortedTargets(known) {
			if im := known[t]; hierarchy.FullRef(t.Name) == ref && digest == "" && im.Digest(t.Name) != "" {
				h.ID, h.Digests, digest = im.ID, im.Digests, im.Digest(t.Name)
			}
		}
		have, local = append(have, h), append(local, digest)
	}
	out := map[string]string{}
	var errs []error
	for i, a := range s.env.registries().CheckUpdates(ctx, have) {
		switch {
		case a.Err == nil && (a.Same || local[i] == ""):
			out[a.Ref] = a.Digest
		case local[i] != "":
			out[a.Ref] = local[i]
		default:
			errs = append(errs, fmt.Errorf("%s: %w", hierarchy.FamiliarRef(a.Ref), a.Err))
		}
	}
	return out, errors.Join(errs...)
}
