package doctor_test

import (
	"strings"
	"testing"

	"github.com/klmcwhirter/ocisi/bootstrap/doctor"
)

func TestPodmanEngine(t *testing.T) {
	rootless := doctor.Engine{Wanted: true, Installed: true, Version: "5.8.6", Rootless: true, Endpoint: "unix:///run/user/1001/podman/podman.sock"}
	debian := map[string]string{"etc/os-release": "ID=debian"}
	try(t, []example{
		{"answers", "podman.engine", machine{podman: rootless}, doctor.OK, "podman 5.8.6, rootless, unix:///run/user/1001/podman/podman.sock", ""},
		{"old", "podman.engine", machine{podman: doctor.Engine{Installed: true, Version: "4.3.1"}}, doctor.Info, "4.3.1; ocisi is made for 5", ""},
		{"docker only", "podman.engine", machine{docker: answering()}, doctor.Skip, "not installed", ""},
		{"wanted", "podman.engine", machine{docker: answering(), podman: doctor.Engine{Wanted: true}, files: debian}, doctor.Fail, "not installed", "sudo apt install podman"},
		{"no engine at all", "podman.engine", machine{files: debian}, doctor.Fail, "not installed", "sudo apt install podman"},
		{"silent", "podman.engine", machine{podman: silent(true)}, doctor.Fail, "connection refused", "podman info"},
		{"silent, the only one", "podman.engine", machine{podman: silent(false)}, doctor.Fail, "connection refused", "podman info"},
		{"silent, not wanted", "podman.engine", machine{docker: answering(), podman: silent(false)}, doctor.Warn, "connection refused", "podman info"},
	})
}

func TestPodmanCopies(t *testing.T) {
	podman := func(fs string, copies, wanted bool) machine {
		return machine{podman: doctor.Engine{Wanted: wanted, Installed: true, Rootless: true, FileSystem: fs, Copies: copies}}
	}
	try(t, []example{
		{"btrfs", "storage.copies", podman("btrfs", false, true), doctor.OK, "no copies of images on btrfs", ""},
		{"who knows", "storage.copies", podman("", false, true), doctor.OK, "no copies of images", ""},
		{"ext4", "storage.copies", podman("extfs", true, true), doctor.Warn, "on extfs podman copies each image that a box is made of. A store on btrfs or xfs, or fuse-overlayfs, does not", ""},
		{"ext4, not wanted", "storage.copies", podman("extfs", true, false), doctor.Skip, "on extfs podman copies each image", ""},
		{"silent", "storage.copies", machine{podman: silent(true)}, doctor.Skip, "podman does not answer", ""},
		{"not there", "storage.copies", machine{docker: answering()}, doctor.Skip, "podman does not answer", ""},
	})
}

func TestPodmanStorage(t *testing.T) {
	const (
		system = "etc/containers/storage.conf"
		user   = "var/home/dev/.config/containers/storage.conf"
		set    = "[storage]\ndriver = \"overlay\"\ngraphroot = \"/var/lib/containers/storage\"\n"
	)
	answers := doctor.Engine{Wanted: true, Installed: true, Version: "6.0.2"}
	broken := silent(true)
	try(t, []example{
		{"answers", "podman.storage", machine{podman: answers, files: map[string]string{system: set}}, doctor.Warn, "graphroot in /etc/containers/storage.conf is /var/lib", "sudoedit /etc/containers/storage.conf"},
		{
			"does not answer", "podman.storage", machine{podman: broken, files: map[string]string{system: set}, programs: map[string]string{"podman --version": "podman version 6.1.1-dev\n"}},
			doctor.Fail, "set rootless_storage_path there", "sudoedit /etc/containers/storage.conf",
		},
		{"does not answer, 5", "podman.storage", machine{podman: broken, files: map[string]string{system: set}, programs: map[string]string{"podman --version": "podman version 5.8.6\n"}}, doctor.Skip, "before podman 6", ""},
		{"does not answer, no version", "podman.storage", machine{podman: broken, files: map[string]string{system: set}}, doctor.Skip, "before podman 6", ""},
		{"podman 5", "podman.storage", machine{podman: doctor.Engine{Installed: true, Version: "5.8.6"}, files: map[string]string{system: set}}, doctor.Skip, "before podman 6", ""},
		{"no file", "podman.storage", machine{podman: answers}, doctor.OK, "does not move", ""},
		{"a comment", "podman.storage", machine{podman: answers, files: map[string]string{system: "[storage]\n# graphroot = \"/x\"\n"}}, doctor.OK, "does not move", ""},
		{"another table", "podman.storage", machine{podman: answers, files: map[string]string{system: "[other]\ngraphroot = \"/x\"\n"}}, doctor.OK, "does not move", ""},
		{"no TOML", "podman.storage", machine{podman: answers, files: map[string]string{system: strings.Repeat("[", 100_000)}}, doctor.OK, "does not move", ""},
		{"for rootless users", "podman.storage", machine{podman: answers, files: map[string]string{system: set + "rootless_storage_path = \"/x/$USER\"\n"}}, doctor.OK, "does not move", ""},
		{"the user's own", "podman.storage", machine{podman: answers, files: map[string]string{system: set, user: "[storage]\ngraphroot = \"/srv/dev\"\n"}}, doctor.OK, "rootless storage is at /srv/dev", ""},
		{"the user's own, another key", "podman.storage", machine{podman: answers, files: map[string]string{system: set, user: "[storage]\ndriver = \"overlay\"\n"}}, doctor.Warn, "graphroot in /etc", "sudoedit /etc/containers/storage.conf"},
		{"root", "podman.storage", machine{podman: answers, root: true, files: map[string]string{system: set}}, doctor.Skip, "not used without root", ""},
		{"no podman", "podman.storage", machine{}, doctor.Skip, "not used without root", ""},
	})
}

