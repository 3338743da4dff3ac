package engine_test

import (
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/engine"
	"github.com/klmcwhirter/ocisi/hierarchy/engine/enginetest"
	"github.com/klmcwhirter/ocisi/hierarchy/layers"
)

// inStore writes what is in a layer, NAME SIZE a line, to podman's store.
func (s *story) inStore(id string, lines ...string) {
	s.t.Helper()
	dir := filepath.Join(s.dir, "podman-storage", "overlay-layers")
	s.ok(os.MkdirAll(dir, 0o700))
	f, err := os.Create(filepath.Join(dir, id+".tar-split.gz"))
	s.ok(err)
	z := gzip.NewWriter(f)
	for _, line := range lines {
		name, size, _ := strings.Cut(line, " ")
		_, err := fmt.Fprintf(z, "{\"type\":2,\"payload\":\"AA==\",\"position\":0}\n{\"type\":1,\"name\":%q,\"size\":%s,\"payload\":null,\"position\":1}\n", name, size)
		s.ok(err)
	}
	s.ok(errors.Join(z.Close(), f.Close()))
}

func (s *story) storeFile(name, text string) {
	s.t.Helper()
	file := filepath.Join(s.dir, "podman-storage", name)
	s.ok(os.MkdirAll(filepath.Dir(file), 0o700))
	s.ok(os.WriteFile(file, []byte(text), 0o600))
}

// stored are two images, one on the other.
func stored() enginetest.State {
	lower := []enginetest.Layer{{DiffID: "sha256:aa", Size: 100, By: "ADD base.tar /"}}
	return enginetest.State{FileSystem: "extfs", Images: []enginetest.Image{
		{ID: "sha256:1111111111111111", Refs: []string{"localhost/low:1"}, Layers: lower},
		{ID: "sha256:2222222222222222", Refs: []string{"localhost/high:1"}, Layers: append(slices.Clone(lower),
			enginetest.Layer{DiffID: "sha256:bb", Size: 20, By: "RUN make && make install"})},
	}}
}

// kept is what a store takes for a layer besides its files: itself, five
// blocks, and its record.
const kept = 7 * 4096

func TestLayersTakeWhatTheyTakeOnDisk(t *testing.T) {
	each(t, stored(), func(t *testing.T, s *story) {
		s.inStore("aa", "./ 0", "./etc/ 0", "./etc/passwd 5000")
		images, err := s.Layers(t.Context(), []string{s.full("low:1"), s.full("high:1")})
		s.ok(err)
		low, high := int64(100), int64(20) // of which the store's files say nothing
		if s.Manager() == hierarchy.Podman {
			low = kept + 4096 + 8192
		}
		want := []layers.Layer{{DiffID: "sha256:aa", Size: low, By: "ADD base.tar /"}, {DiffID: "sha256:bb", Size: high, By: "RUN make && make install"}}
		if !slices.Equal(unpacked(images[0]), want[:1]) || !slices.Equal(unpacked(images[1]), want) {
			t.Errorf("got %+v, want %+v", images, want)
		}
		// What is read once is remembered: a layer stays as it is.
		s.ok(os.RemoveAll(filepath.Join(s.dir, "podman-storage")))
		again, err := s.Layers(t.Context(), []string{s.full("low:1")})
		s.ok(err)
		if again[0].Layers[0].Size != low {
			t.Errorf("got %+v", again)
		}
	})
}

// The store of the machine tells all of it, and podman's API only which image it
// is. What does not fit together is asked of podman, however many there are.
func TestLayersFromTheStore(t *testing.T) {
	const config = `{"rootfs":{"type":"layers","diff_ids":["sha256:aa","sha256:bb"]},"history":[
		{"created_by":"/bin/sh -c #(nop) ADD file:x in / "},{"created_by":"ENV A=b","empty_layer":true},{"created_by":"|1 A=b /bin/sh -c make"}]}`
	hash := sha256.Sum256([]byte(config))
	id := hex.EncodeToString(hash[:])
	chain := []enginetest.Layer{{DiffID: "sha256:aa", Size: 100}, {DiffID: "sha256:bb", Size: 20}}
	want := []layers.Layer{{DiffID: "sha256:aa", Size: kept + 4096, By: "ADD file:x in /"}, {DiffID: "sha256:bb", Size: 1536, By: "RUN make"}}
	for name, tc := range map[string]struct {
		layers, config, id string
		api                bool
	}{
		"all fits":           {`[{"id":"aa","diff-digest":"sha256:aa","diff-size":2048},{"id":"bb","parent":"aa","diff-digest":"sha256:bb","diff-size":1536}]`, config, id, false},
		"another layer":      {`[{"id":"aa","diff-digest":"sha256:cc","diff-size":2048},{"id":"bb","parent":"aa","diff-digest":"sha256:bb","diff-size":1536}]`, config, id, true},
		"a layer is missing": {`[{"id":"bb","parent":"aa","diff-digest":"sha256:bb","diff-size":1536}]`, config, id, true},
		"another config":     {`[{"id":"aa","diff-digest":"sha256:aa","diff-size":2048},{"id":"bb","parent":"aa","diff-digest":"sha256:bb","diff-size":1536}]`, config + " ", id, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, hierarchy.Podman, enginetest.State{Images: []enginetest.Image{{ID: "sha256:" + id, Refs: []string{"localhost/x:1"}, Layers: chain}}})
			s.inStore("aa", "etc 1")
			s.storeFile("overlay-images/images.json", `[{"id":"`+id+`","layer":"bb"}]`)
			s.storeFile("overlay-layers/layers.json", tc.layers)
			s.storeFile("overlay-images/"+id+"/="+base64.StdEncoding.EncodeToString([]byte("sha256:"+id)), tc.config)
			for _, ref := range []string{"localhost/x:1", "sha256:" + id} {
				before := len(s.server.Requests())
				images, err := s.Layers(t.Context(), []string{ref})
				s.ok(err)
				api := slices.ContainsFunc(s.asked(before), func(q string) bool { return strings.HasSuffix(q, "/history") })
				if api != tc.api || !api && !slices.Equal(images[0].Layers, want) || api && images[0].Layers[1].Size != 20 {
					t.Errorf("%s: got %+v, asked %q; want %+v", ref, images[0].Layers, s.asked(before), want)
				}
			}
		})
	}
}

