// Package engine drives docker and podman behind one type: what a store holds,
// builds, pulls, tags, removals and what layers take. One Engine is one store.
//
// Both engines are asked through docker's API, which podman serves as well.
// Builds differ: docker's go to the daemon's own BuildKit, podman's are a
// podman program each, since its API cannot end a running step. All other
// differences are the fields of a small struct (differences).
//
// Images are never removed by force, and volumes only together with the box
// that they were made for.
package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/docker/docker/client"
	"github.com/google/go-containerregistry/pkg/authn"
	bkclient "github.com/moby/buildkit/client"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/internal/process"
)

// askTimeout bounds every question to an engine, unless Options say otherwise;
// only pulls and builds take as long as they take.
const askTimeout = 30 * time.Second

// parallel is how many questions are put to an engine at the same time: what
// both engines were measured to gain from.
const parallel = 8

// Options are what an Engine needs of its surroundings.
type Options struct {
	Runner  process.Runner
	Getenv  func(string) string
	Home    string       // the user's home: docker's contexts are below it
	Version string       // of ocisi, for the User-Agent
	TempDir string       // for files that live as long as a call or the Engine; "" is the system's
	Log     *slog.Logger // nil: nothing is logged

	// Installation returns an ID that no other user of the daemon knows and that
	// stays the same from one run to the next. It is called before the first build
	// by docker; nil or "" is a random one for this Engine.
	Installation func() string

	// Timeout bounds every question; 0 is 30 s.
	Timeout time.Duration

	// Patience is how long a list of docker's may take before Observe asks for
	// images one by one as well; 0 is 10 ms.
	Patience time.Duration

	// ServiceIdle is how long podman's service runs without requests before it
	// ends, in case ocisi was killed; 0 is 30 s. podman counts whole seconds.
	ServiceIdle time.Duration

	// Processes is /proc, or nil for the one of this machine.
	Processes fs.FS

	// Keychain has the user's registry logins, for pulls by docker; podman looks
	// for its own. Nil is authn.DefaultKeychain.
	Keychain authn.Keychain
}

// Engine is docker or podman. Its methods may be called from several
// goroutines.
type Engine struct {
	manager   hierarchy.Manager
	differs   differences
	opts      Options
	log       *slog.Logger
	api       *client.Client
	endpoint  string
	tls       bool          // endpoint is reached with TLS
	daemonAPI string        // the newest API version of the daemon, which may be newer than the client's
	stop      func() error  // ends the service that Open started; nil: none
	turn      chan struct{} // holds the one build that may run, where differs.serial

	installationOnce sync.Once
	installation     string

	kitMu sync.Mutex
	kit   *bkclient.Client // nil until the first build

	storeMu    sync.Mutex
	imageStore string // Info.Store; "" until it was asked for

	taken sync.Map // bytes on disk of layers, by folder: a layer does not change
}

// differences are what docker and podman do not have in common.
type differences struct {
	buildKit       bool // the daemon has a BuildKit
	serial         bool // builds that run at the same time spoil each other's cache
	slowList       bool // a list takes as long as the store is large, filtered or not
	digestIsName   bool // a digest that an image was pulled by is one of its names, and can be taken away like one
	historyFromTop bool // the history of an image that lacks entries is that of its upper layers
	saveByProgram  bool // the service puts what it writes out into a file first, the program does not
	external       bool // containers of buildah use images, too, and only the program lists them
	ownHistory     bool // an API of its own returns histories that docker's fails at
	ownStore       bool // the files of the store are those of who runs the engine, and can be read
}

func differencesOf(m hierarchy.Manager) differences {
	if m == hierarchy.Podman {
		return differences{serial: true, slowList: true, digestIsName: true, historyFromTop: true, saveByProgram: true, external: true, ownHistory: true, ownStore: true}
	}
	return differences{buildKit: true}
}

// UnreachableError says that an engine does not answer. errors.Is(err,
// fs.ErrPermission) tells whether it is because the user may not open its
// socket.
type UnreachableError struct {
	Manager  hierarchy.Manager
	Endpoint string
	Err      error
}

func (e *UnreachableError) Error() string {
	return fmt.Sprintf("%s does not answer at %s: %v", e.Manager, e.Endpoint, e.Err)
}

func (e *UnreachableError) Unwrap() error { return e.Err }

