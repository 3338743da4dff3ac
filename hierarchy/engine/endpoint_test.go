package engine

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klmcwhirter/ocisi/hierarchy"
)

// dockerHome is a home directory with a docker context called away, which has
// TLS files, and one called bare, which has none.
func dockerHome(t *testing.T, config string) string {
	t.Helper()
	home := t.TempDir()
	put := func(name, text string) {
		file := filepath.Join(home, ".docker", name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	put("config.json", config)
	for name, host := range map[string]string{"away": "tcp://away:2376", "bare": "ssh://me@bare", "empty": ""} {
		sum := sha256.Sum256([]byte(name))
		put("contexts/meta/"+hex.EncodeToString(sum[:])+"/meta.json", `{"Name":"`+name+`","Endpoints":{"docker":{"Host":"`+host+`"}}}`)
		if name == "away" {
			put("contexts/tls/"+hex.EncodeToString(sum[:])+"/docker/ca.pem", "")
		}
	}
	return home
}

func TestDockerPlace(t *testing.T) {
	const noConfig = "{}"
	for name, tc := range map[string]struct {
		config   string
		env      map[string]string
		want, ca string // ca: the end of its path
	}{
		"nothing set":              {noConfig, nil, "unix:///var/run/docker.sock", ""},
		"host":                     {`{"currentContext":"away"}`, map[string]string{"DOCKER_HOST": "unix:///x", "DOCKER_CONTEXT": "bare"}, "unix:///x", ""},
		"host with TLS":            {noConfig, map[string]string{"DOCKER_HOST": "tcp://h:1", "DOCKER_TLS_VERIFY": "1"}, "tcp://h:1", "/.docker/ca.pem"},
		"host with TLS elsewhere":  {noConfig, map[string]string{"DOCKER_HOST": "tcp://h:1", "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": "/certs"}, "tcp://h:1", "/certs/ca.pem"},
		"certificates without TLS": {noConfig, map[string]string{"DOCKER_HOST": "tcp://h:1", "DOCKER_CERT_PATH": "/certs"}, "tcp://h:1", ""},
		"current context":          {`{"currentContext":"away"}`, nil, "tcp://away:2376", "/docker/ca.pem"},
		"context of environment":   {`{"currentContext":"away"}`, map[string]string{"DOCKER_CONTEXT": "bare"}, "ssh://me@bare", ""},
		"default context":          {`{"currentContext":"away"}`, map[string]string{"DOCKER_CONTEXT": "default"}, "unix:///var/run/docker.sock", ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := dockerPlace(func(k string) string { return tc.env[k] }, dockerHome(t, tc.config))
			if err != nil || got.host != tc.want || !strings.HasSuffix(got.ca, tc.ca) || (got.ca == "") != (tc.ca == "") {
				t.Errorf("got %+v, %v; want %s with %q", got, err, tc.want, tc.ca)
			}
		})
	}
}

func TestDockerPlaceElsewhere(t *testing.T) {
	home := dockerHome(t, `{"currentContext":"bare"}`)
	got, err := dockerPlace(func(k string) string {
		return map[string]string{"DOCKER_CONFIG": filepath.Join(home, ".docker")}[k]
	}, t.TempDir())
	if err != nil || got.host != "ssh://me@bare" {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestDockerPlaceErrors(t *testing.T) {
	for name, tc := range map[string]struct{ config, context, want string }{
		"no such context":  {"{}", "nosuch", "docker context nosuch: "},
		"context of none":  {"{}", "empty", "docker context empty: has no docker endpoint"},
		"config is broken": {"{", "", "config.json: "},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := dockerPlace(func(k string) string { return map[string]string{"DOCKER_CONTEXT": tc.context}[k] }, dockerHome(t, tc.config))
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %s", err, tc.want)
			}
		})
	}
}

func TestPlaceOptions(t *testing.T) {
	if opts, err := (place{host: "ssh://me@bare"}).options(); err != nil || len(opts) != 3 {
		t.Errorf("%d options, %v", len(opts), err)
	}
	if _, err := (place{host: "ssh://me@bare/?query=x"}).options(); err == nil {
		t.Error("an address that is wrong is taken")
	}
}

func TestUnreachable(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "nosuch.sock")
	_, err := Open(t.Context(), hierarchy.Docker, Options{Getenv: func(k string) string {
		return map[string]string{"DOCKER_HOST": "unix://" + socket}[k]
	}})
	u, ok := errors.AsType[*UnreachableError](err)
	if !ok || u.Manager != hierarchy.Docker || u.Endpoint != "unix://"+socket || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}
