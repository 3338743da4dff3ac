package cli

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/plan"
)

// weigh sets the bytes of the removals among steps - of an image, what no other
// image stores; of a box, what it has written, and its image where nothing else
// holds that - and the sessions of boxes. It returns how many bytes all of the
// removals together set free.
func (s *session) weigh(ctx context.Context, stores plan.Stores, steps []plan.Step) (int64, error) {
	var total int64
	for m := range s.engines {
		freed, err := s.weighIn(ctx, stores[m], slices.DeleteFunc(pointers(steps), func(st *plan.Step) bool {
			return st.Manager != m || st.Action != plan.Remove
		}))
		if err != nil {
			return 0, err
		}
		total += freed
	}
	return total, nil
}

// pointers returns the steps to be written to.
func pointers(steps []plan.Step) []*plan.Step {
	var all []*plan.Step
	for i := range steps {
		all = append(all, &steps[i])
	}
	return all
}

func (s *session) weighIn(ctx context.Context, store hierarchy.Store, removals []*plan.Step) (total int64, err error) {
	e := s.engines[store.Manager]
	var refs []string
	going := map[string]bool{} // names of boxes
	imageOf := map[*plan.Step]string{}
	for _, st := range removals {
		st.Bytes = 0
		if st.Kind == plan.Image {
			imageOf[st] = store.Manager.StoreRef(st.Name)
			if st.Untagged {
				imageOf[st] = st.ID
			}
			refs = append(refs, imageOf[st])
		} else {
			going[st.Name] = true
		}
	}
	for _, st := range removals {
		if st.Kind != plan.Box {
			continue
		}
		if st.Sessions, err = e.Sessions(ctx, st.Name); err != nil {
			return 0, err
		}
		written, err := e.Written(ctx, st.Name)
		if err != nil {
			return 0, err
		}
		st.Bytes = written
		total += written
		if id := leftBy(store, st.Name, going); id != "" && !slices.Contains(refs, id) {
			imageOf[st] = id
			refs = append(refs, id)
		}
	}
	if len(refs) == 0 {
		return total, nil
	}
	freed, err := e.Freed(ctx, refs)
	for _, st := range removals {
		st.Bytes += freed.Own[imageOf[st]]
		st.Estimated = freed.Estimated[imageOf[st]]
	}
	return total + freed.Total, err
}

// leftBy returns the ID of the image that only boxes which go hold, and no name;
// "" when there is no such image.
func leftBy(store hierarchy.Store, box string, going map[string]bool) string {
	b, _ := store.Box(box)
	if slices.ContainsFunc(store.Images, func(im hierarchy.StoredImage) bool { return im.ID == b.ImageID }) {
		return ""
	}
	if slices.ContainsFunc(store.Boxes, func(x hierarchy.StoredBox) bool { return x.ImageID == b.ImageID && !going[x.Name] }) {
		return ""
	}
	return b.ImageID
}

// listedGeneration is a row of list --generations.
type listedGeneration struct {
	Box        string            `json:"box"`
	Manager    hierarchy.Manager `json:"manager"`
	Generation int               `json:"generation"` // the number that rollback takes
	Name       string            `json:"name"`       // of the container
	Image      string            `json:"image"`      // name:tag that it was made from; it may stand for another image by now
	ImageID    string            `json:"image_id"`
	Made       time.Time         `json:"made"`
	Bytes      int64             `json:"bytes"`               // that its removal sets free
	Estimated  bool              `json:"estimated,omitempty"` // Bytes is: the engine does not list the image
}

// listGenerations shows what a rollback could bring back, and what that costs.
func (o *listOptions) listGenerations(ctx context.Context, l *loaded) error {
	g, err := o.env.graph(l)
	if err != nil {
		return err
	}
	rows := []listedGeneration{}
	err = o.env.with(ctx, g.Managers(), l.config.File, func(ctx context.Context, s *session) error {
		stores, err := s.observe(ctx, g, true)
		if err != nil {
			return err
		}
		for _, m := range g.Managers() {
			found, err := s.generations(ctx, stores[m])
			if err != nil {
				return err
			}
			rows = append(rows, found...)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if o.json {
		return writeJSON(o.env.Stdout, rows)
	}
	return o.showGenerations(rows, l.config.File)
}

func (o *listOptions) showGenerations(rows []listedGeneration, config string) error {
	if len(rows) == 0 {
		_, err := fmt.Fprintln(o.env.Stdout, "no box was replaced yet, or nothing of it is kept")
		return err
	}
	cells := [][]string{{"BOX", "MANAGER", "GENERATION", "MADE", "IMAGE", "COST"}}
	for _, r := range rows {
		cells = append(cells, []string{r.Box, string(r.Manager), fmt.Sprint(r.Generation), r.Made.Format("2006-01-02 15:04"), r.Image, about(r.Bytes, r.Estimated)})
	}
	if err := table(o.env.Stdout, cells); err != nil {
		return err
	}
	self := o.env.self(config)
	_, err := fmt.Fprintf(o.env.Stdout, "to go back: %s rollback %s; to be rid of them: %[1]s clean\n", self, rows[0].Box)
	return err
}

// generations returns the generations of this config's boxes in a store, the
// latest of each box first.
func (s *session) generations(ctx context.Context, store hierarchy.Store) ([]listedGeneration, error) {
	var boxes []string
	for _, b := range store.Boxes {
		if name, role, _ := b.Role(); role == hierarchy.Kept && s.boxes.Owner.OwnsBox(b) && !slices.Contains(boxes, name) {
			boxes = append(boxes, name)
		}
	}
	slices.Sort(boxes)
	var rows []listedGeneration
	for _, box := range boxes {
		for _, b := range hierarchy.Generations(store.Boxes, box) {
			if !s.boxes.Owner.OwnsBox(b) {
				continue
			}
			_, _, n := b.Role()
			alone := []plan.Step{{Target: plan.Target{Kind: plan.Box, Manager: store.Manager, Name: b.Name}, Action: plan.Remove}}
			if _, err := s.weighIn(ctx, store, pointers(alone)); err != nil {
				return nil, err
			}
			rows = append(rows, listedGeneration{
				Box: box, Manager: store.Manager, Generation: n, Name: b.Name, Image: b.Labels[hierarchy.LabelImage], ImageID: b.ImageID,
				Made: time.Unix(b.Created, 0), Bytes: alone[0].Bytes, Estimated: alone[0].Estimated,
			})
		}
	}
	return rows, nil
}
