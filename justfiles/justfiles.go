// Package justfiles holds recipes for ujust and for plain just: those of ocisi,
// and what brings them in.
package justfiles

import "embed"

// FS has ocisi.just, the recipes; 60-custom.just, which brings them into the
// ujust of an image; and user.just, what a justfile begins with that its user has
// for 'just --global-justfile'.
//
//go:embed *.just
var FS embed.FS
