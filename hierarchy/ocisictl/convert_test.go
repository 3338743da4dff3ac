package ocisictl_test

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/ocisictl"
)

func options() ocisictl.Options {
	return ocisictl.Options{
		To: "/var/home/al/.config/ocisi/ocisi.yaml", Homes: []string{"/var/home/al", "/home/al"},
		Getenv:  func(name string) string { return map[string]string{"USER": "al"}[name] },
		Manager: hierarchy.Podman, ManagerWhy: "so it was told",
	}
}

func convert(list, ini string, o ocisictl.Options) (*ocisictl.Result, error) {
	var boxes *ocisictl.File
	if ini != "" {
		boxes = &ocisictl.File{Path: "/src/distrobox.ini", Data: []byte(ini)}
	}
	return ocisictl.Convert(ocisictl.File{Path: "/src/ocisictl.yaml", Data: []byte(list)}, boxes, o)
}

func notes(r *ocisictl.Result) []string {
	var out []string
	for _, n := range r.Notes {
		out = append(out, strings.TrimPrefix(n.String(), "/src/"))
	}
	return out
}

// TestAsFound converts files of the shape that people have; UPDATE=1 writes what
// comes out.
func TestAsFound(t *testing.T) {
	t.Parallel()
	read := func(name string) string {
		data, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil && os.Getenv("UPDATE") == "" {
			t.Fatal(err)
		}
		return string(data)
	}
	r, err := convert(read("ocisictl.yaml"), read("distrobox.ini"), options())
	if err != nil {
		t.Fatal(err)
	}
	for name, got := range map[string]string{"ocisi.yaml": string(r.Text), "notes": strings.Join(notes(r), "\n") + "\n"} {
		if os.Getenv("UPDATE") != "" {
			if err := os.WriteFile(filepath.Join("testdata", name), []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if want := read(name); got != want {
			t.Errorf("%s is\n%s\nwant\n%s", name, got, want)
		}
	}
}

func TestForms(t *testing.T) {
	t.Parallel()
	const ini = "# about go\n[go-dx]\n; within\nvolume=/a:/b\nhostname=h\n"
	for name, c := range map[string]struct{ list, want string }{
		"block": {
			"- name: go-dx\n  path: img\n  enabled: true\n\n- name: x\n  path: img\n  enabled: true\n",
			"manager: podman\nimages:\n  - name: go-dx\n    path: IMG\n    enabled: true\n    box:\n      # about go\n      # within\n      hostname: h\n      volumes: [\"/a:/b\"]\n\n  - name: x\n    path: IMG\n    enabled: true\n",
		},
		"braces": {
			"- {name: go-dx, path: img, enabled: true} # end\n",
			"manager: podman\nimages:\n  # about go\n  # within\n  - {name: go-dx, path: IMG, enabled: true, box: {hostname: h, volumes: [\"/a:/b\"]}} # end\n",
		},
		"braces over lines, a comma at the end": {
			"- {\n    name: 'go-dx', # }\n    path: \"img\",\n    enabled: true,\n  }\n",
			"manager: podman\nimages:\n  - {\n  # about go\n  # within\n      name: 'go-dx', # }\n      path: IMG,\n      enabled: true,\n    box: {hostname: h, volumes: [\"/a:/b\"]}}\n",
		},
		"brackets": {
			"[{name: go-dx, path: img, enabled: true, manager: docker}, {path: img, name: \"x\", enabled: false, manager: docker}]\n",
			"images:\n  # about go\n  # within\n  [{name: go-dx, path: IMG, enabled: true, manager: docker, box: {hostname: h, volumes: [\"/a:/b\"]}}, {path: IMG, name: \"x\", enabled: false, manager: docker}]\n",
		},
		"comments, a marker, blank lines, line ends of Windows": {
			"\ufeff# file\r\n\r\n--- # begin\r\n# head\r\n- name: go-dx # line\r\n  # in\r\n  path: img\r\n  enabled: true\r\n  # foot\r\n# next\r\n- name: x\r\n  path: img\r\n  enabled: true\r\n# last\r\n...\r\n",
			"# file\n\n# begin\nmanager: podman\nimages:\n  # head\n  - name: go-dx # line\n    # in\n    path: IMG\n    enabled: true\n    # foot\n    box:\n      # about go\n      # within\n      hostname: h\n      volumes: [\"/a:/b\"]\n  # next\n  - name: x\n    path: IMG\n    enabled: true\n  # last\n",
		},
		"the dash alone, far right": {
			"  -\n     enabled: yes\n     name: go-dx\n     path: img\n",
			"manager: podman\nimages:\n    -\n       enabled: true\n       name: go-dx\n       path: IMG\n       box:\n         # about go\n         # within\n         hostname: h\n         volumes: [\"/a:/b\"]\n",
		},
	} {
		r, err := convert(c.list, ini, options())
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got, want := string(r.Text), strings.ReplaceAll(c.want, "IMG", "../../../../../src/img"); got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
		}
	}
}

func TestHomes(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]hierarchy.Box{
		"home=/home/somebody":    {},
		"home=/var/home/al/":     {},
		"home=$HOME":             {},
		"home=/home/somebody/b":  {Home: "~/b"},
		"home=~/b":               {Home: "~/b"},
		"home=/home/linuxbrew/x": {Home: "/home/linuxbrew/x"},
		"home=/srv/home/x":       {Home: "/srv/home/x"},
		"volume=/home/al/a:/home/other/b:ro $HOME:/x /srv:/srv":  {Volumes: []string{"~/a:~/b:ro", "~:/x", "/srv:/srv"}},
		"exported_bins=/home/x/.local/bin/y":                     {ExportedBins: []string{"/var/home/al/.local/bin/y"}},
		"exported_bins_path=/home/x/.local/bin":                  {ExportedBinsPath: "~/.local/bin"},
		"additional_flags=--env A=/home/x/a --volume /home/x:/y": {AdditionalFlags: []string{"--env A=/var/home/al/a --volume ~:/y"}},
		"init_hooks=touch /home/x/a":                             {InitHooks: []string{"touch /home/x/a"}},
		"hostname=$USER-box":                                     {Hostname: "al-box"},
	} {
		r, err := convert("- {name: b-dx, path: /srv/img, enabled: true}\n", "[b-dx]\n"+value+"\n", options())
		if err != nil {
			t.Errorf("%s: %v", value, err)
			continue
		}
		var got hierarchy.Box
		if b := r.Config.Entries[0].Box; b != nil {
			got = *b
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, want %+v", value, got, want)
		}
		told := strings.Contains(strings.Join(notes(r), "\n"), "distrobox.ini:2:1: ")
		if quiet := value == "home=~/b" || strings.Contains(value, "linuxbrew") || strings.Contains(value, "/srv/home"); told == quiet {
			t.Errorf("%s: notes %q", value, notes(r))
		}
	}
}

