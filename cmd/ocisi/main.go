// Command ocisi keeps one hierarchy of OCI images and uses them as distroboxes
// and dev containers, with docker, rootless podman or both.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/klmcwhirter/ocisi/cmd/internal/cli"
)

func main() { os.Exit(run(cli.System())) } // os.Exit skips defers, so run holds them

func run(env cli.Env) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	return cli.Main(ctx, env, os.Args[1:])
}
