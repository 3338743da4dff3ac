package doctor_test

import (
	"fmt"
	"maps"
	"testing"

	"github.com/klmcwhirter/ocisi/bootstrap/doctor"
)

// release is a file os-release with a few of the lines that real ones have.
func release(id, like, name string) map[string]string {
	return map[string]string{"etc/os-release": fmt.Sprintf("ID=%s\nID_LIKE=%q\nPRETTY_NAME=%q\n", id, like, name)}
}

// imaged is the file that images of Universal Blue say what they are in.
func imaged(name string, more ...string) map[string]string {
	files := map[string]string{imageInfo: fmt.Sprintf(`{"image-name":%q,"image-vendor":"ublue-os","image-tag":"stable","fedora-version":"44"}`, name)}
	for _, path := range more {
		files[path] = ""
	}
	return files
}

func both(a, b map[string]string) map[string]string {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

func TestContainer(t *testing.T) {
	try(t, []example{
		{"host", "host.container", machine{}, doctor.OK, "not in", ""},
		{
			"box", "host.container", machine{env: map[string]string{"CONTAINER_ID": "fedora-python-dx"}},
			doctor.Fail, "this is fedora-python-dx, and what is to be looked at is the host", "distrobox-host-exec ocisi doctor",
		},
		{"container of somebody's", "host.container", machine{files: map[string]string{"run/.containerenv": ""}}, doctor.Fail, "this is a container", ""},
	})
}

func TestSystem(t *testing.T) {
	ostree := map[string]string{"run/ostree-booted": ""}
	try(t, []example{
		{"bluefin", "host.system", machine{files: both(release("bluefin", "fedora", "Bluefin (Version: 44)"), imaged("bluefin"))}, doctor.OK, "Bluefin (Version: 44)", ""},
		{"dx without os-release", "host.system", machine{files: imaged("bluefin-dx")}, doctor.OK, "Bluefin", ""},
		{"LTS", "host.system", machine{files: both(release("centos", "rhel fedora", "Bluefin LTS 10"), imaged("bluefin-lts"))}, doctor.OK, "Bluefin LTS 10", ""},
		{"Aurora", "host.system", machine{files: both(release("aurora", "fedora", "Aurora 44"), imaged("aurora-dx"))}, doctor.Info, "Aurora 44; not Bluefin", ""},
		{"Bazzite", "host.system", machine{files: both(release("bazzite", "fedora", "Bazzite 44"), imaged("bazzite-dx-gnome"))}, doctor.Info, "Bazzite 44; not Bluefin", ""},
		{"another image", "host.system", machine{files: both(release("fedora", "", "Fedora Linux 44"), imaged("mine"))}, doctor.Info, "Fedora Linux 44 (Universal Blue)", ""},
		{"Silverblue", "host.system", machine{files: both(release("fedora", "", "Fedora Linux 44 (Silverblue)"), ostree)}, doctor.Info, "Fedora Linux 44 (Silverblue) (Fedora Atomic); not", ""},
		{"Workstation", "host.system", machine{files: release("fedora", "", "Fedora Linux 44 (Workstation)")}, doctor.Info, "Fedora Linux 44 (Workstation); not", ""},
		{"Debian", "host.system", machine{files: release("debian", "", "Debian GNU/Linux 13")}, doctor.Info, "Debian GNU/Linux 13; not", ""},
		{"Ubuntu", "host.system", machine{files: release("ubuntu", "debian", "Ubuntu 26.04")}, doctor.Info, "Ubuntu 26.04; not", ""},
		{"Mint", "host.system", machine{files: release("linuxmint", "ubuntu debian", "Linux Mint 23")}, doctor.Info, "Linux Mint 23 (Ubuntu); not", ""},
		{"Arch", "host.system", machine{files: release("arch", "", "Arch Linux")}, doctor.Info, "Arch Linux; not Bluefin", ""},
		{"nothing known", "host.system", machine{}, doctor.Info, "an unknown system", ""},
	})
}

func TestImage(t *testing.T) {
	try(t, []example{
		{"today's", "host.image", machine{files: imaged("bluefin")}, doctor.Info, "bluefin of ublue-os, built as stable", ""},
		{"dx", "host.image", machine{files: imaged("bluefin-dx-nvidia-open")}, doctor.Info, "gives up its -dx images", ""},
		{"no more than a name", "host.image", machine{files: map[string]string{imageInfo: `{"image-name":"x"}`}}, doctor.Info, "x", ""},
		{"Silverblue", "host.image", machine{files: map[string]string{"run/ostree-booted": ""}}, doctor.Info, "none of Universal Blue's", ""},
		{"Workstation", "host.image", machine{}, doctor.Skip, "not an image", ""},
	})
}

func TestDevMode(t *testing.T) {
	wanted := doctor.Engine{Wanted: true}
	in := func(m machine, group string) machine {
		m.gids = []int{77}
		m.programs = map[string]string{"getent group " + group: group + ":x:77:dev"}
		return m
	}
	try(t, []example{
		{"plain Fedora", "host.devmode", machine{docker: wanted}, doctor.Skip, "Universal Blue", ""},
		{"dx image", "host.devmode", machine{files: imaged("bluefin-dx"), docker: wanted}, doctor.OK, "bluefin-dx has it built in", ""},
		{"sibling", "host.devmode", machine{files: imaged("aurora-dx"), docker: wanted}, doctor.OK, "aurora-dx has it built in", ""},
		{
			"wizard of 2026", "host.devmode", machine{files: imaged("bluefin", "var/home/dev/.config/bluefin/devmode"), docker: wanted},
			doctor.OK, "there is ~/.config/bluefin/devmode", "",
		},
		{
			"wizard, settings elsewhere", "host.devmode", machine{files: imaged("bluefin", "cfg/bluefin/devmode"), docker: wanted, env: map[string]string{"XDG_CONFIG_HOME": "/cfg"}},
			doctor.OK, "there is /cfg/bluefin/devmode", "",
		},
		{"bctl", "host.devmode", machine{files: imaged("bluefin", "etc/ublue-os/devmode"), docker: wanted}, doctor.OK, "/etc/ublue-os/devmode", ""},
		{
			"marked, with what it brings", "host.devmode", in(machine{files: imaged("bluefin", "etc/ublue-os/devmode", "home/linuxbrew/.linuxbrew/bin/devcontainer")}, "libvirt"),
			doctor.OK, "devmode; you are in libvirt; there is /home/linuxbrew/.linuxbrew/bin/devcontainer", "",
		},
		{"groups without a mark", "host.devmode", in(machine{files: imaged("bluefin")}, "dialout"), doctor.Info, "no mark; you are in dialout", ""},
		{"tools without a mark", "host.devmode", machine{files: imaged("bluefin", "usr/bin/code")}, doctor.Info, "no mark; there is /usr/bin/code", ""},
		{"off, podman only", "host.devmode", machine{files: imaged("bluefin")}, doctor.Info, "developer mode is off", ""},
		{"off, docker came otherwise", "host.devmode", machine{files: imaged("bluefin"), docker: doctor.Engine{Wanted: true, Installed: true}}, doctor.Info, "developer mode is off", ""},
		{
			"off, docker wanted", "host.devmode",
			machine{files: imaged("bluefin"), docker: wanted, programs: map[string]string{"ujust --summary": "update toggle-devmode devmode"}},
			doctor.Warn, "wants docker", "ujust devmode",
		},
		{
			"an old recipe only", "host.devmode",
			machine{files: imaged("bluefin"), docker: wanted, programs: map[string]string{"ujust --summary": "toggle-devmode"}},
			doctor.Warn, "wants docker", "ujust toggle-devmode",
		},
		{
			"bctl without recipes", "host.devmode",
			machine{files: imaged("bluefin", "home/linuxbrew/.linuxbrew/bin/bctl"), docker: wanted},
			doctor.Warn, "wants docker", "bctl devmode --enable",
		},
		{"no way to switch it on", "host.devmode", machine{files: imaged("bluefin"), docker: wanted}, doctor.Warn, "wants docker", "export DBX_CONTAINER_MANAGER=podman"},
	})
}

func TestWheel(t *testing.T) {
	try(t, []example{
		{"Fedora", "user.wheel", machine{gids: []int{10}, programs: map[string]string{"getent group wheel": "wheel:x:10:"}}, doctor.OK, "wheel", ""},
		{"Debian", "user.wheel", machine{programs: map[string]string{"getent group wheel": "exit 2", "getent group sudo": "sudo:x:27:dev"}}, doctor.OK, "sudo", ""},
		{"guest", "user.wheel", machine{programs: map[string]string{"getent group wheel": "wheel:x:10:ann"}}, doctor.Info, "somebody else", ""},
		{"root", "user.wheel", machine{root: true}, doctor.Skip, "root", ""},
	})
}

func TestSELinux(t *testing.T) {
	const store = "/var/home/dev/.local/share/containers"
	there := map[string]string{"var/home/dev/.local/share/containers/storage/overlay/l": ""}
	says := func(mode string, more ...string) map[string]string {
		programs := map[string]string{"getenforce": mode + "\n"}
		for i := 0; i < len(more); i += 2 {
			programs["matchpathcon -V "+more[i]] = more[i+1]
		}
		return programs
	}
	const wrong = " has context unconfined_u:object_r:default_t:s0, should be unconfined_u:object_r:data_home_t:s0"
	try(t, []example{
		{"Debian", "selinux", machine{files: there}, doctor.Skip, "not in use", ""},
		{"off", "selinux", machine{files: there, programs: says("Disabled")}, doctor.Skip, "not in use", ""},
		{"no store", "selinux", machine{programs: says("Enforcing")}, doctor.OK, "SELinux is enforcing", ""},
		{"right", "selinux", machine{files: there, programs: says("Permissive", store, store+" verified.")}, doctor.OK, "permissive, the labels of podman's store are right", ""},
		{"wrong", "selinux", machine{files: there, programs: says("Enforcing", store, store+wrong)}, doctor.Warn, "~/.local/share/containers has context", "restorecon -R -v ~/.local/share/containers"},
		{
			"wrong below", "selinux", machine{files: there, programs: says("Enforcing", store, store+" verified.", store+"/storage/overlay", store+"/storage/overlay"+wrong)},
			doctor.Warn, "overlay has context", "restorecon -R -v ~/.local/share/containers",
		},
	})
}

func TestMetered(t *testing.T) {
	const ask = "busctl --system get-property org.freedesktop.NetworkManager /org/freedesktop/NetworkManager org.freedesktop.NetworkManager Metered"
	network := func(answer string) map[string]string { return map[string]string{ask: answer} }
	battery := map[string]string{"sys/class/power_supply/BAT0/type": "Battery\n", "sys/class/power_supply/BAT0/status": "Discharging\n", "sys/class/power_supply/AC/type": "Mains\n", "sys/class/power_supply/AC/online": "0\n"}
	plugged := both(battery, map[string]string{"sys/class/power_supply/AC/online": "1\n"})
	mouse := map[string]string{"sys/class/power_supply/m/type": "Battery\n", "sys/class/power_supply/m/scope": "Device\n", "sys/class/power_supply/u/type": "USB\n", "sys/class/power_supply/u/online": "0\n"}
	try(t, []example{
		{"desktop", "net.metered", machine{programs: network("u 2\n")}, doctor.OK, "on mains power, the network is not metered", ""},
		{"a guess", "net.metered", machine{programs: network("u 4\n"), files: plugged}, doctor.OK, "on mains power, the network is not metered", ""},
		{"desktop with a mouse", "net.metered", machine{programs: network("u 2"), files: mouse}, doctor.OK, "on mains power", ""},
		{"nobody says", "net.metered", machine{}, doctor.OK, "nobody says whether", ""},
		{"NetworkManager does not know", "net.metered", machine{programs: network("u 0")}, doctor.OK, "nobody says", ""},
		{"metered", "net.metered", machine{programs: network("u 1")}, doctor.Info, "the network is metered; a timer waits", ""},
		{"metered by a guess, on battery", "net.metered", machine{programs: network("u 3"), files: battery}, doctor.Info, "on battery, and the network is metered", ""},
		{"on battery", "net.metered", machine{programs: network("u 2"), files: battery}, doctor.Info, "on battery; a timer waits for the plug; the network is not metered", ""},
	})
}

func TestStorageOfBoth(t *testing.T) {
	m := machine{free: 3 * gib, podman: doctor.Engine{Installed: true, Root: "/p"}, docker: doctor.Engine{Installed: true, Root: "/d"}}
	try(t, []example{{"both", "storage.free", m, doctor.Warn, "3.0 GiB free of 100.0 at /p and /d", "ocisi clean"}})
	m.free, m.docker.Wanted = 1*gib, true
	try(t, []example{{"the worse one decides", "storage.free", m, doctor.Fail, "1.0 GiB free of 100.0 at /p and /d", "ocisi clean"}})
}