// Open connects to an engine. It returns an *UnreachableError when none
// answers, a *process.NotFoundError when podman is not installed. The engine
// must be closed.
func Open(ctx context.Context, m hierarchy.Manager, o Options) (*Engine, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	o.Patience = cmp.Or(o.Patience, 10*time.Millisecond)
	o.Timeout = cmp.Or(o.Timeout, askTimeout)
	o.ServiceIdle = cmp.Or(o.ServiceIdle, serviceIdle)
	e := &Engine{manager: m, differs: differencesOf(m), opts: o, log: o.Log.With("manager", string(m)), turn: make(chan struct{}, 1)}
	var err error
	switch m {
	case hierarchy.Docker:
		err = e.openDocker(ctx)
	case hierarchy.Podman:
		err = e.openPodman(ctx)
	default:
		err = fmt.Errorf("unknown manager %q", m)
	}
	if err != nil {
		return nil, err
	}
	e.log.DebugContext(ctx, "engine opened", "endpoint", e.endpoint, "api", e.api.ClientVersion())
	return e, nil
}

// connect makes the API client of an endpoint and waits for its first answer.
func (e *Engine) connect(ctx context.Context, endpoint string, opts ...client.Opt) error {
	agent := client.WithUserAgent("ocisi/" + e.opts.Version)
	api, err := client.NewClientWithOpts(append(opts, agent, client.WithAPIVersionNegotiation())...)
	if err != nil {
		return &UnreachableError{e.manager, endpoint, err}
	}
	ctx, cancel := e.ask(ctx)
	defer cancel()
	ping, err := api.Ping(ctx)
	if err != nil {
		_ = api.Close()
		return &UnreachableError{e.manager, endpoint, unreachable(ctx, endpoint, inWords(ctx, err))}
	}
	api.NegotiateAPIVersionPing(ping)
	e.api, e.endpoint, e.daemonAPI = api, endpoint, ping.APIVersion
	return nil
}

// ask bounds a question to the engine.
func (e *Engine) ask(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, e.opts.Timeout, fmt.Errorf("no answer after %s", e.opts.Timeout))
}

// Close ends what Open started and nothing else.
func (e *Engine) Close() error {
	var err error
	if e.kit != nil {
		err = e.kit.Close()
	}
	err = errors.Join(err, e.api.Close())
	if e.stop != nil {
		err = errors.Join(err, e.stop())
	}
	return err
}

// Manager returns which engine it is.
func (e *Engine) Manager() hierarchy.Manager { return e.manager }

// Serial reports whether builds in this store must run one after the other.
// Build sees to it by itself; a scheduler that knows does not start a build
// only to have it wait.
func (e *Engine) Serial() bool { return e.differs.serial }

// ContainerdStore is the [Info.Store] of docker with the containerd image store.
const ContainerdStore = "containerd"

// Info is what an engine says about itself.
type Info struct {
	Version    string // of the engine
	APIVersion string // that is spoken with it
	Driver     string // of its storage
	Root       string // directory of its storage
	Rootless   bool
	Endpoint   string // where it answers
	Store      string // of images: ContainerdStore, or the driver of its storage

	// FileSystem is what the storage is on, in podman's words: extfs, btrfs, xfs;
	// "" when the engine does not say.
	FileSystem string
	// Copies says that each image costs as much again for every map of ids that a
	// container of it has, as boxes do: rootless podman, on a file system whose
	// files cannot share their bytes. Of xfs that is not known; it mostly can.
	Copies bool
}

// Info asks an engine about itself.
func (e *Engine) Info(ctx context.Context) (Info, error) {
	ctx, cancel := e.ask(ctx)
	defer cancel()
	in, err := e.api.Info(ctx)
	if err != nil {
		return Info{}, fmt.Errorf("asking %s about itself: %w", e.manager, inWords(ctx, err))
	}
	info := Info{
		Version: in.ServerVersion, APIVersion: e.api.ClientVersion(), Driver: in.Driver, Store: in.Driver,
		Root: in.DockerRootDir, Endpoint: e.endpoint,
	}
	for _, o := range in.SecurityOptions {
		info.Rootless = info.Rootless || strings.HasPrefix(o, "name=rootless") || o == "rootless"
	}
	for _, s := range in.DriverStatus {
		if s[0] == "driver-type" && strings.HasPrefix(s[1], "io.containerd.snapshotter") {
			info.Store = ContainerdStore
		}
		if s[0] == "Backing Filesystem" {
			info.FileSystem = s[1]
		}
	}
	if e.manager == hierarchy.Podman {
		e.addPodman(ctx, &info, in.DriverStatus)
	}
	return info, nil
}

// usesContainerd reports whether docker has its images in containerd's store. The
// engine is asked once.
func (e *Engine) usesContainerd(ctx context.Context) (bool, error) {
	if !e.differs.buildKit {
		return false, nil
	}
	e.storeMu.Lock()
	defer e.storeMu.Unlock()
	if e.imageStore == "" {
		info, err := e.Info(ctx)
		if err != nil {
			return false, err
		}
		e.imageStore = info.Store
	}
	return e.imageStore == ContainerdStore, nil
}
