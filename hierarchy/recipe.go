package hierarchy

import (
	"cmp"

	"github.com/klmcwhirter/ocisi/hierarchy/devcontainer"
)

// Recipe is what an engine needs to build one image.
type Recipe struct {
	Ref           string            // name:tag; the tag moves when the build has succeeded, never before
	Context       string            // absolute path of the build context
	Containerfile string            // absolute path; names the file in messages and finds its ignore file
	Text          []byte            // the Containerfile's contents, parents and bases already replaced
	Ignore        []byte            // the contents of the file that says what of the context the build does not see; nil: it sees all
	Needs         []string          // full names of the managed images that it reads; they must be in the store
	Args          map[string]string // build arguments
	Labels        map[string]string // put on the image
	NoCache       bool              // build every step anew
}

// Progress is what an engine tells while it pulls, builds or copies.
type Progress struct {
	Step, Steps int    // of the Containerfile, from 1; 0 where the engine does not count
	Title       string // of the step that starts: the instruction; "" for output
	Cached      bool   // the step's result was there already
	Log         string // a line that the step printed, without its newline; "" for a step

	Bytes, Total int64 // of a copy: how much has been sent, and of how much, about; Total is 0 of all else
}

// BuildError says that a step of a build failed.
type BuildError struct {
	Ref  string // of the image
	Step string // the instruction that failed; "" when the engine did not say
	Log  string // all that the step printed
	Err  error  // in the engine's words
}

func (e *BuildError) Error() string {
	if e.Step == "" {
		return e.Err.Error()
	}
	return e.Step + ": " + e.Err.Error()
}

func (e *BuildError) Unwrap() error { return e.Err }

// Recipe returns what an engine needs to build the image: managed images under
// the names their store has them by, bases as the config overrides and locks
// them, and the labels that make the image ours and tell what it was built from
// (made). The version of ocisi is not among the labels: an update of it alone
// would give every image a new ID. Podman's cache is not used where it would not
// notice a change. Graph.Read must have been called.
func (im Image) Recipe(config string, made Inputs) Recipe {
	with := map[string]string{}
	labels := map[string]string{LabelImage: im.Ref(), LabelConfig: config, LabelInputs: made.String()}
	var needs []string
	for _, p := range im.Parents {
		full := im.Manager.StoreRef(p.As)
		with[p.Ref] = FamiliarRef(full)
		needs = append(needs, full)
	}
	for _, b := range im.Bases {
		with[b.Ref] = b.Pinned()
		if b.Ref == im.file.Base {
			labels[LabelBaseName] = FullRef(b.As)
			labels[LabelBaseDigest] = made.Bases[b.As].Digest
		}
	}
	if len(im.Parents) > 0 {
		labels[LabelParent] = im.Parents[0].As
	}
	if im.Dev != nil {
		labels[LabelDevContainer] = cmp.Or(made.metadata, devcontainer.Metadata("", im.Dev.Entry()))
	}
	return Recipe{
		Ref: im.Ref(), Context: im.Context, Containerfile: im.Containerfile, Ignore: im.ignore,
		Text: im.file.Replace(with), Needs: needs, Args: im.Args, Labels: labels,
		NoCache: im.Manager == Podman && im.file.Blind,
	}
}
