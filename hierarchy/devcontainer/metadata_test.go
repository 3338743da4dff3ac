package devcontainer_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/klmcwhirter/ocisi/hierarchy/devcontainer"
)

func ExampleMetadata() {
	im := devcontainer.Image{Ref: "go-dx:latest", User: "al", Home: "/home/al", Server: "/home/al/s"}
	for _, field := range strings.SplitAfter(devcontainer.Metadata("", im.Entry()), ",\"") {
		fmt.Println(field)
	}
	// Output:
	// [{"remoteUser":"al","
	// updateRemoteUserUID":false,"
	// userEnvProbe":"loginShell","
	// securityOpt":["label=disable"],"
	// containerEnv":{"HOME":"/home/al","
	// LANG":"\u0024{localEnv:LANG:C.UTF-8}","
	// LANGUAGE":"\u0024{localEnv:LANGUAGE}","
	// LC_ALL":"\u0024{localEnv:LC_ALL}","
	// LC_MEASUREMENT":"\u0024{localEnv:LC_MEASUREMENT}","
	// LC_MONETARY":"\u0024{localEnv:LC_MONETARY}","
	// LC_NUMERIC":"\u0024{localEnv:LC_NUMERIC}","
	// LC_PAPER":"\u0024{localEnv:LC_PAPER}","
	// LC_TIME":"\u0024{localEnv:LC_TIME}","
	// USER":"al"},"
	// mounts":[{"source":"/home/al","
	// target":"/home/al","
	// type":"bind"},{"source":"/home/al/s","
	// target":"/home/al/.vscode-server","
	// type":"bind"}]}]
}

func TestEntry(t *testing.T) {
	im := image
	im.BoxHome = "/srv/box"
	im.Volumes = []string{"/srv/data:/data:rw,ro", "~/x:$HOME/y", "cache:/cache:z", "/only"}
	im.Wishes = []devcontainer.Wish{
		{Extensions: []string{"a.b", "c.d"}, Settings: map[string]any{"x": 1, "y": []any{"é$<"}}, Env: map[string]string{"A": "1", "B": "'"}, Mounts: []string{"/old:/data"}},
		{Extensions: []string{"-A.B", "e.f"}, Settings: map[string]any{"x": json.Number("3.10")}, Env: map[string]string{"A": "${localEnv:A}"}, Mounts: []string{"/srv/new:/cache"}},
	}
	text := im.Entry()
	for _, r := range text {
		if r < ' ' || r > '~' || strings.ContainsRune("$'`<>&", r) {
			t.Errorf("%q is in the label", r)
		}
	}
	if !strings.Contains(text, `"x":3.10`) {
		t.Errorf("3.10 is another number in %s", text)
	}
	got := map[string]any{}
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatal(err)
	}
	env := got["containerEnv"].(map[string]any)
	for name, want := range map[string]any{"HOME": "/srv/box", "USER": "al", "CONTAINER_ID": "python", "A": "${localEnv:A}", "B": "'", "LANG": "${localEnv:LANG:C.UTF-8}"} {
		if env[name] != want {
			t.Errorf("%s is %v, want %v", name, env[name], want)
		}
	}
	bind := func(source, target string) any {
		return map[string]any{"type": "bind", "source": source, "target": target}
	}
	mounts := []any{
		bind("/var/home/al", "/var/home/al"), bind("/srv/box", "/srv/box"),
		bind("/var/home/al/.local/share/ocisi/vscode-server/fedora-python-dx", "/srv/box/.vscode-server"),
		bind("/old", "/data"), bind("/var/home/al/x", "/var/home/al/y"), bind("/srv/new", "/cache"),
	}
	if !reflect.DeepEqual(got["mounts"], mounts) {
		t.Errorf("mounts %v", got["mounts"])
	}
	vscode := map[string]any{"extensions": []any{"c.d", "-A.B", "e.f"}, "settings": map[string]any{"x": 3.1, "y": []any{"é$<"}}}
	if c := got["customizations"]; !reflect.DeepEqual(c, map[string]any{"vscode": vscode}) {
		t.Errorf("customizations %v", c)
	}
	im.Wishes = nil
	if text := im.Entry(); strings.Contains(text, "customizations") || !strings.Contains(text, `"type=bind,source=/srv/data,target=/data,readonly"`) || !strings.Contains(text, `{"source":"cache","target":"/cache","type":"volume"}`) {
		t.Errorf("without wishes: %s", text)
	}
}

