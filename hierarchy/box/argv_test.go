package box

import (
	"encoding/base64"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/internal/process"
)

// labelArgs are the arguments that every box ends with.
func labelArgs(b hierarchy.Box) []string {
	return []string{
		"--additional-flags", "--label=ocisi.box=" + b.Name,
		"--additional-flags", "--label=ocisi.exports=%7B%7D",
		"--additional-flags", "--label=ocisi.image-id=sha256:new",
		"--additional-flags", "--label=ocisi.spec=" + b.Spec(),
		"--additional-flags", "--label=ocisi.uid=1001",
	}
}

func TestCreateArgs(t *testing.T) {
	tests := []struct {
		name string
		box  hierarchy.Box
		want []string // between the image and the labels
	}{
		{"plain", hierarchy.Box{}, nil},
		{"flags", hierarchy.Box{Init: true, Nvidia: true, Root: true, StartNow: true}, []string{"--root", "--init", "--nvidia"}},
		{"home", hierarchy.Box{Home: "~/boxes/tool"}, []string{"--home", "/var/home/dev/boxes/tool"}},
		{"home in a variable", hierarchy.Box{Home: "${HOME}/x"}, []string{"--home", "/var/home/dev/x"}},
		{"own home", hierarchy.Box{Home: "~"}, nil},
		{"own home, spelled out", hierarchy.Box{Home: "/var/home/dev/"}, nil},
		{"hostname", hierarchy.Box{Hostname: "tool.lan"}, []string{"--hostname", "tool.lan"}},
		{
			"volumes",
			hierarchy.Box{Volumes: []string{"$HOME/a:~/b:ro", "/srv:/srv:ro,z"}},
			[]string{"--volume", "/var/home/dev/a:/var/home/dev/b:ro", "--volume", "/srv:/srv:ro,z"},
		},
		{
			"packages",
			hierarchy.Box{AdditionalPackages: []string{"git vim", "g++"}},
			[]string{
				"--additional-packages", "git", "--additional-packages", "vim", "--additional-packages", "g++",
				"--pre-init-hooks", repeatInstall,
			},
		},
		{
			"flags for the engine, word by word",
			hierarchy.Box{AdditionalFlags: []string{"--env A=b  --device /dev/kvm", "--memory=1g"}},
			[]string{
				"--additional-flags", "--env", "--additional-flags", "A=b", "--additional-flags", "--device",
				"--additional-flags", "/dev/kvm", "--additional-flags", "--memory=1g",
			},
		},
		{"no hooks to speak of", hierarchy.Box{InitHooks: []string{"", " "}}, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			test.box.Name = "tool"
			got, err := (&Distrobox{Home: "/var/home/dev", UID: 1001}).createArgs(spec(func(s *Spec) { s.Box = test.box }))
			want := slices.Concat(
				[]string{"create", "--yes", "--name", "tool", "--image", "localhost/tool-dx:latest"},
				test.want, labelArgs(test.box))
			if err != nil || !slices.Equal(got, want) {
				t.Errorf("got %q\nwant %q\nerror %v", got, want, err)
			}
		})
	}
}

