package doctor_test

import (
	"maps"
	"testing"

	"github.com/klmcwhirter/ocisi/bootstrap/doctor"
)

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

// groupMachines are the states, from no group to a reboot after joining it.
func groupMachines() map[string]machine {
	const listed = "docker:x:994:dev"
	const askManager = "systemctl show -p MainPID --value user@1001.service"
	etc := func(line string) map[string]string { return map[string]string{"etc/group": line + "\n"} }
	loggedIn := machine{gids: []int{1001, 994}, programs: map[string]string{askManager: "77"}}
	relogged, rebooted := etc(listed), etc(listed)
	relogged["proc/77/status"] = "Gid:\t1001\t1001\t1001\t1001\nGroups:\t10 1001\n"
	rebooted["proc/77/status"] = "Groups:\t10 994 1001\n"
	return map[string]machine{
		"no group": groupMachine(machine{}, "exit 2", nil),
		"image's group": groupMachine(machine{}, "docker:x:994:", map[string]string{
			"etc/group": "root:x:0:\nwheel:x:10:dev\n", "usr/lib/group": "docker:x:994:\n",
		}),
		"recipe":     groupMachine(machine{programs: map[string]string{"ujust --summary": "devmode dx-group"}}, "docker:x:994:", nil),
		"outsider":   groupMachine(machine{}, "docker:x:994:ann", etc("docker:x:994:ann")),
		"newcomer":   groupMachine(machine{gids: []int{1001}}, listed, etc(listed)),
		"logged in":  groupMachine(loggedIn, listed, relogged),
		"rebooted":   groupMachine(loggedIn, listed, rebooted),
		"no systemd": groupMachine(machine{gids: []int{994}}, listed, nil),
	}
}

func TestDockerGroup(t *testing.T) {
	on := groupMachines()
	const join = "sudo usermod -aG docker dev ; systemctl reboot"
	try(t, []example{
		{"no group", "docker.group", on["no group"], doctor.Fail, "there is no group docker", "export DBX_CONTAINER_MANAGER=podman"},
		{"no group", "docker.group.user", on["no group"], doctor.Skip, "no group", ""},
		{"no group", "docker.group.session", on["no group"], doctor.Skip, "not a member", ""},
		{"no group", "docker.group.timers", on["no group"], doctor.Skip, "either", ""},

		{"image's group", "docker.group", on["image's group"], doctor.OK, "994, in the image's own file", ""},
		{"image's group", "docker.group.user", on["image's group"], doctor.Fail, "dev is not in", "grep -q '^docker:' /etc/group || getent group docker | sudo tee -a /etc/group ; " + join},
		{"image's group", "docker.group.session", on["image's group"], doctor.Skip, "not a member", ""},

		{"recipe", "docker.group.user", on["recipe"], doctor.Fail, "dev is not in", "ujust dx-group ; systemctl reboot"},

		{"outsider", "docker.group", on["outsider"], doctor.OK, "994", ""},
		{"outsider", "docker.group.user", on["outsider"], doctor.Fail, "dev is not in", join},

		{"newcomer", "docker.group.user", on["newcomer"], doctor.OK, "dev is in group docker", ""},
		{"newcomer", "docker.group.session", on["newcomer"], doctor.Fail, "log out and in", "systemctl reboot"},
		{"newcomer", "docker.group.timers", on["newcomer"], doctor.Skip, "either", ""},

		{"logged in", "docker.group.session", on["logged in"], doctor.OK, "this session is in", ""},
		{"logged in", "docker.group.timers", on["logged in"], doctor.Warn, "background jobs do not", "systemctl reboot"},

		{"rebooted", "docker.group.timers", on["rebooted"], doctor.OK, "background jobs are in", ""},
		{"no systemd", "docker.group.timers", on["no systemd"], doctor.Skip, "user@1001.service", ""},
	})
}

func TestDockerGroupDoesNotMatter(t *testing.T) {
	on := groupMachines()
	checks := []string{"docker.group", "docker.group.user", "docker.group.session", "docker.group.timers"}
	answers := on["outsider"]
	answers.docker = answering()
	rootless := on["no group"]
	rootless.docker = doctor.Engine{Wanted: true, Installed: true, Rootless: true, Endpoint: "unix:///run/user/1001/docker.sock"}
	remote := on["no group"]
	remote.docker.Endpoint = "tcp://build:2376"
	none := on["no group"]
	none.docker = doctor.Engine{}
	root := on["no group"]
	root.root = true
	for _, id := range checks {
		try(t, []example{
			{"rootless docker", id, rootless, doctor.Skip, "another way", ""},
			{"remote docker", id, remote, doctor.Skip, "another way", ""},
			{"no docker", id, none, doctor.Skip, "not installed", ""},
			{"root", id, root, doctor.Skip, "root needs no group", ""},
		})
	}
	unwanted := on["outsider"]
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
		programs: map[string]string{"distrobox --version": "distrobox: 1.8.2.4"},
		free:     50 * gib,
		podman:   doctor.Engine{Wanted: true, Installed: true, Version: "5.8.2", Rootless: true, Root: "/var/home/dev/.local/share/containers/storage"},
	}
	results := doctor.Run(t.Context(), m.facts(), doctor.Checks())
	if doctor.Failed(results, true) {
		t.Errorf("got %+v", results)
	}
}