func TestFolders(t *testing.T) {
	t.Parallel()
	for path, want := range map[string][2]string{ // without and with Copy
		"fedora":               {"../../../../../src/fedora", "fedora"},
		"./a/fedora":           {"../../../../../src/a/fedora", "./a/fedora"},
		"../fedora":            {"../../../../../fedora", "fedora"},
		"/srv/fedora":          {"../../../../../srv/fedora", "fedora"},
		"/home/somebody/x/img": {"../../x/img", "img"},
		"/var/home/al/x/img":   {"../../x/img", "img"},
	} {
		for i, o := range []ocisictl.Options{options(), options()} {
			o.Copy = i == 1
			r, err := convert("- {name: a, path: "+path+", enabled: true}\n- {name: b, path: "+path+", enabled: true}\n", "", o)
			if err != nil {
				t.Errorf("%s: %v", path, err)
				continue
			}
			for _, e := range r.Config.Entries {
				if e.Path != want[i] {
					t.Errorf("%s: got %s, want %s", path, e.Path, want[i])
				}
			}
			if len(r.Folders) != i {
				t.Errorf("%s: to be copied: %v", path, r.Folders)
			}
			for _, f := range r.Folders {
				there := r.Config.Dir(r.Config.Entries[0])
				if f.To != there || !strings.HasSuffix(f.From, filepath.Clean("/"+strings.TrimPrefix(strings.TrimPrefix(path, "../"), "/home/somebody"))) {
					t.Errorf("%s: copied as %v, used in %s", path, f, there)
				}
			}
		}
	}
}

