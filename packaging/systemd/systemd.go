// Package systemd holds the units of a user's systemd that bring images and
// boxes up to date once in a while, as packages install them.
package systemd

import "embed"

// FS has the folder user with ocisi-recreate.service and ocisi-recreate.timer.
//
//go:embed user
var FS embed.FS
