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

func main() { os.Exit(run()) } // os.Exit skips defers, so run holds them

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	return cli.Main(ctx, cli.System(), os.Args[1:])
}
