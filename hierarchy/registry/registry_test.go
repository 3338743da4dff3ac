package registry_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/klmcwhirter/ocisi/hierarchy/registry"
)

const toolbox = "ghcr.io/ublue-os/fedora-toolbox:latest"

func TestResolveRequestsEachOnce(t *testing.T) {
	t.Parallel()
	w := network(map[string]http.Handler{"index.docker.io": quiet(), "ghcr.io": quiet()})
	alpine, box := img(t), index(part{"linux/amd64", img(t)})
	push(t, w, "index.docker.io/library/alpine:latest", alpine)
	push(t, w, toolbox, box)
	push(t, w, "ghcr.io/ublue-os/fedora-toolbox:43", alpine)
	c := &registry.Client{Transport: w, Version: "1.2.3"}
	refs := []string{"alpine", "alpine:latest", "docker.io/library/alpine", "docker.io/alpine:latest", toolbox, "ghcr.io/ublue-os/fedora-toolbox", "ghcr.io/ublue-os/fedora-toolbox:43"}
	got := c.Resolve(t.Context(), refs)
	for _, ref := range refs {
		want := registry.Resolution{Ref: ref, Digest: digestOf(alpine)}
		if strings.Contains(ref, "toolbox") && !strings.HasSuffix(ref, "43") {
			want.Digest = digestOf(box)
		}
		if got[ref] != want {
			t.Errorf("%s: %+v, want %+v", ref, got[ref], want)
		}
	}
	if len(got) != len(refs) {
		t.Errorf("%d answers for %d references", len(got), len(refs))
	}
	want := []string{
		"GET https://ghcr.io/v2/", "GET https://index.docker.io/v2/",
		"HEAD https://ghcr.io/v2/ublue-os/fedora-toolbox/manifests/43",
		"HEAD https://ghcr.io/v2/ublue-os/fedora-toolbox/manifests/latest",
		"HEAD https://index.docker.io/v2/library/alpine/manifests/latest",
	}
	if sent := w.requests(); !slices.Equal(sent, want) {
		t.Errorf("sent\n%s\nwant\n%s", strings.Join(sent, "\n"), strings.Join(want, "\n"))
	}
	if ua := w.last.Header.Get("User-Agent"); ua != "ocisi/1.2.3" {
		t.Errorf("User-Agent %q", ua)
	}
}

func TestAnswersWithoutNetwork(t *testing.T) {
	t.Parallel()
	w := network(nil)
	d := "sha256:" + strings.Repeat("a", 64)
	c := &registry.Client{Transport: w}
	got := c.CheckUpdates(t.Context(), []registry.Local{
		{Ref: "alpine@" + d, Digests: []string{"docker.io/library/alpine@" + d}},
		{Ref: "ghcr.io/x/y:1@" + d, ID: "sha256:other"},
		{Ref: "localhost/mine:1", ID: d},
		{Ref: "Not/A Reference"},
	})
	if !got[0].Same || got[0].Digest != d || got[1].Same || got[1].Digest != d || got[0].Err != nil || got[1].Err != nil {
		t.Errorf("with a digest: %+v", got[:2])
	}
	if !errors.Is(got[2].Err, registry.ErrLocal) || got[2].Same {
		t.Errorf("localhost/: %+v", got[2])
	}
	if got[3].Err == nil || !strings.Contains(got[3].Err.Error(), "is not an image reference") {
		t.Errorf("nonsense: %+v", got[3])
	}
	if sent := w.requests(); len(sent) > 0 {
		t.Errorf("sent %v", sent)
	}
}

