//go:build e2e

package engine_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/engine"
	"github.com/klmcwhirter/ocisi/hierarchy/layers"
	"github.com/klmcwhirter/ocisi/internal/process"
)

// fill is a step that writes 12 MB that are nowhere else.
func fill(name string) string {
	return fmt.Sprintf("RUN for i in 1 2 3 4; do head -c 3000000 /dev/urandom > /%s$i; done && echo %d > /%[1]s-now", name, time.Now().UnixNano())
}

// sh runs a line that needs a shell.
func (w *world) sh(line string) string {
	w.t.Helper()
	out, err := process.Output(w.t.Context(), process.System{}, process.Cmd{Name: "sh", Args: []string{"-ec", line}, Dir: w.dir})
	w.ok(err)
	return out
}

// onDisk returns what the store takes, without docker's build cache, which is
// removed.
func (w *world) onDisk() int64 {
	w.t.Helper()
	info, err := w.e.Info(w.t.Context())
	w.ok(err)
	du := "sudo du -xsB1 /var/lib/docker/overlay2"
	switch {
	case w.m == hierarchy.Podman:
		du = "podman unshare du -xsB1 " + info.Root
	case info.Store == engine.ContainerdStore: // blobs and snapshots
		du = "sudo du -xscB1 /var/lib/containerd/io.containerd.content.v1.content /var/lib/containerd/io.containerd.snapshotter.v1.overlayfs | tail -n 1"
	}
	if w.m == hierarchy.Docker {
		w.run("builder", "prune", "-af")
	}
	n, err := strconv.ParseInt(strings.Fields(w.sh(du))[0], 10, 64)
	w.ok(err)
	return n
}

// report measures images and boxes as the report of a hierarchy does.
func (w *world) report(boxes map[string]string, refs ...string) layers.Report {
	w.t.Helper()
	var full, ids []string
	for _, ref := range refs {
		name := w.m.StoreRef(ref)
		if ref == base {
			name = base
		}
		im, found, err := w.e.Inspect(w.t.Context(), name)
		w.ok(err)
		if !found {
			w.t.Fatalf("%s is not there", name)
		}
		full, ids = append(full, name), append(ids, im.ID)
	}
	images, err := w.e.Layers(w.t.Context(), full)
	w.ok(err)
	copies, err := w.e.Copies(w.t.Context(), ids)
	w.ok(err)
	written, err := w.e.BoxSizes(w.t.Context())
	w.ok(err)
	for i := range images {
		images[i].Copies = copies[ids[i]]
		for name, ref := range boxes {
			if ref == refs[i] {
				images[i].Boxes = append(images[i].Boxes, layers.Box{Name: name, Written: written[name]})
			}
		}
	}
	r := layers.Analyze(images)
	if r.Estimated {
		w.t.Errorf("something is estimated: %+v", r.Images)
	}
	return r
}

// agree fails when what has come to the disk is not what is reported.
func (w *world) agree(what string, before, reported int64) {
	w.t.Helper()
	grown := w.onDisk() - before
	off := 100 * float64(reported-grown) / float64(grown)
	w.t.Logf("TRUTH %s: %s: disk %d, reported %d, off by %+.2f %%", w.m, what, grown, reported, off)
	if off > 1 || off < -1 {
		w.t.Errorf("%s: %d bytes are reported, the disk has %d: %+.2f %%", what, reported, grown, off)
	}
}

// scratch builds an image of nothing but files that are copied: NAME MEGABYTES
// each, with a fixed time, so that the same files are the same layer.
func (w *world) scratch(ref, from string, files ...string) {
	w.t.Helper()
	var steps []string
	for _, f := range files {
		name, size, _ := strings.Cut(f, " ")
		path := filepath.Join(w.dir, name)
		if _, err := os.Stat(path); err != nil {
			w.sh("head -c " + size + "000000 /dev/urandom > " + name + " && chmod 644 " + name + " && touch -d 2020-01-02T03:04:05Z " + name)
		}
		steps = append(steps, "COPY "+name+" /"+name)
	}
	r := w.recipe(ref, from, steps...)
	if from == "scratch" {
		r.Needs = nil
	}
	w.build(r)
}

// freed removes images and fails when not as much goes as was foretold.
func (w *world) freed(refs ...string) {
	w.t.Helper()
	var full []string
	for _, ref := range refs {
		full = append(full, w.m.StoreRef(ref))
	}
	freed, err := w.e.Freed(w.t.Context(), full)
	w.ok(err)
	told := freed.Total
	before := w.onDisk()
	for _, ref := range full {
		w.ok(w.e.RemoveImage(w.t.Context(), ref))
	}
	gone := before - w.onDisk()
	off := 100 * float64(told-gone) / float64(gone)
	w.t.Logf("TRUTH %s: %d images are removed: %d gone, foretold %d, off by %+.2f %%", w.m, len(refs), gone, told, off)
	if off > 1 || off < -1 {
		w.t.Errorf("%d bytes are gone, foretold %d: %+.2f %%", gone, told, off)
	}
}

const nobodys = 100

// strangers loads images that are nobody's. None says when it was made, which
// podman 5.8 does not expect: asked for the history of one, it fails.
func (w *world) strangers() {
	w.t.Helper()
	w.t.Cleanup(func() {
		var names []string
		for i := range nobodys {
			names = append(names, fmt.Sprintf("ocisi-e2e-strange%d:1", i))
		}
		_ = process.System{}.Run(context.Background(), process.Cmd{Name: string(w.m), Args: append([]string{"rmi", "-f"}, names...)})
	})
	w.sh(`mkdir s && cd s
		echo shared > f && tar -cf common.tar f && common=$(sha256sum < common.tar | cut -c -64)
		sep=
		{ printf '['
		for i in $(seq 0 ` + strconv.Itoa(nobodys-1) + `); do
			echo $i > f && tar -cf $i.tar f
			printf '{"architecture":"amd64","os":"linux","config":{"Labels":{"n":"%s"}},"rootfs":{"type":"layers","diff_ids":["sha256:%s","sha256:%s"]},"history":[{"created_by":"common"},{"created_by":"own"}]}' \
				$i $common $(sha256sum < $i.tar | cut -c -64) > $i.json
			printf '%s{"Config":"%s.json","RepoTags":["ocisi-e2e-strange%s:1"],"Layers":["common.tar","%s.tar"]}' "$sep" $i $i $i
			sep=,
		done
		printf ']'; } > manifest.json
		tar -cf ../strangers.tar * && cd .. && rm -r s && ` + string(w.m) + ` load -q -i strangers.tar && rm strangers.tar`)
}

// boxed makes a container with a map of users, on podman. Older ones know no size
// of it.
func (w *world) boxed(name, userns, ref string) {
	w.t.Helper()
	if w.m == hierarchy.Docker {
		w.container(name, ref, "sleep", "1000")
		return
	}
	probe := process.Cmd{Name: "podman", Args: []string{"create", "--name", "ocisi-e2e-probe", "--userns", userns, w.local(ref), "true"}}
	if err := (process.System{}).Run(w.t.Context(), probe); err != nil {
		userns = "keep-id"
	} else {
		w.run("rm", "ocisi-e2e-probe")
	}
	w.container(name, "--userns", userns, ref, "sleep", "1000")
}
