//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

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

// faulty is a machine on which things go wrong, with one engine.
type faulty struct {
	machine
	manager string
	user    string // "" is dev
	home    string
	version int
}

// faulty makes the world of testdata/fault/fault.sh.
func (on machine) faulty(t *testing.T, manager, user string) *faulty {
	t.Helper()
	f := &faulty{machine: on, manager: manager, user: user, home: "/var/home/dev"}
	f.install(t)
	if err := on.script(t.Context(), reset); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.run(t, nil, "end") })
	f.must(t, nil, "begin")
	return f
}

// install puts the programs into the machine.
func (f *faulty) install(t *testing.T) {
	t.Helper()
	program := filepath.Join(t.TempDir(), "ocisi-fault.test")
	if err := goBuild(t.Context(), "test", "-c", "-o", program, "./cmd/ocisi"); err != nil {
		t.Fatal(err)
	}
	script, err := os.ReadFile(filepath.Join("testdata", "fault", "fault.sh"))
	if err == nil {
		err = os.WriteFile(filepath.Join(filepath.Dir(program), "fault.sh"), append([]byte("#!/bin/bash\n"), script...), 0o755)
	}
	if err == nil {
		err = f.host(t.Context(), nil, io.Discard, os.Stderr, "install", f.suite, program, filepath.Join(filepath.Dir(program), "fault.sh"))
	}
	if err != nil {
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
	}
	var out bytes.Buffer // the script sends both outputs there
	err := f.host(context.Background(), nil, &out, io.Discard, append(append(all, "fault.sh", f.manager), args...)...)
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

// moments are those of an undisturbed run of a command at which something
// changes.
func (f *faulty) moments(t *testing.T, command ...string) (all []moment) {
	t.Helper()
	f.version++
	f.must(t, &fate{Patience: minute}, append([]string{"hurt", strconv.Itoa(f.version)}, command...)...)
	var out bytes.Buffer
	if err := f.host(t.Context(), nil, &out, os.Stderr, "as", f.suite, "cat", f.home+"/fault-state/trace"); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(out.String()) {
		parts := strings.SplitN(strings.TrimSpace(line), "\t", 3)
		if len(parts) < 3 || strings.Contains(parts[2], " GET ") || strings.Contains(parts[2], " HEAD ") {
			continue // what only asks is for the fake engines
		}
		n, _ := strconv.Atoi(parts[1])
		all = append(all, moment{When: parts[0], Nth: n, Op: parts[2]})
	}
	f.must(t, nil, append([]string{"settle"}, command...)...)
	return all
}

// sample takes n moments, one of each n-th part of a run.
func sample(all []moment, n int, seed uint64) (some []moment) {
	random := rand.New(rand.NewPCG(seed, seed))
	for i := range n {
		from, to := i*len(all)/n, (i+1)*len(all)/n
		if to > from {
			some = append(some, all[from+random.IntN(to-from)])
		}
	}
	return some
}

// TestFaults kills ocisi on real engines, at some of the moments of which the
// tests of cmd/ocisi have all on fake ones.
func TestFaults(t *testing.T) {
	on := machine{flag.Lookup("suite").Value.String()}
	seed := uint64(1)
	if text := os.Getenv("OCISI_FAULT_SEED"); text != "" {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		seed = n
	}
	t.Logf("OCISI_FAULT_SEED=%d", seed)
	for _, manager := range []string{"docker", "podman"} {
		t.Run(manager, func(t *testing.T) {
			f := on.faulty(t, manager, "")
			for _, command := range [][]string{{"process"}, {"rollback", "--yes"}} {
				all := f.moments(t, command...)
				t.Logf("ocisi %s: %d moments", command[0], len(all))
				n := 6                   // OCISI_FAULT_SEED has others
				if manager == "podman" { // which copies a box's image for each, and takes twice as long
					n = 4
				}
				for i, m := range sample(all, n, seed) {
					t.Run(command[0]+"/"+m.String(), func(t *testing.T) { f.kill(t, m, i, command) })
				}
			}
		})
	}
}

// kill kills one run, and has the next one put things right.
func (f *faulty) kill(t *testing.T, m moment, i int, command []string) {
	mishap := []string{"kill", "orphan"}[i%2]
	f.version++
	err := f.run(t, &fate{Mishap: mishap, At: m, Patience: minute, Delay: int64(i%5) * 100e6}, append([]string{"hurt", strconv.Itoa(f.version)}, command...)...)
	if err != nil {
		t.Error(err)
	}
	if err := f.run(t, nil, append([]string{"settle"}, command...)...); err != nil {
		t.Error(err)
	}
}

// TestDaemonRestart restarts docker while the new box starts.
func TestDaemonRestart(t *testing.T) {
	on := machine{flag.Lookup("suite").Value.String()}
	f := on.faulty(t, "docker", "")
	all := f.moments(t, "process")
	for _, m := range all {
		starting := m.When == "during" && strings.HasPrefix(m.Op, "exec distrobox enter") && m.Nth == 1
		renaming := m.When == "before" && strings.HasSuffix(m.Op, "/rename")
		if !starting && !renaming {
			continue
		}
		t.Run(m.String(), func(t *testing.T) {
			f.version++
			// systemd counts the starts of a unit, and refuses those after the third.
			restart := "sudo systemctl reset-failed docker.service docker.socket; sudo systemctl restart docker"
			// Containers end with the daemon: the foreign one is to be as it was.
			again := "for i in $(seq 50); do docker start db >/dev/null 2>&1 && exit; sleep 0.2; done"
			f.run(t, &fate{Mishap: "command", At: m, Patience: minute, Delay: 300e6, Command: []string{"bash", "-c", restart + ";" + again}}, "hurt", strconv.Itoa(f.version), "process")
			if err := f.run(t, nil, "settle", "process"); err != nil {
				t.Error(err)
			}
		})
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
	on := machine{flag.Lookup("suite").Value.String()}
	if err := on.script(t.Context(), small); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := on.script(context.Background(), "loginctl terminate-user eve; sleep 1; umount -l /mnt/small"); err != nil {
			t.Log(err)
		}
	}()
	f := on.faulty(t, "podman", "eve")
	if err := on.script(t.Context(), `fallocate -l $(($(df --output=avail -B1 /mnt/small | tail -n 1) - (30 << 20))) /mnt/small/full`); err != nil {
		t.Fatal(err)
	}
	if err := f.run(t, nil, "hurt", "1", "process"); err != nil {
		t.Error(err)
	}
	if err := f.run(t, nil, "failed"); err != nil {
		t.Error(err)
	}
	if err := on.script(t.Context(), "rm /mnt/small/full"); err != nil {
		t.Fatal(err)
	}
	f.must(t, nil, "settle", "process")
}
