// Package plan compares the config with the observed stores of the engines and
// computes steps, each with a reason. It is pure: it does no I/O.
package plan

import (
	"time"

	"github.com/klmcwhirter/ocisi/hierarchy"
)

// Action is the action of a step.
type Action string

// The actions.
const (
	Pull     Action = "pull"     // a base from its registry
	Build    Action = "build"    // an image that does not exist
	Rebuild  Action = "rebuild"  // an image that exists
	Copy     Action = "copy"     // an image from another engine's store
	Create   Action = "create"   // a box that does not exist
	Recreate Action = "recreate" // a box that exists; kept if the rebuilt image has the same layers
	RollBack Action = "rollback" // a box to one of its generations
	Export   Action = "export"   // missing launchers of a box
	Trim     Action = "trim"     // removes generations of a box in excess of the configured number
	Keep     Action = "keep"     // nothing to do
	Skip     Action = "skip"     // does not exist, and is not needed now
	Remove   Action = "remove"   // an image reference or a box
	Refuse   Action = "refuse"   // an object that ocisi does not own
)

// Kind is the kind of object of a step.
type Kind string

// The kinds.
const (
	Base  Kind = "base"
	Image Kind = "image"
	Box   Kind = "box"
)

// Target identifies the object of a step. A plan has one step for each target.
type Target struct {
	Kind    Kind              `json:"kind"`
	Manager hierarchy.Manager `json:"manager"`
	Name    string            `json:"name"` // reference of an image or base, name of a box
}

// Step is a step of a [Plan].
type Step struct {
	Target
	// ID of the container or image with the target's name when the plan was made; "" if
	// there was none. It is verified right before the object is changed or removed.
	ID       string   `json:"id,omitempty"`
	Untagged bool     `json:"untagged,omitempty"` // of a removal: the image has no reference, and the name is its short ID
	Action   Action   `json:"action"`
	Reason   string   `json:"reason"`          // shown to the user
	Needs    []Target `json:"needs,omitempty"` // targets of the steps that must be done before
	Bytes    int64    `json:"bytes,omitempty"` // of a removal: bytes that no other image or box uses
	// Estimated reports that Bytes is estimated, because the engine does not report the
	// size of a layer or does not list the image of a box.
	Estimated bool `json:"estimated,omitempty"`

	Digest string `json:"digest,omitempty"` // of a pull: the digest to fetch, in place of the current one of the tag
	Pin    string `json:"pin,omitempty"`    // of a pull: the digest in the lock file
	Newer  bool   `json:"newer,omitempty"`  // of a pull: the store has an older image of this name

	Sessions int              `json:"sessions,omitempty"` // of a box that is replaced or removed: number of attached processes; the step is skipped if there are any
	Drift    *hierarchy.Drift `json:"drift,omitempty"`    // of a box that is replaced: its drift, if significant
	Copy     int64            `json:"copy,omitempty"`     // bytes of the id-mapped copy of the image that a new box needs

	// From is the engine that an image is copied from; "" for other steps. There is one
	// step for each configured copy, with the action Copy only if it is made now.
	From hierarchy.Manager `json:"from,omitempty"`

	Adds    int64 `json:"adds,omitempty"`    // estimated bytes that a build or a copy adds to the store
	Fetches int64 `json:"fetches,omitempty"` // maximum bytes that a pull fetches, compressed; 0: unknown

	Generation int  `json:"generation,omitempty"` // of a rollback: the generation that is restored
	Root       bool `json:"root,omitempty"`       // of a rollback: the box is in root's podman

	Owner   string          `json:"owner,omitempty"`    // of a refused object: path of the config that owns it; "" if none does
	NoCache bool            `json:"no_cache,omitempty"` // run every step of the Containerfile
	Fresh   time.Time       `json:"-"`                  // of a build: time of the last build without cache; zero: now
	Image   hierarchy.Image `json:"-"`                  // the image to build, or the image of the box
}

// Plan is a list of steps, each after those that it needs.
type Plan struct {
	Steps []Step `json:"steps"`
	// Orphans are steps that would remove objects that ocisi made and the config no
	// longer declares. They are shown, but not run unless they are also in Steps.
	Orphans []Step `json:"orphans,omitempty"`
}

// Stores are the observed stores by engine.
type Stores map[hierarchy.Manager]hierarchy.Store

// Options configure [New].
type Options struct {
	Now     time.Time
	Refresh bool              // rebuild images that are older than their MaxAge
	Force   bool              // rebuild all images
	Remote  map[Target]Remote // results of registry lookups of base images; nil: none were made

	// Config, Exists, Same and UID are those of [hierarchy.Ownership].
	Config string
	Exists func(config string) bool
	Same   func(a, b string) bool
	UID    int

	TakeBack bool // replace boxes that distrobox migrate has recreated

	// Foreign contains the IDs of images that have labels of ocisi, but were not built
	// by it: labels are inherited by FROM and docker commit.
	Foreign map[string]bool
}

// Remote is the result of a registry lookup of a base image.
type Remote struct {
	Digest string // current digest of the tag
	Moved  bool   // the store has another one
	Err    error  // why the lookup failed
}

// New plans a hierarchy whose Inputs are set by Graph.Read. An image is built if its
// inputs have changed or will change in this plan. A base image is pulled if an image
// is built from it, or if its registry has another digest. A box is created or replaced
// if its image or its spec has changed. An image is copied if the other store does not
// have the current or the planned image. Objects with a declared name that ocisi did
// not make are refused, and so are objects of another config that would change.
//
// The plan is a function of the arguments.
func New(g *hierarchy.Graph, stores Stores, o Options) Plan {
	d := newDecider(g, stores, o)
	d.decide()
	p := Plan{Steps: []Step{}} // an empty list in JSON, not null
	seen := map[Target]bool{}
	for i := range d.images {
		im := &d.images[i]
		var needs []Target
		for _, b := range im.Bases {
			t := Target{Base, im.Manager, b.As}
			if !seen[t] {
				seen[t] = true
				p.Steps = append(p.Steps, d.bases[t].step(t))
			}
			needs = append(needs, t)
		}
		for _, parent := range im.Parents {
			needs = append(needs, Target{Image, im.Manager, parent.As})
		}
		p.Steps = append(p.Steps, d.imageStep(im, needs))
		for _, boxed := range im.Boxes() {
			p.Steps = append(p.Steps, d.boxStep(im, boxed))
		}
	}
	p.Steps = append(p.Steps, d.copySteps()...)
	return p
}

// Changes counts the steps that change an object or are refused.
func (p Plan) Changes() int {
	n := 0
	for _, s := range p.Steps {
		if s.Action.Changes() {
			n++
		}
	}
	return n
}

// Changes reports whether the action changes an object or is refused.
func (a Action) Changes() bool { return a != Keep && a != Skip }

// Count counts the steps of a kind.
func (p Plan) Count(k Kind) int {
	n := 0
	for _, s := range p.Steps {
		if s.Kind == k {
			n++
		}
	}
	return n
}
