package hierarchy

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/klmcwhirter/ocisi/internal/input"
)

// Inputs are what an image is built from, as the label ocisi.inputs has it in
// JSON. Two builds from the same Inputs give the same image, but for what their
// steps fetch.
type Inputs struct {
	Version int               `json:"v"`                 // of this form
	Manager Manager           `json:"manager"`           //
	File    string            `json:"file"`              // SHA-256 of what the Containerfile means, in hex: comments do not count
	Context string            `json:"context,omitempty"` // SHA-256 of what the Containerfile can see of the build context; "" when nothing
	Files   map[string]string `json:"files,omitempty"`   // of the context, to tell which one changed: path → the first 12 digits of its hash; none when there are many
	Args    map[string]string `json:"args,omitempty"`    // build arguments
	Parents map[string]Parent `json:"parents,omitempty"` // managed images that it reads, by name:tag
	Bases   map[string]Base   `json:"bases,omitempty"`   // images that are not managed, which it or one of its parents reads, by reference
	Older   map[string]string `json:"older,omitempty"`   // managed images that its parents were built from, and so on down: IDs by name:tag
	Dev     string            `json:"dev,omitempty"`     // stands for the image's own entry of the label devcontainer.metadata; "" when it has none
	Fresh   time.Time         `json:"fresh,omitzero"`    // when all its steps were last run, none taken from a cache

	metadata string // the label devcontainer.metadata, as the parent's label makes it; set by Made
}

// Parent is a managed image as a child knows it.
type Parent struct {
	Fingerprint string `json:"fp"`
	ID          string `json:"id,omitempty"` // of the image that the child was built from
}

// Base is an image that is not managed, as what is built from it knows it.
type Base struct {
	ID     string `json:"id,omitempty"`     // in the engine's store
	Digest string `json:"digest,omitempty"` // in its registry; "" when it never had one
}

// inputsVersion changes when the same files would give another Inputs.
const inputsVersion = 1

// Fingerprint returns 32 hex digits that stand for what files and config say
// about an image and all its parents. Bases count by name, and neither IDs nor
// times do: it can be told without any engine.
func (in Inputs) Fingerprint() string {
	plain := in
	plain.Fresh, plain.Files, plain.Older = time.Time{}, nil, nil
	plain.Parents, plain.Bases = map[string]Parent{}, map[string]Base{}
	for ref, p := range in.Parents {
		plain.Parents[ref] = Parent{Fingerprint: p.Fingerprint}
	}
	for ref := range in.Bases {
		plain.Bases[ref] = Base{}
	}
	sum := sha256.Sum256([]byte(plain.String()))
	return hex.EncodeToString(sum[:16])
}

// String returns the JSON form. Its keys are in order, so that it is the same
// for the same Inputs.
func (in Inputs) String() string {
	data, err := json.Marshal(in)
	if err != nil {
		panic(err) // strings, maps of strings and a time
	}
	return string(data)
}

// ReadInputs returns what an image was built from, by its labels; false when
// they do not tell, or tell of another image: labels are inherited.
func ReadInputs(labels map[string]string, ref string) (Inputs, bool) {
	var in Inputs
	if labels[LabelImage] != ref || input.Unmarshal([]byte(labels[LabelInputs]), &in) != nil || in.Version != inputsVersion {
		return Inputs{}, false
	}
	return in, true
}

// A finder looks an image up by its full name.
type finder = func(full string) (StoredImage, bool, error)

// Made returns the inputs of a build that is about to start: those of the
// image, with the IDs and digests that the store has by now and the bases that
// its parents were built from. find looks an image up by its full name. What it
// does not find is left without an ID: the engine will say so.
func (im Image) Made(find finder, fresh time.Time) (Inputs, error) {
	in := im.Inputs
	in.Fresh = fresh.UTC().Truncate(time.Second)
	in.Parents, in.Bases, in.Older = maps.Clone(in.Parents), maps.Clone(in.Bases), map[string]string{}
	for ref, p := range in.Parents {
		stored, found, err := find(im.Manager.StoreRef(ref))
		if err != nil {
			return Inputs{}, err
		}
		if !found {
			continue
		}
		p.ID = stored.ID
		in.Parents[ref] = p
		if made, ok := ReadInputs(stored.Labels, ref); ok {
			maps.Copy(in.Bases, made.Bases)
			maps.Copy(in.Older, made.Older)
			for older, p := range made.Parents {
				in.Older[older] = p.ID
			}
		}
	}
	for _, b := range im.Bases {
		stored, err := im.base(b, find)
		if err != nil {
			return Inputs{}, err
		}
		in.Bases[b.As] = Base{ID: stored.ID, Digest: cmp.Or(b.Pin, stored.Digest(b.As))}
	}
	var err error
	in.metadata, err = im.metadata(find)
	return in, err
}

// base looks a base up; what is not there comes back empty.
func (im Image) base(b Need, find finder) (StoredImage, error) {
	stored, found, err := find(FullRef(b.Pinned()))
	if err == nil && !found {
		stored, _, err = find(im.Manager.StoreRef(b.Pinned()))
	}
	return stored, err
}

// Read reads what the Containerfiles see of their build contexts, and sets the
// Inputs of all images. IDs and digests stay empty: files do not tell them.
func (g *Graph) Read(files fs.FS) error {
	var eg errgroup.Group
	eg.SetLimit(8)
	dirs := &listings{files: files}
	for i := range g.Images {
		eg.Go(func() error {
			im := &g.Images[i]
			c, err := im.context(files, dirs)
			if err != nil {
				return fmt.Errorf("reading the build context of %s: %w", im.Ref(), err)
			}
			im.ignore, im.unsent = c.ignore, c.unsent
			im.Inputs = Inputs{Version: inputsVersion, Manager: im.Manager, File: c.file, Context: c.sum, Files: c.files, Args: maps.Clone(im.Args), Dev: im.devPrint()}
			return nil
		})
	}
	if err := eg.Wait(); err != nil {
		return err
	}
	done := map[Key]Inputs{}
	prints := map[Key]string{} // of those that are parents
	for i := range g.Images {  // parents come first
		im := &g.Images[i]
		im.Inputs.Parents, im.Inputs.Bases = map[string]Parent{}, map[string]Base{}
		for _, b := range im.Bases {
			im.Inputs.Bases[b.As] = Base{}
		}
		for _, p := range im.Parents {
			key := Key{im.Manager, p.As}
			parent := done[key]
			if prints[key] == "" {
				prints[key] = parent.Fingerprint()
			}
			im.Inputs.Parents[p.As] = Parent{Fingerprint: prints[key]}
			maps.Copy(im.Inputs.Bases, parent.Bases)
		}
		done[im.Key()] = im.Inputs
	}
	return nil
}
