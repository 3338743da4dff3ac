//go:build e2e

package engine_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/layers"
)

// These tests compare what is reported with what is on the disk. Docker counts
// what is in files, so its layers here are large files: those take no more.

func TestRealTruthTree(t *testing.T) {
	on(t, func(t *testing.T, w *world) {
		below := w.report(nil, base).Total
		before := w.onDisk()
		a, b, c, d := w.name("a"), w.name("b"), w.name("c"), w.name("d")
		w.build(w.recipe(a, base, fill("a")))
		w.build(w.recipe(b, w.local(a), "ARG WHO", fill("b"), "RUN true", "RUN mkdir /empty && : > /empty/file"))
		chain := w.report(nil, base, a, b)
		w.agree("chain, with an empty layer", before, chain.Total-below)
		w.made(b, chain.Images[2].Layers)
		w.build(w.recipe(c, w.local(a), fill("c"), "RUN rm /a1"))
		w.build(w.recipe(d, w.local(c), fill("d")))
		tree := w.report(nil, base, a, b, c, d)
		w.agree("branching tree", before, tree.Total-below)
		w.strangers()
		again := w.report(nil, base, a, b, c, d)
		if again.Total != tree.Total || again.Shared != tree.Shared {
			t.Errorf("beside strangers %d, %d bytes; before %d, %d", again.Total, again.Shared, tree.Total, tree.Shared)
		}
		all := []string{base, a, b, c, d}
		for i := range nobodys {
			all = append(all, fmt.Sprintf("ocisi-e2e-strange%d:1", i))
		}
		// Tiny images take what files take, of which docker counts the contents.
		t.Logf("with %d strangers: disk %d, reported %d", nobodys, w.onDisk()-before, w.report(nil, all...).Total-below)
		w.freed(a, b, c, d)
	})
}

// made fails when a layer of the image of TestRealTruthTree is said to be made by
// another line, also when the image is asked for by ID.
func (w *world) made(ref string, ls []layers.LayerReport) {
	w.t.Helper()
	top := ls[len(ls)-3:]
	if !strings.HasPrefix(top[0].By, "RUN for i in 1 2 3 4; do head") || top[1].By != "RUN true" || !strings.HasPrefix(top[2].By, "RUN mkdir /empty") {
		w.t.Errorf("made by %q, %q, %q", top[0].By, top[1].By, top[2].By)
	}
	if top[0].Size < 12_000_000 || top[1].Size > 40_000 || top[2].Size > 60_000 {
		w.t.Errorf("%d, %d, %d bytes", top[0].Size, top[1].Size, top[2].Size)
	}
	im, _, err := w.e.Inspect(w.t.Context(), w.m.StoreRef(ref))
	w.ok(err)
	images, err := w.e.Layers(w.t.Context(), []string{im.ID})
	w.ok(err)
	for i, l := range images[0].Layers {
		if l.Size != ls[i].Unpacked() || l.Estimated || l.By != ls[i].By {
			w.t.Errorf("by ID layer %d is %+v, by name %+v", i, l, ls[i])
		}
	}
}

func TestRealTruthBases(t *testing.T) {
	on(t, func(t *testing.T, w *world) {
		one, two, three, four := w.name("one"), w.name("two"), w.name("three"), w.name("four")
		before := w.onDisk()
		w.scratch(one, "scratch", "base-one 12")
		w.scratch(two, "scratch", "base-two 9", "base-more 5")
		w.scratch(three, w.local(one), "same 15")
		r := w.report(nil, one, two, three)
		w.agree("two bases", before, r.Total)
		w.scratch(four, w.local(two), "same 15")
		r = w.report(nil, one, two, three, four)
		tops := []layers.LayerReport{r.Images[2].Layers[1], r.Images[3].Layers[2]}
		if tops[0].DiffID != tops[1].DiffID || tops[0].ChainID == tops[1].ChainID {
			t.Errorf("the layers on two parents are %+v", tops)
		}
		w.agree("the same diff on two parents", before, r.Total)
	})
}

func TestRealTruthForeign(t *testing.T) {
	on(t, func(_ *testing.T, w *world) {
		flat, imported, parts := w.name("flat"), w.name("imported"), w.name("parts")
		w.scratch(parts, "scratch", "part-one 7", "part-two 8")
		before := w.onDisk()
		w.sh(fmt.Sprintf("%[1]s export $(%[1]s create --name ocisi-e2e-flat %[2]s /x) > flat.tar && %[1]s import flat.tar %[3]s && %[1]s rm ocisi-e2e-flat", w.m, parts, w.local(flat)))
		w.agree("squashed by export and import", before, w.report(nil, flat).Total)
		before = w.onDisk()
		w.sh("mkdir files && for i in 1 2 3; do head -c 5000000 /dev/urandom > files/$i; done && tar -C files -cf files.tar . && " + string(w.m) + " import files.tar " + w.local(imported))
		w.agree("imported", before, w.report(nil, imported).Total)
		if w.m != hierarchy.Podman {
			return
		}
		below := w.report(nil, base).Total
		squashed := w.name("squashed")
		w.ok(os.WriteFile(filepath.Join(w.dir, "squash"), []byte("FROM "+base+"\n"+fill("x")+"\n"+fill("y")+"\nRUN true\nRUN rm /x1\n"), 0o600))
		before = w.onDisk()
		w.run("build", "-q", "--squash", "-t", squashed, "-f", filepath.Join(w.dir, "squash"), w.dir)
		w.agree("build --squash", before, w.report(nil, base, squashed).Total-below)
		w.loaded()
	})
}

