package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/box"
	"github.com/klmcwhirter/ocisi/hierarchy/layers"
	"github.com/klmcwhirter/ocisi/hierarchy/plan"
)

// driftedError reports that a box is not replaced because it holds what its image
// does not.
type driftedError struct {
	manager hierarchy.Manager
	box, id string // name and ID of the container
	drift   hierarchy.Drift
}

func (e *driftedError) Error() string {
	what := size(e.drift.Bytes)
	switch n := len(e.drift.Packages); {
	case n > 0:
		what = count(n, "package", "packages") + " (" + what + ")"
	case e.drift.Hidden:
		what = "packages (" + what + ")"
	}
	return fmt.Sprintf("box %s has %s that its image does not have", e.box, what)
}

// hint returns how to keep the packages, and the command that replaces the box
// without them; verb is how the run was typed.
func (e *driftedError) hint(self, verb string) string {
	replace := fmt.Sprintf("or replace the box without them: %s --replace-drifted %s", verb, e.box)
	if run := e.drift.Run(); run != "" {
		return "install them in an image: " + run + "; " + replace
	}
	return fmt.Sprintf("list them: %s diff %s; %s", self, e.box, replace)
}

// confirmDrift asks before boxes are replaced that hold what their images do not.
// Without a yes, or without a terminal, they are skipped.
func (s *session) confirmDrift(cmd *cobra.Command, p plan.Plan, yes bool) (err error) {
	var drifted []string
	for _, st := range p.Steps {
		if st.Drift != nil && (s.force || st.Sessions == 0) {
			drifted = append(drifted, st.Name)
		}
	}
	if s.replaceDrifted || !s.env.Terminal || len(drifted) == 0 {
		return nil
	}
	s.replaceDrifted = yes
	if !yes {
		s.replaceDrifted, err = s.env.ask(cmd, fmt.Sprintf("Replace %s without what was installed there by hand?", strings.Join(drifted, ", ")))
	}
	return err
}

// notifiedFile is the name of the file in the state directory that lists the boxes
// whose drift the user was notified of: the ID of the container by manager and name.
// Without it, the next unattended run notifies again.
const notifiedFile = "notified.json"

// newlyDrifted returns the names of those boxes whose drift the user has not been
// notified of, and notes that he is.
func (env Env) newlyDrifted(boxes []*driftedError) []string {
	path := filepath.Join(env.StateDir, notifiedFile)
	known := map[string]string{}
	if data, err := env.readFile(path); err == nil && json.Unmarshal(data, &known) != nil {
		known = map[string]string{}
	}
	var names []string
	for _, b := range boxes {
		key := string(b.manager) + " " + b.box
		if known[key] != b.id {
			known[key] = b.id
			names = append(names, b.box)
		}
	}
	if data, err := json.Marshal(known); err == nil && len(names) > 0 {
		_ = env.Disk.Write(path, append(data, '\n'), 0o600, nil) // if it fails, he is notified again
	}
	return names
}

// driftCheck returns a function that reports whether a generation of an image's box
// contains data or packages that its image does not have. It is nil for root's
// podman, where drift is not measured.
func (s *session) driftCheck(im hierarchy.Image) func(context.Context, hierarchy.StoredBox) (bool, error) {
	if im.Box.Root && im.Manager == hierarchy.Podman {
		return nil
	}
	return func(ctx context.Context, b hierarchy.StoredBox) (bool, error) {
		if b.Migrated() { // its image holds what was installed in the box
			return true, nil
		}
		d, err := box.Drift(ctx, s.engines[im.Manager], b, im.Box.AdditionalPackages)
		return d.Bytes > layers.MuchWritten || len(d.Packages) > 0, err
	}
}

// lookForDrift marks those generations of an image's box that would be trimmed if
// they did not hold drift. There are seldom any, so that the engine is seldom asked.
func (s *session) lookForDrift(ctx context.Context, store *hierarchy.Store, im hierarchy.Image) error {
	check := s.driftCheck(im)
	kept := 0
	for _, g := range hierarchy.Generations(store.Boxes, im.Box.Name) {
		if kept++; kept <= im.Keep || g.Running || s.boxes.Owner.Box(g) != hierarchy.Owned {
			continue
		}
		i := slices.IndexFunc(store.Boxes, func(b hierarchy.StoredBox) bool { return b.ID == g.ID })
		drifted, err := check(ctx, g)
		if err != nil {
			return err
		}
		store.Boxes[i].Drifted = drifted
	}
	return nil
}
