package hierarchy

import (
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// box decodes what stands below box:.
func (d *decoder) box(n ast.Node) *Box {
	var b Box
	var check string
	d.mapping(n, "box", fields{
		"home":                d.text(&b.Home, "home", checkExpandable),
		"hostname":            d.text(&b.Hostname, "hostname", checkPlain),
		"init":                d.boolean("init", func(v bool) { b.Init = v }),
		"nvidia":              d.boolean("nvidia", func(v bool) { b.Nvidia = v }),
		"root":                d.boolean("root", func(v bool) { b.Root = v }),
		"start_now":           d.boolean("start_now", func(v bool) { b.StartNow = v }),
		"volumes":             d.texts(&b.Volumes, "volumes", checkExpandable),
		"exported_bins":       d.texts(&b.ExportedBins, "exported_bins", checkExportedBin),
		"exported_apps":       d.texts(&b.ExportedApps, "exported_apps", checkPlain),
		"exported_bins_path":  d.text(&b.ExportedBinsPath, "exported_bins_path", checkExpandable),
		"additional_packages": d.texts(&b.AdditionalPackages, "additional_packages", checkWords),
		"init_hooks":          d.texts(&b.InitHooks, "init_hooks", checkLine),
		"additional_flags":    d.texts(&b.AdditionalFlags, "additional_flags", checkWords),
		"check":               d.text(&check, "check", checkWords),
	})
	if check != "" {
		b.Check = strings.Fields(check)
	}
	return &b
}
