package registry_test

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	fake "github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// wire is a network of handlers in this process: time in it can be a bubble's.
type wire struct {
	mu    sync.Mutex
	hosts map[string]http.Handler
	log   []string
	last  *http.Request
}

// RoundTrip implements http.RoundTripper.
func (w *wire) RoundTrip(req *http.Request) (*http.Response, error) {
	w.mu.Lock()
	w.log = append(w.log, req.Method+" "+req.URL.Scheme+"://"+req.URL.Host+req.URL.Path)
	w.last = req
	h := w.hosts[req.URL.Host]
	w.mu.Unlock()
	if h == nil {
		return nil, fmt.Errorf("lookup %s: no such host", req.URL.Host)
	}
	answered := make(chan *http.Response, 1)
	go func() {
		rec := httptest.NewRecorder()
		in := req.Clone(req.Context())
		if in.Body == nil {
			in.Body = http.NoBody
		}
		h.ServeHTTP(rec, in)
		resp := rec.Result()
		resp.Request = req
		if req.Method == http.MethodHead {
			resp.Body = http.NoBody
		}
		answered <- resp
	}()
	select {
	case resp := <-answered:
		return resp, nil
	case <-req.Context().Done():
		return nil, req.Context().Err()
	}
}

// requests returns what was sent since the last call, sorted.
func (w *wire) requests() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := w.log
	w.log = nil
	slices.Sort(out)
	return out
}

func quiet() http.Handler { return fake.New(fake.Logger(log.New(io.Discard, "", 0))) }

func network(hosts map[string]http.Handler) *wire { return &wire{hosts: hosts} }

// one returns the network with a single registry, ghcr.io.
func one(h http.Handler) *wire { return network(map[string]http.Handler{"ghcr.io": h}) }

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func img(t *testing.T) v1.Image {
	t.Helper()
	return must(random.Image(64, 1))
}

type part struct {
	platform string
	image    v1.Image
}

func index(parts ...part) v1.ImageIndex {
	var idx v1.ImageIndex = empty.Index
	for _, p := range parts {
		idx = mutate.AppendManifests(idx, mutate.IndexAddendum{Add: p.image, Descriptor: v1.Descriptor{Platform: must(v1.ParsePlatform(p.platform))}})
	}
	return idx
}

// push puts an image or an index under a tag.
func push(t *testing.T, rt http.RoundTripper, ref string, what remote.Taggable, opts ...name.Option) {
	t.Helper()
	r := must(name.ParseReference(ref, opts...))
	var err error
	switch x := what.(type) {
	case v1.ImageIndex:
		err = remote.WriteIndex(r, x, remote.WithTransport(rt))
	case v1.Image:
		err = remote.Write(r, x, remote.WithTransport(rt))
	}
	if err != nil {
		t.Fatal(err)
	}
	if w, ok := rt.(*wire); ok {
		w.requests()
	}
}

type digester interface{ Digest() (v1.Hash, error) }

func digestOf(d digester) string { return must(d.Digest()).String() }

func configOf(im v1.Image) string { return must(im.ConfigName()).String() }

func countOf(requests []string, prefix string) (n int) {
	for _, r := range requests {
		if strings.HasPrefix(r, prefix) {
			n++
		}
	}
	return n
}
