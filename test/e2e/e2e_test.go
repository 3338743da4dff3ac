//go:build e2e

// Package e2e runs ocisi on real engines: each script of testdata is a list of
// commands that an ordinary user of a test host (test/host) types, with what they
// must print. It needs root and Debian; a host that does not start is a failure,
// never a skip.
//
//	go test -tags e2e ./test/e2e [-suite trixie] [-full] [-keep] [-run TestStories/once/legacy]
//
// The environment can name another host (OCISI_HOST_NAME; default oc-e2e-SUITE),
// docker 29 (OCISI_HOST_DOCKER), docker's image store (OCISI_HOST_STORE), and a folder with the programs that
// test/programs.sh builds (OCISI_TEST_PROGRAMS; default: build them).
package e2e

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func TestMain(m *testing.M) {
	flag.String("suite", "forky", "the host's `SUITE`: forky, trixie or bookworm")
	flag.Bool("full", false, "on an older suite, run what the landing gate leaves out, too")
	keep := flag.Bool("keep", false, "leave the host running")
	flag.Parse()
	os.Exit(run(m, newHost(), *keep))
}

func run(m *testing.M, h testHost, keep bool) int {
	ctx := context.Background()
	if err := h.prepare(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		return 1
	}
	if !keep {
		defer func() { _ = h.command(ctx, nil, os.Stderr, os.Stderr, "down", h.suite) }()
	}
	return m.Run()
}

func full() bool { return flag.Lookup("full").Value.String() == "true" }

// TestStories runs each script once, and those in each/ once per engine. Those in
// node/ too, where there is the Node.js that the devcontainers CLI requires.
func TestStories(t *testing.T) {
	h := newHost()
	seed := commitSeed(t)
	var exclusive sync.Mutex // stories share the host
	for _, engine := range []string{"docker", "podman"} {
		t.Run(engine, func(t *testing.T) { h.stories(t, &exclusive, "each", engine, seed) })
		if h.suite != "bookworm" {
			t.Run("node/"+engine, func(t *testing.T) { h.stories(t, &exclusive, "node", engine, seed) })
		}
	}
	t.Run("once", func(t *testing.T) { h.stories(t, &exclusive, "once", "", seed) })
}

// TestPackages runs the tests of packages that need an engine or a browser.
func TestPackages(t *testing.T) {
	h := newHost()
	patterns := packageTests(h.suite, full())
	if len(patterns) == 0 {
		t.Fatalf("no package to test on %s", h.suite)
	}
	for pkg, pattern := range patterns {
		t.Run(path.Base(pkg), func(t *testing.T) { h.test(t, pkg, pattern) })
	}
}

// test runs the tests of a package in the host.
func (h testHost) test(t *testing.T, pkg, pattern string) {
	program := h.program(t, path.Base(pkg)+".test", "./"+pkg, "e2e")
	if err := h.script(t.Context(), reset); err != nil {
		t.Fatal(err)
	}
	out := &strings.Builder{}
	err := h.command(t.Context(), nil, out, out, "as", h.suite, filepath.Base(program), "-test.v", "-test.run="+pattern, "-test.timeout=25m")
	t.Log(out)
	if err != nil {
		t.Error(err)
	}
	if passed := strings.Count(out.String(), "\n--- PASS"); passed == 0 {
		t.Errorf("no test of %s passed", pkg)
	}
}
