package engine

import (
	"archive/tar"
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"regexp"
	"sync/atomic"
	"time"

	"github.com/docker/docker/client"
	"golang.org/x/sys/unix"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/internal/process"
)

const (
	streamBuffer = 256 << 10 // bytes of a stream that are held at a time
	pipeSize     = 1 << 20   // bytes; what /proc/sys/fs/pipe-max-size is by default
)

// imageID matches an ID in what engines say of images that were loaded.
var imageID = regexp.MustCompile(`sha256:[0-9a-f]{64}`)

// errDone ends the writer of a stream when its reader has failed.
var errDone = errors.New("the other engine has ended the copy")

// stream has one engine write the images out and the other read them, and returns
// the IDs that the other says it has loaded. They go by ID, so that no name is in the
// stream: a name that came with it would move before the image is known to be
// right.
func (c *transfer) stream(ctx context.Context, total int64) (loaded []string, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var sent atomic.Int64
	go c.watch(ctx, &sent, cancel)
	out, in, err := c.from.conduit()
	if err != nil {
		return nil, err
	}
	saving, stop := context.WithCancelCause(ctx)
	saved := &sending{from: out, told: c.meter(&sent, total), done: make(chan struct{})}
	go func() {
		defer close(saved.done)
		saved.err = c.save(saving, in)
		_ = in.Close() // the end of the stream
	}()
	loaded, loadErr := c.to.load(ctx, bufio.NewReaderSize(saved, streamBuffer)) // large pieces, for which fewer calls do
	_ = out.Close()
	if loadErr != nil {
		stop(errDone)
	}
	<-saved.done
	stop(nil)
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case saved.failed:
		return nil, fmt.Errorf("reading the images from %s: %w", c.from.manager, inWords(ctx, saved.err))
	case loadErr != nil:
		return nil, fmt.Errorf("loading the images into %s: %w", c.to.manager, inWords(ctx, loadErr))
	}
	return loaded, nil
}

// conduit returns the ends of what an archive goes through. A program writes to a
// pipe of the system by itself.
func (e *Engine) conduit() (io.ReadCloser, io.WriteCloser, error) {
	if !e.differs.saveByProgram {
		out, in := io.Pipe()
		return out, in, nil
	}
	out, in, err := os.Pipe()
	if err != nil {
		return nil, nil, fmt.Errorf("making a pipe: %w", err)
	}
	if conn, err := in.SyscallConn(); err == nil {
		// As much as an ordinary user may; with less it is only slower.
		_ = conn.Control(func(fd uintptr) { _, _ = unix.FcntlInt(fd, unix.F_SETPIPE_SZ, pipeSize) })
	}
	return out, in, nil
}

// sending is an archive on its way. Where its writer fails it ends with that
// error, and so it is never taken for a whole one.
type sending struct {
	from   io.Reader
	told   func(int)
	done   chan struct{} // closed when the writer has ended
	err    error         // of the writer, once done is closed
	failed bool          // the reader was told err
}

func (s *sending) Read(p []byte) (int, error) {
	n, err := s.from.Read(p)
	s.told(n)
	if errors.Is(err, io.EOF) {
		if <-s.done; s.err != nil {
			s.failed = true
			return n, s.err
		}
	}
	return n, err
}

// save writes the archive of the images.
func (c *transfer) save(ctx context.Context, to io.Writer) error {
	var ids []string
	for _, src := range c.sources {
		ids = append(ids, src.ID)
	}
	if c.from.differs.saveByProgram {
		return c.from.opts.Runner.Run(ctx, process.Cmd{
			Name: "podman", Args: append([]string{"save", "--quiet", "--format", "docker-archive", "--multi-image-archive"}, ids...),
			Env: []string{"LC_ALL=C"}, Stdout: to,
		})
	}
	archive, err := c.from.api.ImageSave(ctx, ids)
	if err != nil {
		return err
	}
	defer func() { _ = archive.Close() }()
	return plainArchive(archive, to)
}

// plainArchive copies an archive of images without what makes it an OCI layout,
// besides the older form that every engine writes and reads. Podman takes a layout
// for one with a single image where none has a name (seen with 5.8).
func plainArchive(from io.Reader, to io.Writer) error {
	r, w := tar.NewReader(from), tar.NewWriter(to)
	buffer := make([]byte, streamBuffer)
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if name := path.Clean(h.Name); name == "oci-layout" || name == "index.json" {
			continue
		}
		if err := w.WriteHeader(h); err != nil {
			return err
		}
		if _, err := io.CopyBuffer(w, r, buffer); err != nil {
			return err
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	_, err := io.CopyBuffer(io.Discard, from, buffer) // what pads it: else the engine's end would be cut off
	return err
}

// load has the engine read an archive, and returns the IDs of what it says it has
// loaded.
func (e *Engine) load(ctx context.Context, archive io.Reader) ([]string, error) {
	answer, err := e.api.ImageLoad(ctx, archive, client.ImageLoadWithQuiet(true))
	if err != nil {
		return nil, err
	}
	defer func() { _ = answer.Body.Close() }()
	var ids []string
	for dec := json.NewDecoder(answer.Body); ; {
		var m struct {
			Stream      string
			ErrorDetail *struct{ Message string }
			Error       string
		}
		err := dec.Decode(&m)
		switch {
		case errors.Is(err, io.EOF):
			return ids, nil
		case err != nil:
			return nil, fmt.Errorf("reading the engine's answer: %w", err)
		case m.ErrorDetail != nil:
			return nil, errors.New(m.ErrorDetail.Message)
		case m.Error != "":
			return nil, errors.New(m.Error)
		}
		ids = append(ids, imageID.FindAllString(m.Stream, -1)...)
	}
}

// meter counts what is sent, and tells of it now and then: at each tenth of it,
// and not more often than every second.
func (c *transfer) meter(sent *atomic.Int64, total int64) func(int) {
	last, tenth := time.Now(), int64(0)
	return func(n int) {
		now := sent.Add(int64(n))
		if c.emit == nil || total <= 0 {
			return
		}
		if at := now * 10 / total; at > tenth && now < total && time.Since(last) >= tellEvery {
			last, tenth = time.Now(), at
			c.emit(hierarchy.Progress{Bytes: now, Total: total})
		}
	}
}

// watch ends the copy when nothing is sent any more and one of the engines does
// not even answer a ping. What takes an engine long is not silence: both put an
// archive together before they send it, and unpack it when all of it is there.
func (c *transfer) watch(ctx context.Context, sent *atomic.Int64, end context.CancelCauseFunc) {
	tick := time.NewTicker(c.from.opts.Timeout)
	defer tick.Stop()
	for last := int64(-1); ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if now := sent.Load(); now != last {
			last = now
			continue
		}
		for _, e := range []*Engine{c.from, c.to} {
			if err := e.ping(ctx); err != nil && ctx.Err() == nil {
				end(&UnreachableError{e.manager, e.endpoint, err})
				return
			}
		}
	}
}

// ping asks an engine for a sign of life.
func (e *Engine) ping(ctx context.Context) error {
	ctx, cancel := e.ask(ctx)
	defer cancel()
	_, err := e.api.Ping(ctx)
	return inWords(ctx, err)
}
