package hierarchy

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/klmcwhirter/ocisi/hierarchy/devcontainer"
)

// develop tells for each thin layer what its dev containers are made by: wishes
// are inherited from what it is built from. Parents come first in the graph.
func (g *Graph) develop(h Host) {
	if h.Home == "" {
		return
	}
	wishes := map[Key][]*devcontainer.Wish{}
	for i := range g.Images {
		im := &g.Images[i]
		var all []*devcontainer.Wish
		for _, p := range im.Parents {
			for _, w := range wishes[Key{im.Manager, p.As}] {
				if !slices.Contains(all, w) { // two parents may have one of theirs in common
					all = append(all, w)
				}
			}
		}
		if im.Wish != nil {
			all = append(all, im.Wish)
		}
		wishes[im.Key()] = all
		if im.Thin() {
			im.Dev = im.dev(h, all)
		}
	}
}

func (im Image) dev(h Host, wishes []*devcontainer.Wish) *devcontainer.Image {
	dev := &devcontainer.Image{
		Ref: im.Ref(), User: im.Args["USER"], Home: h.Home,
		Server: devcontainer.ServerFolder(h.Data, im.Ref()),
	}
	for _, w := range wishes {
		dev.Wishes = append(dev.Wishes, *w)
	}
	if im.Box != nil {
		dev.Box, dev.Volumes = im.Box.Name, im.Box.Volumes
		home, _ := Expand(im.Box.Home, h.Home)
		if home = filepath.Clean(home); im.Box.Home != "" && outer(home) != outer(h.Home) {
			dev.BoxHome = home
		}
	}
	return dev
}

// outer is a home without what Fedora's atomic systems put in front of it:
// /home is a symlink to /var/home there.
func outer(home string) string {
	if rest, ok := strings.CutPrefix(home, "/var/home/"); ok {
		return "/home/" + rest
	}
	return home
}

// devPrint stands for the image's own entry of the label devcontainer.metadata.
func (im Image) devPrint() string {
	if im.Dev == nil {
		return ""
	}
	return brief(im.Dev.Entry())
}

// metadata returns the label devcontainer.metadata for a build that is about to
// start: what the image below has, then the image's own entry.
func (im Image) metadata(find finder) (string, error) {
	if im.Dev == nil {
		return "", nil
	}
	below := StoredImage{}
	var err error
	for _, p := range im.Parents {
		if p.Ref == im.file.Base {
			below, _, err = find(im.Manager.StoreRef(p.As))
		}
	}
	for _, b := range im.Bases {
		if b.Ref == im.file.Base {
			below, err = im.base(b, find)
		}
	}
	return devcontainer.Metadata(below.Labels[LabelDevContainer], im.Dev.Entry()), err
}
