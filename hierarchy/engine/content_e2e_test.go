//go:build e2e

package engine_test

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/engine"
)

// inputs is a value of a label with all that a shell or a Containerfile would
// change: as ocisi.inputs may be.
const inputs = `{"q":"a \"b\" 'c' ` + "`d`" + `","v":"$HOME ${PATH} $$","p":"50% %41 a=b","s":"back\\slash","u":"Größe ☃","c":"# <&>;|*  x"}`

func TestRealLabelsArriveUnchanged(t *testing.T) {
	on(t, func(t *testing.T, w *world) {
		ref := w.name("labels")
		r := w.recipe(ref, base, "RUN echo labels")
		r.Labels[hierarchy.LabelInputs] = inputs
		r.Labels[hierarchy.LabelBaseName] = base
		r.Labels[hierarchy.LabelBaseDigest] = ""
		id := w.build(r)
		im, _, err := w.e.Inspect(t.Context(), id)
		w.ok(err)
		store, err := w.e.Observe(t.Context(), nil)
		w.ok(err)
		listed, _ := store.Image(w.m.StoreRef(ref))
		w.container("labelled", "--label", "manager=distrobox", ref, "sleep", "1000")
		b, _, err := w.e.Container(t.Context(), "ocisi-e2e-labelled")
		w.ok(err)
		for where, labels := range map[string]map[string]string{"inspect": im.Labels, "list": listed.Labels, "container": b.Labels} {
			if labels[hierarchy.LabelInputs] != inputs || labels[hierarchy.LabelImage] != ref || labels[hierarchy.LabelBaseName] != base {
				t.Errorf("%s: arrived: %q", where, labels)
			}
			if _, set := labels[hierarchy.LabelBaseDigest]; set {
				t.Errorf("%s: a label without a value is set", where)
			}
		}
	})
}

func TestRealContent(t *testing.T) {
	on(t, func(t *testing.T, w *world) {
		one, two := w.name("one"), w.name("two")
		build := func(ref, label string, lines ...string) (id, content string) {
			r := w.recipe(ref, base, append([]string{"RUN head -c 100 /dev/urandom > /r", "ENV A=1", "VOLUME /v", "EXPOSE 80"}, lines...)...)
			r.Labels[hierarchy.LabelInputs] = label
			id = w.build(r)
			content, err := w.e.Content(t.Context(), id)
			w.ok(err)
			return id, content
		}
		id, content := build(one, "one")
		if again, same := build(two, "two"); again == id || same != content || content == "" {
			t.Errorf("with other labels: IDs %s and %s, contents %s and %s", id, again, content, same)
		}
		for _, line := range []string{"ENV A=2", "USER 1", "WORKDIR /v", "CMD true", "ENTRYPOINT true", "STOPSIGNAL 9", "LABEL x=y", "RUN true"} {
			if _, other := build(two, "one", line); other == content {
				t.Errorf("%s makes no difference", line)
			}
		}
		w.ok(w.e.RemoveImage(t.Context(), one))
		if gone, err := w.e.Content(t.Context(), id); gone != "" || err != nil {
			t.Errorf("gone: %q, %v", gone, err)
		}
	})
}

func TestRealNoCache(t *testing.T) {
	on(t, func(t *testing.T, w *world) {
		ref := w.name("anew")
		r := w.recipe(ref, base, "RUN cat /proc/sys/kernel/random/uuid > /first", "RUN cat /proc/sys/kernel/random/uuid > /second")
		w.build(r)
		first, second := w.run("run", "--rm", ref, "cat", "/first"), w.run("run", "--rm", ref, "cat", "/second")
		r.NoCache = true
		w.build(r)
		if a, b := w.run("run", "--rm", ref, "cat", "/first"), w.run("run", "--rm", ref, "cat", "/second"); a == first || b == second {
			t.Errorf("not run again: %s, %s", a, b)
		}
		anew, err := w.e.Content(t.Context(), w.m.StoreRef(ref))
		w.ok(err)
		r.NoCache = false
		w.build(r)
		if again, err := w.e.Content(t.Context(), w.m.StoreRef(ref)); err != nil || again != anew {
			t.Errorf("the cache has not what was built anew: %v", err)
		}
	})
}

