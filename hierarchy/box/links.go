package box

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/launcher"
	"github.com/klmcwhirter/ocisi/internal/input"
)

// launchers are those of one box on the host.
type launchers interface {
	// write writes those of a box that runs, or none. undo is never nil.
	write(ctx context.Context, c hierarchy.StoredBox) (undo func() error, err error)
	// prune removes those of the box that were not among the last ones written.
	prune() error
}

// links are launchers by files that ocisi writes itself.
type links struct {
	j     *job
	box   hierarchy.Box // what it exports
	owner launcher.Owner
	files []launcher.File
}

// Export writes the launchers of a box that is there, and removes those that it
// no longer has: of what it was made to export, or, where it does not say, of
// what the spec names. Without such a box it is an error.
func (d *Distrobox) Export(ctx context.Context, eng Engine, s Spec, emit func(hierarchy.Progress)) error {
	j := d.newJob(eng, s, emit)
	c, found, err := j.store.Container(ctx, s.Box.Name)
	switch {
	case err != nil:
		return fmt.Errorf("looking for box %s: %w", s.Box.Name, err)
	case !found:
		return fmt.Errorf("there is no box %s", s.Box.Name)
	case d.Owner.Box(c) == hierarchy.Unowned || d.Owner.Box(c) == hierarchy.OtherUser:
		return d.exists(c)
	}
	j.out = Outcome{Before: c, After: c}
	// What it was made with may be something else than the spec: it may have been
	// rolled back.
	if j.links, err = j.launchersOf(c); err == nil && j.links == nil {
		j.links, err = j.launchers(s.Box)
	}
	if err != nil {
		return err
	}
	return j.link(ctx)
}

// link makes the launchers those of the box that is there.
func (j *job) link(ctx context.Context) error {
	c := j.out.After
	if l, ok := j.links.(*links); ok && len(l.box.ExportedBins)+len(l.box.ExportedApps) > 0 && !c.Running { // it is asked what is in it
		if err := j.start(ctx, c, nil); err != nil {
			return err
		}
	}
	return place(ctx, j.links, c)
}

// place writes the launchers of a box that is there, and removes the others of it.
func place(ctx context.Context, l launchers, c hierarchy.StoredBox) error {
	if _, err := l.write(ctx, c); err != nil {
		return err
	}
	return l.prune()
}

// dirs are the folders of the user's launchers.
func (d *Distrobox) dirs() launcher.Dirs { return launcher.Dirs{Home: d.Home, Data: d.Data} }

// launchers returns the launchers of what a box exports. Those that can be told
// without looking into the box, and must not be written, are an error here.
func (j *job) launchers(b hierarchy.Box) (launchers, error) {
	if err := checkExports(b, j.d.Home); err != nil {
		return nil, err
	}
	if j.d.Host.Files == nil {
		return noLinks{}, nil
	}
	l := &links{j: j, box: b, owner: launcher.Owner{
		Manager: j.spec.Manager, Box: j.spec.Box.Name, Root: j.spec.rootful(),
		Image: strings.TrimPrefix(hierarchy.FamiliarRef(j.spec.Image), "localhost/"), Config: j.spec.Labels[hierarchy.LabelConfig],
	}}
	return l, j.d.Host.Conflicts(launcher.Known(l.owner, b, j.d.dirs()))
}

// launchersOf returns the launchers of a box that is there, as far as its labels
// tell; else nil.
func (j *job) launchersOf(c hierarchy.StoredBox) (launchers, error) {
	b, ok := Exports(c)
	if !ok {
		return nil, nil
	}
	found, err := j.launchers(b)
	if l, ok := found.(*links); ok { // a box has its image's labels, too
		l.owner.Image, l.owner.Config = c.Labels[hierarchy.LabelImage], c.Labels[hierarchy.LabelConfig]
	}
	return found, err
}

