package doctor_test

import (
	"slices"
	"testing"

	"github.com/klmcwhirter/ocisi/bootstrap/doctor"
)

func TestHomePath(t *testing.T) {
	bluefin := func(home, account string, homes map[string]string) machine {
		return machine{
			files:    map[string]string{"home": "-> var/home", "var/home/dev/.bashrc": "", "var/home/elsewhere/x": ""},
			env:      map[string]string{"HOME": home},
			programs: map[string]string{"getent passwd 1001": "dev:x:1001:1001:Dev:" + account + ":/bin/bash"},
			homes:    homes,
		}
	}
	silent := bluefin("/var/home/dev", "", nil)
	silent.programs = nil
	try(t, []example{
		{"one name", "home.path", bluefin("/var/home/dev", "/var/home/dev", nil), doctor.OK, "the home has one name, ~", ""},
		{"two names", "home.path", bluefin("/home/dev", "/home/dev", nil), doctor.OK, "boxes know both names", ""},
		{"nobody says", "home.path", silent, doctor.OK, "one name", ""},
		{"another home", "home.path", bluefin("/var/home/dev", "/home/elsewhere", nil), doctor.Warn, "the user database has /home/elsewhere", "getent passwd dev"},
		{"a box's", "home.path", bluefin("/var/home/dev", "/home/dev", map[string]string{"go": "/var/home/dev/boxes/go"}), doctor.OK, "one name", ""},
		{
			"a box's by its other name", "home.path", bluefin("/var/home/dev", "/home/dev", map[string]string{"go": "/home/elsewhere"}),
			doctor.Warn, "gives box go the home /home/elsewhere, whose real name is /var/home/elsewhere", "${EDITOR:-vi} /cfg/ocisi.yaml",
		},
	})
}

func TestVSCodeLinks(t *testing.T) {
	const bin = "var/home/dev/.vscode-server/bin/"
	m := machine{files: map[string]string{bin + "aa": "-> /vscode/aa", bin + "bb/server": "", bin + "cc": "-> bb", bin + "dd": "-> gone"}}
	try(t, []example{
		{"no VS Code", "vscode.links", machine{}, doctor.Skip, "there is no ~/.vscode-server/bin", ""},
		{"good", "vscode.links", machine{files: map[string]string{bin + "bb/server": "", bin + "cc": "-> bb"}}, doctor.OK, "lead somewhere", ""},
		{"dangling", "vscode.links", m, doctor.Warn, "links in ~/.vscode-server/bin that lead nowhere, by which VS Code's server does not start: 2", "find ~/.vscode-server/bin -xtype l -delete"},
	})
	if got, want := doctor.DanglingLinks(m.facts()), []string{"/" + bin + "aa", "/" + bin + "dd"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestVSCodeOwner(t *testing.T) {
	const server = "var/home/dev/.vscode-server/"
	files := func(path, text string) machine {
		return machine{files: map[string]string{server + "a/b": "", server + path: text}}
	}
	root := files("c", "root's")
	root.root = true
	try(t, []example{
		{"no VS Code", "vscode.owner", machine{}, doctor.Skip, "there is no", ""},
		{"root", "vscode.owner", root, doctor.Skip, "root", ""},
		{"yours", "vscode.owner", files("c", ""), doctor.OK, "is yours", ""},
		{"root's", "vscode.owner", files("data/Machine/x", "root's"), doctor.Warn, "~/.vscode-server/data/Machine/x is root's", `sudo chown -R "$USER": ~/.vscode-server`},
		{"too deep to be looked at", "vscode.owner", files("1/2/3/4/5", "root's"), doctor.OK, "is yours", ""},
	})
}

func TestVSCodeEngine(t *testing.T) {
	code := func(settings string, m machine) machine {
		m.files = map[string]string{"var/home/dev/.config/Code/User/settings.json": settings, "usr/bin/podman": ""}
		m.env = map[string]string{"PATH": "/usr/bin"}
		return m
	}
	flatpak := machine{files: map[string]string{"var/home/dev/.var/app/com.visualstudio.code/config/Code/User/settings.json": ""}, podman: silent(true)}
	podman, docker := machine{podman: silent(true)}, machine{docker: silent(true)}
	const path = `{ "dev.containers.dockerPath": "podman" }`
	const edit = "${EDITOR:-vi} ~/.config/Code/User/settings.json"
	try(t, []example{
		{"no VS Code", "vscode.engine", podman, doctor.Skip, "no settings", ""},
		{"podman", "vscode.engine", code(path, podman), doctor.OK, "use podman", ""},
		{"docker", "vscode.engine", code("{}", docker), doctor.OK, "use docker", ""},
		{"not told", "vscode.engine", code("{}", podman), doctor.Info, `"dev.containers.dockerPath": "podman" to ~/.config/Code/User/settings.json`, edit},
		{"a comment", "vscode.engine", code("// "+path, podman), doctor.Info, "look for docker", edit},
		{"not there", "vscode.engine", code(`"dev.containers.dockerPath": "nerdctl"`, podman), doctor.Warn, "is nerdctl, which is not there", edit},
		{"no such file", "vscode.engine", code(`"dev.containers.dockerPath": "/opt/podman"`, podman), doctor.Warn, "/opt/podman, which", edit},
		{"a file", "vscode.engine", code(`"dev.containers.dockerPath": "/usr/bin/podman"`, podman), doctor.OK, "/usr/bin/podman", ""},
		{"flatpak", "vscode.engine", flatpak, doctor.Info, "~/.var/app", "${EDITOR:-vi} ~/.var/app/com.visualstudio.code/config/Code/User/settings.json"},
	})
}
