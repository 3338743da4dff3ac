package main

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	fakeregistry "github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/rogpeppe/go-internal/testscript"
)

// loopback is a registry on this machine, for stories about bases that move.
// It has x/base:1 in two versions, and shows the first until it is told to
// "registry move". The engine's own registry is that of enginetest.
type loopback struct {
	server  *httptest.Server
	host    string
	digests [2]string

	mu   sync.Mutex
	mode string
}

func startRegistry() (*loopback, error) {
	l := &loopback{}
	images := fakeregistry.New(fakeregistry.Logger(log.New(io.Discard, "", 0)))
	l.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !l.misbehaves(w) {
			images.ServeHTTP(w, r)
		}
	}))
	l.host = strings.TrimPrefix(l.server.URL, "http://")
	for i := range l.digests {
		if err := l.push(1 - i); err != nil {
			l.server.Close()
			return nil, err
		}
	}
	return l, nil
}

// push puts a version under the tag.
func (l *loopback) push(version int) error {
	layer := static.NewLayer(fmt.Appendf(nil, "version %d", version), types.OCILayer)
	im, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		return err
	}
	var digest v1.Hash
	if digest, err = im.Digest(); err != nil {
		return err
	}
	l.digests[version] = digest.String()
	tag, err := name.NewTag(l.host + "/x/base:1")
	if err != nil {
		return err
	}
	return remote.Write(tag, im)
}

func (l *loopback) misbehaves(w http.ResponseWriter) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch l.mode {
	case "unauthorized":
		w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
		w.WriteHeader(http.StatusUnauthorized)
	case "busy":
		w.Header().Set("Retry-After", "60")
		w.WriteHeader(http.StatusTooManyRequests)
	case "truncated":
		w.Header().Set("Content-Length", "1000")
		fmt.Fprint(w, `{"schemaVersion": 2, "conf`)
	default:
		return false
	}
	return true
}

// command is "registry move", "registry works", or "registry MODE" as in
// misbehaves; "registry down" ends it.
func (l *loopback) command(ts *testscript.TestScript, _ bool, args []string) {
	switch args[0] {
	case "move":
		ts.Check(l.push(1))
	case "down":
		l.server.Close()
	default:
		l.mu.Lock()
		defer l.mu.Unlock()
		l.mode = args[0]
	}
}

// words are what stories call the registry's address and its two digests.
func (l *loopback) words() []string {
	return []string{
		"REGISTRY", l.host, "DIGEST1", l.digests[0], "DIGEST2", l.digests[1],
		"SHORT1", l.digests[0][7:19], "SHORT2", l.digests[1][7:19],
	}
}

// fill writes these words into the story's files.
func (l *loopback) fill(dir string) error {
	words := strings.NewReplacer(l.words()...)
	return filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(path, []byte(words.Replace(string(data))), 0o644)
	})
}

// TestRegistryScripts tells the stories that have a registry of their own.
func TestRegistryScripts(t *testing.T) {
	t.Parallel()
	registries := sync.Map{} // by working directory: stories run side by side
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "registry"),
		Setup: func(env *testscript.Env) error {
			l, err := startRegistry()
			if err != nil {
				return err
			}
			env.Defer(l.server.Close)
			registries.Store(env.WorkDir, l)
			for i, words := 0, l.words(); i < len(words); i += 2 {
				env.Setenv(words[i], words[i+1])
			}
			if err := l.fill(env.WorkDir); err != nil {
				return err
			}
			return setupScript(env)
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"registry": func(ts *testscript.TestScript, neg bool, args []string) {
				l, _ := registries.Load(ts.Getenv("WORK"))
				l.(*loopback).command(ts, neg, args)
			},
		},
	})
}