func TestValuesThatAShellWouldRead(t *testing.T) {
	tests := []struct {
		key, value string
		box        hierarchy.Box
	}{
		{"distrobox", "a b", hierarchy.Box{Name: "a b"}},
		{"distrobox", "-a", hierarchy.Box{Name: "-a"}},
		{"distrobox", "ä", hierarchy.Box{Name: "ä"}},
		{"distrobox", "a/b", hierarchy.Box{Name: "a/b"}},
		{"distrobox", "", hierarchy.Box{}},
		{"home", "/x;y", hierarchy.Box{Name: "n", Home: "/x;y"}},
		{"home", "/a b", hierarchy.Box{Name: "n", Home: "/a b"}},
		{"home", "~other", hierarchy.Box{Name: "n", Home: "~other"}},
		{"home", "$HOMES/x", hierarchy.Box{Name: "n", Home: "$HOMES/x"}},
		{"hostname", "$(id)", hierarchy.Box{Name: "n", Hostname: "$(id)"}},
		{"volumes", "/a:/*", hierarchy.Box{Name: "n", Volumes: []string{"/a:/*"}}},
		{"volumes", "", hierarchy.Box{Name: "n", Volumes: []string{""}}},
		{"additional_packages", "a|b", hierarchy.Box{Name: "n", AdditionalPackages: []string{"vim a|b"}}},
		{"additional_flags", "`id`", hierarchy.Box{Name: "n", AdditionalFlags: []string{"--env `id`"}}},
		{"exported_bins", "/usr/bin/'x", hierarchy.Box{Name: "n", ExportedBins: []string{"/usr/bin/'x"}}},
		{"exported_bins", "zig", hierarchy.Box{Name: "n", ExportedBins: []string{"zig"}}},
		{"exported_apps", "", hierarchy.Box{Name: "n", ExportedApps: []string{"code", ""}}},
		{"exported_bins_path", "bins", hierarchy.Box{Name: "n", ExportedBinsPath: "bins"}},
	}
	for _, test := range tests {
		w := newWorld(t)
		_, err := (&Distrobox{Runner: w, Home: "/var/home/dev"}).Create(t.Context(), w, spec(func(s *Spec) { s.Box = test.box }), nil)
		ve, ok := errors.AsType[*ValueError](err)
		if !ok || ve.Key != test.key || ve.Value != test.value {
			t.Errorf("%s %q: error %v", test.key, test.value, err)
		}
		if len(w.cmds) > 0 {
			t.Errorf("%s %q: ran %v", test.key, test.value, w.cmds)
		}
	}
}

// The user's home under another name is still the user's home.
func TestHomeBehindALink(t *testing.T) {
	dir := t.TempDir()
	target, link := filepath.Join(dir, "var"), filepath.Join(dir, "home")
	if err := errors.Join(os.Mkdir(target, 0o700), os.Symlink(target, link)); err != nil {
		t.Fatal(err)
	}
	s := spec(func(s *Spec) { s.Box.Home = link })
	got, err := (&Distrobox{Home: target}).createArgs(s)
	if err != nil || slices.Contains(got, "--home") {
		t.Errorf("got %q, error %v", got, err)
	}
}

// Distrobox 1 joins hooks into an unquoted line, twice: what goes through must
// survive word splitting and globbing, and must not end a single quote.
func TestHooksAreCarried(t *testing.T) {
	hooks := []string{"echo 'a  b' > /x*", `test "$A" = "b;c" ||`, "  true"}
	got := carried(hooks)
	if strings.ContainsAny(got, "'*?[\n\t") || strings.Contains(got, "  ") {
		t.Errorf("%q does not survive", got)
	}
	text, rest, ok := strings.Cut(strings.TrimPrefix(got, `eval "$(echo `), "|")
	decoded, err := base64.StdEncoding.DecodeString(text)
	if !ok || rest != `base64 -d)"` || err != nil || string(decoded) != strings.Join(hooks, "\n") {
		t.Errorf("%q holds %q, error %v", got, decoded, err)
	}
}

func TestPreInitHookSurvivesDoubleQuotes(t *testing.T) {
	if strings.ContainsAny(repeatInstall, "\"$`\\*?[") {
		t.Error(repeatInstall)
	}
}

func TestLabels(t *testing.T) {
	s := spec(func(s *Spec) {
		s.Labels = map[string]string{hierarchy.LabelConfig: "/home/a b/'x',100%;é.yaml", hierarchy.LabelVersion: "v1+dirty"}
	})
	args, err := (&Distrobox{}).createArgs(s)
	if err != nil {
		t.Fatal(err)
	}
	joined := strings.Join(args, " ")
	want := "--label=ocisi.config=/home/a%20b/%27x%27%2C100%25%3Bé.yaml"
	if !slices.Contains(args, want) || !strings.Contains(joined, "--label=ocisi.version=v1+dirty") {
		t.Errorf("got %s", joined)
	}
	_, value, _ := strings.Cut(want, "ocisi.config=")
	if back, err := url.PathUnescape(value); err != nil || back != s.Labels[hierarchy.LabelConfig] {
		t.Errorf("back: %q, %v", back, err)
	}
	if len(s.Labels) != 2 {
		t.Error("the spec's labels were changed")
	}
}

