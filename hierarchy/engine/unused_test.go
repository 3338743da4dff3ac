package engine

import (
	"testing"

	"github.com/docker/docker/api/types/container"

	"github.com/klmcwhirter/ocisi/hierarchy"
)

func TestIsLeft(t *testing.T) {
	t.Parallel()
	for state, want := range map[string]bool{
		// Docker's states.
		"created": true, "exited": true, "dead": true, "running": false, "paused": false, "restarting": false, "removing": false,
		// Podman's own.
		"configured": true, "stopped": true, "stopping": false, "unknown": false,
	} {
		if got := isLeft(container.Summary{State: state}); got != want {
			t.Errorf("%s: %v, want %v", state, got, want)
		}
		for _, label := range []string{boxLabel, "com.github.containers.toolbox", hierarchy.LabelBox} {
			if isLeft(container.Summary{State: state, Labels: map[string]string{label: "x"}}) {
				t.Errorf("%s with label %s is unused", state, label)
			}
		}
	}
}
