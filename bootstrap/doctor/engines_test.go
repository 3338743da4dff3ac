package doctor_test

import (
	"maps"
	"testing"

	"github.com/klmcwhirter/ocisi/bootstrap/doctor"
)

// Engines as a machine may have them.
func answering(wanted bool) doctor.Engine {
	return doctor.Engine{Wanted: wanted, Installed: true, Version: "28.5.2", Endpoint: "unix:///run/docker.sock"}
}

func silent(wanted bool) doctor.Engine {
	return doctor.Engine{Wanted: wanted, Installed: true, Err: errRefused}
}

func TestPodmanEngine(t *testing.T) {
	rootless := doctor.Engine{Wanted: true, Installed: true, Version: "5.8.6", Rootless: true, Endpoint: "unix:///run/user/1001/podman/podman.sock"}
	debian := map[string]string{"etc/os-release": "ID=debian"}
	try(t, []example{
		{"answers", "podman.engine", machine{podman: rootless}, doctor.OK, "5.8.6, rootless, unix:///run/user/1001/podman/podman.sock", ""},
		{"docker only", "podman.engine", machine{docker: answering(true)}, doctor.Skip, "not installed", ""},
		{"wanted", "podman.engine", machine{docker: answering(true), podman: doctor.Engine{Wanted: true}, files: debian}, doctor.Fail, "not installed", "sudo apt install podman"},
		{"no engine at all", "podman.engine", machine{files: debian}, doctor.Fail, "not installed", "sudo apt install podman"},
		{"silent", "podman.engine", machine{podman: silent(true)}, doctor.Fail, "connection refused", "podman info"},
		{"silent, the only one", "podman.engine", machine{podman: silent(false)}, doctor.Fail, "connection refused", "podman info"},
		{"silent, not wanted", "podman.engine", machine{docker: answering(true), podman: silent(false)}, doctor.Warn, "connection refused", "podman info"},
	})
}

func TestDockerEngine(t *testing.T) {
	remote := silent(true)
	remote.Endpoint = "tcp://build:2376"
	daemon := map[string]string{"usr/lib/systemd/system/docker.socket": ""}
	socket := map[string]string{"run/docker.sock": "socket"}
	try(t, []example{
		{"answers", "docker.engine", machine{docker: answering(true)}, doctor.OK, "28.5.2, unix:///run/docker.sock", ""},
		{"podman only", "docker.engine", machine{podman: doctor.Engine{Wanted: true, Installed: true}}, doctor.Skip, "no image wants it", ""},
		{"wanted", "docker.engine", machine{docker: doctor.Engine{Wanted: true}}, doctor.Fail, "an image wants it", "export DBX_CONTAINER_MANAGER=podman"},
		{"not started", "docker.engine", machine{docker: silent(true), files: daemon}, doctor.Fail, "not started: connection refused", "sudo systemctl enable --now docker.socket"},
		{"not started, not wanted", "docker.engine", machine{docker: silent(false), files: daemon}, doctor.Warn, "not started", "sudo systemctl enable --now docker.socket"},
		{"brew's program without a daemon", "docker.engine", machine{docker: silent(true)}, doctor.Fail, "without its daemon", "export DBX_CONTAINER_MANAGER=podman"},
		{"socket there, no answer", "docker.engine", machine{docker: silent(true), files: socket}, doctor.Fail, "connection refused", "docker version"},
		{"another machine", "docker.engine", machine{docker: remote}, doctor.Fail, "connection refused", "docker context ls"},
	})
}

// Machines in the states of a docker group, after real ones.
func groupMachine(state machine, getent string, files map[string]string) machine {
	state.docker = silent(true)
	state.programs = maps.Clone(state.programs)
	if state.programs == nil {
		state.programs = map[string]string{}
	}
	state.programs["getent group docker"] = getent
	state.files = files
	return state
}

var (
	bare       = groupMachine(machine{}, "exit 2", nil)
	imageGroup = groupMachine(machine{}, "docker:x:994:", map[string]string{
		"etc/group": "root:x:0:\nwheel:x:10:dev\n", "usr/lib/group": "docker:x:994:\n",
	})
	oldImage = groupMachine(machine{programs: map[string]string{"ujust --summary": "devmode dx-group"}}, "docker:x:994:", nil)
	outsider = groupMachine(machine{}, "docker:x:994:ann", map[string]string{"etc/group": "docker:x:994:ann\n"})
	newcomer = groupMachine(machine{gids: []int{1001}}, "docker:x:994:dev", map[string]string{"etc/group": "docker:x:994:dev\n"})
	relogged = groupMachine(machine{
		gids: []int{1001, 994}, programs: map[string]string{"systemctl show -p MainPID --value user@1001.service": "77"},
	}, "docker:x:994:dev", map[string]string{"etc/group": "docker:x:994:dev\n", "proc/77/status": "Gid:\t1001\t1001\t1001\t1001\nGroups:\t10 1001\n"})
	rebooted = groupMachine(machine{
		gids: []int{1001, 994}, programs: map[string]string{"systemctl show -p MainPID --value user@1001.service": "77"},
	}, "docker:x:994:dev", map[string]string{"etc/group": "docker:x:994:dev\n", "proc/77/status": "Groups:\t10 994 1001\n"})
	noManager = groupMachine(machine{gids: []int{994}}, "docker:x:994:dev", nil)
)

