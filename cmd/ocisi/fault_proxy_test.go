package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"sync"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// proxy stands between a run and one engine. What it is asked is a moment
// before and after the engine has done it.
type proxy struct {
	*injector
	engine string
	dial   func(context.Context) (net.Conn, error)
	client *http.Transport
}

// serve starts a proxy, and returns where it is.
func (c *injector) serve(engine, socket string) (string, error) {
	dir, err := os.MkdirTemp(filepath.Dir(c.Trace), "p")
	if err != nil {
		return "", err
	}
	at := filepath.Join(dir, engine)
	l, err := net.Listen("unix", at)
	if err != nil {
		return "", err
	}
	dial := func(ctx context.Context) (net.Conn, error) { return (&net.Dialer{}).DialContext(ctx, "unix", socket) }
	p := &proxy{injector: c, engine: engine, dial: dial, client: &http.Transport{
		DisableCompression: true,
		DialContext:        func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) },
	}}
	server := &http.Server{Handler: p}
	go func() { _ = server.Serve(l) }()
	c.ends = append(c.ends, server.Close, func() error {
		p.client.CloseIdleConnections()
		return nil
	})
	return "unix://" + at, nil
}

var apiVersion = regexp.MustCompile(`^/v[0-9.]+/`)

// ServeHTTP implements http.Handler.
func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	op := p.engine + " " + r.Method + " " + apiVersion.ReplaceAllString(r.URL.Path, "/")
	if p.misfortune(w, r, p.reach(op, before)) {
		return
	}
	if r.Header.Get("Upgrade") != "" {
		p.upgrade(w, r, op)
		return
	}
	answer, err := p.forward(r)
	if answer == nil {
		panic(http.ErrAbortHandler) // the engine is gone, and so is what stands for it
	}
	if p.misfortune(w, r, p.reach(op, after)) {
		return
	}
	maps.Copy(w.Header(), answer.header)
	w.WriteHeader(answer.status)
	_, _ = w.Write(answer.body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
}

// reply is an engine's answer to a request.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// forward sends a request to the engine and returns its answer, or nil without
// one. An answer that ends early comes with an error.
func (p *proxy) forward(r *http.Request) (*reply, error) {
	if !p.crash.begin() {
		return nil, errCrashed
	}
	ctx, cancel := p.crash.bind(r.Context())
	defer cancel()
	out := r.Clone(ctx)
	out.RequestURI, out.URL.Scheme, out.URL.Host = "", "http", "engine"
	var answer *reply
	response, err := p.client.RoundTrip(out)
	if err == nil {
		defer response.Body.Close()
		answer = &reply{status: response.StatusCode, header: response.Header}
		answer.body, err = io.ReadAll(response.Body)
	}
	if !p.crash.end() {
		return nil, errCrashed
	}
	return answer, err
}

// misfortune is how an engine fails to answer; false when nothing befalls it.
func (p *proxy) misfortune(w http.ResponseWriter, r *http.Request, m mishap) bool {
	switch m {
	case refused:
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = io.WriteString(w, `{"message":"a mishap"}`+"\n")
	case cut:
		panic(http.ErrAbortHandler)
	case silent:
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	default:
		return false
	}
	return true
}

// upgrade connects the run with the engine, once that agrees. Calls over
// /grpc are moments, too.
func (p *proxy) upgrade(w http.ResponseWriter, r *http.Request, op string) {
	engine, err := p.dial(context.Background())
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	defer engine.Close()
	ctx, cancel := p.crash.bind(context.Background())
	defer cancel()
	context.AfterFunc(ctx, func() { engine.Close() })
	if err := r.Write(engine); err != nil {
		panic(http.ErrAbortHandler)
	}
	fromEngine := bufio.NewReader(engine)
	answer, err := http.ReadResponse(fromEngine, r)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	defer answer.Body.Close()
	if p.misfortune(w, r, p.reach(op, after)) {
		return
	}
	run, buf, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	defer run.Close()
	if err := answer.Write(run); err != nil || answer.StatusCode != http.StatusSwitchingProtocols {
		return
	}
	t := &tap{proxy: p, ops: map[uint32]string{}}
	var both sync.WaitGroup
	both.Go(func() {
		if strings.HasSuffix(r.URL.Path, "/grpc") {
			t.calls(buf, engine)
			p.crash.pass() // after a crash, the run does not learn that the engine left
			engine.Close()
			run.Close()
			return
		}
		_, _ = io.Copy(engine, buf)
		if c, ok := engine.(*net.UnixConn); ok {
			_ = c.CloseWrite()
		}
	})
	both.Go(func() {
		defer run.Close()
		if strings.HasSuffix(r.URL.Path, "/grpc") {
			t.answers(fromEngine, run)
		} else {
			_, _ = io.Copy(run, fromEngine)
		}
		p.crash.pass()
	})
	both.Wait()
}

// tap reads the frames of a connection that speaks HTTP/2 as they pass.
type tap struct {
	*proxy
	mu  sync.Mutex
	ops map[uint32]string // by stream
}

// calls copies what the run sends.
func (t *tap) calls(from io.Reader, to io.Writer) {
	preface := make([]byte, len(http2.ClientPreface))
	if _, err := io.ReadFull(from, preface); err != nil {
		return
	}
	if _, err := to.Write(preface); err != nil {
		return
	}
	t.frames(from, to, func(f *http2.MetaHeadersFrame) mishap {
		op := t.engine + " " + path.Base(f.PseudoValue("path"))
		t.mu.Lock()
		t.ops[f.StreamID] = op
		t.mu.Unlock()
		return t.reach(op, before)
	})
}

// answers copies what the engine sends. A call has ended with its last headers.
func (t *tap) answers(from io.Reader, to io.Writer) {
	t.frames(from, to, func(f *http2.MetaHeadersFrame) mishap {
		t.mu.Lock()
		op := t.ops[f.StreamID]
		t.mu.Unlock()
		if !f.StreamEnded() {
			return nothing
		}
		return t.reach(op, after)
	})
}

func (t *tap) frames(from io.Reader, to io.Writer, headers func(*http2.MetaHeadersFrame) mishap) {
	var passing bytes.Buffer
	framer := http2.NewFramer(io.Discard, io.TeeReader(from, &passing))
	framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	framer.SetMaxReadFrameSize(1<<24 - 1)
	for {
		f, err := framer.ReadFrame()
		if h, ok := f.(*http2.MetaHeadersFrame); ok && err == nil {
			m := headers(h)
			if m == silent {
				_, _ = io.Copy(io.Discard, from)
			}
			if m == refused || m == cut || m == silent {
				return
			}
		}
		if _, writeErr := passing.WriteTo(to); err != nil || writeErr != nil {
			return
		}
	}
}
