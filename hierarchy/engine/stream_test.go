package engine

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/klmcwhirter/ocisi/hierarchy"
)

// archiveOf is a tar of files that hold their names, with more padding than it need
// have, and a link.
func archiveOf(t *testing.T, names ...string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, name := range names {
		h := &tar.Header{Name: name, Typeflag: tar.TypeReg, Size: int64(len(name)), Mode: 0o644}
		if strings.HasSuffix(name, ".link") {
			h = &tar.Header{Name: name, Typeflag: tar.TypeSymlink, Linkname: "../x.tar"}
		}
		err := w.WriteHeader(h)
		if h.Size > 0 && err == nil {
			_, err = io.WriteString(w, name)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return append(out.Bytes(), make([]byte, 10240)...)
}

func TestPlainArchive(t *testing.T) {
	from := bytes.NewReader(archiveOf(t, "blobs/sha256/a", "index.json", "a/layer.link", "./oci-layout", "blobs/index.json", "manifest.json"))
	var to bytes.Buffer
	if err := plainArchive(iotest.OneByteReader(from), &to); err != nil {
		t.Fatal(err)
	}
	if from.Len() > 0 {
		t.Errorf("%d bytes were not read: the engine would have nobody to send them to", from.Len())
	}
	var names []string
	for r := tar.NewReader(&to); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if text, _ := io.ReadAll(r); h.Typeflag == tar.TypeReg && string(text) != h.Name || h.Typeflag == tar.TypeSymlink && h.Linkname != "../x.tar" {
			t.Errorf("%s holds %q", h.Name, text)
		}
		names = append(names, h.Name)
	}
	if want := []string{"blobs/sha256/a", "a/layer.link", "blobs/index.json", "manifest.json"}; !slices.Equal(names, want) {
		t.Errorf("got %q", names)
	}
}

func TestPlainArchiveFails(t *testing.T) {
	whole := archiveOf(t, "blobs/sha256/a", "manifest.json")
	for _, n := range []int{100, 515, 1030} {
		if err := plainArchive(bytes.NewReader(whole[:n]), io.Discard); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%d bytes of it: %v", n, err)
		}
	}
	enough := errors.New("enough")
	if err := plainArchive(io.MultiReader(bytes.NewReader(whole), iotest.ErrReader(enough)), io.Discard); !errors.Is(err, enough) {
		t.Errorf("an error after the end: %v", err)
	}
	r, w := io.Pipe()
	_ = r.CloseWithError(enough)
	if err := plainArchive(bytes.NewReader(whole), w); !errors.Is(err, enough) {
		t.Errorf("a writer that fails: %v", err)
	}
}

// Progress is told at each tenth, once a second at most, and not when all is sent or
// nobody knows how much it is.
func TestMeter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []int64
		c := &transfer{emit: func(p hierarchy.Progress) {
			if p.Total != 1000 {
				t.Errorf("of %d", p.Total)
			}
			told = append(told, p.Bytes)
		}}
		var sent atomic.Int64
		send := c.meter(&sent, 1000)
		for range 25 {
			send(30) // to 750
			time.Sleep(300 * time.Millisecond)
		}
		time.Sleep(time.Second)
		for range 10 {
			send(24) // to 990, in no time
		}
		time.Sleep(time.Second)
		send(100)
		if want := []int64{150, 270, 390, 510, 630, 750, 822}; !slices.Equal(told, want) || sent.Load() != 1090 {
			t.Errorf("told %v of %d", told, sent.Load())
		}
		told = nil
		c.meter(&sent, 0)(1000)
		if len(told) > 0 {
			t.Error("told of nothing")
		}
	})
}
