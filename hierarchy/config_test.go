package hierarchy_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/klmcwhirter/ocisi/hierarchy"
)

// predecessor is a config as the Python tool reads it, every key in use.
const predecessor = `---
# order was build order there
- name: fedora-dev-base
  path: fedora
  enabled: true

- name: fedora-zig
  path: fedora
  tag: 0.14.0
  enabled: false

- name: fedora-zig-dx
  path: fedora
  tag: 0.14.0
  enabled: false

- name: fedora-dev-base-dx
  path: fedora
  enabled: true
  manager: docker
  assemble: false

- name: debian
  path: debian
  tag: bookworm
  enabled: true
  manager: podman

- name: debian-dx
  path: debian
  tag: bookworm
  enabled: true
  manager: podman
  distrobox: debian-bookworm-dx
`

func files(m map[string]string) fstest.MapFS {
	out := fstest.MapFS{}
	for name, text := range m {
		out[strings.TrimPrefix(name, "/")] = &fstest.MapFile{Data: []byte(text)}
	}
	return out
}

const thin = "ARG IMG\nARG TAG\nFROM ${IMG}:${TAG}\nARG USER\nARG UID\nARG GID\nRUN id\n"

var host = hierarchy.Host{
	Manager: hierarchy.Docker, User: "al", UID: 1000, GID: 1001,
	Files: files(map[string]string{
		"/c/fedora/Containerfile.fedora-dev-base": "FROM ghcr.io/ublue-os/fedora-toolbox:latest\nRUN x\n",
		"/c/fedora/Containerfile.fedora-python":   "FROM fedora-dev-base:latest\nCOPY --from=fedora-dev-base /a /b\nRUN x\n",
		"/c/fedora/Containerfile.fedora-zig":      "ARG ZIG_VERSION=0.1\nFROM fedora-python\nRUN x\n",
		"/c/fedora/Containerfile.img-dx":          thin,
		"/c/fedora/Containerfile.loop":            "FROM loop:latest\n",
		"/c/fedora/Containerfile.a":               "FROM b\n",
		"/c/fedora/Containerfile.b":               "# b\nFROM a\n",
		"/c/fedora/Containerfile.typo":            "# x\nFROM  fedora-pyton:latest\n",
		"/c/fedora/Containerfile.bad":             "FROM fedora-python\nRUNN x\n",
		"/c/fedora/Containerfile.hub":             "FROM alpine:3\n",
		"/c/debian/Containerfile.debian":          "FROM docker.io/library/debian:bookworm\nRUN x\n",
		"/c/debian/Containerfile.img-dx":          thin,
	}),
}

