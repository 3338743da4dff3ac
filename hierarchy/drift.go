package hierarchy

// Change is a path in which a container differs from its image.
type Change struct {
	Path string `json:"path"`
	Kind string `json:"kind"` // A: added, C: changed, D: deleted
}

// Drift is what a box holds that its image does not, and that goes with it.
type Drift struct {
	Bytes    int64    `json:"bytes"`              // in the box's own layer
	Packages []string `json:"packages,omitempty"` // installed since the box was made, sorted
	Hidden   bool     `json:"hidden,omitempty"`   // packages were installed, and nobody can tell which: the box does not run
}
