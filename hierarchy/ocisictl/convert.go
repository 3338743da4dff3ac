// Package ocisictl turns the files of ocisictl, which ocisi succeeds, into one
// config: the list of images (ocisictl.yaml) into its mapping form, comments and
// all, and each section of distrobox.ini into the box: of its image. It is pure:
// text in, text out. Whatever the old files do not say, or said to one reader
// only, is told in a note with its place.
package ocisictl

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/box"
)

// File is one of the old files.
type File struct {
	Path string // absolute
	Data []byte
}

// Options are what the old files do not tell.
type Options struct {
	To         string   // absolute path of the new config
	Homes      []string // the user's home by each of its names; the first is written where ~ cannot stand
	Getenv     func(string) string
	Manager    hierarchy.Manager // of images that name none
	ManagerWhy string            // for the note on it
	Copy       bool              // the folders of Containerfiles are to be copied beside the new config
	Schema     string            // named in the first line, for editors; "" for none
}

// Note tells of something that was guessed, changed or left out.
type Note struct {
	Pos  hierarchy.Position // in an old file
	Text string

	kind  string   // Text, with %s for the names
	names []string // that the same is true of
}

func (n Note) String() string {
	return fmt.Sprintf("%s:%d:%d: %s", n.Pos.File, n.Pos.Line, n.Pos.Column, n.Text)
}

// Folder is a folder of Containerfiles, and where its copy is to be.
type Folder struct{ From, To string }

// Result is a new config.
type Result struct {
	Text    []byte
	Config  *hierarchy.Config // what Text says
	Notes   []Note            // in the order of the files
	Folders []Folder          // to be copied; none without Options.Copy
}

// ErrMapping is the error of a config that is in ocisi's own form already.
var ErrMapping = errors.New("is a mapping with the key images, which ocisi reads as it is")

// Convert converts a list of images and the boxes of a distrobox.ini; ini may be
// nil. The text that it returns has been read again: it is a right config, and
// its images have the names, tags, arguments, managers and boxes that they had.
// What stands in the way is a *hierarchy.ConfigError or a *box.INIError, with
// the place in the old file.
func Convert(list File, ini *File, o Options) (*Result, error) {
	c := converter{options: o, list: list, folders: map[string]string{}}
	text := strings.ReplaceAll(strings.TrimPrefix(string(list.Data), "\ufeff"), "\r\n", "\n")
	c.lines = c.booleans(strings.Split(strings.TrimSuffix(text, "\n"), "\n"))
	var err error
	if c.old, err = hierarchy.ParseConfig(list.Path, []byte(strings.Join(c.lines, "\n")+"\n")); err != nil {
		return nil, err
	}
	if slices.ContainsFunc(c.lines, isImagesKey) {
		return nil, fmt.Errorf("%s %w", list.Path, ErrMapping)
	}
	if len(c.old.Entries) == 0 {
		return nil, fmt.Errorf("%s: there are no images in it", list.Path)
	}
	if err := c.readINI(ini); err != nil {
		return nil, err
	}
	for _, e := range c.old.Entries {
		if err := c.entry(e); err != nil {
			return nil, err
		}
	}
	c.leftOver()
	c.managers()
	return c.finish()
}

// isImagesKey recognizes the line that only a mapping has.
func isImagesKey(line string) bool {
	key, _, ok := strings.Cut(strings.TrimLeft(line, "{ "), ":")
	return ok && strings.Trim(key, `"' `) == "images"
}

// converter is a conversion under way.
type converter struct {
	options  Options
	list     File
	lines    []string // of the list
	old      *hierarchy.Config
	ini      *box.INI // nil: there is none
	iniPath  string
	iniLines []string
	comments map[string][]line // of sections

	boxes   []*hierarchy.Box // of the entries, as they are to be
	edits   []edit
	above   map[int][]line // by the line of the list that they go above
	below   map[int][]line // and below
	folders map[string]string
	copies  []Folder
	notes   []Note
}

// line is one of the new file, and the place in an old one that it is from.
type line struct {
	text string
	from hierarchy.Position
}

func (c *converter) note(pos hierarchy.Position, format string, args ...any) {
	c.notes = append(c.notes, Note{Pos: pos, Text: fmt.Sprintf(format, args...)})
}

