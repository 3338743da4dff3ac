package enginetest

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync"
)

// Verdict is what becomes of a request.
type Verdict int

// The verdicts. Before the request is done, all but Pass leave it undone.
const (
	Pass Verdict = iota // it is done and answered
	Fail                // answered with status 500
	Cut                 // the connection ends without an answer
	Hang                // no answer until the client gives up, or the server closes
)

// Watch has f called before (done is false) and after (true) every request to
// either engine, and does with it what f says; nil ends that. f may be called by
// several goroutines at once, and may itself take as long as it likes.
//
// A point is the engine, the method and the path, without version and query:
// "docker POST /containers/x/rename". BuildKit's are "docker POST /grpc" and
// "docker POST /session" for the connections, before only, and "docker Solve" for
// a build; over gRPC on the socket, "docker POST /moby.buildkit.v1.Control/Session"
// and the other methods. Paths below /enginetest/ are the programs': a container that distrobox
// creates (/enginetest/container), box starts (start), commands it runs (run);
// builds (build) and pulls (pull) of podman's.
//
// Go's client repeats a GET by itself when a connection that it has used before
// is cut.
func (s *Server) Watch(f func(point string, done bool) Verdict) { s.watch.set(f) }

// watch holds the function of Watch.
type watch struct {
	mu sync.Mutex
	f  func(point string, done bool) Verdict
}

func (w *watch) set(f func(string, bool) Verdict) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.f = f
}

func (w *watch) ask(point string, done bool) Verdict {
	w.mu.Lock()
	f := w.f
	w.mu.Unlock()
	if f == nil {
		return Pass
	}
	return f(point, done)
}

// streams tells the requests whose answer cannot wait until they are done.
func streams(path string) bool {
	return path == "/grpc" || strings.HasPrefix(path, controlPath) || path == "/session" || path == "/enginetest/build" || path == "/images/get" || path == "/images/load"
}

// watched does a request as the watch says.
func (a *api) watched(next http.Handler, w http.ResponseWriter, r *http.Request) {
	point := a.store.name + " " + r.Method + " " + r.URL.Path
	streamed := streams(r.URL.Path)
	if !streamed {
		// A client that leaves is noticed only when all it sent has been read.
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	if !obey(a.watch.ask(point, false), w, r) {
		return
	}
	if streamed {
		next.ServeHTTP(w, r)
		return
	}
	kept := &answerKept{header: make(http.Header)}
	next.ServeHTTP(kept, r)
	if obey(a.watch.ask(point, true), w, r) {
		kept.send(w)
	}
}

// obey reports whether a request goes on.
func obey(v Verdict, w http.ResponseWriter, r *http.Request) bool {
	switch v {
	case Fail:
		refuse(w, http.StatusInternalServerError, "the engine has failed, as the test wants")
	case Cut:
		panic(http.ErrAbortHandler)
	case Hang:
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	default:
		return true
	}
	return false
}

// answerKept is an answer that is not sent yet.
type answerKept struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header implements http.ResponseWriter.
func (k *answerKept) Header() http.Header { return k.header }

// WriteHeader implements http.ResponseWriter.
func (k *answerKept) WriteHeader(status int) {
	if k.status == 0 {
		k.status = status
	}
}

// Write implements http.ResponseWriter.
func (k *answerKept) Write(p []byte) (int, error) {
	k.WriteHeader(http.StatusOK)
	return k.body.Write(p)
}

func (k *answerKept) send(w http.ResponseWriter) {
	k.WriteHeader(http.StatusOK)
	if k.status == http.StatusSwitchingProtocols {
		k.hijack(w)
		return
	}
	maps.Copy(w.Header(), k.header)
	w.WriteHeader(k.status)
	_, _ = w.Write(k.body.Bytes())
}

// hijack sends what follows an upgrade, and the end.
func (k *answerKept) hijack(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		refuse(w, http.StatusInternalServerError, err.Error())
		return
	}
	defer func() { _ = conn.Close() }()
	var head strings.Builder
	_ = k.header.Write(&head)
	_, _ = io.WriteString(conn, "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\n"+head.String()+"\r\n"+k.body.String())
}
