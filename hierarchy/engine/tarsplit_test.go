package engine

import (
	"compress/gzip"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// record writes lines as containers/storage writes what is in a layer.
func record(t *testing.T, lines string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "layer.tar-split.gz")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	z := gzip.NewWriter(f)
	_, err = z.Write([]byte(lines))
	if err := errors.Join(err, z.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestMembers(t *testing.T) {
	file := record(t, `{"type":2,"payload":"`+strings.Repeat("A", 200_000)+`","position":0}
{"type":1,"name":"./etc/","payload":null,"position":1}
{"type":1,"name":"./etc/a \"b\"","size":4097,"payload":"AAAAAAAAAAA=","position":2}
{"type":1,"name_raw":"/2E=","size":1,"payload":"AAAAAAAAAAA=","position":3}
{"type":2,"payload":"AAAA","position":4}
`)
	var got []member
	if err := members(t.Context(), file, func(m member) { got = append(got, m) }); err != nil {
		t.Fatal(err)
	}
	want := []member{{"./etc/", 0}, {`./etc/a "b"`, 4097}, {"\xffa", 1}}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if n := want[0].space() + want[1].space() + want[2].space(); n != 4096+8192+4096 {
		t.Errorf("%d bytes on disk", n)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := members(ctx, file, func(member) {}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	for name, bad := range map[string]string{
		"not JSON": `{"type":1,"name":}`, "a line that is too long": `{"type":1,"name":"` + strings.Repeat("a", 1<<17) + `"}`,
	} {
		if err := members(t.Context(), record(t, bad), func(member) {}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if err := members(t.Context(), filepath.Join(t.TempDir(), "none"), func(member) {}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

func TestTree(t *testing.T) {
	const kb4 = 4096
	base := []member{
		{"./", 0},
		{"./a/", 0},
		{"./a/one", kb4},
		{"./a/two", 2 * kb4},
		{"./b/", 0},
		{"./b/deep/", 0},
		{"./b/deep/file", 3 * kb4},
		{"./link", 0},
	}
	const all = 4*kb4 + 6*kb4 // four folders with the root, three files
	for name, tc := range map[string]struct {
		layers [][]member
		want   int64
	}{
		"nothing":                        {nil, kb4},
		"one layer":                      {[][]member{base}, all},
		"the same again":                 {[][]member{base, base}, all},
		"a file is replaced":             {[][]member{base, {{"a/two", 5 * kb4}}}, all + 3*kb4},
		"a file is removed":              {[][]member{base, {{"a/.wh.two", 0}}}, all - 2*kb4},
		"a folder is removed":            {[][]member{base, {{"./.wh.b", 0}}}, all - 5*kb4},
		"and made again":                 {[][]member{base, {{"b/new", kb4}, {".wh.b", 0}, {"b/", 0}}}, all - 5*kb4 + 2*kb4},
		"a folder hides what was there":  {[][]member{base, {{"b/", 0}, {"b/.wh..wh..opq", 0}, {"b/x", 1}}}, all - 4*kb4 + kb4},
		"a folder becomes a file":        {[][]member{base, {{"a", 1}}}, all - 4*kb4 + kb4},
		"a file becomes a folder":        {[][]member{base, {{"a/two/", 0}, {"a/two/x", 1}}}, all - 2*kb4 + 2*kb4},
		"what is not there is removed":   {[][]member{base, {{"x/.wh.y", 0}, {"x/y/.wh..wh..opq", 0}}}, all},
		"a folder that nobody mentioned": {[][]member{{{"x/y/z", 1}}}, 4 * kb4},
	} {
		tr := &tree{space: block}
		for _, l := range tc.layers {
			tr.add(l)
		}
		if got := tr.total(); got != tc.want {
			t.Errorf("%s: %d bytes, want %d", name, got, tc.want)
		}
	}
}

func TestLayerFolders(t *testing.T) {
	for name, tc := range map[string]struct {
		driver map[string]string
		layers int
		want   []string
	}{
		"one layer":      {map[string]string{"UpperDir": "/s/overlay/a/diff"}, 1, []string{"/s/overlay/a/diff"}},
		"three":          {map[string]string{"UpperDir": "/s/overlay/c/diff", "LowerDir": "/s/overlay/b/diff:/other/overlay/a/diff"}, 3, []string{"/other/overlay/a/diff", "/s/overlay/b/diff", "/s/overlay/c/diff"}},
		"one is missing": {map[string]string{"UpperDir": "/s/overlay/a/diff"}, 2, nil},
		"another driver": {map[string]string{"UpperDir": "/s/vfs/dir/a"}, 1, nil},
		"nothing":        {nil, 1, nil},
	} {
		if got := layerFolders(tc.driver, tc.layers); !slices.Equal(got, tc.want) {
			t.Errorf("%s: got %q, want %q", name, got, tc.want)
		}
	}
	if got := tarSplit("/s/overlay/a/diff"); got != "/s/overlay-layers/a.tar-split.gz" {
		t.Errorf("the record is %s", got)
	}
}
