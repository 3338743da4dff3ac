package doctor_test

import (
	"io/fs"
	"testing"

	"github.com/klmcwhirter/ocisi/bootstrap/doctor"
)

// Engines as a machine may have them.
func answering() doctor.Engine {
	return doctor.Engine{Wanted: true, Installed: true, Version: "28.5.2", Endpoint: "unix:///run/docker.sock"}
}

func silent(wanted bool) doctor.Engine {
	return doctor.Engine{Wanted: wanted, Installed: true, Err: errRefused}
}

func TestDockerEngine(t *testing.T) {
	at := func(endpoint string) doctor.Engine {
		docker := silent(true)
		docker.Endpoint = endpoint
		return docker
	}
	there := map[string]string{"getent group docker": "docker:x:994:"}
	daemon := map[string]string{"usr/lib/systemd/system/docker.socket": ""}
	socket := map[string]string{"run/docker.sock": "socket"}
	denied := silent(true)
	denied.Err = fs.ErrPermission
	brew := machine{docker: silent(true), files: map[string]string{brewDocker[1:]: ""}, env: map[string]string{"PATH": "/home/linuxbrew/.linuxbrew/bin"}}
	rootless := func(unit string) machine {
		return machine{docker: at("unix:///run/user/1001/docker.sock"), files: map[string]string{unit: ""}}
	}
	const start = "sudo systemctl enable --now docker.socket"
	try(t, []example{
		{"answers", "docker.engine", machine{docker: answering()}, doctor.OK, "docker 28.5.2, unix:///run/docker.sock", ""},
		{"podman only", "docker.engine", machine{podman: doctor.Engine{Wanted: true, Installed: true}}, doctor.Skip, "no image wants it", ""},
		{"wanted", "docker.engine", machine{docker: doctor.Engine{Wanted: true}}, doctor.Fail, "an image wants it", usePodman},
		{"not started", "docker.engine", machine{docker: silent(true), files: daemon, programs: there}, doctor.Fail, "not started: connection refused", start},
		{"not started, not wanted", "docker.engine", machine{docker: silent(false), files: daemon, programs: there}, doctor.Warn, "not started", start},
		{"cannot start", "docker.engine", machine{docker: silent(true), files: daemon}, doctor.Fail, "no group docker (216/GROUP)", "sudo groupadd --system docker ; " + start},
		{"no permission", "docker.engine", machine{docker: denied, files: both(daemon, socket)}, doctor.Fail, "you may not open docker's socket", "ocisi doctor docker.group"},
		{"program without a daemon", "docker.engine", machine{docker: silent(true)}, doctor.Fail, "docker came without a daemon", usePodman},
		{"brew's", "docker.engine", brew, doctor.Fail, "docker is Homebrew's, and came without a daemon", usePodman},
		{"socket there, no answer", "docker.engine", machine{docker: silent(true), files: socket}, doctor.Fail, "connection refused", "docker version"},
		{"another machine", "docker.engine", machine{docker: at("tcp://build:2376")}, doctor.Fail, "connection refused", "docker context ls"},
		{"rootless, off", "docker.engine", rootless("usr/lib/systemd/user/docker.service"), doctor.Fail, "connection refused", "systemctl --user enable --now docker"},
		{"rootless of the tap, off", "docker.engine", rootless("var/home/dev/.config/systemd/user/dockerd-rootless.service"), doctor.Fail, "connection refused", "systemctl --user enable --now dockerd-rootless"},
		{"rootless, gone", "docker.engine", rootless("x"), doctor.Fail, "connection refused", "docker context ls"},
	})
}

const (
	usePodman  = "export DBX_CONTAINER_MANAGER=podman"
	brewDocker = "/home/linuxbrew/.linuxbrew/bin/docker"
)