func (l *links) write(ctx context.Context, c hierarchy.StoredBox) (func() error, error) {
	none := func() error { return nil }
	l.files = launcher.Known(l.owner, l.box, l.j.d.dirs())
	if len(l.box.ExportedBins)+len(l.box.ExportedApps) > 0 {
		l.j.say("writing the launchers of box %s", c.Name)
	}
	if err := l.programs(ctx, c); err != nil {
		return none, err
	}
	apps, err := l.apps(ctx, c)
	if err != nil {
		return none, err
	}
	l.files = append(l.files, apps...)
	if err := l.j.d.Host.Conflicts(l.files); err != nil {
		return none, err
	}
	files, kept := l.j.d.Host.Keep(l.files)
	for _, f := range kept {
		l.j.say("launcher %s was edited: not replaced", f.Path)
	}
	undo, err := launcher.Switch(l.j.d.Disk, files)
	if err != nil {
		return none, fmt.Errorf("writing the launchers of box %s: %w", c.Name, err)
	}
	return undo, nil
}

// programs makes sure that what is exported is in the box, which runs.
func (l *links) programs(ctx context.Context, c hierarchy.StoredBox) error {
	if len(l.box.ExportedBins) == 0 {
		return nil
	}
	found, err := reader{store: l.j.store, id: c.ID}.there(ctx, l.box.ExportedBins...)
	if err != nil {
		return fmt.Errorf("looking for the programs of box %s: %w", c.Name, err)
	}
	var failed []error
	for _, program := range l.box.ExportedBins {
		if !slices.Contains(found, program) {
			failed = append(failed, &ExportError{Box: c.Name, What: program, Err: errors.New("the box has no such program")})
		}
	}
	return errors.Join(failed...)
}

func (l *links) prune() error {
	dirs := l.j.d.dirs()
	bins := []string{dirs.Bins(l.box)}
	if before, ok := Exports(l.j.out.Before); ok {
		bins = append(bins, dirs.Bins(before))
	}
	found := launcher.Scan(l.j.d.Host.Files, dirs, bins)
	if err := launcher.Remove(l.j.d.Disk, launcher.Obsolete(found, l.owner, l.files)); err != nil {
		return fmt.Errorf("removing launchers that box %s no longer has: %w", l.owner.Box, err)
	}
	return nil
}

// noLinks is for a Distrobox that has no host to write to.
type noLinks struct{}

func (noLinks) write(context.Context, hierarchy.StoredBox) (func() error, error) {
	return func() error { return nil }, nil
}

func (noLinks) prune() error { return nil }

// exports is the label of what a box exports.
type exports struct {
	Bins []string `json:"bins,omitempty"`
	Apps []string `json:"apps,omitempty"`
	Path string   `json:"path,omitempty"`
}

// exportsOf returns the value of LabelExports.
func exportsOf(b hierarchy.Box) string {
	text, _ := json.Marshal(exports{b.ExportedBins, b.ExportedApps, b.ExportedBinsPath}) // strings cannot fail
	return string(text)
}

// Exports returns a box's name and what it exports, by its label; false when it
// has none.
func Exports(c hierarchy.StoredBox) (hierarchy.Box, bool) {
	var e exports
	if input.Unmarshal([]byte(c.Labels[hierarchy.LabelExports]), &e) != nil {
		return hierarchy.Box{}, false
	}
	return hierarchy.Box{Name: c.Labels[hierarchy.LabelBox], ExportedBins: e.Bins, ExportedApps: e.Apps, ExportedBinsPath: e.Path}, true
}

// checkExports refuses exports that no launcher can be for.
func checkExports(b hierarchy.Box, home string) error {
	w := words{box: b.Name, home: home}
	path := w.expand("exported_bins_path", b.ExportedBinsPath)
	if path != "" && !filepath.IsAbs(path) {
		w.refuse("exported_bins_path", b.ExportedBinsPath, "is not an absolute path")
	}
	for _, bin := range b.ExportedBins {
		if !strings.HasPrefix(bin, "/") {
			w.refuse("exported_bins", bin, "is not an absolute path in the box")
		}
		w.plain("exported_bins", bin)
	}
	if slices.Contains(b.ExportedApps, "") {
		w.refuse("exported_apps", "", "is empty")
	}
	return w.err
}
