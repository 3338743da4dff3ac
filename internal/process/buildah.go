package process

import (
	"errors"
	"os"
	"syscall"
	"time"
)

// buildahRuntime is argv[0] of the process that watches over a step of a podman
// build. When it is told to end, the step ends, podman removes the working
// container and leaves with an error; when podman is told, the step runs on.
const buildahRuntime = "buildah-oci-runtime"

const cancelPoll = 20 * time.Millisecond

// CancelBuildah is a Cancel for podman build. It ends the running step; where
// there is none, or podman does not follow it within the grace period, it ends
// the whole group.
func CancelBuildah(pid int) error {
	told := false
	for _, p := range descendants(os.DirFS("/proc"), pid) {
		if p.argv0 == buildahRuntime {
			endContainer(p)
			told = syscall.Kill(p.pid, syscall.SIGTERM) == nil || told
		}
	}
	for end := time.Now().Add(grace); told && time.Now().Before(end); time.Sleep(cancelPoll) {
		if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			return nil
		}
	}
	return syscall.Kill(-pid, syscall.SIGTERM)
}

// endContainer kills what runs in the container that a runtime watches over.
// Telling the runtime is not enough: one that has just started the container
// does not listen yet, ends, and leaves the container running on.
func endContainer(runtime running) {
	for _, p := range descendants(os.DirFS("/proc"), runtime.pid) {
		if p.depth > runtime.depth {
			// A step that runs as another user than root is not ours to signal;
			// the runtime does that.
			_ = syscall.Kill(p.pid, syscall.SIGKILL)
		}
	}
}
