package box

import (
	"errors"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/klmcwhirter/ocisi/hierarchy"
)

func environment(name string) string {
	return map[string]string{"HOME": "/var/home/dev", "USER": "dev", "A_1": "x y"}[name]
}

func read(text string) (map[string]hierarchy.Box, []Warning, error) {
	return ReadINI(strings.NewReader(text), "distrobox.ini", environment)
}

func TestReadINI(t *testing.T) {
	tests := []struct {
		name, text string
		want       hierarchy.Box // of section b
		warnings   []string
	}{
		{
			name: "what people have",
			text: "# mine\n[b]\nimage=fedora-go-dx:latest\ninit=false\nnvidia=true\npull=0\nroot=false\nstart_now=true\n" +
				"home=$HOME\nexported_bins=\"/usr/bin/gopls /usr/bin/go\"\nexported_bins_path=\"$HOME/.local/bin\"\n",
			want: hierarchy.Box{
				Nvidia: true, StartNow: true, Home: "/var/home/dev",
				ExportedBins: []string{"/usr/bin/gopls", "/usr/bin/go"}, ExportedBinsPath: "/var/home/dev/.local/bin",
			},
			warnings: []string{"note 3:1 image", "note 6:1 pull"},
		},
		{
			name: "repeated keys",
			text: "[b]\nvolume=/a:/a /b:/b\nvolumes = /c:/c\nvolume=/a:/a\nadditional_flags=--env A=b\nadditional_flags=\"--env C=d\"\nhostname=x\nhostname=y\n",
			want: hierarchy.Box{
				Volumes: []string{"/a:/a", "/b:/b", "/c:/c"}, AdditionalFlags: []string{"--env A=b", "--env C=d"}, Hostname: "y",
			},
		},
		{
			name: "blanks, tabs, line ends, comments",
			text: "\ufeff ; no\r\n\t[ b ] # the box\r\n\thome\t=\t/x  # there\r\nhostname=a#b\r\nadditional_packages= # none\r\nexported_apps=\"a # b\" # c\r\n",
			want: hierarchy.Box{Home: "/x", Hostname: "a#b", ExportedApps: []string{"a", "#", "b"}},
		},
		{
			name: "variables",
			text: "[b]\nhome=\"~/a\"\nhostname='$HOME'\nexported_bins_path=/x/${USER}/$USER-$\nadditional_flags=\"--env=\\\"$A_1\\\" \\$HOME\"\nadditional_packages=a$NONE\n",
			want: hierarchy.Box{
				Home: "/var/home/dev/a", Hostname: "$HOME", ExportedBinsPath: "/x/dev/dev-$",
				AdditionalFlags: []string{`--env="x y" $HOME`}, AdditionalPackages: []string{"a"},
			},
			warnings: []string{"6:1 additional_packages", "note 4:1 exported_bins_path", "note 4:1 exported_bins_path", "note 5:1 additional_flags"},
		},
		{
			name: "tilde in single quotes, and within",
			text: "[b]\nhome='~/a'\nvolume=~/a:~/b\nhostname=a~\n",
			want: hierarchy.Box{Home: "/var/home/dev/a", Volumes: []string{"/var/home/dev/a:~/b"}, Hostname: "a~"},
		},
		{
			name: "hooks are shell",
			text: "[b]\ninit_hooks=touch /a; touch \"$(id)\"\ninit_hooks=\"echo '#' # no\"\ninit_hooks='x' && 'y'\n",
			want: hierarchy.Box{InitHooks: []string{`touch /a; touch "$(id)"`, "echo '#' # no", "x' && 'y"}},
		},
		{
			name:     "booleans",
			text:     "[b]\ninit=1\nroot=yes\nnvidia=TRUE\n",
			want:     hierarchy.Box{Init: true},
			warnings: []string{"3:1 root", "4:1 nvidia"},
		},
		{
			name: "includes",
			text: "[base]\nvolume=/a:/a\nhostname=base\nroot=maybe\nodd=1\n[more]\ninclude=base\nnvidia=true\n" +
				"[b]\nhostname=own\ninclude=\"more\"\ninclude=base\nvolume=/b:/b\n",
			want:     hierarchy.Box{Nvidia: true, Hostname: "own", Volumes: []string{"/a:/a", "/b:/b"}},
			warnings: []string{"4:1 root", "5:1 odd"},
		},
		{
			name:     "what has no effect",
			text:     "home=/x\n[b]\n  entry=true\nunshare_all=1\npre_init_hooks=\"x\"\nhoem=/y\nhome\n",
			warnings: []string{"1:1 home", "3:3 entry", "4:1 unshare_all", "5:1 pre_init_hooks", "6:1 hoem", "7:1 home"},
		},
		{name: "a section in two pieces", text: "[b]\nhome=/x\n[c]\n[b]\nhostname=h", want: hierarchy.Box{Home: "/x", Hostname: "h"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			boxes, warnings, err := read(test.text)
			if err != nil {
				t.Fatal(err)
			}
			test.want.Name = "b"
			if got := boxes["b"]; !reflect.DeepEqual(got, test.want) {
				t.Errorf("got  %+v\nwant %+v", got, test.want)
			}
			var got []string
			for _, w := range warnings {
				note := ""
				if w.Note {
					note = "note "
				}
				place, _, _ := strings.Cut(strings.TrimPrefix(w.String(), "distrobox.ini:"), ": ")
				got = append(got, note+place+" "+w.Key)
			}
			slices.Sort(got)
			if !slices.Equal(got, test.warnings) {
				t.Errorf("warnings %q, want %q", got, test.warnings)
			}
		})
	}
}

