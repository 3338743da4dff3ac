package devcontainer_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/tailscale/hujson"

	"github.com/klmcwhirter/ocisi/hierarchy/devcontainer"
)

var image = devcontainer.Image{
	Ref: "fedora-python-dx:latest", User: "al", Home: "/var/home/al", Box: "python",
	Server: devcontainer.ServerFolder("/var/home/al/.local/share", "fedora-python-dx:latest"),
}

var project = devcontainer.Project{Folder: "/var/home/al/src/web", Image: image}

func ExampleProject_New() {
	fmt.Print(string(project.New()))
	// Output:
	// // Written by 'ocisi devcontainer'. User, home, environment, mounts and extensions
	// // are in the image's label devcontainer.metadata; what is here, tools do not take
	// // from there. Add what you like: ocisi changes only the keys below.
	// {
	// 	"name": "web (fedora-python-dx)",
	// 	"image": "fedora-python-dx:latest",
	// 	"workspaceFolder": "${localWorkspaceFolder}",
	// 	"workspaceMount": "",
	// 	"initializeCommand": {
	// 		"ocisi": ["mkdir", "-p", "${localEnv:HOME}/.local/share/ocisi/vscode-server/fedora-python-dx", "${localEnv:HOME}/.vscode-server"]
	// 	}
	// }
}

