package registry

import (
	"context"
	"maps"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"
)

// Sizes returns the maximum download size in bytes of each reference: the compressed
// layers of the image for this platform. References whose lookup fails are left out.
func (c *Client) Sizes(ctx context.Context, refs []string) map[string]int64 {
	targets := map[target][]string{}
	for _, ref := range refs {
		if t, err := parse(ref); err == nil {
			targets[t] = append(targets[t], ref)
		}
	}
	clients := c.repoClients(slices.Collect(maps.Keys(targets)))
	out := map[string]int64{}
	var mu sync.Mutex
	var eg errgroup.Group
	eg.SetLimit(parallel)
	for t, which := range targets {
		eg.Go(func() error {
			q := &lookup{client: clients[t.repo], target: t, arch: c.arch()}
			var bytes int64
			c.run(ctx, q, func(ctx context.Context) (err error) {
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
	_ = eg.Wait() // failed lookups are left out
	return out
}

// size returns the sum of the layers of the image for this platform.
func (q *lookup) size(ctx context.Context) (bytes int64, err error) {
	if err := q.client.open(ctx); err != nil {
		return 0, err
	}
	name := q.target.tag
	if q.target.digest != "" {
		name = q.target.digest
	}
	if q.top, err = q.client.get(ctx, q.target, name); err != nil {
		return 0, err
	}
	doc, err := q.top.decode()
	if err == nil && doc.Config == nil {
		if err := q.platforms(ctx); err != nil {
			return 0, err
		}
		m, err := q.client.get(ctx, q.target, q.images[0].digest)
		if err != nil {
			return 0, err
		}
		if doc, err = m.decode(); err != nil {
			return 0, q.client.broken(q.target, err)
		}
	}
	for _, l := range doc.Layers {
		bytes += l.Size
	}
	return bytes, err
}
