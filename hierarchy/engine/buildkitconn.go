package engine

import (
	"context"
	"fmt"
	"net"

	"github.com/docker/docker/api/types/versions"
	bkclient "github.com/moby/buildkit/client"
)

// nativeGRPC is the API version from which docker serves gRPC on the socket of
// its API, as HTTP/2. POST /grpc and /session, which earlier versions have for it,
// are deprecated from there.
const nativeGRPC = "1.53"

// buildKit returns the connection to the BuildKit inside the docker daemon; no
// plugin of docker's program is needed. All builds share it; Close ends it.
//
// It uses gRPC on the socket if the daemon offers that. Otherwise, and where a
// proxy does not pass HTTP/2, it uses POST /grpc and /session.
func (e *Engine) buildKit(ctx context.Context) (*bkclient.Client, error) {
	e.kitMu.Lock()
	defer e.kitMu.Unlock()
	if e.kit != nil {
		return e.kit, nil
	}
	if e.mayServeGRPC() {
		kit, err := e.nativeBuildKit(ctx)
		if err == nil {
			e.kit = kit
			return kit, nil
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		e.log.DebugContext(ctx, "no gRPC on docker's socket; using POST /grpc", "error", err)
	}
	var err error
	e.kit, err = e.upgradedBuildKit(ctx)
	return e.kit, err
}

// mayServeGRPC reports whether it is worth a request to ask the daemon for gRPC. With
// TLS it is not: docker's listener then agrees on HTTP/1.1 only.
func (e *Engine) mayServeGRPC() bool {
	return !e.tls && e.daemonAPI != "" && versions.GreaterThanOrEqualTo(e.daemonAPI, nativeGRPC)
}

// nativeBuildKit connects by gRPC on the socket and waits for the first answer.
func (e *Engine) nativeBuildKit(ctx context.Context) (*bkclient.Client, error) {
	dial := e.api.Dialer()
	kit, err := bkclient.New(context.WithoutCancel(ctx), "",
		bkclient.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return dial(ctx) }))
	if err != nil {
		return nil, err
	}
	ctx, cancel := e.ask(ctx)
	defer cancel()
	if _, err := kit.Info(ctx); err != nil {
		_ = kit.Close()
		return nil, fmt.Errorf("asking BuildKit for its version: %w", inWords(ctx, err))
	}
	return kit, nil
}

// upgradedBuildKit connects by POST /grpc and /session, which turn an HTTP/1.1
// connection into one of gRPC. Every daemon since 20.10 has them.
func (e *Engine) upgradedBuildKit(ctx context.Context) (*bkclient.Client, error) {
	ctx = context.WithoutCancel(ctx) // it outlives the build that is the first
	return bkclient.New(ctx, "",
		bkclient.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			return e.dialHijack(ctx, "/grpc", "h2c", nil)
		}),
		bkclient.WithSessionDialer(func(ctx context.Context, proto string, meta map[string][]string) (net.Conn, error) {
			return e.dialHijack(ctx, "/session", proto, meta)
		}))
}

// dialHijack is the client's DialHijack with an end: that one waits for ever for
// a daemon that takes the request and does not answer, whatever its context.
func (e *Engine) dialHijack(ctx context.Context, path, proto string, meta map[string][]string) (net.Conn, error) {
	ctx, cancel := e.ask(ctx)
	defer cancel()
	type answer struct {
		conn net.Conn
		err  error
	}
	answers := make(chan answer, 1)
	go func() {
		conn, err := e.api.DialHijack(ctx, path, proto, meta)
		answers <- answer{conn, err}
	}()
	select {
	case a := <-answers:
		return a.conn, a.err
	case <-ctx.Done():
		go func() {
			if a := <-answers; a.err == nil {
				_ = a.conn.Close() // nobody waits for it any more
			}
		}()
		return nil, context.Cause(ctx)
	}
}
