package cli

import (
	"errors"
	"strings"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/devcontainer"
)

// choose returns the image that a project's file is to be for.
func (o *devContainerOptions) choose(g *hierarchy.Graph, file projectFile) (hierarchy.Image, error) {
	if o.image != "" {
		return devImage(g, o.image)
	}
	if file.found {
		named, err := devcontainer.ImageOf(file.data)
		if err != nil {
			return hierarchy.Image{}, &projectFileError{file.path, err}
		}
		if named != "" {
			im, err := devImage(g, familiar(named))
			if e, ok := errors.AsType[*hierarchy.UnknownNameError](err); ok && e.Near == "" {
				err = &noDevImageError{name: named, known: refsOf(devImages(g))}
			}
			return im, err
		}
	}
	all := devImages(g)
	if refs := refsOf(all); len(refs) != 1 {
		return hierarchy.Image{}, &noDevImageError{known: refs}
	}
	return all[0], nil
}

// familiar is the name of an image as the config has it.
func familiar(ref string) string {
	return strings.TrimPrefix(hierarchy.FamiliarRef(ref), "localhost/")
}

// devImages returns the images that dev containers are made from.
func devImages(g *hierarchy.Graph) []hierarchy.Image {
	var all []hierarchy.Image
	for _, im := range g.Images {
		if im.Dev != nil {
			all = append(all, im)
		}
	}
	return all
}

// refsOf returns the names of images, each once: two stores may have one.
func refsOf(images []hierarchy.Image) []string {
	var refs []string
	seen := map[string]bool{}
	for _, im := range images {
		if !seen[im.Ref()] {
			refs = append(refs, im.Ref())
		}
		seen[im.Ref()] = true
	}
	return refs
}

// noDevImageError says that it is not clear which image a project's dev
// container is made from.
type noDevImageError struct {
	name  string   // that is no image for dev containers, or not one alone; "": none was given
	many  bool     // several have the name
	known []string // what could be meant
}

func (e *noDevImageError) Error() string {
	switch {
	case e.name == "" && len(e.known) == 0:
		return "no -dx image is enabled, and dev containers are made from those"
	case e.name == "":
		return "say which image"
	case e.many:
		return e.name + " is the name of several images"
	}
	return e.name + " is no -dx image, and dev containers are made from those"
}

func (e *noDevImageError) hint(self string) string {
	if len(e.known) == 0 {
		return "add an image whose name ends in -dx to the config; what there is: " + self + " list --all"
	}
	return "pass one of these: --image " + strings.Join(e.known, ", --image ")
}

// devImage returns the image for dev containers of a name: name, name:tag or the
// name of its box.
func devImage(g *hierarchy.Graph, name string) (hierarchy.Image, error) {
	if _, err := g.Only([]string{name}); err != nil {
		return hierarchy.Image{}, err
	}
	all := devImages(g)
	var found []hierarchy.Image
	for _, im := range all {
		isBox := false
		for _, x := range im.Boxes() {
			isBox = isBox || x.Box.Name == name
		}
		if name == im.Ref() || name == im.Name || isBox {
			found = append(found, im)
		}
	}
	switch refs := refsOf(found); {
	case len(refs) == 0:
		return hierarchy.Image{}, &noDevImageError{name: name, known: refsOf(all)}
	case len(refs) > 1:
		return hierarchy.Image{}, &noDevImageError{name: name, many: true, known: refs}
	}
	return found[0], nil
}
