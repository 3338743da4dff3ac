// Package defaults holds the files that setup writes: the config file and the
// Containerfiles of the images that it lists.
package defaults

import "embed"

// FS has one folder, config, whose contents belong in ocisi's config folder.
// Files in it are read-only and have lost their executable bit.
//
//go:embed all:config
var FS embed.FS
