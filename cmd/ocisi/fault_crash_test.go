package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/klmcwhirter/ocisi/cmd/internal/cli"
	"github.com/klmcwhirter/ocisi/internal/faultseed"
)

// crash simulates SIGKILL for a run inside this process. From the crash on, each
// goroutine of the run that reaches the Runner, the disk or an engine's proxy
// blocks there: the run has no effect any more, and no deferred function runs.
// The rest is what the kernel does: connections to engines close, programs are
// killed or left, the lock is released.
//
// That the kernel does it, only a real kill can prove: see realKills. A nil
// *crash never happens.
type crash struct {
	stopped  chan struct{} // closed at the crash
	quiet    chan struct{} // closed once no effect of the run is in progress either
	released chan struct{} // closed when blocked goroutines may go on, to fail
	orphans  sync.WaitGroup

	mu      sync.Mutex
	crashed bool
	active  int // effects in progress
}

func newCrash() *crash {
	return &crash{stopped: make(chan struct{}), quiet: make(chan struct{}), released: make(chan struct{})}
}

// happen crashes the run. It does not block.
func (c *crash) happen() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.crashed {
		return
	}
	c.crashed = true
	close(c.stopped)
	if c.active == 0 {
		close(c.quiet)
	}
}

// begin starts an effect. It blocks after the crash, and returns false when the
// effect must fail.
func (c *crash) begin() bool {
	if c == nil {
		return true
	}
	c.mu.Lock()
	if !c.crashed {
		defer c.mu.Unlock()
		c.active++
		return true
	}
	c.mu.Unlock()
	<-c.released
	return false
}

// end ends an effect. As with begin, the caller does not learn the outcome after
// the crash.
func (c *crash) end() bool {
	if c == nil {
		return true
	}
	c.mu.Lock()
	c.active--
	if c.crashed && c.active == 0 {
		close(c.quiet)
	}
	c.mu.Unlock()
	return c.pass()
}

// pass blocks after the crash, and returns false then.
func (c *crash) pass() bool {
	if c == nil {
		return true
	}
	c.mu.Lock()
	crashed := c.crashed
	c.mu.Unlock()
	if crashed {
		<-c.released
	}
	return !crashed
}

// bind returns a context that also ends at the crash.
func (c *crash) bind(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	if c != nil {
		go func() {
			select {
			case <-c.stopped:
				cancel()
			case <-ctx.Done():
			}
		}()
	}
	return ctx, cancel
}

// output collects what a run prints, and discards the rest after its crash. It
// does not block, since programs that go on write to it, too.
type output struct {
	crash *crash
	mu    sync.Mutex
	buf   bytes.Buffer
}

// Write implements io.Writer.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	select {
	case <-o.crash.stopped:
		return len(p), nil
	default:
		return o.buf.Write(p)
	}
}

// String returns what was printed so far.
func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

func (o *output) reset() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.buf.Reset()
}

// simulate runs ocisi within this process and kills it by a [crash], if it
// reaches the moment. The caller calls release when it has no more use for the
// world: what is left of the run then fails, which is over once ended is closed.
// It may take as long as the run's patience with engines.
func (w *world) simulate(f fate, args ...string) (r ran, release func() (ended <-chan struct{})) {
	c := newCrash()
	out := &output{crash: c}
	env, inj, err := w.complete(f).follow(w.user(out), c)
	if err != nil {
		return ran{-2, err.Error()}, func() <-chan struct{} { return nil }
	}
	inj.watchPrograms = w.server.Watch
	ctx, cancel := context.WithCancel(context.Background())
	var status int
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		status = cli.Main(ctx, env, args)
	}()
	timeout := time.NewTimer(time.Minute)
	defer timeout.Stop()
	select {
	case <-ended:
		r = ran{status, out.String()}
	case <-c.quiet:
		r = ran{-1, out.String()}
		err = w.afterKill()
	case <-timeout.C:
		err = errors.New("neither end nor crash after a minute: " + out.String())
	}
	if err != nil {
		r = ran{-2, err.Error()}
	}
	return r, func() <-chan struct{} {
		c.happen() // for a run that did not crash
		c.orphans.Wait()
		cancel()
		close(c.released)
		inj.close()
		return ended
	}
}

