package cli

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/apply"
	"github.com/klmcwhirter/ocisi/hierarchy/plan"
)

// devFolders makes the folders that mounts of dev containers want, as their
// user. What cannot be made is a warning, since boxes do without.
func (env Env) devFolders(images []hierarchy.Image) {
	warned := map[string]bool{}
	for _, im := range images {
		if im.Dev == nil {
			continue
		}
		for _, f := range im.Dev.Folders() {
			mode := fs.FileMode(0o755)
			if f.Private {
				mode = 0o700
			}
			if err := env.Disk.MkdirAll(f.Path, mode); err != nil && !warned[f.Path] {
				warned[f.Path] = true
				fmt.Fprintf(env.Stderr, "ocisi: warning: dev containers of %s want a folder: %v\n", im.Ref(), err)
			}
		}
	}
}

// realData is $XDG_DATA_HOME below the real home, where $HOME leads there by a
// symlink: what is written about it is compared with the home.
func (env Env) realData() string {
	if rest, ok := strings.CutPrefix(env.DataHome, env.Getenv("HOME")+"/"); ok {
		return filepath.Join(env.Home, rest)
	}
	return env.DataHome
}

// finished returns the images of a graph whose step did not fail.
func finished(g *hierarchy.Graph, results []apply.Result) []hierarchy.Image {
	failed := map[hierarchy.Key]bool{}
	for _, r := range results {
		if r.Step.Kind == plan.Image && (r.State == apply.Failed || r.State == apply.Skipped) {
			failed[hierarchy.Key{Manager: r.Step.Manager, Ref: r.Step.Name}] = true
		}
	}
	var out []hierarchy.Image
	for _, im := range g.Images {
		if !failed[im.Key()] {
			out = append(out, im)
		}
	}
	return out
}
