//go:build e2e

package engine_test

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/engine"
	"github.com/klmcwhirter/ocisi/hierarchy/layers"
	"github.com/klmcwhirter/ocisi/internal/process"
)

func TestE2EInfo(t *testing.T) {
	on(t, func(t *testing.T, w *world) {
		info, err := w.e.Info(t.Context())
		w.ok(err)
		t.Logf("%+v", info)
		if info.Version == "" || info.APIVersion == "" || info.Driver == "" || info.Root == "" || info.Rootless != (w.m == hierarchy.Podman) {
			t.Errorf("incomplete: %+v", info)
		}
	})
}

func (w *world) layers(a, b, c string) {
	w.t.Helper()
	start := time.Now()
	images, err := w.e.Layers(w.t.Context(), []string{w.m.StoreRef(a), w.m.StoreRef(b), w.m.StoreRef(c)})
	w.ok(err)
	w.t.Logf("layers: %s", time.Since(start).Round(time.Millisecond))
	for i, im := range images {
		stored, _, err := w.e.Inspect(w.t.Context(), im.Ref)
		w.ok(err)
		var sum, blobs int64
		for _, l := range im.Layers {
			sum += l.Size
			blobs += l.Blob.Size
		}
		exact := w.m == hierarchy.Docker
		if blobs > 0 { // the image's total is that of blobs, with the manifest and the config
			exact, sum = false, blobs
		}
		// Podman's total is that of the tars, with the same.
		if over := stored.Size - sum; exact && over != 0 || over > stored.Size/10 || over < -stored.Size/10 {
			w.t.Errorf("%s: the layers are %d bytes, the image %d", im.Ref, sum, stored.Size)
		}
		if own := im.Layers[len(im.Layers)-1].Size; i > 0 && (own < 2_900_000 || own > 5_200_000) {
			w.t.Errorf("%s: the last layer is %d bytes", im.Ref, own)
		}
		if i > 0 && !slices.Equal(im.Layers[:len(images[0].Layers)], images[0].Layers) {
			w.t.Errorf("%s does not begin with the layers of %s: %+v, %+v", im.Ref, a, im.Layers, images[0].Layers)
		}
	}
	w.t.Logf("%+v", images[0].Layers)
	r := layers.Analyze(images)
	own := r.Images[1].Own
	if r.Packed > 0 {
		own /= 2 // a blob and a snapshot
	}
	if own < 4_900_000 || own > 5_200_000 || r.Reuse() < 0.5 {
		w.t.Errorf("%+v", r)
	}
}

func TestE2EReplaced(t *testing.T) {
	on(t, func(t *testing.T, w *world) {
		ref := w.name("again")
		first := w.build(w.recipe(ref, base, "RUN echo 1 > /n"))
		second := w.build(w.recipe(ref, base, "RUN echo 2 > /n"))
		if _, found, err := w.e.Inspect(t.Context(), first); found || err != nil {
			t.Errorf("the first image is still there: %v", err)
		}
		w.container("user", ref, "sleep", "1000")
		third := w.build(w.recipe(ref, base, "RUN echo 3 > /n"))
		if _, found, err := w.e.Inspect(t.Context(), second); !found || err != nil {
			t.Errorf("the image of a container is gone: %v", err)
		}
		w.still(ref, third)
		w.run("rm", "-f", "ocisi-e2e-user")
		w.e.RemoveSuperseded(t.Context(), second)
		if _, found, err := w.e.Inspect(t.Context(), second); found || err != nil {
			t.Errorf("the superseded image is still there: %v", err)
		}
	})
}

// What is committed from a container of ours has our labels and is not ours.
func TestE2ESealed(t *testing.T) {
	on(t, func(t *testing.T, w *world) {
		ref, patched := w.name("seal"), w.name("patched")
		w.sealed(w.build(w.recipe(ref, base, "RUN echo 1 > /n")), true)
		w.container("user", ref, "sleep", "1000")
		w.run("commit", "ocisi-e2e-user", patched)
		id := w.run("image", "inspect", "--format", "{{.Id}}", patched)
		w.sealed(id, false)
		w.run("tag", patched, ref)
		_, err := w.e.Build(t.Context(), w.recipe(ref, base, "RUN echo 4 > /n"), nil)
		if _, foreign := errors.AsType[*engine.ForeignError](err); !foreign {
			t.Errorf("got %v", err)
		}
		im, _, err := w.e.Inspect(t.Context(), w.m.StoreRef(ref))
		w.ok(err)
		w.sealed(im.ID, false)
	})
}

