package engine

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/klmcwhirter/ocisi/hierarchy"
)

// Two users of a daemon who build from the same path do not share the files that
// the daemon was sent; the same user does, from one run to the next.
func TestSharedKey(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "Containerfile"), []byte("FROM a\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	key := func(installation func() string) string {
		e := &Engine{manager: hierarchy.Docker, opts: Options{Installation: installation}}
		opt, err := e.solveOpt(hierarchy.Recipe{Context: dir, Containerfile: "Containerfile", Ref: "a:1"})
		if err != nil {
			t.Fatal(err)
		}
		again, err := e.solveOpt(hierarchy.Recipe{Context: dir, Containerfile: "Containerfile", Ref: "b:1"})
		if err != nil || again.SharedKey != opt.SharedKey {
			t.Errorf("a context has the keys %q and %q in one run, %v", opt.SharedKey, again.SharedKey, err)
		}
		return opt.SharedKey
	}
	one := key(func() string { return "one" })
	if other := key(func() string { return "other" }); one == other {
		t.Error("two installations have the same key")
	}
	if next := key(func() string { return "one" }); one != next {
		t.Error("the next run of an installation has another key")
	}
	if a, b := key(nil), key(func() string { return "" }); a == b || a == one || a == dir {
		t.Errorf("without an ID, two runs have the keys %q and %q", a, b)
	}
}