func TestCopiesKeepApart(t *testing.T) {
	t.Parallel()
	o := options()
	o.Copy = true
	r, err := convert("- {name: a, path: img, enabled: true}\n- {name: b, path: /x/img, enabled: true}\n- {name: c, path: ./img, enabled: true}\n- {name: d, path: ., enabled: true}\n", "", o)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range r.Config.Entries {
		got = append(got, e.Path)
	}
	if want := []string{"img", "img-2", "./img", "src"}; !slices.Equal(got, want) {
		t.Errorf("folders %q, want %q", got, want)
	}
}

func TestStandsWhereItStood(t *testing.T) {
	t.Parallel()
	o := options()
	o.To = "/src/ocisi.yaml"
	r, err := convert("- {name: a, path: fedora, enabled: true, manager: docker}\n", "", o)
	if err != nil || r.Config.Entries[0].Path != "fedora" || len(r.Notes) != 0 {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ list, ini, want string }{
		{"- name: a\n  path: p\n", "", "/src/ocisictl.yaml:1:3: missing key enabled"},
		{"- name: a\n  paht: p\n  enabled: true\n", "", "/src/ocisictl.yaml:2:3: unknown key paht"},
		{"- {name: a, path: p, enabled: true, manager: lilipod}\n", "", `/src/ocisictl.yaml:1:46: unknown manager "lilipod"`},
		{"images:\n- {name: a, path: p, enabled: true}\n", "", "is a mapping with the key images"},
		{"{images: []}\n", "", "is a mapping with the key images"},
		{"", "", "/src/ocisictl.yaml:1:1: the file holds no images"},
		{"[]\n", "", "there are no images in it"},
		{"- name: a\n  path: >-\n    p\n  enabled: true\n", "", "/src/ocisictl.yaml:2:9: path is written in a way"},
		{"- {name: a-dx, path: p, enabled: true}\n", "[a-dx]\nhome=$(id)\n", "/src/distrobox.ini:2:1: home: a command in a value is not run"},
		{"- name: a-dx\n  path: p\n  enabled: true\n", "[x]\n[a-dx]\nnvidia=1\nvolume=/a:/a\nvolume=/a;b:/c\n", "/src/distrobox.ini:5:1: volumes \"/a;b\" holds ';', which distrobox would hand to a shell\n  volume=/a;b:/c\n  ^"},
		{"- name: a-dx\n  path: p\n  enabled: true\n", "[a-dx]\nhostname=a b\n", "/src/distrobox.ini:2:1: hostname"},
	} {
		r, err := convert(c.list, c.ini, options())
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q %q: %v, want %s", c.list, c.ini, err, c.want)
		}
		if r != nil {
			t.Errorf("%q: a result with an error", c.list)
		}
	}
	_, err := convert("images: []\n", "", options())
	if !errors.Is(err, ocisictl.ErrMapping) {
		t.Errorf("error %v", err)
	}
}

func TestWordsForBooleans(t *testing.T) {
	t.Parallel()
	for word, want := range map[string]bool{"yes": true, "Yes": true, "on": true, "ON": true, "true": true, "no": false, "Off": false, "NO": false} {
		r, err := convert("- {name: a, path: p, enabled: "+word+"} # enabled: yes\n", "", options())
		if err != nil || r.Config.Entries[0].Enabled != want || !strings.HasSuffix(string(r.Text), "} # enabled: yes\n") {
			t.Errorf("%s: %v, %+v", word, err, r)
		}
	}
}