func TestDockerCLI(t *testing.T) {
	boxes := doctor.Engine{Wanted: true, Boxes: 1}
	in := func(docker doctor.Engine, files map[string]string) machine {
		return machine{docker: docker, files: files, env: map[string]string{"PATH": "/usr/local/bin:/usr/bin"}}
	}
	const script = "#!/bin/sh\n[ -e /etc/containers/nodocker ] || echo emulated\nexec podman \"$@\"\n"
	try(t, []example{
		{"there", "docker.cli", in(boxes, map[string]string{"usr/bin/docker": ""}), doctor.OK, "/usr/bin/docker", ""},
		{"nobody wants it", "docker.cli", in(doctor.Engine{Wanted: true}, nil), doctor.Skip, "no box wants it", ""},
		{"a box wants it", "docker.cli", in(boxes, nil), doctor.Fail, "by which distrobox makes boxes", usePodman},
		{"on Debian", "docker.cli", in(boxes, release("debian", "", "Debian")), doctor.Fail, "no program docker", "sudo apt install docker.io"},
		{"podman-docker", "docker.cli", in(boxes, map[string]string{"usr/bin/docker": script}), doctor.Fail, "is podman under another name", usePodman},
		{"podman-docker, not wanted", "docker.cli", in(doctor.Engine{}, map[string]string{"usr/bin/docker": script}), doctor.Warn, "/usr/bin/docker is podman", usePodman},
		{"a folder of that name", "docker.cli", machine{docker: boxes, files: map[string]string{"podman/docker": ""}, env: map[string]string{"PATH": "/podman"}}, doctor.OK, "/podman/docker", ""},
		{"a link", "docker.cli", in(boxes, map[string]string{"usr/bin/podman": "", "usr/local/bin/docker": "-> ../../bin/podman"}), doctor.Fail, "/usr/local/bin/docker is podman", usePodman},
	})
}

func TestDockerContext(t *testing.T) {
	context := map[string]string{"var/home/dev/.docker/config.json": `{"auths":{},"currentContext":"rootless"}`}
	env := func(key, value string) map[string]string { return map[string]string{key: value} }
	emulated := doctor.Engine{Installed: true, Endpoint: "unix:///run/user/1001/podman/podman.sock"}
	wanted := emulated
	wanted.Boxes = 1
	try(t, []example{
		{"none", "docker.context", machine{}, doctor.Skip, "not installed", ""},
		{"its own", "docker.context", machine{docker: answering()}, doctor.OK, "docker is the system's own, unix:///run/docker.sock", ""},
		{"the default by name", "docker.context", machine{docker: answering(), env: env("DOCKER_CONTEXT", "default")}, doctor.OK, "docker is the system's own", ""},
		{"context", "docker.context", machine{docker: answering(), files: context}, doctor.Info, "docker's context is rootless, unix://", ""},
		{"context by environment", "docker.context", machine{docker: answering(), files: context, env: env("DOCKER_CONTEXT", "far")}, doctor.Info, "docker's context is far", ""},
		{"settings elsewhere", "docker.context", machine{docker: answering(), files: context, env: env("DOCKER_CONFIG", "/nowhere")}, doctor.OK, "docker is the system's own", ""},
		{"host", "docker.context", machine{docker: answering(), env: env("DOCKER_HOST", "tcp://build:2376")}, doctor.Info, "DOCKER_HOST is tcp://build:2376", ""},
		{"both", "docker.context", machine{docker: answering(), files: context, env: env("DOCKER_HOST", "tcp://build:2376")}, doctor.Warn, "goes before docker's context rootless", "unset DOCKER_HOST"},
		{"podman's", "docker.context", machine{docker: emulated}, doctor.Warn, "is podman's", usePodman},
		{"podman's, for boxes", "docker.context", machine{docker: wanted}, doctor.Fail, "is podman's", usePodman},
		{"podman's elsewhere", "docker.context", machine{docker: doctor.Engine{Installed: true, Endpoint: "unix:///r/podman/podman.sock"}, env: env("XDG_RUNTIME_DIR", "/r")}, doctor.Warn, "is podman's", usePodman},
	})
}

func TestDockerRootless(t *testing.T) {
	rootless := answering()
	rootless.Rootless = true
	boxes := rootless
	boxes.Boxes = 2
	try(t, []example{
		{"none", "docker.rootless", machine{}, doctor.Skip, "does not answer", ""},
		{"silent", "docker.rootless", machine{docker: silent(true)}, doctor.Skip, "does not answer", ""},
		{"root's", "docker.rootless", machine{docker: answering()}, doctor.OK, "as root", ""},
		{"for images", "docker.rootless", machine{docker: rootless}, doctor.Info, "good for images", ""},
		{"for boxes", "docker.rootless", machine{docker: boxes}, doctor.Fail, "distrobox makes no boxes with that", usePodman},
	})
}
