package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/klmcwhirter/ocisi/internal/faultseed"
)

// gateStories are the stories that the landing gate runs on the older suites,
// because their result depends on the versions of docker, podman or distrobox
// there. forky runs all stories, and so does every suite with -full.
//
// The key is the suite and, for stories of each engine, the engine.
var gateStories = map[string][]string{
	"trixie docker": {"copy"}, // formats of docker save and podman load
	"bookworm docker": {
		"copy",     // formats of docker save and podman load
		"prune",    // cache and dangling images of docker 20.10
		"rollback", // sessions of docker 20.10; distrobox 1.4's first start
	},
	"bookworm podman": {
		"exports",   // distrobox 1.4's enter evaluates its arguments
		"interrupt", // podman 4.3 exits with 0 when it is cancelled
	},
	"bookworm ": {
		"doctor", // distrobox 1.4, docker 20.10 without buildx
		"legacy", // podman 4.3 and distrobox 1.4 with ocisictl's files
	},
}

// rotating suites also run every rotation-th of their other stories, from another
// offset for each commit.
var rotating = map[string]bool{"trixie": true}

const rotation = 7

// selected returns the stories of a folder that the landing gate runs on an engine,
// or on none in particular ("").
func selected(suite, engine string, files []string, seed uint64) []string {
	if suite == "forky" {
		return files
	}
	var some, others []string
	for _, file := range files {
		if slices.Contains(gateStories[suite+" "+engine], strings.TrimSuffix(filepath.Base(file), ".txtar")) {
			some = append(some, file)
		} else {
			others = append(others, file)
		}
	}
	if rotating[suite] && len(others) > 0 {
		random := faultseed.Rand(seed, suite+engine+filepath.Dir(others[0]))
		some = append(some, faultseed.Stride(others, rotation, random)...)
	}
	return some
}

// packageTests returns the packages to test in a host of a suite, each with a
// pattern of its tests. Without all, that is what the landing gate runs there.
func packageTests(suite string, all bool) map[string]string {
	const engine, box, page, every = "hierarchy/engine", "hierarchy/box", "cmd/internal/page", "^(TestReal|TestE2E)"
	switch {
	case suite == "forky":
		return map[string]string{engine: every, box: every, page: every}
	case all:
		return map[string]string{engine: every, box: every} // only forky has a browser
	case suite == "trixie":
		return map[string]string{engine: "^TestRealTruth(Tree|Boxes)$"}
	}
	return map[string]string{ // builds, inspection and sizes of docker 20.10 and podman 4.3
		engine: "^(TestE2E|TestReal(Content|CopyForeign|Freed|IgnoresNothing|Info|Inside|Labels|NoCache|Pull|Sessions|TruthTree|TruthBoxes))",
		box:    "^TestReal(Everything|ManyLooks|Replace|Version)$",
	}
}

// commitSeed returns the seed of this run.
func commitSeed(t *testing.T) uint64 {
	t.Helper()
	seed, err := faultseed.FromEnvOrCommit(t, os.Getenv)
	if err != nil {
		t.Fatal(err)
	}
	return seed
}

func TestSelected(t *testing.T) {
	each, err := filepath.Glob("testdata/each/*.txtar")
	if err != nil || len(each) < 10 {
		t.Fatalf("%d stories, %v", len(each), err)
	}
	once, _ := filepath.Glob("testdata/once/*.txtar")
	if got := selected("forky", "docker", each, 1); len(got) != len(each) {
		t.Errorf("forky: %d of %d stories", len(got), len(each))
	}
	for key, names := range gateStories {
		suite, engine, _ := strings.Cut(key, " ")
		files := each
		if engine == "" {
			files = once
		}
		if got := selected(suite, engine, files, 1); len(got) < len(names) {
			t.Errorf("%s: %v, want at least %v", key, got, names)
		}
	}
	// In time, the rotation comes to every story.
	seen := map[string]bool{}
	for seed := range uint64(100) {
		got := selected("trixie", "podman", each, seed)
		if n := len(got); n < len(each)/rotation || n >= len(each)/2 {
			t.Errorf("trixie, seed %d: %d of %d stories", seed, n, len(each))
		}
		for _, file := range got {
			seen[file] = true
		}
	}
	if len(seen) != len(each) {
		t.Errorf("trixie: %d of %d stories in 100 commits", len(seen), len(each))
	}
	for _, suite := range []string{"forky", "trixie", "bookworm"} {
		for pkg, pattern := range packageTests(suite, false) {
			if _, err := regexp.Compile(pattern); err != nil {
				t.Errorf("%s: %s: %v", suite, pkg, err)
			}
			if packageTests(suite, true)[pkg] == "" {
				t.Errorf("%s: the gate tests %s, a full run does not", suite, pkg)
			}
		}
	}
	if got := selected("bookworm", "docker", []string{"testdata/each/debian.txtar"}, 1); got != nil {
		t.Errorf("bookworm: %v", got)
	}
}
