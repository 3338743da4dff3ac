//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/klmcwhirter/ocisi/internal/faultseed"
	"github.com/klmcwhirter/ocisi/internal/process"
)

// fate is what TEST_FATE says to the test program of cmd/ocisi.
type fate struct {
	Mishap   string
	At       moment
	Trace    string
	Short    string
	Patience int64 // ns
	Delay    int64 // ns
	Engines  map[string]string
	Command  []string
}

type moment struct {
	Op, When string
	Nth      int
}

func (m moment) String() string { return fmt.Sprintf("%s %s #%d", m.When, m.Op, m.Nth) }

// faulty is a host on which faults are injected, with one engine.
type faulty struct {
	testHost
	engine  string
	user    string // "" is dev
	home    string
	version int
	kills   int
}

// faulty makes the fixture of testdata/fault/fault.sh.
func (h testHost) faulty(t *testing.T, engine, user string) *faulty {
	t.Helper()
	f := &faulty{testHost: h, engine: engine, user: user, home: "/var/home/dev"}
	f.install(t)
	if err := h.script(t.Context(), reset); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.run(t, nil, "end") })
	f.must(t, nil, "begin")
	return f
}

// install installs the programs in the host.
func (f *faulty) install(t *testing.T) {
	t.Helper()
	f.program(t, "ocisi-fault.test", "./cmd/ocisi", "")
	script, err := os.ReadFile(filepath.Join("testdata", "fault", "fault.sh"))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "fault.sh")
	if err := os.WriteFile(file, append([]byte("#!/bin/bash\n"), script...), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := f.command(t.Context(), nil, io.Discard, os.Stderr, "install", f.suite, file); err != nil {
		t.Fatal(err)
	}
}

// run runs fault.sh.
func (f *faulty) run(t *testing.T, fate *fate, args ...string) error {
	t.Helper()
	all := []string{"as", f.suite}
	if f.user != "" {
		all = []string{"as-user", f.user, f.suite}
	}
	all = append(all, "env")
	if fate != nil {
		fate.Trace, fate.Short = f.home+"/fault-state/trace", f.home
		fate.Engines = map[string]string{"DOCKER_HOST": "unix:///var/run/docker.sock"}
		if f.user == "" {
			fate.Engines["CONTAINER_HOST"] = "unix:///run/user/1001/podman/podman.sock"
		}
		text, err := json.Marshal(fate)
		if err != nil {
			return err
		}
		all = append(all, "TEST_FATE="+string(text))
		if fate.Mishap != "" {
			all = append(all, "HURT=1")
		}
		if fate.Mishap == "command" {
			all = append(all, "COMMAND=1")
		}
	}
	var out bytes.Buffer // the script sends both outputs there
	err := f.command(context.Background(), nil, &out, io.Discard, append(append(all, "fault.sh", f.engine), args...)...)
	t.Logf("%s: %s", strings.Join(args, " "), strings.TrimSpace(out.String()))
	if _, failed := errors.AsType[*process.Error](err); failed {
		return fmt.Errorf("%s failed", args[0])
	}
	return err
}

func (f *faulty) must(t *testing.T, fate *fate, args ...string) {
	t.Helper()
	if err := f.run(t, fate, args...); err != nil {
		t.Fatal(err)
	}
}

const minute = int64(60e9)

// moments returns the moments at which an undisturbed run of a command changes
// something. A run that fails, or has fewer than atLeast, is an error: there would
// be nothing to disturb.
func (f *faulty) moments(t *testing.T, atLeast int, command ...string) (all []moment) {
	t.Helper()
	f.version++
	f.must(t, &fate{Patience: minute}, append([]string{"hurt", strconv.Itoa(f.version)}, command...)...)
	f.must(t, nil, "succeeded")
	var out bytes.Buffer
	if err := f.command(t.Context(), nil, &out, os.Stderr, "as", f.suite, "cat", f.home+"/fault-state/trace"); err != nil {
		t.Fatal(err)
	}
	all = changing(out.String())
	if err := faultseed.AtLeast("moments of ocisi "+command[0]+" on "+f.engine, len(all), atLeast); err != nil {
		t.Fatal(err)
	}
	t.Logf("ocisi %s on %s: %d moments", command[0], f.engine, len(all))
	f.must(t, nil, append([]string{"settle"}, command...)...)
	return all
}

// changing returns the moments of a trace at which something changes. Those that
// only read are tested on the fake engines.
func changing(trace string) (all []moment) {
	for line := range strings.Lines(trace) {
		parts := strings.SplitN(strings.TrimSpace(line), "\t", 3)
		if len(parts) < 3 || strings.Contains(parts[2], " GET ") || strings.Contains(parts[2], " HEAD ") {
			continue
		}
		n, _ := strconv.Atoi(parts[1])
		all = append(all, moment{When: parts[0], Nth: n, Op: parts[2]})
	}
	return all
}

// faults are the commands that TestFaults kills: how many moments a run has at
// least (seen: process 35 on docker and 31 on podman, rollback 18), and how many
// of them are used.
var faults = []struct {
	command []string
	moments int
	kills   int
}{
	{[]string{"process"}, 25, 6},
	{[]string{"rollback", "--yes"}, 12, 5},
}

