package cli

import (
	"errors"
	"slices"
	"testing"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/plan"
)

// A base to update may be named in any form.
func TestChosen(t *testing.T) {
	known := []string{"docker.io/library/alpine:latest", "ghcr.io/x/base:1"}
	for _, c := range []struct{ names, want []string }{
		{nil, known},
		{[]string{"alpine"}, known[:1]},
		{[]string{"ghcr.io/x/base:1", "docker.io/alpine"}, []string{known[1], known[0]}},
	} {
		got, err := (&lockOptions{update: true}).chosen(c.names, known)
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%q: %q, %v", c.names, got, err)
		}
	}
	_, err := (&lockOptions{update: true}).chosen([]string{"alpine", "ghcr.io/x/base"}, known)
	if unknown, ok := errors.AsType[*unknownBaseError](err); !ok || unknown.base != "ghcr.io/x/base" {
		t.Errorf("another tag: %v", err)
	}
	if got, err := (&lockOptions{}).chosen(nil, known); err != nil || got != nil {
		t.Errorf("without --update: %q, %v", got, err)
	}
}

// Only what is in a store and was never pulled has no digest to be locked to.
func TestWithDigest(t *testing.T) {
	base := func(name string) plan.Target {
		return plan.Target{Kind: plan.Base, Manager: hierarchy.Docker, Name: name}
	}
	known := map[plan.Target]hierarchy.StoredImage{
		base("pulled"): {ID: "sha256:1", Digests: []string{"docker.io/library/pulled@sha256:2"}},
		base("built"):  {ID: "sha256:3", Refs: []string{"docker.io/library/built:latest"}},
		base("absent"): {},
	}
	refs := []string{"docker.io/library/absent:latest", "docker.io/library/built:latest", "docker.io/library/pulled:latest"}
	if got := withDigest(slices.Clone(refs), known); !slices.Equal(got, []string{refs[0], refs[2]}) {
		t.Errorf("got %q", got)
	}
}
