// Package enginetest is an engine for tests: one server plays docker's and
// podman's API, with the part of BuildKit that a build needs, from a store in
// memory; Podman, Docker and Distrobox play the programs of these names inside
// a test binary.
//
// Everything is in one directory, so that a script test can set up and look
// at a story with plain files:
//
//	docker.json, podman.json   what the store holds at the start (State)
//	calls                      written: a line per request that changes something or
//	                           leaves the machine, and a line per program run
//	requests                   written: a line per request of any kind, as
//	                           docker GET /images/json?filters=…
//	docker-registry.json       what a pull finds, a list of Image; without it,
//	                           what the State lists under Registry
//	docker-build.err           every build fails, after printing the file
//	docker-build-NAME.err      the build of the image NAME (without its tag) fails so
//	docker-build.block         builds do not end until they are cancelled (also -NAME)
//	docker-grpc                docker speaks API 1.56, where gRPC on the socket replaces
//	                           /grpc and /session. It serves both ("too"), the new one
//	                           ("only"), or the old one, as behind a proxy that speaks
//	                           HTTP/1.1 ("no"). Read when the server starts
//	docker-pull.err            pulls fail with the file as message
//	docker-save.cut            images that are written out end in the middle
//	docker-save.block          they stop there until the client leaves
//	docker-load.err            images are not loaded, and the file is why: docker
//	                           says so when it has begun to answer
//	docker-load.other          they are loaded with another layer on top
//	distrobox-VERB.err         distrobox VERB prints the file on stderr and exits 1
//	distrobox-VERB-NAME.err    the same for one box; an enter has started the box
//	                           first, which prints the file to its log and ends
//	distrobox-VERB-NAME.block  the same, but the box runs on and distrobox hangs
//	                           until it is killed
//	distrobox-version          what distrobox --version says; "1.8.2.5" without it
//	podman-storage             the directory that podman says its store is in: nothing
//	                           is there that the test has not written. A layer's ID
//	                           is its DiffID without the algorithm
//	docker-NAME.container      fields of a Container, as {"Sessions": 1}: the
//	                           container NAME takes them over before the next
//	                           request, and the file goes
//
// The same with podman- for podman. The files are looked at when they matter,
// so a script can add and remove them as it goes: a base moves when another
// Image has its name in docker-registry.json. A pull that finds nothing fails
// with "manifest unknown".
//
// Images are written out and loaded in the older of the two forms that engines have,
// with an OCI layout beside it that has the first of them only, as docker does. There
// are a few zeros in place of each layer.
//
// A build makes a layer of every RUN, COPY and ADD. It is the one that the cache
// has for the same instruction on the same layers with the same arguments and
// the same files of the context, and a new one without a cache. The image's ID
// changes with its parent, its instructions, arguments and labels.
//
// The programs do behind ocisi's back what users do: podman rmi NAME… (by force
// of the names), image prune -af, container inspect NAME, start, stop and rm -f
// NAME…, rename OLD NEW, and exec -d NAME COMMAND…, which opens a session that
// does not end; Docker the same.
//
// Containers have files: those of their image and their own. What runs in one,
// by Distrobox or by the engine's exec, is one of a few programs (see run), or
// answers as its Commands say. A program that is not among its files is not
// found, unless neither the container nor its image has any Files: then there
// is every program, which does nothing, successfully.
//
// Distrobox is version 1 or 2, as the file distrobox-version says. Entering a box
// that is not there makes one, as both do when they have nobody to ask.
//
// Server.Watch is for tests of what goes wrong: it is told before and after every
// request, and says whether that is answered, refused, cut off or left hanging.
//
// In a testscript:
//
//	func TestMain(m *testing.M) {
//		testscript.Main(m, map[string]func(){
//			"ocisi": main, "podman": enginetest.Podman, "docker": enginetest.Docker,
//			"distrobox": enginetest.Distrobox,
//		})
//	}
//
//	testscript.Params{Setup: func(env *testscript.Env) error {
//		server, err := enginetest.Start(env.WorkDir)
//		if err != nil {
//			return err
//		}
//		env.Defer(server.Close)
//		env.Vars = append(env.Vars, server.Env()...)
//		return nil
//	}}
//
// The programs find the server by that environment. podman system service
// serves the server's podman on the socket it is given; a test that does not
// want it sets CONTAINER_HOST to PodmanHost.
package enginetest