func TestReadINIErrors(t *testing.T) {
	for text, want := range map[string]string{
		"[b]\nhome=$(id)\n":       "2:1: home: a command in a value is not run",
		"[b]\nhome=\"`id`\"\n":    "2:1: home: a command in a value is not run",
		"[b]\nhome=${HOME:-/x}\n": "2:1: home: only $NAME and ${NAME} are known",
		"[b]\nhome=${HOME\n":      "2:1: home: only $NAME and ${NAME} are known",
		"[b]\n home = \"/x\n":     "2:8: home: a \" without its other half",
		"[b]\nhome='/x' y\n":      "2:6: home: a ' without its other half",
		"[ ]\n":                   "1:1: a section without a name",
		"[b]\ninclude=none\n":     "2:1: include: there is no section [none]",
		"[b]\ninclude=b\n":        "2:1: include: goes in a circle: b → b",
		"[b]\ninclude=c\n[c]\ninclude=d\n[d]\ninclude=b\n": "6:1: include: goes in a circle: b → c → d → b",
	} {
		boxes, _, err := read(text)
		if _, ok := errors.AsType[*INIError](err); !ok || err.Error() != "distrobox.ini:"+want {
			t.Errorf("%q: %v, %v, want %s", text, boxes, err, want)
		}
	}
	if _, _, err := ReadINI(iotest.ErrReader(io.ErrUnexpectedEOF), "f", environment); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("error %v", err)
	}
}

// A file of few lines can include itself to any length without a circle.
func TestIncludesAreBounded(t *testing.T) {
	var text strings.Builder
	text.WriteString("[a]\nvolume=/a:/a\n")
	for c := 'b'; c <= 'z'; c++ {
		text.WriteString("[" + string(c) + "]\n" + strings.Repeat("include="+string(c-1)+"\n", 10))
	}
	if _, _, err := read(text.String()); err == nil || !strings.HasSuffix(err.Error(), "include: too much") {
		t.Errorf("error %v", err)
	}
}

func FuzzReadINI(f *testing.F) {
	f.Add("[a]\nhome=\"$HOME/x\" # c\ninclude=b\n[b]\ninit_hooks='a'\n")
	f.Add("[a\n=\n\"=\"\\\nhome=\"\\")
	f.Add("[a]\nhome=${\nvolume=~\n")
	f.Fuzz(func(t *testing.T, text string) {
		boxes, _, err := read(text)
		if (boxes == nil) != (err != nil) {
			t.Errorf("%v, %v", boxes, err)
		}
		for name := range maps.Keys(boxes) {
			if name == "" || boxes[name].Name != name {
				t.Errorf("box %q called %q", name, boxes[name].Name)
			}
		}
	})
}
