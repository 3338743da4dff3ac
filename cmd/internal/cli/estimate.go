package cli

import (
	"context"
	"slices"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/layers"
	"github.com/klmcwhirter/ocisi/hierarchy/plan"
)

// expect sets how many bytes builds will add: as many as the last one of the same
// name did, as far as it is there.
func (s *session) expect(ctx context.Context, stores plan.Stores, steps []plan.Step) error {
	g := &hierarchy.Graph{}
	builds := map[hierarchy.Manager][]*plan.Step{}
	for i := range steps {
		st := &steps[i]
		if st.Kind != plan.Image || st.From != "" {
			continue
		}
		g.Images = append(g.Images, st.Image)
		if st.Action == plan.Build || st.Action == plan.Rebuild {
			builds[st.Manager] = append(builds[st.Manager], st)
		}
	}
	for m, of := range builds {
		found, err := s.imagesIn(ctx, g, stores[m])
		if err != nil {
			return err
		}
		report := layers.Analyze(found.images)
		for _, st := range of {
			var direct []string
			for _, p := range st.Image.Parents {
				direct = append(direct, hierarchy.FamiliarRef(m.StoreRef(p.As)))
			}
			st.Adds = addedBefore(found.images, report, hierarchy.FamiliarRef(m.StoreRef(st.Name)), direct)
		}
	}
	return nil
}

// addedBefore returns how many bytes the last build of an image added to its
// parent: the one that has the name or, without one, the largest that had it.
// direct are the names of its parents.
func addedBefore(images []layers.Image, report layers.Report, name string, direct []string) int64 {
	var former int64
	for i, im := range images {
		one := report.Images[i]
		if im.Ref != name && im.Was != name {
			continue
		}
		added := one.Added
		if len(direct) > 0 && !slices.Contains(direct, one.Parent) {
			added = addedAbout(images, im, one, direct)
		}
		if im.Ref == name {
			return added
		}
		former = max(former, added)
	}
	return former
}

// addedAbout estimates the same of an image that was built on another build of its
// parent, or on another parent, which is not there. The layers of that one are
// taken for as many as the parent has now: beyond the last line of a Containerfile
// that both have in common.
func addedAbout(images []layers.Image, im layers.Image, one layers.ImageReport, direct []string) int64 {
	below := 0
	for _, p := range images {
		if slices.Contains(direct, p.Ref) {
			below = max(below, layersBelow(im.Layers, p.Layers))
		}
	}
	if below == 0 {
		return one.Added
	}
	var added int64
	for _, l := range one.Layers[min(below, len(one.Layers)):] {
		added += l.Size
	}
	return added
}

// layersBelow estimates how many of an image's layers were its parent's when it was
// built, by what the parent has now.
func layersBelow(image, parent []layers.Layer) int {
	for j, p := range slices.Backward(parent) {
		same := func(l layers.Layer) bool { return l.DiffID == p.DiffID || l.By != "" && l.By == p.By }
		if i := slices.IndexFunc(image, same); i >= 0 {
			return i + len(parent) - j
		}
	}
	return 0
}
