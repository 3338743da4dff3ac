package cli

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/layers"
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