func TestDockerGroup(t *testing.T) {
	const join = "sudo usermod -aG docker dev ; systemctl reboot"
	try(t, []example{
		{"no group", "docker.group", bare, doctor.Fail, "there is none", "export DBX_CONTAINER_MANAGER=podman"},
		{"no group", "docker.group.user", bare, doctor.Skip, "no group", ""},
		{"no group", "docker.group.session", bare, doctor.Skip, "not a member", ""},
		{"no group", "docker.group.timers", bare, doctor.Skip, "either", ""},

		{"image's group", "docker.group", imageGroup, doctor.OK, "994, in the image's own file", ""},
		{"image's group", "docker.group.user", imageGroup, doctor.Fail, "dev is not in", "getent group docker | sudo tee -a /etc/group ; " + join},
		{"image's group", "docker.group.session", imageGroup, doctor.Skip, "not a member", ""},

		{"image with a recipe", "docker.group.user", oldImage, doctor.Fail, "dev is not in", "ujust dx-group ; systemctl reboot"},

		{"outsider", "docker.group", outsider, doctor.OK, "994", ""},
		{"outsider", "docker.group.user", outsider, doctor.Fail, "dev is not in", join},

		{"newcomer", "docker.group.user", newcomer, doctor.OK, "dev is a member", ""},
		{"newcomer", "docker.group.session", newcomer, doctor.Fail, "log out and in", "systemctl reboot"},
		{"newcomer", "docker.group.timers", newcomer, doctor.Skip, "either", ""},

		{"logged in anew", "docker.group.session", relogged, doctor.OK, "this session", ""},
		{"logged in anew", "docker.group.timers", relogged, doctor.Warn, "background jobs do not", "systemctl reboot"},

		{"rebooted", "docker.group.timers", rebooted, doctor.OK, "background jobs have it", ""},
		{"no systemd", "docker.group.timers", noManager, doctor.Skip, "user@1001.service", ""},
	})
}

func TestDockerGroupDoesNotMatter(t *testing.T) {
	checks := []string{"docker.group", "docker.group.user", "docker.group.session", "docker.group.timers"}
	answers := outsider
	answers.docker = answering(true)
	rootless := bare
	rootless.docker = doctor.Engine{Wanted: true, Installed: true, Rootless: true, Endpoint: "unix:///run/user/1001/docker.sock"}
	remote := bare
	remote.docker.Endpoint = "tcp://build:2376"
	none := bare
	none.docker = doctor.Engine{}
	root := bare
	root.root = true
	for _, id := range checks {
		try(t, []example{
			{"rootless docker", id, rootless, doctor.Skip, "another way", ""},
			{"remote docker", id, remote, doctor.Skip, "another way", ""},
			{"no docker", id, none, doctor.Skip, "not installed", ""},
			{"root", id, root, doctor.Skip, "root needs no group", ""},
		})
	}
	unwanted := outsider
	unwanted.docker.Wanted = false
	try(t, []example{
		{"answers without it", "docker.group.user", answers, doctor.Skip, "docker answers all the same", ""},
		{"not wanted", "docker.group.user", unwanted, doctor.Warn, "dev is not in", "sudo usermod -aG docker dev ; systemctl reboot"},
	})
}

// The whole table on the machine that Bluefin is today: podman, no docker.
func TestPodmanOnlyMachinePasses(t *testing.T) {
	m := machine{
		files: map[string]string{
			"usr/lib/os-release": `PRETTY_NAME="Bluefin"`, imageInfo: `{"image-name":"bluefin","image-tag":"stable"}`,
			"etc/subuid": "dev:100000:65536", "etc/subgid": "dev:100000:65536",
		},
		programs: map[string]string{"distrobox version": "distrobox: 1.8.2.4"},
		free:     50 * gib,
		podman:   doctor.Engine{Wanted: true, Installed: true, Version: "5.8.2", Rootless: true, Root: "/var/home/dev/.local/share/containers/storage"},
	}
	results := doctor.Run(t.Context(), m.facts(), doctor.Checks())
	if doctor.Failed(results, true) {
		t.Errorf("got %+v", results)
	}
}