import (
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// The environment by which the programs find the server.
const (
	envDir    = "ENGINETEST_DIR"
	envDocker = "ENGINETEST_DOCKER_SOCKET"
	envPodman = "ENGINETEST_PODMAN_SOCKET"
)

// State is what a store holds.
type State struct {
	Images     []Image
	Containers []Container
	Registry   []Image  // what a pull finds; one name each
	Cache      int64    // bytes of docker's build cache
	Volumes    []string // names; those of containers are among them
	FileSystem string   // below podman's storage, as podman says it; "btrfs" when empty
	Containerd bool     // docker has the containerd image store
	Shifting   bool     // podman's storage maps ids without copies
}

// Image is an image of a store or a registry.
type Image struct {
	ID      string            // sha256:…; made up from the rest when empty
	Refs    []string          // full names: docker.io/library/x:tag, localhost/x:tag
	Digests []string          // full names by digest: ghcr.io/x/base@sha256:…; made up in a registry, where there is none
	Labels  map[string]string // as they are stored
	Config  Config            // what containers inherit besides
	Layers  []Layer           // from the base up
	Created int64             // Unix seconds
	By      string            // the last entry of its history; "" is the one that sets ocisi's labels, where it has them
	Undated bool              // the history does not say when: podman fails at it

	Files    map[string]string // as in Container
	Commands map[string]Answer // as in Container
}

// Config is the part of an image's config that a build sets by instructions of
// these names.
type Config struct {
	Env             []string `json:",omitempty"` // NAME=value
	Cmd, Entrypoint []string `json:",omitempty"`
	User            string   `json:",omitempty"`
	WorkingDir      string   `json:",omitempty"`
}

// Layer is a layer of an image.
type Layer struct {
	DiffID string
	Size   int64  // bytes
	Packed int64  `json:",omitempty"` // bytes of its blob in the containerd image store
	By     string `json:",omitempty"` // the line of a Containerfile that made it
}

// Server serves one docker and one podman.
type Server struct {
	dir     string // of the story's files
	sockets string
	docker  *store
	podman  *store
	watch   *watch
	serving sync.WaitGroup

	mu      sync.Mutex
	servers map[string]*http.Server // by the name of the engine
}

// Start starts a server whose files are in dir.
func Start(dir string) (*Server, error) {
	// A socket's path must be short, and a test's directory is not.
	sockets, err := os.MkdirTemp("", "enginetest-")
	if err != nil {
		return nil, err
	}
	s := &Server{dir: dir, sockets: sockets, watch: &watch{}, servers: make(map[string]*http.Server)}
	calls := &record{file: filepath.Join(dir, "calls")}
	requests := &record{file: filepath.Join(dir, "requests")}
	for _, name := range []string{"docker", "podman"} {
		st, err := newStore(name, dir, calls, requests)
		if err == nil {
			err = s.serve(&api{store: st, watch: s.watch})
		}
		if err != nil {
			s.Close()
			return nil, err
		}
	}
	return s, nil
}

func (s *Server) serve(h *api) error {
	st := h.store
	l, err := net.Listen("unix", filepath.Join(s.sockets, st.name)) //nolint:noctx // lives until Close
	if err != nil {
		return err
	}
	if st.name == "docker" {
		s.docker = st
		if err := h.addBuildKit(); err != nil {
			return err
		}
	} else {
		s.podman = st
	}
	srv := &http.Server{Handler: h.routes()} //nolint:gosec // a test's own client
	if h.kit != nil {
		srv.Protocols = h.kit.protocols()
	}
	s.mu.Lock()
	s.servers[st.name] = srv
	s.mu.Unlock()
	s.serving.Go(func() {
		_ = srv.Serve(l)
		if h.kit != nil {
			close(h.kit.ended)
		}
	})
	return nil
}

// Close stops serving and removes the sockets.
func (s *Server) Close() {
	s.mu.Lock()
	for _, srv := range s.servers {
		_ = srv.Close()
	}
	s.mu.Unlock()
	s.serving.Wait()
	_ = os.RemoveAll(s.sockets)
}

// Down ends an engine, docker or podman, as a daemon ends: connections break, new
// ones are refused, and docker's containers end with it. Up starts it again; what
// the store holds is the same.
func (s *Server) Down(name string) (up func() error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = s.servers[name].Close()
	st := s.store(name)
	if name == "docker" {
		st.mu.Lock()
		for i := range st.state.Containers {
			st.state.Containers[i].end()
		}
		st.mu.Unlock()
	}
	return func() error { return s.serve(&api{store: st, watch: s.watch}) }
}

func (s *Server) store(name string) *store {
	if name == "docker" {
		return s.docker
	}
	return s.podman
}

// Edit changes what an engine's store holds, behind everybody's back.
func (s *Server) Edit(name string, change func(*State)) {
	st := s.store(name)
	st.mu.Lock()
	defer st.mu.Unlock()
	change(&st.state)
	for i, c := range st.state.Containers {
		st.state.Containers[i] = st.completeContainer(c)
	}
}

// DockerHost returns the docker endpoint, as DOCKER_HOST has it.
func (s *Server) DockerHost() string { return "unix://" + filepath.Join(s.sockets, "docker") }

// PodmanHost returns the podman endpoint, as CONTAINER_HOST has it.
func (s *Server) PodmanHost() string { return "unix://" + filepath.Join(s.sockets, "podman") }

// Env returns the environment in which docker's endpoint and the programs
// Podman and Distrobox lead to this server.
func (s *Server) Env() []string {
	return []string{
		"DOCKER_HOST=" + s.DockerHost(),
		envDir + "=" + s.dir,
		envDocker + "=" + strings.TrimPrefix(s.DockerHost(), "unix://"),
		envPodman + "=" + strings.TrimPrefix(s.PodmanHost(), "unix://"),
	}
}

// Docker returns a copy of what docker's store holds.
func (s *Server) Docker() State { return s.docker.snapshot() }

// Podman returns a copy of what podman's store holds.
func (s *Server) Podman() State { return s.podman.snapshot() }

// Held returns how many clients wait for podman's events, by which they keep its
// service from ending. These requests are in no file, and Watch is not told.
func (s *Server) Held() int { return int(s.podman.held.Load()) }

// Calls returns the lines of the file calls.
func (s *Server) Calls() []string { return s.docker.calls.lines() }

// Requests returns the lines of the file requests.
func (s *Server) Requests() []string { return s.docker.requests.lines() }
