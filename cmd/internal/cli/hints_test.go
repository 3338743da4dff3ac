package cli

import (
	"errors"
	"testing"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/box"
)

// The commands restore a previous box without the loss of the other container.
func TestHintsForBoxes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  error
		want string
	}{
		{&box.TakenError{Manager: hierarchy.Docker, Name: "go", Old: "go.ocisi-old"}, "to restore the previous box: docker rename go go-2 && docker rename go.ocisi-old go"},
		{&box.TakenError{Manager: hierarchy.Podman, Root: true, Name: "go"}, "free the name, then run ocisi again: sudo podman rename go go-2"},
		{&box.ChangedError{Name: "go"}, "look at go first, then plan again: ocisi plan"},
		{
			&box.UnknownError{Manager: hierarchy.Podman, Name: "go", Old: "go.ocisi-old", Err: errors.New("no answer")},
			"enter it (DBX_CONTAINER_MANAGER=podman distrobox enter go), then run: ocisi process; to restore the previous box: podman rename go go-2 && podman rename go.ocisi-old go",
		},
		{
			&box.UnknownError{Manager: hierarchy.Podman, Root: true, Name: "go", Old: "go.ocisi-old", Err: errors.New("no answer")},
			"enter it (distrobox enter --root go), then run: ocisi process; to restore the previous box: sudo podman rename go go-2 && sudo podman rename go.ocisi-old go",
		},
	} {
		if got := hint(c.err, "ocisi"); got != c.want {
			t.Errorf("%v:\n%s\nwant\n%s", c.err, got, c.want)
		}
	}
}
