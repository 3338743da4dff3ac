//go:build e2e

package engine_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/docker/docker/client"
	"golang.org/x/sync/errgroup"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/engine"
	"github.com/klmcwhirter/ocisi/hierarchy/layers"
	"github.com/klmcwhirter/ocisi/internal/process"
)

// benchImages is how many images there are, of seven layers each: the base, five
// that all have, one of its own.
const benchImages = 200

// BenchmarkRealLayers measures the report of 200 images beside the calls to the
// API that it cannot do without, as many at a time, and beside a program for each
// image, whose answer another one formats. On a test host, by turns:
//
//	engine.test -test.run '^$' -test.bench RealLayers -test.benchtime 5x
func BenchmarkRealLayers(b *testing.B) {
	for _, m := range []hierarchy.Manager{hierarchy.Docker, hierarchy.Podman} {
		b.Run(string(m), func(b *testing.B) { benchLayers(b, m) })
	}
}

func benchLayers(b *testing.B, m hierarchy.Manager) {
	b.Chdir(b.TempDir())
	names := load(b, m)
	var report, bare, programs, toBare, toPrograms []float64
	for b.Loop() {
		ours, calls := askReport(b, m, names)
		each := askPrograms(b, m, names)
		report, bare, programs = append(report, ours), append(bare, calls), append(programs, each)
		toBare, toPrograms = append(toBare, ours/calls), append(toPrograms, ours/each)
	}
	for what, turns := range map[string][]float64{
		"report-ms": report, "calls-ms": bare, "programs-ms": programs, "report/calls": toBare, "report/programs": toPrograms,
	} {
		slices.Sort(turns)
		b.ReportMetric((turns[(len(turns)-1)/2]+turns[len(turns)/2])/2, what)
	}
}

// askReport returns how long the report takes, of an engine that remembers
// nothing, and the calls alone, in ms.
func askReport(b *testing.B, m hierarchy.Manager, names []string) (report, calls float64) {
	b.Helper()
	e, err := engine.Open(b.Context(), m, engine.Options{Runner: process.System{}, Getenv: os.Getenv, Home: os.Getenv("HOME")})
	check(b, err)
	defer func() { check(b, e.Close()) }()
	info, err := e.Info(b.Context())
	check(b, err)
	api, err := client.NewClientWithOpts(client.WithHost(info.Endpoint), client.WithAPIVersionNegotiation())
	check(b, err)
	defer func() { check(b, api.Close()) }()
	calls = timed(b, func(ctx context.Context) error {
		eg, ctx := errgroup.WithContext(ctx)
		eg.SetLimit(8)
		for _, name := range names {
			eg.Go(func() error {
				in, err := api.ImageInspect(ctx, name)
				if err == nil {
					_, err = api.ImageHistory(ctx, in.ID)
				}
				return err
			})
		}
		return eg.Wait()
	})
	report = timed(b, func(ctx context.Context) error {
		images, err := e.Layers(ctx, names)
		if r := layers.Analyze(images); err == nil && (len(r.Images) != benchImages || r.Estimated || len(r.Tree) != 1) {
			return fmt.Errorf("%d images, estimated %v, %d trees", len(r.Images), r.Estimated, len(r.Tree))
		}
		return err
	})
	return report, calls
}

func askPrograms(b *testing.B, m hierarchy.Manager, names []string) float64 {
	b.Helper()
	return timed(b, func(ctx context.Context) error {
		for _, name := range names {
			if err := line(ctx, string(m)+" image inspect "+name+" | jq -r '.[0].RootFS.Layers[]' > layers"); err != nil {
				return err
			}
		}
		return nil
	})
}

func timed(b *testing.B, f func(context.Context) error) float64 {
	b.Helper()
	start := time.Now()
	check(b, f(b.Context()))
	return float64(time.Since(start).Microseconds()) / 1000
}

func check(b *testing.B, err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

func line(ctx context.Context, text string) error {
	return process.System{}.Run(ctx, process.Cmd{Name: "sh", Args: []string{"-ec", text}})
}

// load makes the images, on the base as docker saves it, and returns their names.
func load(b *testing.B, m hierarchy.Manager) (names []string) {
	b.Helper()
	remove := string(m) + " rmi -f"
	for i := range benchImages {
		names = append(names, m.StoreRef(fmt.Sprintf("ocisi-e2e-bench%d:1", i)))
		remove += " " + names[i]
	}
	b.Cleanup(func() { check(b, line(context.Background(), remove+" > removed")) })
	check(b, line(b.Context(), `docker pull -q `+base+` > id && mkdir base && docker save `+base+` | tar -C base -xf -
		cp base/$(jq -r '.[0].Layers[0]' base/manifest.json) base.tar && rm -r base
		layers='"base.tar"' ids='"sha256:'$(sha256sum < base.tar | cut -c -64)'"'
		history='{"created":"2020-01-02T03:04:05Z","created_by":"ADD base.tar /"}'
		own=',{"created":"2020-01-02T03:04:05Z","created_by":"RUN /bin/sh -c make # buildkit"}'
		for l in a b c d e; do
			seq 1000 > $l && tar -cf $l.tar $l
			layers="$layers,\"$l.tar\"" ids="$ids,\"sha256:$(sha256sum < $l.tar | cut -c -64)\"" history=$history$own
		done
		sep=
		{ printf '['
		for i in $(seq 0 `+strconv.Itoa(benchImages-1)+`); do
			echo $i > own && tar -cf $i.tar own
			printf '{"architecture":"amd64","os":"linux","created":"2020-01-02T03:04:05Z","config":{"Labels":{"n":"%s"}},"rootfs":{"type":"layers","diff_ids":[%s,"sha256:%s"]},"history":[%s]}' \
				$i "$ids" $(sha256sum < $i.tar | cut -c -64) "$history$own" > $i.json
			printf '%s{"Config":"%s.json","RepoTags":["`+m.StoreRef("ocisi-e2e-bench%s:1")+`"],"Layers":[%s,"%s.tar"]}' "$sep" $i $i "$layers" $i
			sep=,
		done
		printf ']'; } > manifest.json
		tar -cf ../all.tar *.tar *.json && `+string(m)+` load -q -i ../all.tar > loaded; rm ../all.tar`))
	return names
}