func parse(t *testing.T, text string) *hierarchy.Config {
	t.Helper()
	c, err := hierarchy.ParseConfig("/c/ocisi.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// needs returns what images read, a line each.
func needs(all []hierarchy.Need) []string {
	var out []string
	for _, n := range all {
		out = append(out, fmt.Sprintf("%d: %s → %s", n.Line, n.Ref, n.Pinned()))
	}
	return out
}

func TestPredecessorsList(t *testing.T) {
	g, err := parse(t, predecessor).Graph(host)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, im := range g.Images {
		box := "-"
		if im.Box != nil {
			box = im.Box.Name
		}
		got = append(got, fmt.Sprintf("%v %s %q %q", im.Key(), box, needs(im.Parents), needs(im.Bases)))
	}
	want := []string{
		`docker fedora-dev-base:latest - [] ["1: ghcr.io/ublue-os/fedora-toolbox:latest → ghcr.io/ublue-os/fedora-toolbox:latest"]`,
		`docker fedora-dev-base-dx:latest - ["3: fedora-dev-base:latest → fedora-dev-base:latest"] []`,
		`podman debian:bookworm - [] ["1: docker.io/library/debian:bookworm → docker.io/library/debian:bookworm"]`,
		`podman debian-dx:bookworm debian-bookworm-dx ["3: debian:bookworm → debian:bookworm"] []`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	im, _ := g.Image(hierarchy.Key{Manager: hierarchy.Podman, Ref: "debian-dx:bookworm"})
	wantArgs := map[string]string{"IMG": "debian", "TAG": "bookworm", "USER": "al", "UID": "1000", "GID": "1001"}
	if fmt.Sprint(im.Args) != fmt.Sprint(wantArgs) {
		t.Errorf("args %v, want %v", im.Args, wantArgs)
	}
}

func TestMappingForm(t *testing.T) {
	c := parse(t, `manager: podman
jobs: 3
bases:
  ghcr.io/ublue-os/fedora-toolbox: localhost/mine:1
images:
  - {name: fedora-python-dx, path: fedora, enabled: true, tag: 3.10, args: {IMG: fedora-python, TAG: latest}, box: {
      home: ~/boxes/py, init: true, nvidia: true, root: true, start_now: true, hostname: py,
      volumes: ["/srv:/srv:ro", "$HOME/x:/x"], exported_bins: [/usr/bin/zig], exported_apps: [code], exported_bins_path: ~/bin,
      additional_packages: [htop], init_hooks: ["touch /a; touch /b"], additional_flags: ["--env A=b"]}}
  - name: fedora-python
    path: fedora
    enabled: true
  - &base {name: fedora-dev-base, path: fedora, enabled: true}
`)
	if c.Manager != hierarchy.Podman || c.Jobs != 3 {
		t.Errorf("manager %q, jobs %d", c.Manager, c.Jobs)
	}
	g, err := c.Graph(host)
	if err != nil {
		t.Fatal(err)
	}
	var refs []string
	for _, im := range g.Images {
		refs = append(refs, im.Ref())
	}
	if want := []string{"fedora-dev-base:latest", "fedora-python:latest", "fedora-python-dx:3.10"}; !slices.Equal(refs, want) {
		t.Errorf("order %v, want %v: parents first, whatever the file's order", refs, want)
	}
	if as := g.Images[0].Bases[0].As; as != "localhost/mine:1" {
		t.Errorf("base %s, want the override", as)
	}
	want := hierarchy.Box{
		Name: "fedora-python-dx", Home: "~/boxes/py", Hostname: "py", Init: true, Nvidia: true, Root: true, StartNow: true,
		Volumes: []string{"/srv:/srv:ro", "$HOME/x:/x"}, ExportedBins: []string{"/usr/bin/zig"}, ExportedApps: []string{"code"},
		ExportedBinsPath: "~/bin", AdditionalPackages: []string{"htop"}, InitHooks: []string{"touch /a; touch /b"},
		AdditionalFlags: []string{"--env A=b"},
	}
	if got := g.Images[2].Box; got == nil || fmt.Sprintf("%#v", *got) != fmt.Sprintf("%#v", want) {
		t.Errorf("box\n%#v\nwant\n%#v", got, want)
	}
	if err := g.Read(host.Files); err != nil {
		t.Fatal(err)
	}
	made := g.Images[1].Inputs
	made.Fresh = time.Unix(0, 0).UTC()
	r := g.Images[1].Recipe("/c/ocisi.yaml", made)
	if text := string(r.Text); text != "FROM localhost/fedora-dev-base:latest\nCOPY --from=localhost/fedora-dev-base:latest /a /b\nRUN x\n" {
		t.Errorf("podman's recipe:\n%s", text)
	}
	if got, ok := hierarchy.ReadInputs(r.Labels, "fedora-python:latest"); !ok || fmt.Sprint(got) != fmt.Sprint(made) {
		t.Errorf("inputs\n%v\nwant\n%v", got, made)
	}
	delete(r.Labels, hierarchy.LabelInputs)
	wantLabels := "map[ocisi.config:/c/ocisi.yaml ocisi.image:fedora-python:latest ocisi.parent:fedora-dev-base:latest]"
	if got := fmt.Sprint(r.Labels); got != wantLabels {
		t.Errorf("labels %s", got)
	}
}

// The first manager builds, the others get copies; a graph of some managers has no
// copies for the others.
func TestManagers(t *testing.T) {
	c := parse(t, `- {name: fedora-dev-base, path: fedora, enabled: true, manager: [podman, docker]}
- {name: debian, path: debian, tag: bookworm, enabled: false, manager: &m [docker]}
`)
	if e := c.Entries[0]; e.Manager != hierarchy.Podman || !slices.Equal(e.Also, []hierarchy.Manager{hierarchy.Docker}) {
		t.Errorf("%s, also %s", e.Manager, e.Also)
	}
	if e := c.Entries[1]; e.Manager != hierarchy.Docker || len(e.Also) > 0 {
		t.Errorf("%s, also %s", e.Manager, e.Also)
	}
	both := []hierarchy.Manager{hierarchy.Docker, hierarchy.Podman}
	if !slices.Equal(c.Managers(), both) {
		t.Error(c.Managers())
	}
	g, err := c.Graph(host)
	if err != nil {
		t.Fatal(err)
	}
	im := g.Images[0]
	if im.Manager != hierarchy.Podman || !im.In(hierarchy.Docker) || !im.In(hierarchy.Podman) || !slices.Equal(g.Managers(), both) {
		t.Errorf("%+v", im)
	}
	alone := g.Of([]hierarchy.Manager{hierarchy.Podman})
	if len(alone.Images) != 1 || alone.Images[0].In(hierarchy.Docker) || !g.Images[0].In(hierarchy.Docker) {
		t.Errorf("%+v", alone.Images)
	}
	if len(g.Of([]hierarchy.Manager{hierarchy.Docker}).Images) > 0 {
		t.Error("a copy without its source")
	}
}

// configErrors are whole messages, from the file on.
func TestConfigErrors(t *testing.T) {
	entry := func(rest string) string { return "- name: fedora-dev-base\n  path: fedora\n  enabled: true\n" + rest }
	for _, c := range []struct{ name, text, want string }{
		{"unknown key", entry("  enable: true\n"), "/c/ocisi.yaml:4:3: unknown key enable in an image\n    enable: true\n    ^\n  did you mean enabled?"},
		{"unknown key, nothing near", entry("  colour: red\n"), "known keys: args, assemble, box, devcontainer, distrobox, enabled, keep, manager, max_age, name, path, tag"},
		{"unknown key in box", entry("  box: {exported_bin: [/x]}\n"), ":4:9: unknown key exported_bin in box\n    box: {exported_bin: [/x]}\n          ^\n  did you mean exported_bins?"},
		{"unknown key at the top", "imags: []\n", ":1:1: unknown key imags in the config\n  imags: []\n  ^\n  did you mean images?"},
		{"wrong type", entry("  tag: [1]\n"), ":4:8: tag wants text, not a list\n    tag: [1]\n         ^"},
		{"wrong type bool", "- name: a\n  path: fedora\n  enabled: yes\n", `:3:12: enabled wants true or false, not "yes"`},
		{"wrong type list", entry("  box: {volumes: /a:/b}\n"), "volumes wants a list, not \"/a:/b\"\n    box: {volumes: /a:/b}\n                   ^\n  write volumes: [VALUE, …]"},
		{"nothing", entry("  tag:\n"), "tag wants text, not nothing"},
		{"a truth as tag", entry("  tag: true\n"), "tag wants text, not true\n    tag: true\n         ^\n  put it in quotes"},
		{"missing key", "- name: a\n  path: b\n", ":1:3: missing key enabled\n  - name: a\n    ^\n  every image has name, path and enabled"},
		{"missing images", "manager: docker\n", ":1:1: missing key images"},
		{"no list", "images: {a: b}\n", "images wants a list, not a mapping"},
		{"scalar", "hello\n", `a config is a list of images, or a mapping with the key images, not "hello"`},
		{"empty", "# nothing\n", ":1:1: the file holds no images"},
		{"two documents", "- {name: a, path: p, enabled: false}\n---\n- {name: b, path: p, enabled: false}\n", ":3:1: a second YAML document"},
		{"not YAML", "- name: [a\n", ":1:9: not YAML: sequence end token ']' not found"},
		{"duplicate", entry("") + entry(""), ":4:9: a second image fedora-dev-base:latest; the first is in line 1"},
		{"duplicate by the default manager", entry("") + entry("  manager: docker\n"), ":4:9: a second image fedora-dev-base:latest; the first is in line 1"},
		{"duplicate by docker's names", entry("") + "- {name: docker.io/library/fedora-dev-base, path: fedora, enabled: true}\n", ":4:10: a second image docker.io/library/fedora-dev-base:latest; the first is in line 1"},
		{"duplicate box", entry("") + "- name: fedora-dev-base-dx\n  path: fedora\n  enabled: true\n- name: fedora-dev-base-dx\n  path: fedora\n  tag: 2\n  enabled: true\n",
			":7:3: a second box fedora-dev-base-dx; the first is in line 4\n  - name: fedora-dev-base-dx\n    ^\n  give one of them another name: distrobox: fedora-dev-base-dx-2"},
		{"unknown manager", entry("  manager: dokcer\n"), ":4:12: unknown manager \"dokcer\"\n    manager: dokcer\n             ^\n  write docker or podman"},
		{"a manager twice", entry("  manager: [docker, podman, docker]\n"), ":4:29: manager docker is listed twice\n    manager: [docker, podman, docker]\n                              ^\n  name each once: the first builds, the others get copies"},
		{"no manager", entry("  manager: []\n"), ":4:12: manager is an empty list\n    manager: []\n             ^\n  write docker, podman or [docker, podman]"},
		{"unknown manager in a list", entry("  manager: [docker, pudman]\n"), ":4:21: unknown manager \"pudman\"\n"},
		{"a list in a list of managers", entry("  manager: [docker, [podman]]\n"), ":4:21: manager wants text, not a list"},
		{"a list for all", "manager: [docker, podman]\nimages: []\n", ":1:10: manager wants text, not a list"},
		{"a copy of an image's name", entry("  manager: [docker, podman]\n") + entry("  manager: podman\n"),
			":4:12: podman's copy of fedora-dev-base:latest would take the name of the image in line 5\n    manager: [docker, podman]\n             ^\n  give one of them another tag, or leave podman out here"},
		{"two copies of a name", entry("  manager: [podman, docker]\n") + "- {name: docker.io/library/fedora-dev-base, path: fedora, enabled: true, manager: [podman, docker]}\n",
			":5:83: docker's copy of docker.io/library/fedora-dev-base:latest would take the name of the image in line 1"},
		{"copies of one image that differ", entry("  manager: [docker, podman]\n  assemble: true\n") + entry("  manager: docker\n  assemble: true\n  distrobox: other\n"), ":6:9: a second image fedora-dev-base:latest"},
		{"metacharacter in a path", "- name: a\n  path: x; rm -rf ~\n  enabled: true\n", ":2:9: path \"x; rm -rf ~\" holds ';', which a shell would not take as itself"},
		{"metacharacter in a name", "- name: a$(id)\n  path: x\n  enabled: true\n", `name "a$(id)" is no image name`},
		{"metacharacter in a tag", entry("  tag: 1;2\n"), `tag "1;2" is no image tag`},
		{"metacharacter in a flag", entry("  box: {additional_flags: [\"--env A=`id`\"]}\n"), "holds '`'"},
		{"substitution in a home", entry("  box: {home: $(id)}\n"), "holds '$'"},
		{"bad box name", entry("  distrobox: a b\n"), `distrobox "a b" is no container name`},
		{"relative bin", entry("  box: {exported_bins: [zig]}\n"), `exported_bins "zig" is not absolute`},
		{"jobs", "jobs: many\nimages: []\n", `:1:7: jobs wants a whole number from 1, not "many"`},
		{"no jobs", "jobs: 0\nimages: []\n", "jobs wants a whole number from 1, not the number 0"},
		{"tabs", "- name: a\n\tpath: x\n", "not YAML: "},
		{"cycle of one", "- {name: loop, path: fedora, enabled: true}\n", "/c/fedora/Containerfile.loop:1:6: cycle: loop:latest → loop:latest\n  FROM loop:latest\n       ^\n"},
		{"cycle", "- {name: a, path: fedora, enabled: true}\n- {name: b, path: fedora, enabled: true}\n", "/c/fedora/Containerfile.a:1:6: cycle: a:latest → b:latest → a:latest"},
		{"its own docker.io name", "- {name: debian, tag: bookworm, path: debian, enabled: true}\n", "docker keeps debian:bookworm and docker.io/library/debian:bookworm under one name"},
		{"disabled parent", entry("") + "- name: fedora-python\n  path: fedora\n  enabled: false\n- name: fedora-zig\n  path: fedora\n  enabled: true\n",
			"/c/fedora/Containerfile.fedora-zig:2:6: fedora-zig:latest (docker) is built from fedora-python, which is disabled\n  FROM fedora-python\n       ^\n  set enabled: true in /c/ocisi.yaml:4, or disable fedora-zig too"},
		{"unknown parent", entry("") + "- {name: typo, path: fedora, enabled: true}\n- {name: fedora-python, path: fedora, enabled: true}\n",
			"/c/fedora/Containerfile.typo:2:7: typo:latest (docker) is built from fedora-pyton:latest, which is unknown\n  FROM  fedora-pyton:latest\n        ^\n  did you mean fedora-python?"},
		{"unknown tag of a parent", "- {name: fedora-dev-base, path: fedora, tag: 2, enabled: true}\n- {name: fedora-python, path: fedora, enabled: true}\n", "known: fedora-dev-base:2"},
		{"thin layer of nothing", "- {name: fedora-rust-dx, path: fedora, enabled: true}\n", "/c/ocisi.yaml:1:10: fedora-rust-dx:latest (docker) is built from fedora-rust:latest, which is unknown"},
		{"parent of another manager", entry("  manager: podman\n") + "- {name: fedora-python, path: fedora, enabled: true}\n", "is built from fedora-dev-base:latest, which is an image of podman"},
		{"missing Containerfile", "- {name: nope, path: fedora, enabled: true}\n", "/c/ocisi.yaml:1:10: missing Containerfile: /c/fedora/Containerfile.nope does not exist"},
		{"bad Containerfile", "- {name: bad, path: fedora, enabled: true}\n", "/c/fedora/Containerfile.bad:2:1: unknown instruction: RUNN"},
		{"user in a volume", entry("  box: {volumes: [\"/srv/$USER:/x\"]}\n"), "holds '$', which distrobox would hand to a shell"},
		{"blank in a volume", entry("  box: {volumes: [\"/srv/a b:/x\"]}\n"), "holds ' ', which distrobox would hand to a shell"},
		{"home in the path", "- {name: a, path: ~/x, enabled: true}\n", "path \"~/x\" holds '~'"},
		{"half a generation", entry("  keep: 0.5\n"), "keep wants a whole number from 0, not the number 0.5"},
		{"less than no generation", entry("  keep: -1\n"), "keep wants a whole number from 0"},
		{"a check with a pipe", entry("  box: {check: a | b}\n"), "check \"|\" holds '|'"},
		{"no time", "start_timeout: soon\nimages: []\n", "start_timeout \"soon\" is no time"},
		{"no time at all", "start_timeout: 0s\nimages: []\n", "write a number with s, m or h, as in 15m"},
		{"undeclared argument", entry("  args: {ZIG: 1}\n"), ":4:10: argument ZIG is not declared in Containerfile.fedora-dev-base\n    args: {ZIG: 1}\n           ^"},
	} {
		cfg, err := hierarchy.ParseConfig("/c/ocisi.yaml", []byte(c.text))
		if err == nil {
			_, err = cfg.Graph(host)
		}
		if err == nil {
			t.Errorf("%s: no error", c.name)
			continue
		}
		if _, ok := errors.AsType[*hierarchy.ConfigError](err); !ok {
			t.Errorf("%s: %T", c.name, err)
		}
		if !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got\n%v\nwant\n%s", c.name, err, c.want)
		}
	}
}

func TestAllErrorsAtOnce(t *testing.T) {
	_, err := hierarchy.ParseConfig("x", []byte("- {nam: a, path: b, enabled: 1}\n- {name: A, path: b, enabled: true}\n"))
	if n := strings.Count(fmt.Sprint(err), "x:"); n != 4 {
		t.Errorf("%d errors, want 4 (unknown key, missing key, wrong type, bad name):\n%v", n, err)
	}
}

// What is built from an image whose Containerfile is bad is not reported too.
func TestOneErrorIsEnough(t *testing.T) {
	list := "- {name: bad, path: d, enabled: true}\n- {name: bad-dx, path: d, enabled: true}\n"
	_, err := parse(t, list).Graph(hierarchy.Host{Manager: hierarchy.Docker, Files: files(map[string]string{
		"/c/d/Containerfile.bad": "FROM a\nRUNN x\n", "/c/d/Containerfile.img-dx": thin,
	})})
	if got := fmt.Sprint(err); strings.Count(got, "ocisi.yaml")+strings.Count(got, "Containerfile.") != 1 {
		t.Errorf("got %v", err)
	}
}

// A public image that merely is not managed stays a base.
func TestBaseOfARegistry(t *testing.T) {
	g, err := parse(t, "- {name: hub, path: fedora, enabled: true}\n").Graph(host)
	if err != nil {
		t.Fatal(err)
	}
	if im := g.Images[0]; len(im.Parents) != 0 || im.Bases[0].Ref != "alpine:3" {
		t.Errorf("parents %v, bases %v", im.Parents, im.Bases)
	}
}

func TestOnly(t *testing.T) {
	g, err := parse(t, predecessor).Graph(host)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ names, want string }{
		{"debian-bookworm-dx", "debian:bookworm debian-dx:bookworm"},
		{"debian", "debian:bookworm"},
		{"fedora-dev-base-dx:latest", "fedora-dev-base:latest fedora-dev-base-dx:latest"},
		{"", "fedora-dev-base:latest fedora-dev-base-dx:latest debian:bookworm debian-dx:bookworm"},
	} {
		only, err := g.Only(strings.Fields(c.names))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, im := range only.Images {
			got = append(got, im.Ref())
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("only %s: %v, want %s", c.names, got, c.want)
		}
	}
	_, err = g.Only([]string{"debain"})
	if err == nil || !strings.Contains(err.Error(), "did you mean debian?") {
		t.Errorf("unknown name: %v", err)
	}
}

func FuzzParseConfig(f *testing.F) {
	f.Add([]byte(predecessor))
	f.Add([]byte("images: [&a {name: x, path: y, enabled: true, box: {home: ~}}, *a]\nmanager: *b\n"))
	f.Add([]byte("a: &a [*a]\n- *a"))
	f.Add([]byte(strings.Repeat("[", 200)))
	f.Add([]byte(strings.Repeat("- ", 200)))
	f.Add([]byte("- &a [x, x]\n- &b [*a, *a]\n- &c [*b, *b]\n- {args: *c}\n"))
	f.Add([]byte("- {name: x, path: y, enabled: true, devcontainer: {settings: &s {a: [*s, 3.10, .inf], <<: *s}, env: {A: 1}, mounts: [\"~:/a\"]}}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := hierarchy.ParseConfig("f", data)
		if err != nil {
			if err.Error() == "" {
				t.Fatal("an error without words")
			}
			return
		}
		_, _ = c.Graph(host)
	})
}