// What the tools take as a label of a parent is kept, in front of ours.
func TestMetadata(t *testing.T) {
	for parent, want := range map[string]string{
		"":                 `[{"o":1}]`,
		"null":             `[{"o":1}]`,
		"7":                `[{"o":1}]`,
		"[1":               `[{"o":1}]`,
		`{ "a": "$é\\$" }`: `[{"a":"\u0024\u00e9\\\u0024"},{"o":1}]`,
		`[{"a":1.50}, {"b":"` + "\U0001F600" + `"}]`: `[{"a":1.50},{"b":"\ud83d\ude00"},{"o":1}]`,
	} {
		if got := devcontainer.Metadata(parent, `{"o":1}`); got != want {
			t.Errorf("%s: %s", parent, got)
		}
	}
}

func TestFind(t *testing.T) {
	files := fstest.MapFS{}
	for _, name := range []string{
		"h/.devcontainer.json", "h/a/.devcontainer/devcontainer.json", "h/a/.devcontainer/podman/devcontainer.json", "h/b/c/.devcontainer/devcontainer.json",
		"h/a/devcontainer.json", "h/a/.devcontainer/x/y/devcontainer.json", "h/a/.devcontainer/.devcontainer.json", "h/node_modules/x/.devcontainer.json",
		"h/.cache/x/.devcontainer.json", "h/b/podman/devcontainer.json", "other/.devcontainer.json",
	} {
		files[name] = &fstest.MapFile{Data: []byte("{}")}
	}
	files["h/link/.devcontainer.json"] = &fstest.MapFile{Data: []byte("x"), Mode: fs.ModeSymlink}
	var got []string
	for name, err := range devcontainer.Find(files, "h") {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, name+" of "+devcontainer.ProjectOf(name))
	}
	want := []string{
		"h/.devcontainer.json of h", "h/a/.devcontainer/devcontainer.json of h/a",
		"h/a/.devcontainer/podman/devcontainer.json of h/a", "h/b/c/.devcontainer/devcontainer.json of h/b/c",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	for name := range devcontainer.Find(files, "h") { // a caller may stop
		if name != "h/.devcontainer.json" {
			t.Errorf("%s came after a stop", name)
		}
		break
	}
	got = nil
	for name, err := range devcontainer.Find(closed{files, "h/a"}, "h") { // one folder that may not be read
		if (err != nil) != (name == "h/a") {
			t.Errorf("%s: %v", name, err)
		}
		got = append(got, name)
	}
	if want := []string{"h/.devcontainer.json", "h/a", "h/b/c/.devcontainer/devcontainer.json"}; !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	for name, err := range devcontainer.Find(files, "gone") {
		if name != "gone" || err == nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// closed is a file system with a folder that may not be read.
type closed struct {
	fs.FS
	dir string
}

func (c closed) ReadDir(name string) ([]fs.DirEntry, error) {
	if name == c.dir {
		return nil, fs.ErrPermission
	}
	return fs.ReadDir(c.FS, name)
}

func TestFile(t *testing.T) {
	bare := &fstest.MapFile{Data: []byte("{}")}
	for want, files := range map[string]fstest.MapFS{
		"p/.devcontainer.json true":               {"p/.devcontainer.json": bare},
		"p/.devcontainer/devcontainer.json true":  {"p/.devcontainer.json": bare, "p/.devcontainer/devcontainer.json": bare},
		"p/.devcontainer/devcontainer.json false": {"p/x": bare},
	} {
		name, found := devcontainer.File(files, "p")
		if got := fmt.Sprint(name, " ", found); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
