package enginetest

import (
	"bufio"
	"context"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	content "github.com/containerd/containerd/api/services/content/v1"
	control "github.com/moby/buildkit/api/services/control"
	"github.com/moby/buildkit/session"
	"github.com/moby/buildkit/session/filesync"
	"github.com/moby/buildkit/session/grpchijack"
	"github.com/moby/buildkit/util/bklog"
	"github.com/sirupsen/logrus"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// buildKit is as much of BuildKit's control API as a build by docker needs: a
// client that has hijacked /grpc solves, and is read the Containerfile over the
// session that it has opened on /session. Over gRPC on the
// socket, the session is a stream of it.
type buildKit struct {
	control.UnimplementedControlServer

	store    *store
	watch    *watch
	server   *grpc.Server
	sessions *session.Manager
	conns    chan net.Conn

	mu   sync.Mutex
	jobs map[string]*job
	open []net.Conn // all that were hijacked

	ended chan struct{} // the server was closed
}

// job is one solve; whoever comes first, Solve or Status, makes it.
type job struct {
	status chan *control.StatusResponse
	ended  chan struct{}
}

func (a *api) addBuildKit() error {
	sessions, err := session.NewManager()
	if err != nil {
		return err
	}
	a.kit = &buildKit{store: a.store, watch: a.watch, sessions: sessions, conns: make(chan net.Conn), jobs: make(map[string]*job)}
	a.kit.server = grpc.NewServer()
	control.RegisterControlServer(a.kit.server, a.kit)
	if a.store.containerd() {
		content.RegisterContentServer(a.kit.server, contents{store: a.store})
	}
	a.kit.ended = make(chan struct{})
	go func() { _ = a.kit.server.Serve(hijacked{a.kit.conns, a.kit.ended}) }()
	return nil
}

// hijacked is a listener of connections that were HTTP before.
type hijacked struct {
	conns chan net.Conn
	ended chan struct{} // closed with the server
}

// Accept implements net.Listener.
func (h hijacked) Accept() (net.Conn, error) {
	select {
	case conn := <-h.conns:
		return conn, nil
	case <-h.ended:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (h hijacked) Close() error { return nil }

// Addr implements net.Listener.
func (h hijacked) Addr() net.Addr { return &net.UnixAddr{Name: "hijacked", Net: "unix"} }

// read is a connection of which something was read already.
type read struct {
	net.Conn
	buf *bufio.Reader
}

// Read implements net.Conn.
func (r read) Read(p []byte) (int, error) { return r.buf.Read(p) }

func (k *buildKit) serveGRPC(w http.ResponseWriter, _ *http.Request) {
	conn, buf, err := http.NewResponseController(w).Hijack()
	if err != nil {
		refuse(w, http.StatusInternalServerError, err.Error())
		return
	}
	_, _ = io.WriteString(conn, "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
	k.mu.Lock()
	k.open = append(k.open, conn)
	k.mu.Unlock()
	select {
	case k.conns <- read{conn, buf.Reader}:
	case <-k.ended:
		_ = conn.Close()
	}
}

func (k *buildKit) serveSession(w http.ResponseWriter, r *http.Request) {
	// A session notices late, and complains, that its client has gone.
	silent := logrus.New()
	silent.SetOutput(io.Discard)
	_ = k.sessions.HandleHTTPRequest(bklog.WithLogger(r.Context(), logrus.NewEntry(silent)), w, r)
}

// controlPath begins the paths of the control API's methods over gRPC.
const controlPath = "/moby.buildkit.v1.Control/"

// grpcMode returns what the file docker-grpc contains; "" without the file.
func (k *buildKit) grpcMode() string {
	data, err := os.ReadFile(filepath.Join(k.store.dir, "docker-grpc"))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(data))
}

// protocols returns what the socket speaks: HTTP/2, and with it gRPC, only if
// docker-grpc says so.
func (k *buildKit) protocols() *http.Protocols {
	p := new(http.Protocols)
	p.SetHTTP1(true)
	p.SetUnencryptedHTTP2(slices.Contains([]string{"too", "only"}, k.grpcMode()))
	return p
}

// unlessOnlyNative refuses an upgrade to gRPC, as a daemon does that has none.
func (k *buildKit) unlessOnlyNative(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if k.grpcMode() == "only" {
			refuse(w, http.StatusNotFound, "page not found")
			return
		}
		next(w, r)
	}
}

// Session implements control.ControlServer: a session within gRPC.
func (k *buildKit) Session(stream control.Control_SessionServer) error {
	conn, ended, meta := grpchijack.Hijack(stream)
	defer func() { _ = conn.Close() }()
	ctx, cancel := context.WithCancel(stream.Context())
	defer cancel()
	go func() {
		<-ended
		cancel()
	}()
	return k.sessions.HandleConn(ctx, conn, meta)
}

func (k *buildKit) job(ref string) *job {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.jobs[ref] == nil {
		k.jobs[ref] = &job{status: make(chan *control.StatusResponse, 1000), ended: make(chan struct{})}
	}
	return k.jobs[ref]
}

// Status implements control.ControlServer.
func (k *buildKit) Status(r *control.StatusRequest, out control.Control_StatusServer) error {
	j := k.job(r.Ref)
	for {
		select {
		case s := <-j.status:
			if err := out.Send(s); err != nil {
				return err
			}
		case <-j.ended:
			for len(j.status) > 0 {
				if err := out.Send(<-j.status); err != nil {
					return err
				}
			}
			return nil
		case <-out.Context().Done():
			return out.Context().Err()
		}
	}
}

// Solve implements control.ControlServer.
func (k *buildKit) Solve(ctx context.Context, r *control.SolveRequest) (*control.SolveResponse, error) {
	j := k.job(r.Ref)
	defer close(j.ended)
	if err := k.obey(ctx, false); err != nil {
		return nil, err
	}
	answer, err := k.solve(ctx, r, j)
	if failed := k.obey(ctx, true); failed != nil {
		return nil, failed
	}
	return answer, err
}

// obey returns an error when the watch wants one.
func (k *buildKit) obey(ctx context.Context, done bool) error {
	switch k.watch.ask(k.store.name+" Solve", done) {
	case Pass:
		return nil
	case Hang:
		<-ctx.Done()
		return ctx.Err()
	case Cut:
		k.mu.Lock()
		defer k.mu.Unlock()
		for _, conn := range k.open {
			_ = conn.Close()
		}
		k.open = nil
	case Fail:
	}
	return errors.New("the engine has failed, as the test wants")
}

func (k *buildKit) solve(ctx context.Context, r *control.SolveRequest, j *job) (*control.SolveResponse, error) {
	if len(r.Exporters) != 1 || r.Exporters[0].Type != "moby" {
		return nil, errors.New("the exporter must be moby")
	}
	rec := solveRecipe(r)
	dir, err := os.MkdirTemp("", "enginetest-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := k.receive(ctx, r, dir, &rec); err != nil {
		return nil, err
	}
	k.store.calls.add("%s", strings.Join(solveCall(r, rec), " "))
	id, err := k.store.build(ctx, rec, func(e event) { j.status <- status(rec, e) })
	if err != nil {
		return nil, err
	}
	return &control.SolveResponse{ExporterResponse: map[string]string{"containerimage.digest": id}}, nil
}

// Info implements control.ControlServer.
func (k *buildKit) Info(context.Context, *control.InfoRequest) (*control.InfoResponse, error) {
	return &control.InfoResponse{}, nil
}

// ListWorkers implements control.ControlServer.
func (k *buildKit) ListWorkers(context.Context, *control.ListWorkersRequest) (*control.ListWorkersResponse, error) {
	return &control.ListWorkersResponse{}, nil
}

// DiskUsage implements control.ControlServer.
func (k *buildKit) DiskUsage(context.Context, *control.DiskUsageRequest) (*control.DiskUsageResponse, error) {
	k.store.mu.Lock()
	defer k.store.mu.Unlock()
	out := &control.DiskUsageResponse{}
	if k.store.state.Cache > 0 {
		out.Record = []*control.UsageRecord{
			{ID: "cache", Size: k.store.state.Cache},
			// Neither is freed by a prune, but a prune of all counts what is shared.
			{ID: "in use", Size: 1 << 20, InUse: true},
			{ID: "shared", Size: 1 << 30, Shared: true},
		}
	}
	return out, nil
}

func solveRecipe(r *control.SolveRequest) recipe {
	rec := recipe{Ref: r.Exporters[0].Attrs["name"], Args: make(map[string]string), Labels: make(map[string]string)}
	rec.Image = rec.Ref
	for k, v := range r.FrontendAttrs {
		if name, ok := strings.CutPrefix(k, "build-arg:"); ok {
			rec.Args[name] = v
		}
		if name, ok := strings.CutPrefix(k, "label:"); ok {
			rec.Labels[name] = v
		}
	}
	if rec.Image == "" { // not named until it is tagged
		rec.Image = rec.Labels["ocisi.image"]
	}
	_, rec.NoCache = r.FrontendAttrs["no-cache"]
	return rec
}

// solveCall is a solve as the command line that it stands for.
func solveCall(r *control.SolveRequest, rec recipe) []string {
	call := []string{"docker", "build"}
	if rec.Ref != "" {
		call = append(call, "-t", rec.Ref)
	}
	call = append(call, "-f", r.FrontendAttrs["filename"])
	if rec.NoCache {
		call = append(call, "--no-cache")
	}
	for _, k := range slices.Sorted(maps.Keys(rec.Args)) {
		call = append(call, "--build-arg", k+"="+rec.Args[k])
	}
	for _, k := range slices.Sorted(maps.Keys(rec.Labels)) {
		call = append(call, "--label", k+"="+rec.Labels[k])
	}
	return call
}

// receive reads the Containerfile from the client and, when it copies from
// there, the build context.
func (k *buildKit) receive(ctx context.Context, r *control.SolveRequest, dir string, rec *recipe) error {
	caller, err := k.sessions.Get(ctx, r.Session, false)
	if err != nil {
		return err
	}
	name := r.FrontendAttrs["filename"]
	file := filesync.FSSendRequestOpt{Name: "dockerfile", IncludePatterns: []string{name}, DestDir: filepath.Join(dir, "dockerfile")}
	files := filesync.FSSendRequestOpt{Name: "context", DestDir: filepath.Join(dir, "context")}
	if err := errors.Join(os.Mkdir(file.DestDir, 0o700), os.Mkdir(files.DestDir, 0o700), filesync.FSSync(ctx, caller, file)); err != nil {
		return err
	}
	data, err := os.ReadFile(filepath.Join(file.DestDir, name))
	rec.Text, rec.By = withoutLabel(string(data))
	if err != nil || !copies.Match(data) {
		return err
	}
	rec.Context = files.DestDir
	return filesync.FSSync(ctx, caller, files)
}

// status is an event as BuildKit tells it: a vertex that starts, its output,
// and the same vertex complete.
func status(rec recipe, e event) *control.StatusResponse {
	now := timestamppb.Now()
	v := &control.Vertex{
		Digest: hash("vertex", rec.Ref, e.Title), Name: vertexName(e), Started: now, Cached: e.Cached, Error: e.Failed, Completed: now,
	}
	s := &control.StatusResponse{Vertexes: []*control.Vertex{v}}
	if e.Log != "" {
		s.Logs = []*control.VertexLog{{Vertex: v.Digest, Stream: 1, Msg: []byte(e.Log), Timestamp: now}}
	}
	return s
}

func vertexName(e event) string {
	return "[" + itoa(e.Step) + "/" + itoa(e.Steps) + "] " + e.Title
}