func TestMoved(t *testing.T) {
	t.Parallel()
	old, fresh, other := img(t), img(t), img(t)
	again := mutate.Annotations(old, map[string]string{"built": "again"}).(v1.Image) // another manifest, the same config
	noted := img(t)
	for name, tt := range map[string]struct {
		now  interface{ Digest() (v1.Hash, error) }
		arch string
		have registry.Local
		want registry.Resolution
		gets int
		err  registry.Kind
	}{
		"nothing moved": {
			now: index(part{"linux/amd64", old}), have: registry.Local{Digests: []string{"ghcr.io/ublue-os/fedora-toolbox@INDEX"}, ID: configOf(old)},
			want: registry.Resolution{Digest: "INDEX", Same: true},
		},
		"bare digest": {
			now: old, have: registry.Local{Digests: []string{digestOf(old)}},
			want: registry.Resolution{Digest: "INDEX", Same: true},
		},
		"containerd's ID of an index": {
			now: index(part{"linux/amd64", old}), have: registry.Local{ID: "INDEX"},
			want: registry.Resolution{Digest: "INDEX", Same: true},
		},
		"nothing in the store": {
			now: index(part{"linux/amd64", old}), have: registry.Local{},
			want: registry.Resolution{Digest: "INDEX"},
		},
		"another platform was rebuilt, manifest known": {
			now:  index(part{"linux/arm64/v8", fresh}, part{"linux/amd64", old}),
			have: registry.Local{Digests: []string{"x@sha256:gone", "x@" + digestOf(old)}, ID: configOf(old)},
			want: registry.Resolution{Digest: "INDEX", Same: true, Platform: digestOf(old)}, gets: 1,
		},
		"another platform was rebuilt, config known": {
			now:  index(part{"linux/arm64/v8", fresh}, part{"linux/amd64", old}),
			have: registry.Local{Digests: []string{"x@sha256:gone"}, ID: configOf(old)},
			want: registry.Resolution{Digest: "INDEX", Same: true, Platform: digestOf(old), Config: configOf(old)}, gets: 2,
		},
		"another platform was rebuilt, containerd": {
			now: index(part{"linux/amd64", old}, part{"linux/s390x", fresh}), have: registry.Local{ID: digestOf(old)},
			want: registry.Resolution{Digest: "INDEX", Same: true, Platform: digestOf(old)}, gets: 1,
		},
		"this platform was rebuilt": {
			now: index(part{"linux/arm64", old}, part{"linux/amd64", fresh}), have: registry.Local{Digests: []string{"x@" + digestOf(old)}, ID: configOf(old)},
			want: registry.Resolution{Digest: "INDEX", Platform: digestOf(fresh), Config: configOf(fresh)}, gets: 2,
		},
		"no index, moved": {
			now: fresh, have: registry.Local{Digests: []string{"x@" + digestOf(old)}, ID: configOf(old)},
			want: registry.Resolution{Digest: "INDEX", Config: configOf(fresh)}, gets: 1,
		},
		"no index, the same config": {
			now: again, have: registry.Local{Digests: []string{"x@" + digestOf(old)}, ID: configOf(old)},
			want: registry.Resolution{Digest: "INDEX", Same: true, Config: configOf(old)}, gets: 1,
		},
		"attestations are no images": {
			now: index(part{"unknown/unknown", noted}, part{"linux/amd64", old}), have: registry.Local{ID: digestOf(old)},
			want: registry.Resolution{Digest: "INDEX", Same: true, Platform: digestOf(old)}, gets: 1,
		},
		"a variant": {
			now: index(part{"linux/amd64/v3", fresh}, part{"linux/amd64", other}, part{"linux/amd64/v2", old}), have: registry.Local{ID: configOf(old)},
			want: registry.Resolution{Digest: "INDEX", Same: true, Platform: digestOf(old), Config: configOf(old)}, gets: 4,
		},
		"arm, no such": {
			now: index(part{"linux/arm/v5", old}, part{"linux/arm/v7", fresh}, part{"linux/arm/v6", other}), arch: "arm", have: registry.Local{Digests: []string{"x"}},
			want: registry.Resolution{Digest: "INDEX", Platform: digestOf(fresh), Config: configOf(fresh)}, gets: 4,
		},
		"arm64": {
			now: index(part{"linux/arm64/v9", old}, part{"linux/arm64/v8", fresh}), arch: "arm64", have: registry.Local{ID: "sha256:x"},
			want: registry.Resolution{Digest: "INDEX", Platform: digestOf(fresh), Config: configOf(fresh)}, gets: 3,
		},
		"not for this platform": {
			now: index(part{"linux/s390x", old}, part{"windows/amd64", fresh}), have: registry.Local{ID: configOf(old)},
			want: registry.Resolution{Digest: "INDEX"}, gets: 1, err: registry.NotFound,
		},
	} {
		t.Run(name, func(t *testing.T) { // one after the other: they share images
			w := one(quiet())
			push(t, w, toolbox, tt.now.(taggable))
			top := digestOf(tt.now)
			tt.have.Ref, tt.want.Ref, tt.want.Digest = toolbox, toolbox, top
			tt.have.ID = strings.ReplaceAll(tt.have.ID, "INDEX", top)
			for i, d := range tt.have.Digests {
				tt.have.Digests[i] = strings.ReplaceAll(d, "INDEX", top)
			}
			if tt.arch == "" {
				tt.arch = "amd64"
			}
			c := &registry.Client{Transport: w, Arch: tt.arch}
			got := c.CheckUpdates(t.Context(), []registry.Local{tt.have})[0]
			if e, _ := errors.AsType[*registry.Error](got.Err); (e == nil) != (tt.err == "") || e != nil && e.Kind != tt.err {
				t.Errorf("error %v, want %q", got.Err, tt.err)
			}
			got.Err = nil
			if got != tt.want {
				t.Errorf("got  %+v\nwant %+v", got, tt.want)
			}
			sent := w.requests()
			if heads, gets := countOf(sent, "HEAD"), countOf(sent, "GET https://ghcr.io/v2/ublue-os/"); heads != 1 || gets != tt.gets {
				t.Errorf("%d HEADs, %d GETs of manifests, want 1 and %d: %v", heads, gets, tt.gets, sent)
			}
		})
	}
}

