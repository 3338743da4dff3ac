package process

import (
	"errors"
	"os"
	"syscall"
	"time"
)

// buildahRuntime is argv[0] of the process that runs one step of a podman build.
// After SIGTERM to it, the step ends, and podman removes the working container and
// fails. After SIGTERM to podman, the step continues.
const buildahRuntime = "buildah-oci-runtime"

const cancelPoll = 20 * time.Millisecond

// CancelBuildah is a [Cmd] Cancel function for podman build. It ends the running
// step. If there is none, or podman does not exit within the grace period, it ends
// the whole process group.
func CancelBuildah(pid int) error {
	signaled := false
	for _, p := range descendants(os.DirFS("/proc"), pid) {
		if p.argv0 == buildahRuntime {
			endContainer(p)
			signaled = syscall.Kill(p.pid, syscall.SIGTERM) == nil || signaled
		}
	}
	for end := time.Now().Add(grace); signaled && time.Now().Before(end); time.Sleep(cancelPoll) {
		if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			return nil
		}
	}
	return syscall.Kill(-pid, syscall.SIGTERM)
}

// endContainer kills the processes in the container of a runtime. SIGTERM to the
// runtime is not enough: right after the start of the container it does not handle
// the signal yet, exits, and leaves the container running.
func endContainer(runtime running) {
	for _, p := range descendants(os.DirFS("/proc"), runtime.pid) {
		if p.depth > runtime.depth {
			// It fails for a step that runs as a user other than root; the runtime
			// ends that one.
			_ = syscall.Kill(p.pid, syscall.SIGKILL)
		}
	}
}