func TestPodmanBin(t *testing.T) {
	const brewed = "home/linuxbrew/.linuxbrew/bin/podman"
	in := func(path string, files map[string]string) machine {
		return machine{files: files, env: map[string]string{"PATH": path}}
	}
	two := map[string]string{"usr/bin/podman": "", brewed: "", "opt/bin/podman": ""}
	try(t, []example{
		{"none", "podman.bin", in("/usr/bin", nil), doctor.Skip, "not in PATH", ""},
		{"the system's", "podman.bin", in("/usr/local/bin:/usr/bin:/home/linuxbrew/.linuxbrew/bin", two), doctor.OK, "/usr/bin/podman", ""},
		{"by another name", "podman.bin", in("/bin", map[string]string{"bin": "-> usr/bin", "usr/bin/podman": ""}), doctor.OK, "/bin/podman", ""},
		{"brew's first", "podman.bin", in("/home/linuxbrew/.linuxbrew/bin:/usr/bin", two), doctor.Warn, "comes before /usr/bin/podman", "brew unlink podman"},
		{"another one first", "podman.bin", in("/opt/bin:/usr/bin", two), doctor.Warn, "/opt/bin/podman comes before", `export PATH=/usr/bin:"$PATH"`},
		{"brew's only", "podman.bin", in("/home/linuxbrew/.linuxbrew/bin", map[string]string{brewed: ""}), doctor.Info, "the system itself has none", ""},
	})
}

func TestPodmanSocket(t *testing.T) {
	podman := doctor.Engine{Installed: true}
	at := func(socket string, env map[string]string) machine {
		return machine{podman: podman, files: map[string]string{socket: "socket"}, env: env}
	}
	const enable = "systemctl --user enable --now podman.socket"
	try(t, []example{
		{"no podman", "podman.socket", machine{}, doctor.Skip, "not installed", ""},
		{"on", "podman.socket", at("run/user/1001/podman/podman.sock", nil), doctor.OK, "podman.socket is on", ""},
		{"on, elsewhere", "podman.socket", at("r/podman/podman.sock", map[string]string{"XDG_RUNTIME_DIR": "/r"}), doctor.OK, "podman.socket is on", ""},
		{"off", "podman.socket", machine{podman: podman}, doctor.Info, "ocisi does without", enable},
		{"off, and wanted", "podman.socket", machine{podman: podman, env: map[string]string{"DOCKER_HOST": "unix:///run/user/1001/podman/podman.sock"}}, doctor.Warn, "DOCKER_HOST names", enable},
		{"off, and ocisi is told to use it", "podman.socket", machine{podman: podman, env: map[string]string{"CONTAINER_HOST": "unix:///run/user/1001/podman/podman.sock"}}, doctor.Warn, "CONTAINER_HOST names", enable},
		{"another one is wanted", "podman.socket", machine{podman: podman, env: map[string]string{"CONTAINER_HOST": "unix:///run/podman/podman.sock"}}, doctor.Info, "off", enable},
	})
}