// sealed fails the test unless an image of ours is, or is not, what ocisi built.
func (w *world) sealed(id string, want bool) {
	w.t.Helper()
	im, found, err := w.e.Inspect(w.t.Context(), id)
	w.ok(err)
	im, err = w.e.Sealed(w.t.Context(), im)
	w.ok(err)
	if !found || im.Labels[hierarchy.LabelImage] == "" || im.Sealed != want {
		w.t.Errorf("image %s: found %t, sealed %t, labels %v", id, found, im.Sealed, im.Labels)
	}
}

func TestE2ERemove(t *testing.T) {
	on(t, func(t *testing.T, w *world) {
		ref, other := w.name("remove"), w.name("other")
		id := w.build(w.recipe(ref, base, "RUN echo removable"))
		w.ok(w.e.Tag(t.Context(), id, other))
		w.container("holder", "--label", "manager=distrobox", ref, "sleep", "1000")
		store, err := w.e.Observe(t.Context(), nil)
		w.ok(err)
		b, found := box(store, "ocisi-e2e-holder")
		if !found || b.ImageID != id || !b.Running {
			t.Errorf("observed %+v, %v", b, found)
		}
		w.ok(w.e.RemoveImage(t.Context(), ref)) // only the name: the image has another one
		err = w.e.RemoveImage(t.Context(), other)
		if used, ok := errors.AsType[*engine.InUseError](err); !ok || !slices.Equal(used.Containers, []string{"ocisi-e2e-holder"}) {
			t.Errorf("got %v", err)
		}
		w.still(other, id)
		w.ok(w.e.RenameContainer(t.Context(), "ocisi-e2e-holder", "ocisi-e2e-held"))
		c, found, err := w.e.Container(t.Context(), "ocisi-e2e-held")
		if err != nil || !found || c.ImageID != id {
			t.Errorf("container %+v, %v, %v", c, found, err)
		}
		w.ok(w.e.RemoveContainer(t.Context(), "ocisi-e2e-held"))
		w.ok(w.e.RemoveImage(t.Context(), other))
		w.ok(w.e.RemoveImage(t.Context(), other))
		if _, found, err := w.e.Inspect(t.Context(), id); found || err != nil {
			t.Errorf("the image is still there: %v", err)
		}
	})
}

func TestE2ERemoveParent(t *testing.T) {
	on(t, func(t *testing.T, w *world) {
		parent, child := w.name("parent"), w.name("child")
		w.build(w.recipe(parent, base, "RUN echo parent > /n"))
		id := w.build(w.recipe(child, w.local(parent), "RUN echo child > /n"))
		w.ok(w.e.RemoveImage(t.Context(), parent))
		if _, found, err := w.e.Inspect(t.Context(), w.m.StoreRef(parent)); found || err != nil {
			t.Errorf("the name is still there: %v", err)
		}
		w.still(child, id)
		if got := w.run("run", "--rm", child, "cat", "/n"); got != "child" {
			t.Errorf("the child says %q", got)
		}
	})
}

func TestE2EPull(t *testing.T) {
	on(t, func(t *testing.T, w *world) {
		w.ok(w.e.Pull(t.Context(), base, "", w.tell))
		if len(w.told) == 0 {
			t.Error("nothing is told")
		}
		err := w.e.Pull(t.Context(), "ghcr.io/ublue-os/nosuch:latest", "", nil)
		t.Log(err)
		// With the containerd image store, docker words it "not found".
		if err == nil || !strings.Contains(err.Error(), "unknown") && !strings.HasSuffix(err.Error(), "not found") {
			t.Errorf("got %v", err)
		}
	})
}

