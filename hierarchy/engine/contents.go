package engine

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/klmcwhirter/ocisi/hierarchy/layers"
)

// Contents returns the files of all layers of images, given by full name or ID.
// It has the engine write the images out, which takes about a second for each
// 200 MB; no layer comes twice, and nothing is kept but names and sizes.
func (e *Engine) Contents(ctx context.Context, refs []string) (layers.Contents, error) {
	out := layers.Contents{}
	if len(refs) == 0 {
		return out, nil
	}
	stream, err := e.api.ImageSave(ctx, refs)
	if err != nil {
		return nil, fmt.Errorf("looking into the layers of %s's images: %w", e.manager, inWords(ctx, err))
	}
	defer func() { _ = stream.Close() }()
	if err := readArchive(stream, out); err != nil {
		return nil, fmt.Errorf("looking into the layers of %s's images: %w", e.manager, inWords(ctx, err))
	}
	return out, nil
}

// readArchive reads what an engine writes images out as: a tar of tars, and of
// files that describe them, under names that every version chooses anew. A layer
// is told by its content, which its diff ID is the hash of.
func readArchive(archive io.Reader, into layers.Contents) error {
	r := tar.NewReader(archive)
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading the archive: %w", err)
		}
		if h.Typeflag != tar.TypeReg {
			continue // a link to a layer that is there
		}
		if err := readLayer(r, into); err != nil {
			return fmt.Errorf("reading %s: %w", h.Name, err)
		}
	}
}

// readLayer reads a file of an archive to its end, if it is a layer.
func readLayer(file io.Reader, into layers.Contents) error {
	buffered := bufio.NewReaderSize(file, 64<<10)
	head, err := buffered.Peek(262)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	var content io.Reader = buffered
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}): // RFC 1952
		if content, err = gzip.NewReader(buffered); err != nil {
			return err
		}
	case len(head) < 262 || string(head[257:]) != "ustar": // POSIX pax
		return nil
	}
	hash := sha256.New()
	content = io.TeeReader(content, hash)
	var files []layers.File
	r := tar.NewReader(content)
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if f, ok := fileOf(h); ok {
			files = append(files, f)
		}
	}
	if _, err := io.Copy(io.Discard, content); err != nil { // what pads it is part of the hash
		return err
	}
	into["sha256:"+hex.EncodeToString(hash.Sum(nil))] = files
	return nil
}

// fileOf returns what an entry of a layer's tar is (OCI image specification,
// layer.md); false when it neither takes bytes nor takes a path away.
func fileOf(h *tar.Header) (layers.File, bool) {
	full := path.Join("/", h.Name)
	dir, name := path.Split(full)
	switch {
	case name == ".wh..wh..opq":
		return layers.File{Path: path.Clean(dir), Gone: layers.Opaque}, true
	case strings.HasPrefix(name, ".wh..wh."): // of aufs, for itself
		return layers.File{}, false
	case strings.HasPrefix(name, ".wh."):
		return layers.File{Path: path.Join(dir, strings.TrimPrefix(name, ".wh.")), Gone: layers.Whiteout}, true
	}
	return layers.File{Path: full, Size: h.Size}, h.Typeflag == tar.TypeReg && h.Size > 0
}
