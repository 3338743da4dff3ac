package cli

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/layers"
	"github.com/klmcwhirter/ocisi/hierarchy/plan"
)

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
	store, err := s.engines[m].Observe(ctx, namesOf(g, m))
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
			full := hierarchy.FullRef(b.Pinned())
			if named, ok := store.Image(hierarchy.FullRef(b.As)); ok && slices.Contains(named.Digests, full) {
				full = hierarchy.FullRef(b.As) // which is shorter
			}
			add(&bases, full)
		}
		add(&images, m.StoreRef(im.Ref()))
	}
	return append(bases, images...), nil
}

// weigh sets the bytes of the removals of images among steps to what no other
// image stores, and returns how many bytes all of them together set free.
func (s *session) weigh(ctx context.Context, steps []plan.Step) (int64, error) {
	var total int64
	for m, e := range s.engines {
		var refs []string
		for _, st := range steps {
			if st.Manager == m && st.Kind == plan.Image && st.Action == plan.Remove {
				refs = append(refs, m.StoreRef(st.Name))
			}
		}
		if len(refs) == 0 {
			continue
		}
		own, freed, err := e.Freed(ctx, refs)
		if err != nil {
			return 0, err
		}
		total += freed
		for i, st := range steps {
			if st.Manager == m && st.Kind == plan.Image {
				steps[i].Bytes = own[m.StoreRef(st.Name)]
			}
		}
	}
	return total, nil
}

// sharingText writes what is shared, as a table for each store.
func sharingText(w io.Writer, reports []storeReport) error {
	for _, r := range reports {
		if len(r.Images) == 0 {
			continue
		}
		rows := [][]string{{"IMAGE", "OWN", "SHARED"}}
		for _, im := range r.Images {
			rows = append(rows, []string{hierarchy.FamiliarRef(im.Ref), size(im.Own), size(im.Shared)})
		}
		fmt.Fprintf(w, "\n%s\n", r.Manager)
		if err := table(w, rows); err != nil {
			return err
		}
		fmt.Fprintf(w, "%s stored; %s without sharing: %.0f %% reused\n", size(r.Stored), size(r.Referenced), 100*r.Reuse())
	}
	return nil
}