func TestE2EPrune(t *testing.T) {
	on(t, func(t *testing.T, w *world) {
		kept, parent, loose := w.name("kept"), w.name("keptparent"), w.name("loose")
		w.build(w.recipe(parent, base, "RUN echo parent > /n"))
		w.build(w.recipe(kept, w.local(parent), "RUN echo kept > /n"))
		before, _, err := w.e.Inspect(t.Context(), w.m.StoreRef(kept))
		w.ok(err)
		// What another config of ocisi's may want is not loose.
		w.build(w.recipe(w.name("another"), base, "RUN echo another > /n"))
		others := w.recipe(loose, base, "RUN head -c 4000000 /dev/urandom > /loose")
		others.Labels = nil
		w.build(others)
		w.container("ended", loose, "sh", "-c", "echo x > /x")
		w.container("box", "--label", "manager=distrobox", kept, "true")
		eventually(t, "both have ended", func() bool {
			return w.run("ps", "-a", "-q", "--filter", "name=ocisi-e2e-ended", "--filter", "status=exited") != ""
		})
		u, err := w.e.Unused(t.Context(), map[string]bool{w.m.StoreRef(kept): true})
		w.ok(err)
		t.Logf("%+v", u)
		// Only what this test has made is pruned, and the cache.
		ours := func(i engine.Item) bool { return !strings.Contains(i.Name, "ocisi-e2e-") }
		u.Containers, u.Images = slices.DeleteFunc(u.Containers, ours), slices.DeleteFunc(u.Images, ours)
		if len(u.Containers) != 1 || u.Containers[0].Name != "ocisi-e2e-ended" || len(u.Images) != 1 || u.Images[0].Name != w.m.StoreRef(loose) {
			t.Errorf("of ours: %+v", u)
		}
		freed, err := w.e.Prune(t.Context(), u)
		info, infoErr := w.e.Info(t.Context())
		w.ok(infoErr)
		freed -= u.Cache // of the cache, what was listed and nothing else
		if info.Store == engine.ContainerdStore {
			freed /= 2 // a blob and a snapshot
		}
		if err != nil || freed < 3_900_000 || freed > 4_500_000 {
			t.Errorf("%d bytes freed besides a cache of %d, %v", freed, u.Cache, err)
		}
		if after, err := w.e.Unused(t.Context(), nil); err != nil || after.Cache != 0 {
			t.Errorf("afterwards the cache has %d bytes, %v", after.Cache, err)
		}
		if info.Store == engine.ContainerdStore {
			return // docker counts what images hold there as dangling, too
		}
		w.build(w.recipe(kept, w.local(parent), "RUN echo kept > /n"))
		if again, _, err := w.e.Inspect(t.Context(), w.m.StoreRef(kept)); err != nil || !slices.Equal(again.DiffIDs, before.DiffIDs) {
			t.Errorf("the cache of an image that stays is gone: %v", err)
		}
		if _, found, _ := w.e.Inspect(t.Context(), w.m.StoreRef(loose)); found {
			t.Error("the image is still there")
		}
	})
}

func TestE2EService(t *testing.T) {
	// Without XDG_RUNTIME_DIR there is no socket of the user's to be found.
	getenv := func(key string) string {
		if key == "XDG_RUNTIME_DIR" {
			return ""
		}
		return os.Getenv(key)
	}
	e, err := engine.Open(t.Context(), hierarchy.Podman, engine.Options{Runner: process.System{}, Getenv: getenv, TempDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	info, err := e.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	socket := strings.TrimPrefix(info.Endpoint, "unix://")
	if !runs("unix://" + socket) {
		t.Errorf("no service on %s", socket)
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	eventually(t, "the service is gone", func() bool { return !runs("unix://" + socket) })
	if _, err := os.Stat(filepath.Dir(socket)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("its directory is left: %v", err)
	}
}

func TestE2ENoPermission(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "docker.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	if err := os.Chmod(socket, 0); err != nil {
		t.Fatal(err)
	}
	_, err = engine.Open(t.Context(), hierarchy.Docker, engine.Options{Getenv: func(k string) string {
		return map[string]string{"DOCKER_HOST": "unix://" + socket}[k]
	}})
	t.Log(err)
	if u, ok := errors.AsType[*engine.UnreachableError](err); !ok || !errors.Is(err, fs.ErrPermission) || u.Endpoint != "unix://"+socket {
		t.Errorf("got %v", err)
	}
}
