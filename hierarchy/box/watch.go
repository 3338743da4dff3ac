package box

import (
	"context"
	"errors"
	"time"

	"github.com/klmcwhirter/ocisi/hierarchy"
)

// A box that was asked to start does so within a second or two; engines that are
// being started anew take longer.
const (
	watchPause = 5 * time.Second
	watchLimit = time.Minute
)

// errEnded says why nobody waits for a box any more.
var errEnded = errors.New("its container has ended, or was never started")

// watched returns a context that ends when a box that is being entered has not run
// for watchLimit: distrobox 1.4 waits for the set-up of a container that has ended
// for ever. done must be called.
func (j *job) watched(ctx context.Context, c hierarchy.StoredBox) (_ context.Context, done func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(watchPause)
		defer tick.Stop()
		for still := time.Duration(0); still < watchLimit; {
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
			switch now, found, err := j.store.Container(ctx, c.Name); {
			case err != nil: // the engine may be back in a moment
			case found && now.ID == c.ID && now.Running:
				still = 0
			default:
				still += watchPause
			}
		}
		cancel(errEnded)
	}()
	return ctx, func() {
		cancel(nil)
		<-ended
	}
}