// An index within an index is none of this platform's images, whatever its
// descriptor says.
func TestMovedPassesOverIndexes(t *testing.T) {
	t.Parallel()
	w := one(quiet())
	old := img(t)
	inner := index(part{"linux/amd64", img(t)})
	push(t, w, toolbox, mutate.AppendManifests(index(part{"linux/amd64", old}), mutate.IndexAddendum{
		Add: inner, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: "amd64"}},
	}))
	c := &registry.Client{Transport: w, Arch: "amd64"}
	got := c.CheckUpdates(t.Context(), []registry.Local{{Ref: toolbox, ID: digestOf(inner)}})[0]
	if got.Err != nil || got.Same || got.Config != configOf(old) {
		t.Errorf("%+v", got)
	}
}

type taggable interface{ RawManifest() ([]byte, error) }

func TestMovedForTwoStores(t *testing.T) {
	t.Parallel()
	w := one(quiet())
	old, fresh := img(t), img(t)
	push(t, w, toolbox, index(part{"linux/amd64", fresh}))
	c := &registry.Client{Transport: w, Arch: "amd64"}
	got := c.CheckUpdates(t.Context(), []registry.Local{
		{Ref: toolbox, ID: configOf(old)},
		{Ref: "ghcr.io/ublue-os/fedora-toolbox", ID: configOf(fresh)},
		{Ref: toolbox},
	})
	if got[0].Same || !got[1].Same || got[2].Same || got[0].Err != nil || got[0].Digest != got[1].Digest || got[1].Ref != "ghcr.io/ublue-os/fedora-toolbox" {
		t.Errorf("%+v", got)
	}
	if sent := w.requests(); len(sent) != 4 || countOf(sent, "HEAD") != 1 {
		t.Errorf("sent %v", sent)
	}
}

