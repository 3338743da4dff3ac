package registry

import (
	"errors"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// retryDelay is the time before the only retry of a request that failed with a
// status of 500 or more. Most such responses come from a load balancer while a server
// is replaced, and the next server answers. The delay is short, so that the failure
// of a registry that is down is reported soon.
const retryDelay = 200 * time.Millisecond

var errPlainHTTP = errors.New("plain HTTP is allowed for this machine only")

// retryTransport sends the requests of a [repoClient]. It refuses plain HTTP to other
// machines, retries once, and records Retry-After.
type retryTransport struct {
	base  http.RoundTripper
	agent string

	mu    sync.Mutex
	delay time.Duration // the last Retry-After; 0: none
}

// RoundTrip implements http.RoundTripper.
func (c *retryTransport) RoundTrip(in *http.Request) (*http.Response, error) {
	if in.URL.Scheme != "https" && !loopback(in.URL.Host) {
		return nil, errPlainHTTP
	}
	base := c.base
	if base == nil {
		base = http.DefaultTransport
	}
	req := in.Clone(in.Context())
	req.Header.Set("User-Agent", c.agent)
	resp, err := base.RoundTrip(req)
	if err == nil && shouldRetry(req, resp) {
		_ = resp.Body.Close()
		select {
		case <-time.After(retryDelay):
		case <-req.Context().Done():
			return nil, req.Context().Err()
		}
		resp, err = base.RoundTrip(req)
	}
	if err == nil {
		resp.Request = in
		c.recordRetryAfter(resp)
	}
	return resp, err
}

// shouldRetry reports whether to send a request again: it does not change anything,
// and the server failed. A response with Retry-After is not retried.
func shouldRetry(req *http.Request, resp *http.Response) bool {
	safe := req.Method == http.MethodGet || req.Method == http.MethodHead
	return safe && resp.StatusCode >= http.StatusInternalServerError && resp.Header.Get("Retry-After") == ""
}

func (c *retryTransport) recordRetryAfter(resp *http.Response) {
	s := resp.Header.Get("Retry-After")
	if resp.StatusCode < http.StatusBadRequest || s == "" {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if seconds, err := strconv.Atoi(s); err == nil && seconds > 0 {
		c.delay = time.Duration(seconds) * time.Second
	} else if at, err := http.ParseTime(s); err == nil {
		c.delay = max(0, time.Until(at).Round(time.Second))
	}
}

// retryAfter returns the last Retry-After of the registry, or 0.
func (c *retryTransport) retryAfter() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.delay
}
