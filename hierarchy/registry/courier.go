package registry

import (
	"errors"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// again is how long a registry that has trouble is left alone before it is
// asked a second and last time. Most such answers come from what stands in front
// of it while one of its servers is exchanged, and the next server knows; one
// that is really down is told about after this little while.
const again = 200 * time.Millisecond

var errPlain = errors.New("plain http is spoken with this machine only")

// courier carries all requests of a door.
type courier struct {
	base  http.RoundTripper
	agent string

	mu    sync.Mutex
	later time.Duration // how long the registry wants to be left alone; 0 when it did not say
}

// RoundTrip implements http.RoundTripper.
func (c *courier) RoundTrip(in *http.Request) (*http.Response, error) {
	if in.URL.Scheme != "https" && !loopback(in.URL.Host) {
		return nil, errPlain
	}
	base := c.base
	if base == nil {
		base = http.DefaultTransport
	}
	req := in.Clone(in.Context())
	req.Header.Set("User-Agent", c.agent)
	resp, err := base.RoundTrip(req)
	if err == nil && trouble(req, resp) {
		_ = resp.Body.Close()
		select {
		case <-time.After(again):
		case <-req.Context().Done():
			return nil, req.Context().Err()
		}
		resp, err = base.RoundTrip(req)
	}
	if err == nil {
		resp.Request = in
		c.remember(resp)
	}
	return resp, err
}

// trouble reports whether a request should be sent again: one that asks only,
// and that failed in a way that may have passed. A registry that says when to
// come back is left alone till then.
func trouble(req *http.Request, resp *http.Response) bool {
	asks := req.Method == http.MethodGet || req.Method == http.MethodHead
	return asks && resp.StatusCode >= http.StatusInternalServerError && resp.Header.Get("Retry-After") == ""
}

func (c *courier) remember(resp *http.Response) {
	s := resp.Header.Get("Retry-After")
	if resp.StatusCode < http.StatusBadRequest || s == "" {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if seconds, err := strconv.Atoi(s); err == nil && seconds > 0 {
		c.later = time.Duration(seconds) * time.Second
	} else if at, err := http.ParseTime(s); err == nil {
		c.later = max(0, time.Until(at).Round(time.Second))
	}
}

// comeBack returns how long the registry wants to be left alone.
func (c *courier) comeBack() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.later
}
