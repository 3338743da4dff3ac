package engine_test

import (
	"testing"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/engine"
	"github.com/klmcwhirter/ocisi/hierarchy/engine/enginetest"
)

func TestInfoStore(t *testing.T) {
	for store, state := range map[string]enginetest.State{engine.ContainerdStore: {Containerd: true}, "overlay2": {}} {
		info, err := start(t, hierarchy.Docker, state).Info(t.Context())
		if err != nil || info.Store != store {
			t.Errorf("store %q, %v; want %q", info.Store, err, store)
		}
	}
}
