package engine

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/klmcwhirter/ocisi/hierarchy/layers"
)

// tarOf writes a tar: name, content; a name that ends in / is a folder.
func tarOf(t *testing.T, entries ...string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for i := 0; i < len(entries); i += 2 {
		h := &tar.Header{Name: entries[i], Size: int64(len(entries[i+1])), Mode: 0o644, Typeflag: tar.TypeReg}
		if strings.HasSuffix(h.Name, "/") {
			h.Typeflag = tar.TypeDir
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(entries[i+1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func diffID(layer []byte) string {
	sum := sha256.Sum256(layer)
	return "sha256:" + hex.EncodeToString(sum[:])
}

func TestReadArchive(t *testing.T) {
	one := tarOf(t, "etc/", "", "etc/passwd", "root", "./usr/bin/go", "12345", "empty", "")
	two := tarOf(t, "etc/.wh.passwd", "", "opt/.wh..wh..opq", "", "opt/.wh..wh.aufs", "", "opt/new", "1")
	padded := append(slices.Clone(one), make([]byte, 10240)...) // as GNU tar does
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	if _, err := z.Write(padded); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	archive := tarOf(t,
		"manifest.json", `[{"Config":"x"}]`+strings.Repeat(" ", 1000), "ab/layer.tar", string(one), "blobs/sha256/cd", string(two),
		"blobs/sha256/ef", zipped.String()+strings.Repeat("\x00", 512), "VERSION", "1.0")
	got := layers.Contents{}
	if err := readArchive(bytes.NewReader(archive), got); err == nil {
		t.Error("what follows a zipped layer is no part of it, and was not noticed")
	}
	archive = tarOf(t, "manifest.json", `[{"Config":"x"}]`+strings.Repeat(" ", 1000), "ab/layer.tar", string(one), "blobs/sha256/cd", string(two), "blobs/sha256/ef", zipped.String(), "VERSION", "1.0")
	got = layers.Contents{}
	if err := readArchive(bytes.NewReader(archive), got); err != nil {
		t.Fatal(err)
	}
	first := []layers.File{{Path: "/etc/passwd", Size: 4}, {Path: "/usr/bin/go", Size: 5}}
	want := layers.Contents{
		diffID(one): first, diffID(padded): first,
		diffID(two): {{Path: "/etc/passwd", Gone: layers.Whiteout}, {Path: "/opt", Gone: layers.Opaque}, {Path: "/opt/new", Size: 1}},
	}
	if !maps.EqualFunc(got, want, slices.Equal) {
		t.Errorf("got\n%v\nwant\n%v", got, want)
	}
	if err := readArchive(bytes.NewReader(archive[:len(archive)/2]), layers.Contents{}); err == nil {
		t.Error("half an archive is fine")
	}
}
