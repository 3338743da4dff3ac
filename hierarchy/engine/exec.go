package engine

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/client"
	"github.com/docker/docker/pkg/stdcopy"

	"github.com/klmcwhirter/ocisi/internal/process"
)

// execPoll is how often an engine is asked whether a command has ended: it may
// close the command's output a moment before it knows.
const execPoll = 10 * time.Millisecond

// ExitError says that a command in a container failed.
type ExitError struct {
	Command string
	Status  int    // 127 also when the container has no such program, 126 of docker 20
	Stderr  string // the last MiB of it
}

func (e *ExitError) Error() string {
	return strings.TrimSuffix(fmt.Sprintf("%s: exit status %d: %s", e.Command, e.Status, strings.TrimSpace(e.Stderr)), ": ")
}

// outputMax is how much a command in a container may print, in bytes.
const outputMax = 64 << 20

// outputBuffer keeps what a command prints, up to outputMax.
type outputBuffer struct{ bytes.Buffer }

// Write implements io.Writer.
func (b *outputBuffer) Write(p []byte) (int, error) {
	if b.Len()+len(p) > outputMax {
		return 0, fmt.Errorf("more than %d MiB of output", outputMax>>20)
	}
	return b.Buffer.Write(p)
}

// Exec runs a command as root in a container that runs, and returns what it
// wrote to standard output, which is an error beyond 64 MiB. One that fails is an *ExitError. When Options.Timeout
// or ctx end first, the command runs on.
func (e *Engine) Exec(ctx context.Context, name string, argv ...string) (string, error) {
	ctx, cancel := e.ask(ctx)
	defer cancel()
	var out outputBuffer
	complaints := process.Tail{Max: logMax}
	status, err := e.exec(ctx, name, argv, &out, &complaints)
	if err != nil {
		return "", fmt.Errorf("running %s in container %s: %w", argv[0], briefly(name), inWords(ctx, err))
	}
	if status != 0 {
		return out.String(), &ExitError{Command: argv[0], Status: status, Stderr: complaints.String()}
	}
	return out.String(), nil
}

func (e *Engine) exec(ctx context.Context, name string, argv []string, out, complaints io.Writer) (status int, err error) {
	made, err := e.api.ContainerExecCreate(ctx, name, container.ExecOptions{User: "root", Cmd: argv, AttachStdout: true, AttachStderr: true})
	if err != nil {
		return 0, err
	}
	if err := e.attach(ctx, made.ID, out, complaints); err != nil {
		return 0, err
	}
	tick := time.NewTicker(execPoll)
	defer tick.Stop()
	for {
		x, err := e.api.ContainerExecInspect(ctx, made.ID)
		if err != nil || !x.Running {
			return x.ExitCode, err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
	}
}

// attach starts a command and copies its output until that ends. The client's own
// method waits for an engine that hangs, and keeps what it says to itself.
func (e *Engine) attach(ctx context.Context, id string, out, complaints io.Writer) error {
	conn, err := e.api.Dialer()(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	body, err := e.upgraded(ctx, conn, "/exec/"+id+"/start")
	if err != nil {
		return err
	}
	_, err = stdcopy.StdCopy(out, complaints, body)
	return err
}

// upgraded posts a request that turns the connection into a stream, and returns
// the stream.
func (e *Engine) upgraded(ctx context.Context, conn net.Conn, path string) (io.Reader, error) {
	url := "http://" + client.DummyHost + "/v" + e.api.ClientVersion() + path
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader("{}"))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", "tcp")
	if err := req.Write(conn); err != nil {
		return nil, err
	}
	answer := bufio.NewReader(conn)
	resp, err := http.ReadResponse(answer, req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode == http.StatusSwitchingProtocols {
		return answer, nil
	}
	defer func() { _ = resp.Body.Close() }()
	var said struct{ Message string }
	if err := json.NewDecoder(resp.Body).Decode(&said); err != nil || said.Message == "" {
		return nil, fmt.Errorf("answered %s", resp.Status)
	}
	return nil, errors.New(said.Message)
}
