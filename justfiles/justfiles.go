// Package justfiles holds recipes for ujust and for plain just: those of ocisi,
// and what brings them in.
package justfiles

import "embed"

// FS has ocisi.just, the recipes; 60-custom.just, which brings them into the
// ujust of an image; user.just, what a justfile begins with that ocisi makes for
// 'just --global-justfile'; and ujust, a script that stands in front of the
// system's, with its ujust.just.
//
//go:embed *.just ujust
var FS embed.FS