func TestRealPullByDigest(t *testing.T) {
	on(t, func(t *testing.T, w *world) {
		im, _, err := w.e.Inspect(t.Context(), base)
		w.ok(err)
		digest := im.Digest(base)
		if digest == "" {
			t.Fatalf("no digest of the base: %+v", im)
		}
		// A name that an image has which was built here stays with it; the digest is found.
		// Once the name is free, it comes back with the digest.
		ref := w.name("moved")
		other := w.build(w.recipe(ref, base, "RUN echo moved"))
		w.run("tag", ref, base)
		if moved, _, err := w.e.Inspect(t.Context(), base); err != nil || moved.ID != other {
			t.Fatalf("the name has not moved: %+v, %v", moved, err)
		}
		w.ok(w.e.Pull(t.Context(), base, digest, w.tell))
		if moved, _, err := w.e.Inspect(t.Context(), base); err != nil || moved.ID != other {
			t.Errorf("the name of another image has moved: %+v, %v", moved, err)
		}
		if pulled, found, err := w.e.Inspect(t.Context(), hierarchy.WithDigest(base, digest)); err != nil || !found || pulled.ID != im.ID {
			t.Errorf("by digest: %+v, %t, %v", pulled, found, err)
		}
		w.run("rmi", base)
		w.ok(w.e.Pull(t.Context(), base, digest, w.tell))
		back, _, err := w.e.Inspect(t.Context(), base)
		w.ok(err)
		if back.ID != im.ID || !slices.Equal(back.Refs, im.Refs) || !slices.Equal(back.Digests, im.Digests) {
			t.Errorf("before %+v\nafter  %+v", im, back)
		}
		if names := w.run("image", "inspect", base, "--format", "{{.RepoTags}}"); w.m == hierarchy.Podman && strings.Contains(names, "@") {
			t.Errorf("the digest is a name: %s", names)
		}
		full := hierarchy.WithDigest(base, digest)
		store, err := w.e.Observe(t.Context(), []string{full, w.m.StoreRef(ref), "ghcr.io/ublue-os/nosuch:latest"})
		w.ok(err)
		if found, ok := store.Image(full); !ok || found.ID != im.ID || !maps.Equal(found.Labels, im.Labels) || len(store.Images) != 2 {
			t.Errorf("by digest: %+v of %d, %v", found, len(store.Images), ok)
		}
		if found, ok := store.Image(base); !ok || found.ID != im.ID {
			t.Errorf("by name: %+v, %v", found, ok)
		}
		w.ok(w.e.Pull(t.Context(), full, "", nil))
	})
}

func TestRealPullGone(t *testing.T) {
	on(t, func(t *testing.T, w *world) {
		digest := "sha256:" + strings.Repeat("0123", 16)
		err := w.e.Pull(t.Context(), base, digest, nil)
		t.Log(err)
		if gone, ok := errors.AsType[*engine.GoneError](err); !ok || gone.Ref != base || gone.Digest != digest {
			t.Errorf("got %v", err)
		}
		err = w.e.Pull(t.Context(), "ghcr.io/ublue-os/debian-toolbox:nosuch", "", nil)
		if _, ok := errors.AsType[*engine.GoneError](err); ok || err == nil {
			t.Errorf("a tag that is not there: %v", err)
		}
	})
}

func TestRealFreed(t *testing.T) {
	on(t, func(t *testing.T, w *world) {
		parent, a, b := w.name("fparent"), w.name("fa"), w.name("fb")
		w.build(w.recipe(parent, base, "RUN head -c 4000000 /dev/urandom > /parent"))
		w.build(w.recipe(a, w.local(parent), "RUN head -c 2000000 /dev/urandom > /a"))
		w.build(w.recipe(b, w.local(parent), "RUN head -c 1000000 /dev/urandom > /b"))
		full := func(refs ...string) (all []string) {
			for _, ref := range refs {
				all = append(all, w.m.StoreRef(ref))
			}
			return all
		}
		info, err := w.e.Info(t.Context())
		w.ok(err)
		near := func(got, want int64) bool {
			if info.Store == engine.ContainerdStore {
				want *= 2 // what is random is no smaller as a blob
			}
			return got >= want && got < want+150_000
		}
		got, err := w.e.Freed(t.Context(), full(parent, a))
		if err != nil || !near(got.Total, 2_000_000) || !near(got.Own[w.m.StoreRef(a)], 2_000_000) || got.Own[w.m.StoreRef(parent)] != 0 {
			t.Errorf("a child stays: %+v, %v", got, err)
		}
		got, err = w.e.Freed(t.Context(), full(parent, a, b))
		if err != nil || !near(got.Total, 7_000_000) || !near(got.Own[w.m.StoreRef(b)], 1_000_000) || got.Own[w.m.StoreRef(parent)] != 0 {
			t.Errorf("all go: %+v, %v", got, err)
		}
	})
}
