package process

import (
	"bytes"
	"context"
	"errors"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

func TestDescendants(t *testing.T) {
	proc := fstest.MapFS{"self/stat": {Data: []byte("1 (x) S 0")}, "7/other": {}}
	add := func(pid, stat, cmdline, nspid string) {
		proc[pid+"/stat"] = &fstest.MapFile{Data: []byte(pid + " " + stat)}
		proc[pid+"/cmdline"] = &fstest.MapFile{Data: []byte(cmdline)}
		proc[pid+"/status"] = &fstest.MapFile{Data: []byte("Name:\tx\nNSpid:\t" + nspid + "\nThreads:\t1\n")}
	}
	add("1", "(systemd) S 0 1 1", "/sbin/init\x00", "1")
	add("10", "(podman) S 1 10 10", "podman\x00build\x00.\x00", "10")
	add("11", "(exe) S 10 10 10", "/usr/bin/buildah-oci-runtime\x00", "11")
	add("12", "(a) S 0 (b) S 11 12 12", "sh\x00-c\x00true\x00", "12\t1") // a name like the end of the field
	add("13", "(zombie) Z 12 12 12", "", "13\t2")
	add("20", "(unrelated) S 1 20 20", "buildah-oci-runtime\x00", "20")
	got := descendants(proc, 10)
	want := []running{{11, 10, "buildah-oci-runtime", 1}, {12, 11, "sh", 2}, {13, 12, ".", 2}}
	if !slices.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := descendants(fstest.MapFS{}, 10); got != nil {
		t.Errorf("of nothing: %+v", got)
	}
}

// fakeBuild behaves like podman build: it starts a child under the name of the
// runtime and prints how it ended.
const fakeBuild = `
trap 'echo the build received SIGTERM; exit 9' TERM
bash -c 'exec -a NAME sleep 1000' & child=$!
echo started
wait $child
echo "exit status of the child: $?"
`

// started calls a function after the program has printed "started".
type started struct {
	out []byte
	do  func()
}

func (s *started) Write(p []byte) (int, error) {
	s.out = append(s.out, p...)
	if bytes.Contains(s.out, []byte("started\n")) && s.do != nil {
		go s.do()
		s.do = nil
	}
	return len(p), nil
}

func TestCancelBuildah(t *testing.T) {
	for name, want := range map[string]string{
		"buildah-oci-runtime": "started\nexit status of the child: 143\n",
		"something-else":      "started\nthe build received SIGTERM\n",
	} {
		t.Run(name, func(t *testing.T) {
			late, stop := context.WithTimeout(t.Context(), time.Minute)
			defer stop()
			ctx, cancel := context.WithCancelCause(late)
			enough := errors.New("enough")
			out := &started{do: func() {
				for !hasChild(name) && late.Err() == nil { // between fork and exec it has another name
					runtime.Gosched()
				}
				cancel(enough)
			}}
			err := System{}.Run(ctx, Cmd{
				Name: "bash", Args: []string{"-c", strings.ReplaceAll(fakeBuild, "NAME", name)}, Stdout: out, Cancel: CancelBuildah,
			})
			if !errors.Is(err, enough) || string(out.out) != want {
				t.Errorf("got %q, %v; want %q", out.out, err, want)
			}
		})
	}
}

func hasChild(name string) bool {
	return slices.ContainsFunc(descendants(os.DirFS("/proc"), os.Getpid()), func(p running) bool { return p.argv0 == name })
}
