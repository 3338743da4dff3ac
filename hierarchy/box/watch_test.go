package box

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/internal/process"
)

// endless is a distrobox that waits for a new box for ever.
type endless struct {
	*world
	running bool
}

func (e endless) Run(ctx context.Context, c process.Cmd) error {
	if c.Args[0] != "enter" {
		return e.world.Run(ctx, c)
	}
	<-ctx.Done()
	return context.Cause(ctx)
}

func (e endless) Container(ctx context.Context, name string) (hierarchy.StoredBox, bool, error) {
	b, found, err := e.world.Container(ctx, name)
	b.Running = e.running
	return b, found, err
}

func TestBoxThatHasEnded(t *testing.T) {
	for running, want := range map[bool]string{false: errEnded.Error(), true: "nobody waits"} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.has("tool", byOcisi("tool"))
			d := w.maker()
			there := endless{w, running}
			d.Runner = there
			ctx, cancel := context.WithTimeoutCause(t.Context(), 10*time.Minute, context.DeadlineExceeded)
			defer cancel()
			begun := time.Now()
			_, err := d.Replace(ctx, there, Spec{Manager: hierarchy.Podman, Box: hierarchy.Box{Name: "tool"}, Image: "localhost/tool-dx:latest", Keep: 1}, nil)
			took := time.Since(begun)
			if running {
				if err == nil || took != 10*time.Minute {
					t.Errorf("a box that takes its time was given up after %v: %v", took, err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), want) || took > 3*time.Minute {
				t.Errorf("after %v: %v", took, err)
			}
			if w.boxes["tool"].ID != "box1" {
				t.Errorf("the old box is not back: %v", w.boxes)
			}
		})
	}
}