// What the second question meets must not hide what the first has settled.
func TestMovedKeepsWhatIsKnown(t *testing.T) {
	t.Parallel()
	inner := quiet()
	w := one(inner)
	idx := index(part{"linux/amd64", img(t)})
	push(t, w, toolbox, idx)
	w.hosts["ghcr.io"] = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/manifests/") {
			rw.WriteHeader(http.StatusTooManyRequests)
			return
		}
		inner.ServeHTTP(rw, r)
	})
	c := &registry.Client{Transport: w, Arch: "amd64"}
	got := c.CheckUpdates(t.Context(), []registry.Local{{Ref: toolbox, ID: "sha256:old"}, {Ref: toolbox, ID: digestOf(idx)}})
	if e, ok := errors.AsType[*registry.Error](got[0].Err); !ok || e.Kind != registry.TooManyRequests || got[0].Digest != digestOf(idx) {
		t.Errorf("the one that moved, or not: %+v", got[0])
	}
	if got[1].Err != nil || !got[1].Same {
		t.Errorf("the one that did not: %+v", got[1])
	}
}

func TestTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &wire{hosts: map[string]http.Handler{"quay.io": quiet()}}
		box := img(t)
		push(t, w, "quay.io/a/b:1", box)
		hangs := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		refs := []string{"quay.io/a/b:1"}
		for i := range 16 {
			host := fmt.Sprintf("r%d.example", i)
			w.hosts[host] = hangs
			refs = append(refs, host+"/x:1")
		}
		start := time.Now()
		got := (&registry.Client{Transport: w}).Resolve(t.Context(), refs)
		if took := time.Since(start); took < 20*time.Second || took > 30*time.Second {
			t.Errorf("took %s; 16 registries that hang, 8 at a time, 10 s each", took)
		}
		if a := got["quay.io/a/b:1"]; a.Err != nil || a.Digest != digestOf(box) {
			t.Errorf("the one that works: %+v", a)
		}
		e, ok := errors.AsType[*registry.Error](got["r3.example/x:1"].Err)
		if !ok || e.Kind != registry.Unreachable || e.Error() != "r3.example does not answer: no answer after 10s" {
			t.Errorf("one that hangs: %v", got["r3.example/x:1"].Err)
		}
	})
}

// Two tags of one repository share the handshake, and its failure.
func TestTimeoutIsOfAllTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		inner := quiet()
		w := one(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			select {
			case <-time.After(900 * time.Millisecond):
				inner.ServeHTTP(rw, r)
			case <-r.Context().Done():
			}
		}))
		c := &registry.Client{Transport: w, Timeout: 1500 * time.Millisecond}
		start := time.Now()
		for ref, a := range c.Resolve(t.Context(), []string{toolbox, "ghcr.io/ublue-os/fedora-toolbox:43"}) {
			if e, ok := errors.AsType[*registry.Error](a.Err); !ok || e.Kind != registry.Unreachable || e.Words != "no answer after 1.5s" {
				t.Errorf("%s: %v", ref, a.Err)
			}
		}
		if took := time.Since(start); took != 1500*time.Millisecond {
			t.Errorf("took %s", took)
		}
	})
}

func TestCancel(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := one(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
		ctx, cancel := context.WithCancelCause(t.Context())
		stop := errors.New("the user said stop")
		time.AfterFunc(time.Second, func() { cancel(stop) })
		start := time.Now()
		got := (&registry.Client{Transport: w}).Resolve(ctx, []string{toolbox})[toolbox]
		if !errors.Is(got.Err, stop) || time.Since(start) != time.Second {
			t.Errorf("%v after %s", got.Err, time.Since(start))
		}
	})
}

