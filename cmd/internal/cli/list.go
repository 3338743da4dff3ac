package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/klmcwhirter/ocisi/cmd/internal/page"
	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/layers"
)

type listOptions struct {
	env      Env
	globals  *globals
	all      bool
	assemble bool
	enabled  bool
	layers   bool
	tree     bool
	page     string
	kept     bool
	json     bool
}

func newList(env Env, g *globals) *cobra.Command {
	o := &listOptions{env: env, globals: g}
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List images, boxes, the layers they share, or what a rollback could bring back",
		Args:  usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := atMostOne(cmd, "all", "assemble", "enabled", "layers", "generations"); err != nil {
				return err
			}
			return o.run(cmd)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&o.all, "all", false, "list all images of the config, disabled ones too (the default)")
	f.BoolVarP(&o.assemble, "assemble", "a", false, "list the boxes to make")
	f.BoolVarP(&o.enabled, "enabled", "e", false, "list the images to build")
	f.BoolVarP(&o.layers, "layers", "l", false, "list the layers of the images that are built, and who shares them")
	f.BoolVar(&o.tree, "tree", false, "with --layers, show them as a tree, with the line that made each, boxes and advice")
	f.StringVar(&o.page, "html", "", "with --layers, write them to `FILE` as a page to look at and print; - is the standard output")
	f.BoolVarP(&o.kept, "generations", "g", false, "list the former boxes that 'ocisi rollback' could bring back, and the bytes that they take")
	f.BoolVar(&o.json, "json", false, "write JSON")
	return cmd
}

// listedImage is a row of list.
type listedImage struct {
	Name    string            `json:"name"`
	Tag     string            `json:"tag"`
	Manager hierarchy.Manager `json:"manager"`

	Also     []hierarchy.Manager `json:"also,omitempty"` // managers that get copies
	Path     string              `json:"path"`           // absolute directory of the Containerfile
	Enabled  bool                `json:"enabled"`
	Assemble bool                `json:"assemble"`      // a box is made from it
	Box      string              `json:"box,omitempty"` // its name
}

func (o *listOptions) run(cmd *cobra.Command) error {
	l, err := o.env.load(o.globals.file, cmd.Flags())
	if err != nil {
		return err
	}
	for flag, given := range map[string]bool{"tree": o.tree, "html": o.page != ""} {
		if given && !o.layers {
			return &usageError{cmd: cmd, err: errors.New("--" + flag + " is for --layers")}
		}
	}
	if o.layers {
		return o.listLayers(cmd.Context(), l)
	}
	if o.kept {
		return o.listGenerations(cmd.Context(), l)
	}
	return o.listImages(l)
}

// listImages shows the config's images, or their boxes.
func (o *listOptions) listImages(l *loaded) error {
	rows := []listedImage{} // an empty list in JSON is [], not null
	for _, e := range l.config.Entries {
		row := listedImage{
			Name: e.Name, Tag: e.Tag, Manager: l.config.ManagerOf(e, l.config.Manager), Also: e.Also, Path: l.config.Dir(e),
			Enabled: e.Enabled, Assemble: e.HasBox(),
		}
		if e.HasBox() {
			row.Box = e.BoxName()
		}
		if (o.enabled && !e.Enabled) || (o.assemble && (!e.Enabled || !e.HasBox())) {
			continue
		}
		rows = append(rows, row)
	}
	if o.json {
		return writeJSON(o.env.Stdout, rows)
	}
	return table(o.env.Stdout, o.rows(rows))
}

func (o *listOptions) rows(list []listedImage) [][]string {
	if o.assemble {
		rows := [][]string{{"BOX", "MANAGER", "IMAGE"}}
		for _, r := range list {
			rows = append(rows, []string{r.Box, string(r.Manager), r.Name + ":" + r.Tag})
		}
		return rows
	}
	rows := [][]string{{"IMAGE", "MANAGER", "ENABLED", "BOX", "PATH"}}
	for _, r := range list {
		enabled, box := "no", "-"
		if r.Enabled {
			enabled = "yes"
		}
		if r.Box != "" {
			box = r.Box
		}
		managers := []string{string(r.Manager)}
		for _, m := range r.Also {
			managers = append(managers, string(m))
		}
		rows = append(rows, []string{r.Name + ":" + r.Tag, strings.Join(managers, ", "), enabled, box, strings.TrimSuffix(r.Path, "/")})
	}
	return rows
}

// listLayers shows, for each store, who shares what: layer by layer, as a tree, as
// JSON or as a page.
func (o *listOptions) listLayers(ctx context.Context, l *loaded) error {
	g, err := o.env.graph(l)
	if err != nil {
		return err
	}
	var d layers.Document
	err = o.env.with(ctx, g.Managers(), l.config.File, func(ctx context.Context, s *session) error {
		d, err = s.sharing(ctx, g)
		return err
	})
	if err != nil {
		return err
	}
	self := o.env.self(l.config.File)
	switch {
	case o.page != "":
		return o.writePage(d, l.config.File)
	case o.json:
		return writeJSON(o.env.Stdout, d)
	case o.tree:
		for _, s := range d.Stores {
			writeTree(o.env.Stdout, o.env.colours(), s)
			fmt.Fprintln(o.env.Stdout)
		}
		o.env.adviceText(d.Advice, self)
		return nil
	}
	if err := layersText(o.env.Stdout, d); err != nil {
		return err
	}
	fmt.Fprintln(o.env.Stdout)
	sharingText(o.env.Stdout, d, self)
	return nil
}

// writePage writes a report as a page.
func (o *listOptions) writePage(d layers.Document, config string) error {
	var text bytes.Buffer
	made := fmt.Sprintf("ocisi %s, of %s, %s", o.env.Version, o.env.short(config), o.env.Now().Format("2006-01-02 15:04"))
	if err := page.Write(&text, d, made); err != nil {
		return err
	}
	if o.page == "-" {
		_, err := text.WriteTo(o.env.data())
		return err
	}
	path, err := filepath.Abs(o.page)
	if err != nil {
		return err
	}
	if err := o.env.Disk.Write(path, text.Bytes(), 0o644, nil); err != nil {
		return fmt.Errorf("writing the page: %w", err)
	}
	_, err = fmt.Fprintf(o.env.Stdout, "written: %s\n", o.env.short(path))
	return err
}

// layersText writes each image with its layers, from the base up.
func layersText(w io.Writer, d layers.Document) error {
	for i, s := range d.Stores {
		for j, im := range s.Images {
			if i+j > 0 {
				fmt.Fprintln(w)
			}
			if im.Unlisted {
				fmt.Fprintf(w, "%s - %s: %s\n", s.Manager, imageName(im), unlisted(s.Manager))
				continue
			}
			fmt.Fprintf(w, "%s - %s: %s of its own, %s shared\n", s.Manager, imageName(im), size(im.Own), size(im.Shared))
			var rows [][]string
			for _, layer := range im.Layers {
				shared := "only here"
				if layer.Images > 1 {
					shared = fmt.Sprintf("in %d images", layer.Images)
				}
				rows = append(rows, []string{"- " + layer.DiffID, size(layer.Size), shared})
			}
			if err := table(w, rows); err != nil {
				return err
			}
		}
	}
	return nil
}
