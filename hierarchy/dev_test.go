package hierarchy_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/devcontainer"
)

const wishes = `
- name: fedora-dev-base
  path: fedora
  enabled: true
  devcontainer:
    extensions: [a.b, x.y]
    settings: {"python.version": "3.10", editor.tabSize: 4, f: 3.10, h: 0x10, deep: {list: [true, null, 1.5e+3]}}
    env: {A: 1, B: two}
- name: fedora-python
  path: fedora
  enabled: true
- name: fedora-python-dx
  path: fedora
  enabled: true
  args: {USER: eve}
  distrobox: python
  box: {home: ~/boxes/p, volumes: ["~/data:/data:ro"]}
  devcontainer: {extensions: [-x.y], mounts: ["$HOME/m:/m", "/n:/n:ro"]}
- name: hub-dx
  path: hub
  enabled: true
  assemble: false
`

func devGraph(t *testing.T, list string) *hierarchy.Graph {
	t.Helper()
	h := host
	h.Home, h.Data = "/var/home/al", "/var/home/al/.local/share"
	h.Files = files(map[string]string{
		"/c/fedora/Containerfile.fedora-dev-base": "FROM ghcr.io/ublue-os/fedora-toolbox:latest\nRUN x\n",
		"/c/fedora/Containerfile.fedora-python":   "FROM fedora-dev-base:latest\nCOPY --from=fedora-dev-base /a /b\nRUN x\n",
		"/c/fedora/Containerfile.img-dx":          thin,
		"/c/hub/Containerfile.img-dx":             "ARG IMG\nARG TAG\nARG USER\nARG UID\nARG GID\nFROM ghcr.io/x/one:1 AS build\nFROM ghcr.io/x/two:2\nCOPY --from=build /a /a\n",
	})
	g, err := parse(t, list).Graph(h)
	if err == nil {
		err = g.Read(h.Files)
	}
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func imageOf(t *testing.T, g *hierarchy.Graph, ref string) hierarchy.Image {
	t.Helper()
	im, ok := g.Image(hierarchy.Key{Manager: hierarchy.Docker, Ref: ref})
	if !ok {
		t.Fatalf("no %s", ref)
	}
	return im
}

// Only thin layers have dev containers, and those inherit what their parents
// wish.
func TestDev(t *testing.T) {
	t.Parallel()
	g := devGraph(t, wishes)
	for _, ref := range []string{"fedora-dev-base:latest", "fedora-python:latest"} {
		im := imageOf(t, g, ref)
		if _, labelled := im.Recipe("", im.Inputs).Labels[hierarchy.LabelDevContainer]; labelled || im.Dev != nil || im.Inputs.Dev != "" {
			t.Errorf("%s: %+v", ref, im.Dev)
		}
	}
	want := &devcontainer.Image{
		Ref: "fedora-python-dx:latest", User: "eve", Home: "/var/home/al", Box: "python", BoxHome: "/var/home/al/boxes/p",
		Server: "/var/home/al/.local/share/ocisi/vscode-server/fedora-python-dx", Volumes: []string{"~/data:/data:ro"},
		Wishes: []devcontainer.Wish{
			{Extensions: []string{"a.b", "x.y"}, Env: map[string]string{"A": "1", "B": "two"}, Settings: map[string]any{
				"python.version": "3.10", "editor.tabSize": json.Number("4"), "f": json.Number("3.10"), "h": uint64(16),
				"deep": map[string]any{"list": []any{true, nil, json.Number("1.5e+3")}},
			}},
			{Extensions: []string{"-x.y"}, Mounts: []string{"$HOME/m:/m", "/n:/n:ro"}},
		},
	}
	im := imageOf(t, g, "fedora-python-dx:latest")
	if !reflect.DeepEqual(im.Dev, want) {
		t.Errorf("got  %+v\nwant %+v", im.Dev, want)
	}
	if hub := imageOf(t, g, "hub-dx:latest").Dev; hub.Box != "" || hub.User != "al" || hub.Wishes != nil {
		t.Errorf("without a box: %+v", hub)
	}
	// A wish of a parent changes what the thin layer is built from, and nothing else.
	other := devGraph(t, strings.Replace(wishes, "two", "three", 1))
	for _, im := range g.Images {
		now := imageOf(t, other, im.Ref())
		if same := now.Inputs.Fingerprint() == im.Inputs.Fingerprint(); same != (im.Name != "fedora-python-dx") {
			t.Errorf("%s: %s, then %s", im.Name, im.Inputs, now.Inputs)
		}
	}
	own := devGraph(t, strings.Replace(wishes, "~/boxes/p", "/home/al", 1))
	if dev := imageOf(t, own, "fedora-python-dx:latest").Dev; dev.BoxHome != "" {
		t.Errorf("the user's own home is a box's: %+v", dev)
	}
}

// The label of the image below is kept, in front of ours: that of the last
// stage, whether it is ours or a base.
func TestMadeMetadata(t *testing.T) {
	t.Parallel()
	g := devGraph(t, wishes)
	lost := errors.New("lost")
	for ref, below := range map[string]string{"fedora-python-dx:latest": "docker.io/library/fedora-python:latest", "hub-dx:latest": "ghcr.io/x/two:2"} {
		im := imageOf(t, g, ref)
		find := func(full string) (hierarchy.StoredImage, bool, error) {
			return hierarchy.StoredImage{ID: full, Labels: map[string]string{hierarchy.LabelDevContainer: `[{"of":"` + full + `"}]`}}, true, nil
		}
		made, err := im.Made(find, im.Inputs.Fresh)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := im.Recipe("", made).Labels[hierarchy.LabelDevContainer], `[{"of":"`+below+`"},`+im.Dev.Entry()+"]"; got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		if got, want := im.Recipe("", im.Inputs).Labels[hierarchy.LabelDevContainer], "["+im.Dev.Entry()+"]"; got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		asked := 0
		_, err = im.Made(func(full string) (hierarchy.StoredImage, bool, error) {
			if full == below {
				if asked++; asked == 2 { // the first time was for its ID
					return hierarchy.StoredImage{}, false, lost
				}
			}
			return hierarchy.StoredImage{}, true, nil
		}, im.Inputs.Fresh)
		if !errors.Is(err, lost) {
			t.Errorf("%s: %v", ref, err)
		}
	}
}

func TestWishErrors(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"{extensons: [a.b]}":       `:1:52: unknown key extensons in devcontainer|did you mean extensions?`,
		"{extensions: [python]}":   `:1:65: extensions "python" is no extension: PUBLISHER.NAME`,
		"{extensions: a.b}":        `extensions wants a list`,
		"{settings: [1]}":          `settings wants a mapping`,
		"{settings: {a: .inf}}":    `settings cannot hold`,
		"{settings: &s {a: *s}}":   `settings are too deep`,
		"{env: {A-B: 1}}":          `"A-B" is no name of a variable`,
		"{env: {HOME: /x}}":        `HOME is the same in box and dev container`,
		"{env: {A: [1]}}":          `env A wants text, not a list`,
		"{mounts: [/a]}":           `"/a" is no mount`,
		`{mounts: ["/a:/b:rw"]}`:   `"/a:/b:rw" is no mount`,
		`{mounts: ["a:/b"]}`:       `"a" is no absolute path`,
		`{mounts: ["/a:/b,c"]}`:    `"/b,c" is no absolute path`,
		`{mounts: ["$FOO/a:/b"]}`:  `"$FOO/a" is no absolute path`,
		"[]":                       `devcontainer wants a mapping`,
		"{settings: {<<: {a: 1}}}": `by <<`,
		"{settings: {a: &b [1,1,1,1,1,1,1,1,1,1], c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b], d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c], e: [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]}}": `or too many`,
	} {
		_, err := hierarchy.ParseConfig("f", []byte("- {name: x, path: y, enabled: true, devcontainer: "+text+"}\n"))
		for part := range strings.SplitSeq(want, "|") {
			if got := fmt.Sprint(err); !strings.Contains(got, part) || strings.Count(got, "f:1:") != 1 {
				t.Errorf("%s: got\n%s\nwant %s", text, got, part)
			}
		}
	}
	two := "- {name: x-dx, path: y, enabled: true}\n- {name: x-dx, path: y, enabled: true, distrobox: z, devcontainer: {env: {A: 1}}}\n"
	if _, err := hierarchy.ParseConfig("f", []byte(two)); err == nil || !strings.Contains(err.Error(), "a second image x-dx:latest") {
		t.Errorf("one image with two settings: %v", err)
	}
}