// TestFaults kills ocisi on real engines with SIGKILL, at a sample of its moments,
// or at all with OCISI_FAULT_ALL=1.
func TestFaults(t *testing.T) {
	h := newHost()
	seed := commitSeed(t)
	for _, engine := range []string{"docker", "podman"} {
		t.Run(engine, func(t *testing.T) {
			f := h.faulty(t, engine, "")
			var untagged []moment
			for _, c := range faults {
				all := f.moments(t, c.moments, c.command...)
				untagged = append(untagged, leavesUntagged(all)...)
				kills := c.kills
				if os.Getenv("OCISI_FAULT_ALL") != "" {
					kills = len(all)
				}
				sample := faultseed.Sample(all, kills, faultseed.Rand(seed, engine+c.command[0]))
				for i, m := range sample {
					t.Run(c.command[0]+"/"+m.String(), func(t *testing.T) { f.kill(t, m, i, c.command) })
				}
				if err := faultseed.AtLeast("kills of ocisi "+c.command[0], f.kills, kills); err != nil {
					t.Error(err)
				}
				f.kills = 0
			}
			if len(untagged) == 0 {
				t.Fatal("no image is tagged or removed")
			}
			f.version++
			f.must(t, &fate{Mishap: "kill", At: untagged[0], Patience: minute}, "hurt", strconv.Itoa(f.version), "process")
			f.must(t, nil, "cleaned", strconv.Itoa(f.version+1))
		})
	}
}

// leavesUntagged returns the moments at which an image is about to get its name, or
// to be removed after it has lost it.
func leavesUntagged(all []moment) (some []moment) {
	for _, m := range all {
		image := strings.Contains(m.Op, " DELETE /images/") || strings.Contains(m.Op, "/images/") && strings.HasSuffix(m.Op, "/tag")
		if m.When == "before" && image {
			some = append(some, m)
		}
	}
	return some
}

// kill kills one run, and has the next one put things right.
func (f *faulty) kill(t *testing.T, m moment, i int, command []string) {
	mishap := []string{"kill", "orphan"}[i%2]
	f.version++
	err := f.run(t, &fate{Mishap: mishap, At: m, Patience: minute, Delay: int64(i%5) * 100e6}, append([]string{"hurt", strconv.Itoa(f.version)}, command...)...)
	if err != nil {
		t.Error(err)
	} else {
		f.kills++ // fault.sh fails unless the run came to its moment
	}
	if err := f.run(t, nil, append([]string{"settle"}, command...)...); err != nil {
		t.Error(err)
	}
}

// TestDaemonRestart restarts docker while the new box starts, and before each
// rename of a container.
func TestDaemonRestart(t *testing.T) {
	f := newHost().faulty(t, "docker", "")
	restarts := 0
	for _, m := range f.moments(t, faults[0].moments, "process") {
		starting := m.When == "during" && strings.HasPrefix(m.Op, "exec distrobox enter") && m.Nth == 1
		renaming := m.When == "before" && strings.HasSuffix(m.Op, "/rename")
		if !starting && !renaming {
			continue
		}
		t.Run(m.String(), func(t *testing.T) {
			f.version++
			// systemd counts the starts of a unit, and refuses those after the third.
			restart := "sudo systemctl reset-failed docker.service docker.socket; sudo systemctl restart docker"
			// Containers end with the daemon: the foreign one must be as it was.
			again := "for i in $(seq 100); do docker start db >/dev/null 2>&1 && touch " + f.home + "/fault-state/commanded && exit; sleep 0.1; done"
			// The run may fail or succeed; what fault.sh checks must hold either way.
			plan := &fate{Mishap: "command", At: m, Patience: minute, Delay: 300e6, Command: []string{"bash", "-c", restart + ";" + again}}
			if err := f.run(t, plan, "hurt", strconv.Itoa(f.version), "process"); err != nil {
				t.Error(err)
			}
			restarts++
			if err := f.run(t, nil, "settle", "process"); err != nil {
				t.Error(err)
			}
		})
	}
	if err := faultseed.AtLeast("restarts of docker", restarts, 3); err != nil {
		t.Error(err)
	}
}

// small is a file system in memory with room for a box of podman's and its
// image, and not for a second one.
const small = `
id eve >/dev/null 2>&1 || useradd -m -s /bin/bash eve
mountpoint -q /mnt/small || { mkdir -p /mnt/small; mount -t tmpfs -o size=1500m tmpfs /mnt/small; }
chown eve: /mnt/small
home=$(getent passwd eve | cut -d: -f6)
mkdir -p "$home/.config/containers"
printf '[storage]\ndriver = "overlay"\ngraphroot = "/mnt/small/storage"\n' >"$home/.config/containers/storage.conf"
chown -R eve: "$home/.config"
`

// TestFullDisk has no room left for the new box.
func TestFullDisk(t *testing.T) {
	h := newHost()
	if err := h.script(t.Context(), small); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := h.script(context.Background(), "loginctl terminate-user eve; sleep 1; umount -l /mnt/small"); err != nil {
			t.Log(err)
		}
	}()
	f := h.faulty(t, "podman", "eve")
	if err := h.script(t.Context(), `fallocate -l $(($(df --output=avail -B1 /mnt/small | tail -n 1) - (30 << 20))) /mnt/small/full`); err != nil {
		t.Fatal(err)
	}
	if err := f.run(t, nil, "hurt", "1", "process"); err != nil {
		t.Error(err)
	}
	if err := f.run(t, nil, "failed"); err != nil {
		t.Error(err)
	}
	if err := h.script(t.Context(), "rm /mnt/small/full"); err != nil {
		t.Fatal(err)
	}
	f.must(t, nil, "settle", "process")
}