func TestEnvironment(t *testing.T) {
	w := newWorld(t)
	if _, err := (&Distrobox{Runner: w, Home: "/var/home/dev", Sudo: "doas"}).Create(t.Context(), w, spec(), nil); err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"create", "enter"} {
		c := w.cmd(verb)
		for _, want := range []string{
			"DBX_CONTAINER_MANAGER=podman", "DBX_CONTAINER_ALWAYS_PULL=0", "DBX_NON_INTERACTIVE=1",
			"DBX_CONTAINER_CUSTOM_HOME=", "DBX_CONTAINER_HOME_PREFIX=", "DBX_CONTAINER_GENERATE_ENTRY=0", "DBX_SUDO_PROGRAM=doas",
		} {
			if !slices.Contains(c.Env, want) {
				t.Errorf("%s: no %s", verb, want)
			}
		}
		if c.Name != "distrobox" || c.Stdin != nil || c.Timeout == 0 || c.Dir != "/var/home/dev" {
			t.Errorf("%s: stdin %v, time-out %s, in %s", c.Name, c.Stdin, c.Timeout, c.Dir)
		}
	}
	if c, e := w.cmd("create"), w.cmd("enter"); c.Timeout != createTimeout || e.Timeout != startTimeout {
		t.Errorf("time-outs %s, %s", c.Timeout, e.Timeout)
	}
}

func TestVersion(t *testing.T) {
	tests := []struct {
		out          string
		major, minor int
		text         string
	}{
		{"distrobox: 1.4.2.1", 1, 4, "1.4.2.1"},
		{"distrobox: 1.8.2.5", 1, 8, "1.8.2.5"},
		{"distrobox version 2.0.0-rc.4", 2, 0, "2.0.0-rc.4"},
	}
	for _, test := range tests {
		w := newWorld(t)
		w.version = test.out
		v, err := (&Distrobox{Runner: w}).Version(t.Context())
		if err != nil || v != (Version{test.major, test.minor, test.text}) || v.String() != test.text {
			t.Errorf("%q: %+v, %v", test.out, v, err)
		}
	}
	for _, out := range []string{"", "distrobox", "1", "x2.y"} {
		if v, err := parseVersion(out); err == nil {
			t.Errorf("%q: %v", out, v)
		}
	}
}

func TestKeysThatAnOldDistroboxLacks(t *testing.T) {
	for key, b := range map[string]hierarchy.Box{
		"hostname": {Hostname: "h", Nvidia: true}, "additional_packages": {AdditionalPackages: []string{"vim"}},
	} {
		b.Name = "tool"
		for version, want := range map[string]bool{"1.4.2.1": false, "1.5.0": true, "2.0.0": true} {
			w := newWorld(t)
			w.version = version
			_, err := (&Distrobox{Runner: w}).Create(t.Context(), w, spec(func(s *Spec) { s.Box = b }), nil)
			if (err == nil) != want {
				t.Errorf("%s with %s: %v", key, version, err)
			}
			if ve, ok := errors.AsType[*ValueError](err); !want && (!ok || ve.Key != key) {
				t.Errorf("%s with %s: %v", key, version, err)
			}
		}
	}
}

func TestNvidiaIsBestEffort(t *testing.T) {
	for version, want := range map[string]bool{"1.4.2.1": false, "1.8.2.5": true} {
		w := newWorld(t)
		w.version = version
		if _, err := (&Distrobox{Runner: w}).Create(t.Context(), w, spec(func(s *Spec) { s.Box.Nvidia = true }), nil); err != nil {
			t.Error(err)
		}
		if got := slices.Contains(w.cmd("create").Args, "--nvidia"); got != want {
			t.Errorf("%s: --nvidia is %v", version, got)
		}
	}
}

func TestNoDistrobox(t *testing.T) {
	w := newWorld(t).has("tool", byOcisi("tool"))
	w.before = func(c process.Cmd) (bool, error) { return false, &process.NotFoundError{Name: c.Name} }
	_, err := (&Distrobox{Runner: w}).Replace(t.Context(), w, spec(), nil)
	if _, ok := errors.AsType[*process.NotFoundError](err); !ok || w.names() != "tool=box1" {
		t.Errorf("error %v, boxes %s", err, w.names())
	}
}
