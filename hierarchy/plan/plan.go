// Package plan turns what is wanted and what was observed into steps, each with
// a reason. It decides; it does nothing.
package plan

import (
	"time"

	"github.com/klmcwhirter/ocisi/hierarchy"
)

// Action is what a step does.
type Action string

// The actions.
const (
	Pull     Action = "pull"     // a base from its registry
	Build    Action = "build"    // an image that is not there
	Rebuild  Action = "rebuild"  // an image that is there
	Copy     Action = "copy"     // an image from another manager's store
	Create   Action = "create"   // a box that is not there
	Recreate Action = "recreate" // a box that is there; kept after all when its image comes out the same
	RollBack Action = "rollback" // a box to a generation of its
	Export   Action = "export"   // what a box should have on the host and has not
	Trim     Action = "trim"     // the generations of a box, to as many as the config keeps
	Keep     Action = "keep"     // nothing to do
	Skip     Action = "skip"     // not there, and not needed now
	Remove   Action = "remove"   // an image's name, or a box
	Refuse   Action = "refuse"   // somebody else's
)

// Kind is what a step is about.
type Kind string

// The kinds.
const (
	Base  Kind = "base"
	Image Kind = "image"
	Box   Kind = "box"
)

// Target identifies what a step is about. A plan has one step for each.
type Target struct {
	Kind    Kind              `json:"kind"`
	Manager hierarchy.Manager `json:"manager"`
	Name    string            `json:"name"` // reference of an image or base, name of a box
}

// Step is one thing to do.
type Step struct {
	Target
	// ID of the container or the image that has the target's name in the store that
	// was planned by; "" if there was none. What changes or removes it verifies the ID
	// just before.
	ID       string   `json:"id,omitempty"`
	Untagged bool     `json:"untagged,omitempty"` // of the removal of an image: it has no name, and the target has the beginning of its ID
	Action   Action   `json:"action"`
	Reason   string   `json:"reason"`          // in words a person understands
	Needs    []Target `json:"needs,omitempty"` // steps that must have been done
	Bytes    int64    `json:"bytes,omitempty"` // of a removal: what no other image or box stores
	// Estimated says that Bytes is: the engine does not report the size of a layer, or
	// does not list the image of a box.
	Estimated bool `json:"estimated,omitempty"`

	Digest string `json:"digest,omitempty"` // of a pull: what to fetch, instead of whatever the name stands for by now
	Pin    string `json:"pin,omitempty"`    // of a pull: the digest that the lock file wants, and that it is built from
	Newer  bool   `json:"newer,omitempty"`  // of a pull: the store has one of this name, which is not the registry's

	Sessions int              `json:"sessions,omitempty"` // of a box that is replaced or removed: processes attached to it; the step is skipped while there are any
	Drift    *hierarchy.Drift `json:"drift,omitempty"`    // of a box that is replaced: what is in there and not in its image, where that is worth a word
	Copy     int64            `json:"copy,omitempty"`     // bytes that a new box costs besides its image: a store that cannot share it among users copies it

	// From is the manager whose image this one is a copy of; "" of all but copies.
	// There is one step for each store that is to have one, whether it is made now
	// (Copy) or not.
	From hierarchy.Manager `json:"from,omitempty"`

	Adds    int64 `json:"adds,omitempty"`    // bytes that a build or a copy is expected to add to the store, by what is there
	Fetches int64 `json:"fetches,omitempty"` // bytes that a pull has to fetch at most, packed as they are; 0 when no registry was asked

	Generation int  `json:"generation,omitempty"` // of a rollback: which one comes back
	Root       bool `json:"root,omitempty"`       // of a rollback: in root's podman

	Owner   string          `json:"owner,omitempty"`    // of what is refused: the config that made it; "" when ocisi did not
	NoCache bool            `json:"no_cache,omitempty"` // run every step of the Containerfile
	Fresh   time.Time       `json:"-"`                  // of a build: when all its steps were last run; now, when zero
	Wanted  hierarchy.Image `json:"-"`                  // the image to build, or to make the box from
}

// Plan is steps, each after those it needs.
type Plan struct {
	Steps []Step `json:"steps"`
	// Orphans are steps that would remove what ocisi made and the config no longer
	// wants. They are shown; only a plan that was asked for them has them in Steps.
	Orphans []Step `json:"orphans,omitempty"`
}

// Stores are what the engines were seen to hold.
type Stores map[hierarchy.Manager]hierarchy.Store

// Options say what a hierarchy is planned by, besides stores.
type Options struct {
	Now     time.Time
	Refresh bool              // build anew what is older than its MaxAge
	Force   bool              // build everything anew
	Remote  map[Target]Remote // what registries say of bases; nil: nobody asked

	// Config is the path of the config, and Exists reports whether another one is
	// still there: what that one made is left to it. Nil: none is. Same reports
	// whether two paths are the same config; nil compares the paths.
	Config string
	Exists func(config string) bool
	Same   func(a, b string) bool
	UID    int // of the user; boxes of another one are refused

	TakeBack bool // replace boxes that distrobox migrate has recreated

	// Foreign holds the IDs of images that bear ocisi's labels and that ocisi did not
	// build: what an image is built FROM, or committed from, passes its labels on.
	Foreign map[string]bool
}

// Remote is what a registry says of a base.
type Remote struct {
	Digest string // that the name stands for
	Moved  bool   // it is not what the store has
	Err    error  // why it is unknown
}

// New plans a hierarchy, whose Inputs are set (Graph.Read). An image is built
// when what it is built from has changed, or is about to; a base is pulled when
// something is to be built from it, or when its registry has another one; a box
// is made when its image or its spec has changed; a copy, when the store has none of
// what the building manager has or will have. What is there under a wanted
// name and was not made by ocisi is refused, and so is what another config made
// and would make otherwise.
//
// The plan depends on the arguments alone, and the same ones give the same plan.
func New(g *hierarchy.Graph, stores Stores, o Options) Plan {
	d := newDecider(g, stores, o)
	d.decide()
	p := Plan{Steps: []Step{}} // in JSON a list, however short
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
		for _, one := range im.Boxes() {
			p.Steps = append(p.Steps, d.boxStep(im, one))
		}
	}
	p.Steps = append(p.Steps, d.copySteps()...)
	return p
}

// Changes counts the steps that would change something, and those that cannot.
func (p Plan) Changes() int {
	n := 0
	for _, s := range p.Steps {
		if s.Action.Changes() {
			n++
		}
	}
	return n
}

// Changes reports whether the action is more than looking on.
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
