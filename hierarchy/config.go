package hierarchy

import (
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"

	"github.com/klmcwhirter/ocisi/hierarchy/devcontainer"
)

// Config is a config file, decoded and checked by itself: the Containerfiles it
// names have not been looked at.
type Config struct {
	File    string            // as given to ParseConfig
	Manager Manager           // "" when the file does not say
	Bases   map[string]string // base as Containerfiles have it → what to use instead
	Jobs    int               // how many steps may run at once; 0 when the file does not say
	MaxAge  time.Duration     // how old an image's steps may be when bases are refreshed; 0 when the file does not say
	Keep    *int              // how many generations of a box stay; nil when the file does not say
	Entries []Entry

	StartTimeout time.Duration // how long a first start may take; 0 when the file does not say

	lines []string
}

// Entry is one image of a config file.
type Entry struct {
	Name      string
	Path      string // directory of the Containerfile; relative to the config file's
	Enabled   bool
	Tag       string            // "latest" when the file does not say
	Manager   Manager           // "" when the file does not say
	Also      []Manager         // further ones, which get copies
	Distrobox string            // name of the box; "" when the file does not say
	Assemble  *bool             // nil when the file does not say
	Args      map[string]string // build arguments
	MaxAge    time.Duration     // 0 when the file does not say
	Keep      *int              // nil when the file does not say
	Box       *Box              // nil when the file has no box:

	DevContainer *devcontainer.Wish // nil when the file has no devcontainer:

	pos  Position
	keys map[string]Position // where each key's value stands
}

// Ref returns name:tag.
func (e Entry) Ref() string { return e.Name + ":" + e.Tag }

// HasBox reports whether a box is made from the image: as assemble says, else
// when the name ends in -dx.
func (e Entry) HasBox() bool {
	if e.Assemble != nil {
		return *e.Assemble
	}
	return strings.HasSuffix(e.Name, ThinSuffix)
}

// BoxName returns the name of the entry's box.
func (e Entry) BoxName() string {
	if e.Distrobox != "" {
		return e.Distrobox
	}
	return e.Name[strings.LastIndexByte(e.Name, '/')+1:]
}

// at returns where a key's value stands, or the entry where the key is absent.
func (e Entry) at(key string) Position {
	if p, ok := e.keys[key]; ok {
		return p
	}
	return e.pos
}

// Where returns where a key's value stands, or with "" the entry itself. It is
// false when the file does not have the key.
func (e Entry) Where(key string) (Position, bool) {
	if key == "" {
		return e.pos, true
	}
	p, ok := e.keys[key]
	return p, ok
}

// ParseConfig decodes a config file in either form: the list of images that the
// predecessor's ocisictl.yaml is, or a mapping with the key images. Unknown
// keys, values of a wrong type and values that no engine would take are errors;
// all of them are reported, each a *ConfigError, joined.
func ParseConfig(file string, data []byte) (*Config, error) {
	d, docs, err := parseYAML(file, data)
	if err != nil {
		return nil, err
	}
	switch len(docs) {
	case 0:
		return nil, d.errorAt(Position{file, 1, 1}, "the file holds no images", "write a list of images, or run 'ocisi setup' for a default one")
	case 1:
		d.root(docs[0].Body)
	default:
		d.fail(docs[1].Body, "a second YAML document", "keep one document a file; 'ocisi -f FILE' reads others")
	}
	if len(d.errs) > 0 {
		return nil, errors.Join(d.errs...)
	}
	d.config.checkDuplicates(d)
	return d.config, errors.Join(d.errs...)
}

// parseYAML returns the documents of a file that hold anything, and what decodes
// them. The error is a *ConfigError.
func parseYAML(file string, data []byte) (*decoder, []*ast.DocumentNode, error) {
	d := &decoder{
		config:  &Config{File: file, lines: strings.Split(strings.ReplaceAll(string(data), "\r\n", "\n"), "\n")},
		anchors: map[string]ast.Node{},
	}
	tree, err := d.tree(data)
	if err != nil {
		return nil, nil, err
	}
	return d, slices.DeleteFunc(tree.Docs, func(doc *ast.DocumentNode) bool { return doc.Body == nil }), nil
}

func (d *decoder) syntax(err error) error {
	e, ok := errors.AsType[yaml.Error](err)
	if !ok || e.GetToken() == nil {
		return d.errorAt(Position{d.config.File, 1, 1}, err.Error(), "")
	}
	p := e.GetToken().Position
	return d.errorAt(Position{d.config.File, p.Line, p.Column}, "not YAML: "+e.GetMessage(), "")
}

func (d *decoder) secondImage(e Entry, first Position) *ConfigError {
	return d.errorAt(e.at("name"), "a second image "+e.Ref()+"; the first is in line "+itoa(first.Line),
		"give one of them another tag or another manager, or remove it; for a second box of one image, only distrobox:, box: and keep: may differ")
}

// sameImage reports whether two entries of the same name, tag and manager are
// one image with two boxes: all that the image is built by is the same.
func (e Entry) sameImage(first Entry) bool {
	return e.Path == first.Path && e.Enabled == first.Enabled && e.MaxAge == first.MaxAge && maps.Equal(e.Args, first.Args) && reflect.DeepEqual(e.DevContainer, first.DevContainer) &&
		slices.Equal(e.Also, first.Also) &&
		e.HasBox() && first.HasBox() && e.BoxName() != first.BoxName()
}

// checkDuplicates reports images of the same identity, as far as the file alone
// tells, and enabled boxes of the same name. Graph knows the managers that the
// file leaves out, and looks again.
func (c *Config) checkDuplicates(d *decoder) {
	images := map[string]Entry{}
	boxes := map[string]Position{}
	for _, e := range c.Entries {
		key := string(e.Manager) + " " + e.Ref()
		first, again := images[key]
		if again && !e.sameImage(first) {
			d.errs = append(d.errs, d.secondImage(e, first.at("name")))
			continue
		}
		if !again {
			images[key] = e
		}
		if !e.Enabled || !e.HasBox() {
			continue
		}
		if first, ok := boxes[e.BoxName()]; ok {
			d.errs = append(d.errs, d.errorAt(e.at("distrobox"), "a second box "+e.BoxName()+"; the first is in line "+itoa(first.Line),
				"give one of them another name: distrobox: "+e.BoxName()+"-"+e.Tag))
		}
		boxes[e.BoxName()] = e.at("name")
	}
}

// Managers returns the managers of all entries, disabled ones too, each once,
// sorted.
func (c *Config) Managers() []Manager {
	seen := map[Manager]bool{}
	for _, e := range c.Entries {
		seen[c.ManagerOf(e, "")] = true
		for _, m := range e.Also {
			seen[m] = true
		}
	}
	return slices.Sorted(maps.Keys(seen))
}