// loaded compares an image that docker has built and podman loads.
func (w *world) loaded() {
	w.t.Helper()
	loaded := w.name("loaded")
	w.ok(os.WriteFile(filepath.Join(w.dir, "load"), []byte("FROM scratch\nCOPY part-three /\nWORKDIR /empty\nCOPY part-two /\n"), 0o600))
	before := w.onDisk()
	w.sh(`head -c 9000000 /dev/urandom > part-three
		DOCKER_BUILDKIT=1 docker build -q -t ` + loaded + ` -f load . && docker save ` + loaded + ` -o loaded.tar && docker rmi ` + loaded + `
		name=$(podman load -q -i loaded.tar | sed 's/[^:]*: *//') # docker 20.10 saves it without docker.io
		if [ "$name" != localhost/` + loaded + ` ]; then podman tag "$name" localhost/` + loaded + ` && podman rmi "$name"; fi`)
	r := w.report(nil, loaded)
	w.agree("loaded from docker", before, r.Total)
	var by []string
	for _, l := range r.Images[0].Layers {
		by = append(by, l.By)
	}
	if !slices.Equal(by, []string{"COPY part-three /", "WORKDIR /empty", "COPY part-two /"}) {
		w.t.Errorf("made by %q", by)
	}
}

func TestRealTruthBoxes(t *testing.T) {
	on(t, func(t *testing.T, w *world) {
		ref := w.name("boxed")
		below := w.report(nil, base).Total
		before := w.onDisk()
		w.build(w.recipe(ref, base, fill("x"), "RUN rm -r /x1 /usr/share/doc"))
		w.agree("an image without a box", before, w.report(nil, base, ref).Total-below)
		boxes := map[string]string{}
		for i, userns := range []string{"keep-id:size=65536", "keep-id", "keep-id"} {
			name := fmt.Sprintf("truth%d", i)
			w.boxed(name, userns, ref)
			w.sh(fmt.Sprintf("%s exec -u root ocisi-e2e-%s sh -c 'head -c 9000000 /dev/urandom > /written'", w.m, name))
			boxes["ocisi-e2e-"+name] = ref
			r := w.report(boxes, base, ref)
			w.agree(fmt.Sprintf("%d boxes, %d bytes of copies, %d written", i+1, r.Copied, r.Written), before, r.Total-below)
			if copied := w.m == hierarchy.Podman && w.copies(); (r.Copied > 0) != copied {
				t.Errorf("%d bytes of copies", r.Copied)
			}
		}
		start := time.Now()
		_, err := w.e.BoxSizes(t.Context())
		w.ok(err)
		t.Logf("sizes of %d containers that run: %s", len(boxes), time.Since(start).Round(time.Millisecond))
		for name := range boxes {
			w.ok(w.e.RemoveContainer(t.Context(), name))
		}
		w.freed(ref) // with its copies
	})
}

func (w *world) copies() bool {
	w.t.Helper()
	info, err := w.e.Info(w.t.Context())
	w.ok(err)
	return info.Copies
}

// The base is thousands of small files. What they take is known of podman's
// store, which can be read; docker counts what is in them.
func TestRealTruthBase(t *testing.T) {
	on(t, func(t *testing.T, w *world) {
		size := w.report(nil, base).Stored // boxes of other tests may have left copies
		im, _, err := w.e.Inspect(t.Context(), base)
		w.ok(err)
		if w.m == hierarchy.Docker {
			t.Logf("reported %d, of an image of %d", size, im.Size)
			return
		}
		files, err := w.e.Layers(t.Context(), []string{base})
		w.ok(err)
		id := strings.TrimPrefix(files[0].Layers[0].DiffID, "sha256:")
		info, err := w.e.Info(t.Context())
		w.ok(err)
		dir := filepath.Join(info.Root, "overlay", id)
		disk, err := strconv.ParseInt(strings.Fields(w.sh("podman unshare du -xscB1 " + dir + " " + info.Root + "/overlay-layers/" + id + ".tar-split.gz | tail -1"))[0], 10, 64)
		w.ok(err)
		off := 100 * float64(size-disk) / float64(disk)
		t.Logf("TRUTH podman: base: disk %d, reported %d, off by %+.2f %%; as a tar %d", disk, size, off, im.Size)
		if off > 1 || off < -1 {
			t.Errorf("off by %+.2f %%", off)
		}
	})
}
