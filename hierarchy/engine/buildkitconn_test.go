package engine_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/engine"
	"github.com/klmcwhirter/ocisi/hierarchy/engine/enginetest"
	"github.com/klmcwhirter/ocisi/internal/process"
)

const (
	upgradePath = "docker POST /grpc"
	sessionPath = "docker POST /session"
	infoPath    = "docker POST /moby.buildkit.v1.Control/Info"
	solvePath   = "docker POST /moby.buildkit.v1.Control/Solve"
)

// grpcDaemon starts a docker whose file docker-grpc has a text, and a build context.
func grpcDaemon(t *testing.T, mode string) (*enginetest.Server, hierarchy.Recipe) {
	t.Helper()
	dir := t.TempDir()
	if mode != "" {
		if err := os.WriteFile(filepath.Join(dir, "docker-grpc"), []byte(mode+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	server, err := enginetest.Start(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	files := t.TempDir()
	if err := os.WriteFile(filepath.Join(files, "tool"), []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	text := "FROM scratch\nCOPY tool /tool\n"
	return server, hierarchy.Recipe{Ref: "tool:latest", Containerfile: "Containerfile.tool", Text: []byte(text), Context: files}
}

// openDocker opens the docker of an environment.
func openDocker(t *testing.T, env map[string]string) *engine.Engine {
	t.Helper()
	e, err := engine.Open(t.Context(), hierarchy.Docker, engine.Options{Runner: process.System{}, Getenv: func(k string) string { return env[k] }, Home: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// TestBuildKitConnection builds over gRPC on the socket where the daemon offers it,
// and over POST /grpc and /session where it does not.
func TestBuildKitConnection(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, mode  string
		with, forgo []string
	}{
		{"before API 1.53", "", []string{upgradePath, sessionPath}, []string{infoPath, solvePath}},
		{"both", "too", []string{infoPath, solvePath}, []string{upgradePath, sessionPath}},
		{"the old paths refused", "only", []string{infoPath, solvePath}, []string{upgradePath, sessionPath}},
		{"only HTTP/1.1 passes", "no", []string{upgradePath, sessionPath}, []string{infoPath, solvePath}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			server, recipe := grpcDaemon(t, test.mode)
			e := openDocker(t, map[string]string{"DOCKER_HOST": server.DockerHost()})
			buildTwice(t, e, recipe)
			wantRequests(t, server, test.with, test.forgo)
		})
	}
}

// buildTwice builds an image, and again with another argument over the same connection.
func buildTwice(t *testing.T, e *engine.Engine, recipe hierarchy.Recipe) {
	t.Helper()
	for _, value := range []string{"1", "2"} {
		recipe.Args = map[string]string{"VALUE": value}
		id, err := e.Build(t.Context(), recipe, nil)
		if err != nil {
			t.Fatal(err)
		}
		if im, found, err := e.Inspect(t.Context(), "tool:latest"); err != nil || !found || im.ID != id {
			t.Errorf("built %s; the store has %s, %v, %v", id, im.ID, found, err)
		}
	}
}

func wantRequests(t *testing.T, server *enginetest.Server, with, forgo []string) {
	t.Helper()
	requests := server.Requests()
	for _, want := range with {
		if !slices.Contains(requests, want) {
			t.Errorf("no %q in %q", want, requests)
		}
	}
	for _, unwanted := range forgo {
		if slices.Contains(requests, unwanted) {
			t.Errorf("%q in %q", unwanted, requests)
		}
	}
	if n := strings.Count(strings.Join(requests, "\n"), infoPath); n > 1 {
		t.Errorf("gRPC was tried %d times", n)
	}
}

// TestBuildKitProbeFails uses the old paths after an error of the new one.
func TestBuildKitProbeFails(t *testing.T) {
	t.Parallel()
	server, recipe := grpcDaemon(t, "too")
	server.Watch(func(point string, _ bool) enginetest.Verdict {
		if point == infoPath {
			return enginetest.Fail
		}
		return enginetest.Pass
	})
	buildTwice(t, openDocker(t, map[string]string{"DOCKER_HOST": server.DockerHost()}), recipe)
	wantRequests(t, server, []string{infoPath, upgradePath, sessionPath}, []string{solvePath})
}

// TestBuildKitProbeCancelled ends a build whose first question is not answered, and
// asks again for the next build.
func TestBuildKitProbeCancelled(t *testing.T) {
	t.Parallel()
	server, recipe := grpcDaemon(t, "only")
	ctx, cancel := context.WithCancelCause(t.Context())
	server.Watch(func(point string, _ bool) enginetest.Verdict {
		if point != infoPath {
			return enginetest.Pass
		}
		cancel(errStopped)
		return enginetest.Hang
	})
	e := openDocker(t, map[string]string{"DOCKER_HOST": server.DockerHost()})
	if _, err := e.Build(ctx, recipe, nil); !errors.Is(err, errStopped) {
		t.Errorf("build: %v", err)
	}
	server.Watch(nil)
	if _, err := e.Build(t.Context(), recipe, nil); err != nil {
		t.Error(err)
	}
	if slices.Contains(server.Requests(), upgradePath) {
		t.Errorf("%q after the build was cancelled", upgradePath)
	}
}

var errStopped = errors.New("stopped by the user")

// TestBuildKitRemote builds on a daemon behind TCP, TLS and ssh.
func TestBuildKitRemote(t *testing.T) {
	server, recipe := grpcDaemon(t, "only")
	t.Run("tcp", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		forward(t, l, server)
		buildTwice(t, openDocker(t, map[string]string{"DOCKER_HOST": "tcp://" + l.Addr().String()}), recipe)
	})
	t.Run("ssh", func(t *testing.T) {
		self, err := os.Executable()
		bin := t.TempDir()
		if err := errors.Join(err, os.Symlink(self, filepath.Join(bin, "ssh"))); err != nil {
			t.Fatal(err)
		}
		t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
		t.Setenv("OCISI_TEST_SOCKET", strings.TrimPrefix(server.DockerHost(), "unix://"))
		buildTwice(t, openDocker(t, map[string]string{"DOCKER_HOST": "ssh://user@machine.example"}), recipe)
	})
	t.Run("tls", func(t *testing.T) {
		server, recipe := grpcDaemon(t, "too")
		certs := t.TempDir()
		l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{writeCerts(t, certs)}, NextProtos: []string{"http/1.1"}})
		if err != nil {
			t.Fatal(err)
		}
		forward(t, l, server)
		env := map[string]string{"DOCKER_HOST": "tcp://" + l.Addr().String(), "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": certs}
		buildTwice(t, openDocker(t, env), recipe)
		wantRequests(t, server, []string{upgradePath, sessionPath}, []string{infoPath, solvePath})
	})
}

// forward connects a listener with docker's socket.
func forward(t *testing.T, l net.Listener, server *enginetest.Server) {
	t.Helper()
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go pipe(conn, conn, strings.TrimPrefix(server.DockerHost(), "unix://"))
		}
	}()
}

// pipe connects a stream with a socket until one of them ends.
func pipe(r io.Reader, w io.WriteCloser, socket string) {
	defer func() { _ = w.Close() }()
	conn, err := net.Dial("unix", socket)
	if err != nil {
		return
	}
	go func() {
		_, _ = io.Copy(conn, r)
		_ = conn.Close()
	}()
	_, _ = io.Copy(w, conn)
	_ = conn.Close()
}

// writeCerts writes the files of a client and returns the certificate of 127.0.0.1.
func writeCerts(t *testing.T, dir string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	secret := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})
	for name, data := range map[string][]byte{"ca.pem": cert, "cert.pem": cert, "key.pem": secret} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pair, err := tls.X509KeyPair(cert, secret)
	if err != nil {
		t.Fatal(err)
	}
	return pair
}