func TestLayersWithoutHistory(t *testing.T) {
	state := stored()
	state.Images[1].Undated = true
	each(t, state, func(t *testing.T, s *story) {
		s.inStore("bb", "new 1")
		images, err := s.Layers(t.Context(), []string{s.full("high:1")})
		s.ok(err)
		got := unpacked(images[0])
		want := []layers.Layer{{DiffID: "sha256:aa", Size: 100, By: "ADD base.tar /"}, {DiffID: "sha256:bb", Size: 20, By: "RUN make && make install"}}
		if s.Manager() == hierarchy.Podman {
			want = []layers.Layer{{DiffID: "sha256:aa", Size: 120, Estimated: true}, {DiffID: "sha256:bb", Size: kept + 4096}}
		}
		if !slices.Equal(got, want) {
			t.Errorf("got %+v, want %+v", got, want)
		}
	})
}

// withCopies has podman's store say that there are two copies of high:1.
func (s *story) withCopies() {
	s.t.Helper()
	high := strings.TrimPrefix(s.id("high:1"), "sha256:")
	s.storeFile("overlay-images/images.json", `[{"id":"`+high+`","layer":"bb","mapped-layers":["m1","gone","m2"]},{"id":"1111111111111111","layer":"aa"}]`)
	s.storeFile("overlay-layers/layers.json", `[{"id":"aa","diff-digest":"sha256:aa"},{"id":"bb","parent":"aa","diff-digest":"sha256:bb"},{"id":"m1","parent":"aa","uidmap":[{}]},{"id":"m2","parent":"aa"}]`)
}

// withContents has it say what is in the layers.
func (s *story) withContents() {
	s.t.Helper()
	s.inStore("aa", "./ 0", "./etc/ 0", "./etc/passwd 5000", "./big 40960")
	s.inStore("bb", "etc/ 0", "etc/.wh.passwd 0", "big 4096", "more 1")
}

// What these layers take, and a copy of both.
const (
	lower  = kept + 4096 + 8192 + 40960
	upper  = kept + 3*4096
	copied = kept + 3*4096
)

func TestFreedWithCopies(t *testing.T) {
	each(t, stored(), func(t *testing.T, s *story) {
		s.withCopies()
		s.withContents()
		high, low := int64(20), int64(100)
		if s.Manager() == hierarchy.Podman {
			high, low = upper+2*copied, lower
		}
		got, err := s.Freed(t.Context(), []string{s.full("high:1")})
		if err != nil || got.Total != high || got.Own[s.full("high:1")] != high {
			t.Errorf("%+v will be free, %v; want %d", got, err, high)
		}
		unused, err := s.Unused(t.Context(), nil)
		s.ok(err)
		freed, err := s.Prune(t.Context(), unused)
		if err != nil || unused.Bytes != high+low || freed != high+low {
			t.Errorf("%d bytes are free, %d foretold, %v; want %d", freed, unused.Bytes, err, high+low)
		}
	})
}

func TestCopiesOfImages(t *testing.T) {
	each(t, stored(), func(t *testing.T, s *story) {
		ids := []string{s.id("low:1"), s.id("high:1"), "sha256:3333333333333333"}
		if s.Manager() == hierarchy.Docker {
			got, err := s.Copies(t.Context(), ids)
			if err != nil || len(got) != 0 {
				t.Errorf("docker: %v, %v", got, err)
			}
			return
		}
		if _, err := s.Copies(t.Context(), ids); !errors.Is(err, engine.ErrUnknown) {
			t.Errorf("without the store's files: %v", err)
		}
		s.withCopies()
		if _, err := s.Copies(t.Context(), ids); !errors.Is(err, engine.ErrUnknown) {
			t.Errorf("without the layers' records: %v", err)
		}
		s.withContents()
		want := map[string][]int64{ids[1]: {copied, copied}}
		got, err := s.Copies(t.Context(), ids)
		if err != nil || !maps.EqualFunc(got, want, slices.Equal[[]int64]) {
			t.Errorf("got %v, %v; want %v", got, err, want)
		}
		s.server.Edit("podman", func(st *enginetest.State) { st.FileSystem = "btrfs" })
		if got, err := s.Copies(t.Context(), ids); err != nil || len(got) != 0 {
			t.Errorf("where files share their bytes: %v, %v", got, err)
		}
	})
}
