package e2e

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klmcwhirter/ocisi/internal/faultseed"
)

// gateStories are the stories that the landing gate runs on the older suites,
// because their result depends on the versions of docker, podman or distrobox
// there. forky runs all stories, and so does every suite with -full.
var gateStories = map[string][]string{
	"trixie": {
		"copy", // formats of docker save and podman load
	},
	"bookworm": {
		"copy",      // formats of docker save and podman load
		"doctor",    // distrobox 1.4, docker 20.10 without buildx
		"exports",   // distrobox 1.4's enter evaluates its arguments
		"interrupt", // podman 4.3 exits with 0 when it is cancelled
		"legacy",    // podman 4.3 and distrobox 1.4 with ocisictl's files
		"prune",     // cache and dangling images of docker 20.10
		"rollback",  // sessions of docker 20.10; distrobox 1.4's first start
	},
}

// rotating suites also run every rotation-th of their other stories, from another
// offset for each commit.
var rotating = map[string]bool{"trixie": true}

const rotation = 5

// selected returns the stories of the landing gate. The folder and engine only
// vary the offset of the rotation.
func selected(suite, engine string, files []string, seed uint64) []string {
	if suite == "forky" {
		return files
	}
	var some, others []string
	for _, file := range files {
		if slices.Contains(gateStories[suite], strings.TrimSuffix(filepath.Base(file), ".txtar")) {
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
	for suite, names := range gateStories {
		for _, name := range names {
			path := func(folder string) string { return filepath.Join("testdata", folder, name+".txtar") }
			if !slices.Contains(each, path("each")) && !slices.Contains(once, path("once")) {
				t.Errorf("%s: no story %s", suite, name)
			}
		}
	}
	// In time, the rotation comes to every story.
	seen := map[string]bool{}
	for seed := range uint64(100) {
		got := selected("trixie", "podman", each, seed)
		if n := len(got); n < 1+(len(each)-1)/rotation || n >= len(each)/2 {
			t.Errorf("trixie, seed %d: %d of %d stories", seed, n, len(each))
		}
		for _, file := range got {
			seen[file] = true
		}
	}
	if len(seen) != len(each) {
		t.Errorf("trixie: %d of %d stories in 100 commits", len(seen), len(each))
	}
	if got := selected("bookworm", "docker", []string{"testdata/each/debian.txtar"}, 1); got != nil {
		t.Errorf("bookworm: %v", got)
	}
}
