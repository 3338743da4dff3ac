// Command ocisi keeps one hierarchy of OCI images and uses them as distroboxes
// and dev containers, with docker, rootless podman or both.
package main

import (
	"cmp"
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/klmcwhirter/ocisi/cmd/internal/cli"
)

// version is the linker's to set where neither a tag nor a module version is at
// hand, as in a package built from a tarball: -ldflags '-X main.version=v1.2.3'.
var version string

func main() {
	env := cli.System()
	env.Version = cmp.Or(version, env.Version)
	os.Exit(run(env)) // os.Exit skips defers, so run holds them
}

func run(env cli.Env) int {
	// With a channel, a write to a closed pipe fails instead of ending the process,
	// and programs that ocisi runs still get the default: an ignored signal would be
	// inherited.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	signals := []os.Signal{syscall.SIGTERM}
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGHUP} {
		if !signal.Ignored(s) { // by nohup, or by a shell for a program in the background
			signals = append(signals, s)
		}
	}
	received, stop := signal.NotifyContext(context.Background(), signals...)
	defer stop()
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	// Once anything stops at the first signal, a second one ends ocisi by default.
	context.AfterFunc(received, func() {
		stop()
		cancel(context.Cause(received))
	})
	return cli.Main(ctx, env, os.Args[1:])
}