// What a section sets is kept while no box is made of the image: it may be again.
func TestSectionsOfImagesWithoutBox(t *testing.T) {
	t.Parallel()
	const ini = "[a-dx]\nhome=/x/a\n[b-dx]\nnvidia=true\nhome=/x/b\n[c]\nhome=/x/c\nexported_bins=/usr/bin/c\n[d]\nhome=/x/d\n"
	r, err := convert(`- {name: a-dx, path: /p, enabled: false, manager: docker}
- {name: b-dx, path: /p, enabled: true, manager: docker, assemble: false}
- {name: c, path: /p, enabled: true, manager: docker, assemble: false}
- {name: d, path: /p, enabled: false, manager: docker}
- {name: e-dx, path: /p, enabled: true, manager: docker, distrobox: d}
`, ini, options())
	if err != nil {
		t.Fatal(err)
	}
	want := []*hierarchy.Box{{Home: "/x/a"}, {Home: "/x/b", Nvidia: true}, {Home: "/x/c", ExportedBins: []string{"/usr/bin/c"}}, nil, {Home: "/x/d"}}
	for i, e := range r.Config.Entries {
		if !reflect.DeepEqual(e.Box, want[i]) || e.HasBox() != (i == 0 || i == 4) {
			t.Errorf("%s: box %+v, made: %t", e.Name, e.Box, e.HasBox())
		}
	}
}

// What is true of several names is one note.
func TestNotesAreGrouped(t *testing.T) {
	t.Parallel()
	r, err := convert("- {name: a-dx, path: /p, enabled: true, manager: docker}\n- {name: b-dx, path: /p, enabled: true, manager: docker}\n"+
		"- {name: c-dx, path: /p, enabled: true, manager: docker}\n- {name: d-dx, path: /p, enabled: true, manager: docker}\n",
		"[a-dx]\nentry=1\nhome=/x\n[b-dx]\nentry=1\nhome=/y\n[x]\nhome=/x\n[y]\nhome=/y\n", options())
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"ocisictl.yaml:1:22: path: /p is now ../../../../../p: the folder stays where it is",
		"ocisictl.yaml:3:4: distrobox.ini has no [c-dx], [d-dx], so ocisictl made no box of that name; ocisi makes one with nothing set. assemble: false prevents it",
		"distrobox.ini:2:1: [a-dx], [b-dx] entry: ignored: ocisi has no such key",
		"distrobox.ini:7:1: [x], [y]: left out, since no image has a box of this name",
	}
	if got := notes(r); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestToldOfSections looks at what is said of sections, and what is not.
func TestToldOfSections(t *testing.T) {
	t.Parallel()
	const entry = "- {name: a-dx, path: /srv/p, enabled: true, manager: docker, tag: x"
	for _, c := range []struct{ list, ini, want string }{
		{entry + "}\n", "[a-dx]\nimage=a-dx:x\npull=true\nreplace=true\n", ""},
		{entry + "}\n", "[a-dx]\nimage=localhost/a-dx:x\n", ""},
		{entry + "}\n", "[a-dx]\nimage=a-dx\n", "2:1: image: the box was made from a-dx; ocisi makes it from a-dx:x"},
		{entry + "}\n", "[a-dx]\nclone=other\n", "2:1: [a-dx] clone: left out"},
		{entry + "}\n", "[b]\nentry=1\n", "1:1: [b]: left out"},
		{entry + ", box: {hostname: own}}\n", "[a-dx]\nhostname=other\n", ""},
	} {
		r, err := convert(c.list, c.ini, options())
		if err != nil {
			t.Errorf("%s: %v", c.ini, err)
			continue
		}
		var told []string
		for _, n := range notes(r) {
			if rest, ok := strings.CutPrefix(n, "distrobox.ini:"); ok {
				told = append(told, rest)
			}
		}
		if (len(told) == 0) != (c.want == "") || len(told) > 1 || len(told) == 1 && !strings.HasPrefix(told[0], c.want) {
			t.Errorf("%s: told %q, want %s", c.ini, told, c.want)
		}
		if b := r.Config.Entries[0].Box; b != nil && b.Hostname != "own" {
			t.Errorf("%s: the entry's own box became %+v", c.ini, b)
		}
	}
}

func TestSchemaIsNamed(t *testing.T) {
	t.Parallel()
	o := options()
	o.Schema = "ocisi.schema.json"
	r, err := convert("# mine\n\n- {name: a, path: p, enabled: true}\n", "", o)
	if err != nil || !strings.HasPrefix(string(r.Text), "# yaml-language-server: $schema=ocisi.schema.json\n# mine\n\nmanager:") {
		t.Errorf("%s, %v", r.Text, err)
	}
}