// A real connection: TLS, and plain http where it is allowed.
func TestOverTheNetwork(t *testing.T) {
	t.Parallel()
	secure, plain := httptest.NewTLSServer(quiet()), httptest.NewServer(quiet())
	defer secure.Close()
	defer plain.Close()
	box := img(t)
	_, port, _ := strings.Cut(strings.TrimPrefix(plain.URL, "http://"), ":")
	refs := []string{strings.TrimPrefix(secure.URL, "https://") + "/x:1", "127.0.0.1:" + port + "/x:1", "localhost:" + port + "/x:1"}
	for _, ref := range refs {
		push(t, secure.Client().Transport, ref, box, name.Insecure)
	}
	c := &registry.Client{Transport: secure.Client().Transport}
	for ref, a := range c.Resolve(t.Context(), refs) {
		if a.Err != nil || a.Digest != digestOf(box) {
			t.Errorf("%s: %+v", ref, a)
		}
	}
	plain.Close()
	gone := c.Resolve(t.Context(), refs[1:2])[refs[1]]
	if e, ok := errors.AsType[*registry.Error](gone.Err); !ok || e.Kind != registry.Unreachable || !strings.Contains(e.Words, "connection refused") {
		t.Errorf("nobody listens: %v", gone.Err)
	}
	untrusted := (&registry.Client{}).Resolve(t.Context(), refs[:1])[refs[0]]
	if e, ok := errors.AsType[*registry.Error](untrusted.Err); !ok || e.Kind != registry.Unreachable {
		t.Errorf("an unknown certificate: %v", untrusted.Err)
	}
}

func TestPlainHTTPStaysHere(t *testing.T) {
	t.Parallel()
	hosts := map[string]http.Handler{}
	refs := []string{"192.168.7.7:5000/x:1", "10.0.0.1/x:1", "box.localhost:5000/x:1", "ghcr.io/x/y:1"}
	for _, ref := range refs {
		host, _, _ := strings.Cut(ref, "/")
		hosts[host] = quiet()
	}
	hosts["127.0.0.9:5000"] = quiet()
	w := network(hosts)
	w2 := onlyHTTP{w}
	box := img(t)
	push(t, w, "127.0.0.9:5000/x:1", box)
	got := (&registry.Client{Transport: w2}).Resolve(t.Context(), append(refs, "127.0.0.9:5000/x:1"))
	for _, ref := range refs {
		if e, ok := errors.AsType[*registry.Error](got[ref].Err); !ok || e.Kind != registry.Unreachable {
			t.Errorf("%s: %+v", ref, got[ref])
		}
	}
	if a := got["127.0.0.9:5000/x:1"]; a.Err != nil || a.Digest != digestOf(box) {
		t.Errorf("this machine: %+v", a)
	}
	for _, r := range w.requests() {
		if strings.Contains(r, "http://") && !strings.Contains(r, "http://127.0.0.9:5000/") {
			t.Errorf("sent %s", r)
		}
	}
}

// onlyHTTP is a network where nobody speaks TLS.
type onlyHTTP struct{ w *wire }

func (o onlyHTTP) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme == "https" {
		return nil, errors.New("server gave HTTP response to HTTPS client")
	}
	return o.w.RoundTrip(r)
}

func TestResolveOfNothing(t *testing.T) {
	t.Parallel()
	if got := (&registry.Client{}).Resolve(t.Context(), nil); len(got) != 0 {
		t.Errorf("%v", slices.Collect(maps.Keys(got)))
	}
}

func TestSizes(t *testing.T) {
	t.Parallel()
	small, large := img(t), must(mutate.AppendLayers(img(t), must(random.Layer(5000, types.OCILayer)), must(random.Layer(700, types.OCILayer))))
	w := one(quiet())
	push(t, w, "ghcr.io/x/plain:1", large)
	push(t, w, "ghcr.io/x/index:1", index(part{"linux/arm64", small}, part{"linux/amd64", large}))
	var want int64
	for _, l := range must(large.Layers()) {
		want += must(l.Size())
	}
	c := &registry.Client{Transport: w, Arch: "amd64"}
	byDigest := "ghcr.io/x/plain@" + digestOf(large)
	got := c.Sizes(t.Context(), []string{"ghcr.io/x/plain:1", "ghcr.io/x/index:1", byDigest, "ghcr.io/x/nowhere:1", "localhost/mine:1", "Not/A Reference"})
	if len(got) != 3 || got["ghcr.io/x/plain:1"] != want || got["ghcr.io/x/index:1"] != want || got[byDigest] != want || want < 5700 {
		t.Errorf("got %v, want %d for three", got, want)
	}
	for _, r := range w.requests() {
		if strings.Contains(r, "/blobs/") {
			t.Errorf("a layer or a config was fetched: %s", r)
		}
	}
}