// noteOf notes something that is true of a name, and of all names that it was noted
// of with the same words: they are one note, where the first of them stands. kind
// has %s for the names.
func (c *converter) noteOf(pos hierarchy.Position, name, kind string) {
	i := slices.IndexFunc(c.notes, func(n Note) bool { return n.kind == kind })
	if i < 0 {
		i = len(c.notes)
		c.notes = append(c.notes, Note{Pos: pos, kind: kind})
	}
	n := &c.notes[i]
	if !slices.Contains(n.names, name) {
		n.names = append(n.names, name)
	}
	n.Text = strings.Replace(kind, "%s", strings.Join(n.names, ", "), 1)
}

func (c *converter) entry(e hierarchy.Entry) error {
	c.tag(e)
	if pos, ok := e.Where("assemble"); ok && e.Assemble != nil && !*e.Assemble && strings.HasSuffix(e.Name, hierarchy.ThinSuffix) {
		c.noteOf(pos, e.Ref(), "assemble: false is obeyed now; ocisictl made a box of %s all the same")
	}
	if err := c.path(e); err != nil {
		return err
	}
	b := c.box(e)
	c.boxes = append(c.boxes, b)
	if b == nil {
		return nil
	}
	return c.insert(e, *b)
}

// managers says who builds the images that name nobody.
func (c *converter) managers() {
	var first hierarchy.Position
	n := 0
	for _, e := range c.old.Entries {
		if e.Manager != "" {
			continue
		}
		if n++; n == 1 {
			first, _ = e.Where("")
		}
	}
	if n > 0 {
		c.note(first, "images without a manager (%d of %d) get %s: %s", n, len(c.old.Entries), c.options.Manager, c.options.ManagerWhy)
	}
}

// finish puts the new text together and reads it again.
func (c *converter) finish() (*Result, error) {
	lines := c.assemble()
	var text strings.Builder
	for _, l := range lines {
		text.WriteString(l.text + "\n")
	}
	cfg, err := hierarchy.ParseConfig(c.options.To, []byte(text.String()))
	if err != nil {
		return nil, c.inOldFile(err, lines)
	}
	for i, e := range c.old.Entries {
		if i >= len(cfg.Entries) || !c.carried(e, cfg.Entries[i], cfg, c.boxes[i]) {
			pos, _ := e.Where("")
			return nil, &hierarchy.ConfigError{
				Pos: pos, Source: c.lines[pos.Line-1], Problem: e.Ref() + " is written in a way that cannot be carried over",
				Advice: "write the entry plainly, one key a line, and import again",
			}
		}
	}
	slices.SortStableFunc(c.notes, func(a, b Note) int {
		return cmp.Or(cmp.Compare(c.rank(a), c.rank(b)), cmp.Compare(a.Pos.Line, b.Pos.Line))
	})
	return &Result{Text: []byte(text.String()), Config: cfg, Notes: c.notes, Folders: c.copies}, nil
}

func (c *converter) rank(n Note) int {
	if n.Pos.File == c.list.Path {
		return 0
	}
	return 1
}

// carried reports whether an entry of the new file is what the old one was.
func (c *converter) carried(old, now hierarchy.Entry, cfg *hierarchy.Config, b *hierarchy.Box) bool {
	if b == nil {
		b = old.Box
	} else {
		nameless := *b // in a config it is the entry that has the name
		nameless.Name = ""
		b = &nameless
	}
	return now.Name == old.Name && now.Tag == old.Tag && now.Enabled == old.Enabled && reflect.DeepEqual(now.Args, old.Args) &&
		cfg.ManagerOf(now, "") == c.old.ManagerOf(old, c.options.Manager) &&
		now.HasBox() == old.HasBox() && now.BoxName() == old.BoxName() && reflect.DeepEqual(now.Box, b)
}

// inOldFile moves the errors of the new file to where the old ones say it.
func (c *converter) inOldFile(err error, lines []line) error {
	errs := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		errs = joined.Unwrap()
	}
	for i, err := range errs {
		e, ok := errors.AsType[*hierarchy.ConfigError](err)
		if !ok || e.Pos.Line > len(lines) {
			continue
		}
		moved := *e
		moved.Pos = lines[e.Pos.Line-1].from
		moved.Source = c.source(moved.Pos)
		errs[i] = &moved
	}
	return errors.Join(errs...)
}

func (c *converter) source(pos hierarchy.Position) string {
	lines := c.lines
	if pos.File != c.list.Path {
		lines = c.iniLines
	}
	if pos.Line < 1 || pos.Line > len(lines) {
		return ""
	}
	return lines[pos.Line-1]
}
