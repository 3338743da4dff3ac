package registry

import (
	"context"
	"maps"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"
)

// Sizes returns how many bytes a pull of each reference has to fetch at most: its
// layers as the registry has them, which are packed, of the image for this platform.
// References that nobody can be asked about are left out. All are asked at the same
// time.
func (c *Client) Sizes(ctx context.Context, refs []string) map[string]int64 {
	targets := map[target][]string{}
	for _, ref := range refs {
		if t, err := parse(ref); err == nil {
			targets[t] = append(targets[t], ref)
		}
	}
	doors := c.doors(slices.Collect(maps.Keys(targets)))
	out := map[string]int64{}
	var mu sync.Mutex
	var eg errgroup.Group
	eg.SetLimit(parallel)
	for t, which := range targets {
		eg.Go(func() error {
			q := &question{door: doors[t.repo], target: t, arch: c.arch()}
			var bytes int64
			c.ask(ctx, q, func(ctx context.Context) (err error) {
				bytes, err = q.size(ctx)
				return err
			})
			mu.Lock()
			defer mu.Unlock()
			for _, ref := range which {
				if q.err == nil {
					out[ref] = bytes
				}
			}
			return nil
		})
	}
	_ = eg.Wait() // no answer fails another
	return out
}

// size adds the layers of the manifest for this platform.
func (q *question) size(ctx context.Context) (bytes int64, err error) {
	if err := q.door.open(ctx); err != nil {
		return 0, err
	}
	name := q.target.tag
	if q.target.digest != "" {
		name = q.target.digest
	}
	if q.top, err = q.door.get(ctx, q.target, name); err != nil {
		return 0, err
	}
	doc, err := q.top.decode()
	if err == nil && doc.Config == nil {
		if err := q.platforms(ctx); err != nil {
			return 0, err
		}
		m, err := q.door.get(ctx, q.target, q.images[0].digest)
		if err != nil {
			return 0, err
		}
		if doc, err = m.decode(); err != nil {
			return 0, q.door.broken(q.target, err)
		}
	}
	for _, l := range doc.Layers {
		bytes += l.Size
	}
	return bytes, err
}
