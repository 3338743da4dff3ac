package engine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/docker/cli/cli/connhelper"
	"github.com/docker/docker/client"

	"github.com/klmcwhirter/ocisi/internal/input"
)

const defaultDockerHost = "unix:///var/run/docker.sock"

// place is where a docker daemon is, and the TLS files to show there.
type place struct {
	host         string
	ca, crt, key string
}

// openDocker connects to the daemon that the docker program would use.
func (e *Engine) openDocker(ctx context.Context) error {
	p, err := dockerPlace(e.opts.Getenv, e.opts.Home)
	if err != nil {
		return err
	}
	opts, err := p.options()
	if err != nil {
		return &UnreachableError{e.manager, p.host, err}
	}
	e.tls = p.ca != ""
	return e.connect(ctx, p.host, opts...)
}

// dockerPlace finds the daemon by docker's own rules: DOCKER_HOST, else the
// context of DOCKER_CONTEXT or of docker's config file, else the local socket.
func dockerPlace(getenv func(string) string, home string) (place, error) {
	config := getenv("DOCKER_CONFIG")
	if config == "" {
		config = filepath.Join(home, ".docker")
	}
	if host := getenv("DOCKER_HOST"); host != "" {
		return place{host: host}.withTLS(envTLS(getenv, config)), nil
	}
	name := getenv("DOCKER_CONTEXT")
	if name == "" {
		var err error
		if name, err = currentContext(config); err != nil {
			return place{}, err
		}
	}
	if name == "" || name == "default" {
		return place{host: defaultDockerHost}, nil
	}
	p, err := contextPlace(config, name)
	if err != nil {
		return place{}, fmt.Errorf("docker context %s: %w", name, err)
	}
	return p, nil
}

// envTLS returns the directory of the TLS files that go with DOCKER_HOST.
func envTLS(getenv func(string) string, config string) string {
	if getenv("DOCKER_TLS_VERIFY") == "" {
		return ""
	}
	if dir := getenv("DOCKER_CERT_PATH"); dir != "" {
		return dir
	}
	return config
}

// unreachable returns why a socket cannot be opened, which the client does not
// tell apart; err for any other reason.
func unreachable(ctx context.Context, endpoint string, err error) error {
	socket, ok := strings.CutPrefix(endpoint, "unix://")
	if !ok || ctx.Err() != nil {
		return err
	}
	conn, dialErr := (&net.Dialer{}).DialContext(ctx, "unix", socket)
	if dialErr != nil {
		return dialErr
	}
	_ = conn.Close()
	return err
}

func currentContext(config string) (string, error) {
	file := filepath.Join(config, "config.json")
	data, err := input.ReadPath(file, input.MaxSize)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	var c struct {
		CurrentContext string `json:"currentContext"`
	}
	if err := json.Unmarshal(data, &c); err != nil {
		return "", fmt.Errorf("%s: %w", file, err)
	}
	return c.CurrentContext, nil
}

// contextPlace reads a context as docker's program stores it: below the
// SHA-256 of its name.
func contextPlace(config, name string) (place, error) {
	sum := sha256.Sum256([]byte(name))
	id := hex.EncodeToString(sum[:])
	data, err := input.ReadPath(filepath.Join(config, "contexts", "meta", id, "meta.json"), input.MaxSize)
	if err != nil {
		return place{}, err
	}
	var meta struct {
		Endpoints map[string]struct{ Host string }
	}
	if err := json.Unmarshal(data, &meta); err != nil {
		return place{}, err
	}
	host := meta.Endpoints["docker"].Host
	if host == "" {
		return place{}, errors.New("has no docker endpoint")
	}
	tls := filepath.Join(config, "contexts", "tls", id, "docker")
	if _, err := os.Stat(tls); err != nil {
		tls = ""
	}
	return place{host: host}.withTLS(tls), nil
}

func (p place) withTLS(dir string) place {
	if dir != "" {
		p.ca, p.crt, p.key = filepath.Join(dir, "ca.pem"), filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	}
	return p
}

func (p place) options() ([]client.Opt, error) {
	if strings.HasPrefix(p.host, "ssh://") {
		h, err := connhelper.GetConnectionHelper(p.host)
		if err != nil {
			return nil, err
		}
		return []client.Opt{
			client.WithHTTPClient(&http.Client{Transport: &http.Transport{DialContext: h.Dialer}}),
			client.WithHost(h.Host), client.WithDialContext(h.Dialer),
		}, nil
	}
	opts := []client.Opt{client.WithHost(p.host)}
	if p.ca != "" {
		opts = append(opts, client.WithTLSClientConfig(p.ca, p.crt, p.key))
	}
	return opts, nil
}
