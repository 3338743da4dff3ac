package main

import (
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/klmcwhirter/ocisi"

// mayImport says which of our packages a package may import. What is not listed
// may import none, and a package that is not listed must not exist.
var mayImport = map[string]string{
	"cmd/ocisi":                   "cmd/internal/cli",
	"cmd/internal/cli":            "bootstrap bootstrap/block bootstrap/doctor bootstrap/host bootstrap/ownedfile bootstrap/timer cmd/internal/page cmd/internal/ui embed/defaults hierarchy hierarchy/apply hierarchy/box hierarchy/devcontainer hierarchy/engine hierarchy/launcher hierarchy/layers hierarchy/plan hierarchy/ocisictl hierarchy/registry internal/disk internal/input internal/process justfiles packaging/systemd",
	"cmd/gendocs":                 "cmd/internal/cli",
	"cmd/internal/page":           "hierarchy/layers",
	"cmd/internal/ui":             "",
	"embed/defaults":              "",
	"bootstrap":                   "internal/disk internal/input",
	"bootstrap/block":             "",
	"bootstrap/host":              "internal/input internal/process",
	"bootstrap/ownedfile":         "internal/disk internal/input",
	"bootstrap/timer":             "bootstrap/ownedfile internal/process",
	"bootstrap/doctor":            "bootstrap/host internal/process",
	"hierarchy":                   "hierarchy/containerfile hierarchy/devcontainer internal/input",
	"hierarchy/containerfile":     "",
	"hierarchy/devcontainer":      "internal/input",
	"hierarchy/layers":            "",
	"hierarchy/plan":              "hierarchy",
	"hierarchy/apply":             "hierarchy hierarchy/plan",
	"hierarchy/engine":            "hierarchy hierarchy/layers internal/input internal/process",
	"hierarchy/engine/enginetest": "",
	"hierarchy/box":               "hierarchy hierarchy/launcher hierarchy/layers internal/disk internal/input internal/process",
	"hierarchy/launcher":          "hierarchy internal/disk internal/input",
	"hierarchy/ocisictl":          "hierarchy hierarchy/box",
	"hierarchy/registry":          "internal/input internal/process",
	"internal/disk":               "",
	"internal/faultseed":          "internal/process",
	"internal/input":              "",
	"internal/process":            "",
	"justfiles":                   "",
	"packaging/systemd":           "",
}

// mayReach says who may import a package of the outside world.
var mayReach = map[string]string{
	"os/exec":                                "internal/process",
	"github.com/spf13/cobra":                 "cmd/internal/cli",
	"github.com/spf13/viper":                 "cmd/internal/cli",
	"github.com/docker/docker":               "hierarchy/engine hierarchy/engine/enginetest",
	"github.com/moby/buildkit":               "hierarchy/engine hierarchy/engine/enginetest hierarchy/containerfile",
	"github.com/google/go-containerregistry": "hierarchy/engine hierarchy/registry",
	"github.com/goccy/go-yaml":               "hierarchy",
	"github.com/adrg/xdg":                    "cmd/internal/cli",
	"github.com/tailscale/hujson":            "hierarchy/devcontainer",
}

func TestArrows(t *testing.T) {
	t.Parallel()
	imports := importsOf(t, filepath.Join("..", ".."))
	for _, pkg := range slices.Sorted(maps.Keys(imports)) {
		allowed, listed := mayImport[pkg]
		if !listed {
			t.Errorf("package %s is new: say in docs/decisions why, and list it here", pkg)
			continue
		}
		for _, imported := range imports[pkg] {
			own, ours := strings.CutPrefix(imported, module+"/")
			if ours && !slices.Contains(strings.Fields(allowed), own) {
				t.Errorf("%s imports %s", pkg, own)
			}
			for outside, who := range mayReach {
				if (imported == outside || strings.HasPrefix(imported, outside+"/")) && !slices.Contains(strings.Fields(who), pkg) {
					t.Errorf("%s imports %s, which is %s's", pkg, imported, who)
				}
			}
		}
	}
	for pkg := range mayImport {
		if imports[pkg] == nil {
			t.Errorf("package %s is listed and does not exist", pkg)
		}
	}
}

// importsOf reads the imports of every package below root, tests aside.
func importsOf(t *testing.T, root string) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "testdata" || d.Name() == ".git") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, file)
		if err != nil {
			return err
		}
		pkg := path.Dir(filepath.ToSlash(rel))
		for _, s := range f.Imports {
			imported, err := strconv.Unquote(s.Path.Value)
			if err != nil {
				return err
			}
			out[pkg] = append(out[pkg], imported)
		}
		if out[pkg] == nil {
			out[pkg] = []string{}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