// A project elsewhere is mounted, a data folder elsewhere is named, and a box's
// own home is where the server goes.
func TestElsewhere(t *testing.T) {
	im := image
	im.Ref, im.BoxHome = "a/zig-dx:0.14", "/srv/box"
	im.Server = devcontainer.ServerFolder("/data", im.Ref)
	got := keys(t, devcontainer.Project{Folder: "/var/home/albert/web", Image: im}.New())
	want := map[string]any{
		"name": "web (a/zig-dx:0.14)", "image": "a/zig-dx:0.14", "workspaceFolder": "${localWorkspaceFolder}",
		"workspaceMount":    "type=bind,source=${localWorkspaceFolder},target=${localWorkspaceFolder}",
		"initializeCommand": map[string]any{"ocisi": []any{"mkdir", "-p", "/data/ocisi/vscode-server/a+zig-dx@0.14", "/srv/box/.vscode-server"}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	if f := im.Folders(); !reflect.DeepEqual(f, []devcontainer.Folder{{Path: im.Server, Private: true}, {Path: "/srv/box/.vscode-server"}}) {
		t.Errorf("folders: %v", f)
	}
}

const mkdir = `["mkdir", "-p", "${localEnv:HOME}/.local/share/ocisi/vscode-server/fedora-python-dx", "${localEnv:HOME}/.vscode-server"]`

func TestUpdate(t *testing.T) {
	tail := `"workspaceFolder": "${localWorkspaceFolder}", "workspaceMount": "", "initializeCommand": {"ocisi": ` + mkdir + `}`
	for _, c := range []struct{ name, file, want string }{
		{"the image alone", "{\n  // old\n  \"name\": \"n\",\n  \"image\": \"x:1\", // why\n  \"forwardPorts\": [1,], // mine\n}\n",
			"{\n  // old\n  \"name\": \"n\",\n  \"image\": \"fedora-python-dx:latest\", // why\n  \"workspaceFolder\": \"${localWorkspaceFolder}\",\n  \"workspaceMount\": \"\",\n" +
				"  \"initializeCommand\": {\n    \"ocisi\": " + mkdir + "\n  },\n  \"forwardPorts\": [1,], // mine\n}\n"},
		{"one line", `{"name": "n", "image": 7}`, `{"name": "n", "image": "fedora-python-dx:latest", "workspaceFolder": "${localWorkspaceFolder}", "workspaceMount": "", "initializeCommand": {` +
			"\n\t\t\"ocisi\": " + mkdir + "\n\t}}"},
		{"a command of the project", `{"name": "n", "image": "fedora-python-dx:latest", "workspaceFolder": "${localWorkspaceFolder}", "workspaceMount": "", "initializeCommand": "make" /* it */}`,
			`{"name": "n", "image": "fedora-python-dx:latest", "workspaceFolder": "${localWorkspaceFolder}", "workspaceMount": "", "initializeCommand": {` + "\n\t\t\"project\": \"make\",\n\t\t\"ocisi\": " + mkdir + "\n\t} /* it */}"},
		{"commands of the project", "{\"name\":\"n\",\"image\":\"fedora-python-dx:latest\",\"workspaceFolder\":\"${localWorkspaceFolder}\",\"workspaceMount\":\"\",\"initializeCommand\":{\"a\":\"b\"}}",
			"{\"name\":\"n\",\"image\":\"fedora-python-dx:latest\",\"workspaceFolder\":\"${localWorkspaceFolder}\",\"workspaceMount\":\"\",\"initializeCommand\":{\"a\":\"b\", \"ocisi\": " + mkdir + "}}"},
		{"a comment inside what is replaced", `{"name": "n", "image": [1, /* one */ 2 // two` + "\n], " + tail + "}",
			`{"name": "n", "image": /* one */ // two` + "\n \"fedora-python-dx:latest\", " + tail + "}"},
		{"line ends, a mark and no end of a comment", "\ufeff{\r\n\t\"name\": \"n\", // c\r\n\t" + tail + "\r\n} // end",
			"\ufeff{\r\n\t\"name\": \"n\", // c\r\n\t\"image\": \"fedora-python-dx:latest\",\r\n\t" + tail + "\r\n} // end"},
		{"empty, with a comment", "{ // mine\n}", "{ // mine\n\t\"name\": \"web (fedora-python-dx)\",\n\t\"image\": \"fedora-python-dx:latest\",\n\t\"workspaceFolder\": \"${localWorkspaceFolder}\",\n\t\"workspaceMount\": \"\",\n" +
			"\t\"initializeCommand\": {\n\t\t\"ocisi\": " + mkdir + "\n\t}\n}"},
		{"right", `{ /* x */ "name": "", "image": "fedora-python-dx:latest", ` + tail + ", }", `{ /* x */ "name": "", "image": "fedora-python-dx:latest", ` + tail + ", }"},
	} {
		got, changes, err := project.Update([]byte(c.file))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if string(got) != c.want {
			t.Errorf("%s: got\n%s\nwant\n%s", c.name, got, c.want)
		}
		if (len(changes) == 0) != (c.file == c.want) {
			t.Errorf("%s: changes %q", c.name, changes)
		}
	}
}

func TestCheck(t *testing.T) {
	got, err := project.Check([]byte(`{"name": "n", "image": "fedora-python-dx:3", "workspaceMount": null}`))
	want := []string{
		`image is "fedora-python-dx:3", the config has "fedora-python-dx:latest"`,
		`workspaceFolder is missing, it should be "${localWorkspaceFolder}"`,
		`workspaceMount is null, it should be ""`,
		"initializeCommand does not make the folders that the image's mounts want",
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got  %q, %v\nwant %q", got, err, want)
	}
}

func TestSyntaxError(t *testing.T) {
	for file, want := range map[string]devcontainer.SyntaxError{
		"{\n  \"a\": 1\n  \"b\": 2\n}": {Line: 3, Column: 3, Problem: "invalid character '\"' after object value (expecting ',' or '}')"},
		"// x\n\n  []":                 {Line: 3, Column: 3, Problem: "a devcontainer.json is an object in braces"},
		"":                             {Line: 2, Column: 1, Problem: "parsing value: unexpected EOF"},
	} {
		_, _, err := project.Update([]byte(file))
		if got, ok := errors.AsType[*devcontainer.SyntaxError](err); !ok || *got != want {
			t.Errorf("%q: %#v", file, err)
		}
	}
}

func TestImageOf(t *testing.T) {
	for file, want := range map[string]string{
		`{"image": "a:1", /* no */ "image": "b:2"}`: "b:2", `{"image": {}}`: "", `{}`: "", `{"image": "\u0061"}`: "a",
	} {
		if got, err := devcontainer.ImageOf([]byte(file)); got != want || err != nil {
			t.Errorf("%s: %q, %v", file, got, err)
		}
	}
}

func TestWarnings(t *testing.T) {
	for file, want := range map[string]string{
		`{"image": "x", "features": {}, "runArgs": ["--name", "userns"], "remoteUser": "al", "mounts": ["type=bind,source=/a,target=/b", {"type": "bind", "target": "/c"}]}`: "",
		`{"build": {}, "dockerFile": "x", "dockerComposeFile": []}`:                                            "build is there|dockerFile is there|dockerComposeFile is there",
		`{"features": {"a": {}}, "runArgs": ["--userns=keep-id", "-u", "1"]}`:                                  "features build|runArgs has --userns|runArgs has -u",
		`{"remoteUser": "root", "containerUser": "root", "updateRemoteUserUID": true}`:                         `containerUser is "root"|remoteUser is "root", the image's user is "al"|updateRemoteUserUID builds`,
		`{"mounts": ["source=/x,dst=${localEnv:HOME},type=bind", {"target": "/var/home/al/.vscode-server"},]}`: "a mount on /var/home/al takes|a mount on /var/home/al/.vscode-server takes",
	} {
		got, err := project.Warnings([]byte(file))
		if err != nil {
			t.Fatal(err)
		}
		all := strings.Split(want, "|")
		if want == "" {
			all = nil
		}
		ok := len(got) == len(all)
		for i := range min(len(got), len(all)) {
			ok = ok && strings.HasPrefix(got[i], all[i])
		}
		if !ok {
			t.Errorf("%s: %q", file, got)
		}
	}
}

// keys reads a file as a tool does.
func keys(t *testing.T, data []byte) map[string]any {
	t.Helper()
	plain, err := hujson.Standardize(slices.Clone(data))
	if err != nil {
		t.Fatalf("%v:\n%s", err, data)
	}
	var all map[string]any
	if err := json.Unmarshal(plain, &all); err != nil {
		t.Fatalf("%v:\n%s", err, data)
	}
	return all
}