// afterKill does for the lock and the process ID what the kernel does when it
// ends a process.
func (w *world) afterKill() error {
	w.server.Watch(nil)
	lock := filepath.Join(w.home(), ".local/state/ocisi/lock")
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return err
	}
	for _, f := range files {
		fd, err := strconv.Atoi(f.Name())
		if err != nil {
			return err
		}
		if path, err := os.Readlink("/proc/self/fd/" + f.Name()); err != nil || path != lock && path != w.home() {
			continue // closed meanwhile, or another file
		}
		if err := syscall.Flock(fd, syscall.LOCK_UN); err != nil {
			return err
		}
	}
	// Files that the run was writing have its process ID in their name.
	mine := ".ocisi-" + strconv.Itoa(os.Getpid())
	return filepath.WalkDir(w.home(), func(path string, _ fs.DirEntry, err error) error {
		if prefix, ok := strings.CutSuffix(path, mine); ok && err == nil {
			return os.Rename(path, prefix+".ocisi-"+strconv.Itoa(noProcess))
		}
		return err
	})
}

// stable returns the fingerprint once it no longer changes: an engine completes
// requests that it received before a crash.
func (w *world) stable() string {
	last, since := w.fingerprint(), time.Now()
	for begun := time.Now(); time.Since(since) < 100*time.Millisecond && time.Since(begun) < 5*time.Second; time.Sleep(5 * time.Millisecond) {
		if now := w.fingerprint(); now != last {
			last, since = now, time.Now()
		}
	}
	return last
}

// noProcess is larger than the largest process ID of Linux.
const noProcess = 1<<22 + 1

// A crashed run has no effect, not even while its goroutines end, and leaves no
// lock. It leaves unfinished files, which the next run removes.
func TestCrash(t *testing.T) {
	t.Parallel()
	seed, err := faultseed.FromEnvOrCommit(t, os.Getenv)
	if err != nil {
		t.Fatal(err)
	}
	registry, err := startRegistry()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(registry.server.Close)
	root := worldsRoot(t)
	golden := newWorld(t, filepath.Join(root, "fw00000"), nil)
	defer golden.close()
	edited(t, golden, registry)
	golden.takeDown()

	w := newWorld(t, filepath.Join(root, "fw00001"), golden)
	defer w.close()
	if r := w.run(fate{Patience: longPatience}, "process"); r.status != 0 {
		t.Fatalf("undisturbed: status %d\n%s", r.status, r.out)
	}
	all, _, err := readTrace(filepath.Join(w.dir, "trace"))
	if err != nil {
		t.Fatal(err)
	}
	at := faultseed.Sample(all, 5, faultseed.Rand(seed, "crash"))
	at = append(at, all[slices.IndexFunc(all, func(m moment) bool { return m.When == after && strings.HasPrefix(m.Op, "create ") })])
	for i, m := range at {
		t.Run(m.String(), func(t *testing.T) {
			w := newWorld(t, filepath.Join(root, fmt.Sprintf("fw%05d", i+2)), golden)
			defer w.close()
			r, release := w.simulate(fate{Mishap: killed, At: m, Patience: longPatience}, "process")
			if r.status != -1 {
				release()
				t.Fatalf("status %d with %s=%d\n%s", r.status, faultseed.Variable, seed, r.out)
			}
			left := w.stable()
			if i == len(at)-1 && !strings.Contains(left, ".ocisi-"+strconv.Itoa(noProcess)) {
				t.Errorf("no unfinished file: %s", left)
			}
			select {
			case <-release():
			case <-time.After(time.Second): // the rest waits for an engine
			}
			if now := w.fingerprint(); now != left {
				t.Errorf("the run changed after its crash\n%s\nto\n%s", left, now)
			}
			w.must(t, "process")
			w.must(t, "plan", "--detailed-exitcode")
			if now := w.fingerprint(); strings.Contains(now, ".ocisi-"+strconv.Itoa(noProcess)) {
				t.Errorf("unfinished file after the next run: %s", now)
			}
		})
	}
}
