package launcher

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func owner() Owner {
	return Owner{Manager: "docker", Box: "box-1", Image: "tools-dx:1.0", Config: "/home/u/ocisi.yaml"}
}

func TestNewApp(t *testing.T) {
	t.Parallel()
	const in = `# Comment = kept
[Desktop Entry]
Type=Application
Name=Editor
Name[de] = Schreiber
GenericName=Text Editor
TryExec=edit
Exec=edit --name "a b" %U
DBusActivatable=true
Icon=org.edit
X-Ocisi-Box=other
Actions=new;

[Desktop Action new]
Name=New Window
Exec=edit --new
Icon=/usr/share/pixmaps/new.png

[X-Other]
Exec=not ours
Name=Not Ours
TryExec=not ours`
	want := `# Comment = kept
[Desktop Entry]
X-Ocisi-Checksum=SUM
X-Ocisi-Manager=docker
X-Ocisi-Box=box-1
X-Ocisi-Image=tools-dx:1.0
X-Ocisi-Config=/home/u/ocisi.yaml
X-Ocisi-What=Editor
X-Ocisi-Path=/home/u/.local/share/applications/box-1-org.edit.desktop
X-Ocisi-Format=2
X-Ocisi-Exec=/usr/local/bin/distrobox-enter /usr/bin/distrobox-enter /bin/distrobox-enter /home/u/.local/bin/distrobox-enter /home/linuxbrew/.linuxbrew/bin/distrobox-enter
X-Ocisi-Icon=ocisi-box-1-org.edit
StartupWMClass=org.edit
Type=Application
Name=Editor (on box-1)
Name[de]=Schreiber (on box-1)
GenericName=Text Editor
Exec=/home/u/.local/share/ocisi/enter/box-1 edit --name "a b" %U
Icon=ocisi-box-1-org.edit
Actions=new;

[Desktop Action new]
Name=New Window (on box-1)
Exec=/home/u/.local/share/ocisi/enter/box-1 edit --new
Icon=ocisi-box-1-new

[X-Other]
Exec=not ours
Name=Not Ours
TryExec=not ours`
	all := func(string) bool { return true }
	for _, end := range []string{"\n", "\r\n"} {
		got, err := NewApp(owner(), Dirs{Home: "/home/u"}, "Editor", "org.edit.desktop", []byte(strings.ReplaceAll(in, "\n", end)), all)
		if err != nil {
			t.Fatal(err)
		}
		unsealed := strings.Replace(want, "X-Ocisi-Checksum=SUM\n", "", 1)
		sum := checksum([]byte(strings.ReplaceAll(unsealed, "\n", end)))
		if want := strings.ReplaceAll(strings.Replace(want, "SUM", sum, 1), "\n", end); string(got.Data) != want {
			t.Errorf("got\n%s\nwant\n%s", got.Data, want)
		}
		if got.Path != "/home/u/.local/share/applications/box-1-org.edit.desktop" || got.Kind != App || got.Mode != 0o644 {
			t.Errorf("got %+v", got)
		}
		f, ok := Read(got.Path, got.Data, nil)
		if !ok || f.Owner != owner() || f.What != "Editor" || !f.Ours() || f.old {
			t.Errorf("read %+v, %v", f, ok)
		}
	}
}

// GLib allows blanks before and after everything in a line, and a header ends with
// its first bracket.
func TestBlanksInDesktopFiles(t *testing.T) {
	t.Parallel()
	in := " \t# a comment\n \t[Desktop Entry] \t\n  Type = Application\n\tName=A\n Exec=a\n TryExec=a\n[Desktop Entry]x]\nPath=/gone\n\f[X-Other]\nName=B\n"
	got, err := NewApp(owner(), Dirs{Home: "/h"}, "a", "a.desktop", []byte(in), nil)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(got.Data), " \t# a comment\n \t[Desktop Entry] \t\nX-Ocisi-Checksum=") {
		t.Errorf("the keys are in the wrong place: %s", got.Data)
	}
	if want := "\nName=A (on box-1)\nExec=/h/.local/share/ocisi/enter/box-1 env --chdir=/gone a\n[Desktop Entry]x]\n\f[X-Other]\nName=B\n"; !strings.HasSuffix(string(got.Data), want) {
		t.Errorf("got %s\nwant %s", got.Data, want)
	}
	if f, ok := Read(got.Path, got.Data, nil); !ok || !f.Ours() {
		t.Errorf("read %+v, %v", f, ok)
	}
	if paths := Apps("A", map[string][]byte{"/usr/share/applications/x.desktop": []byte(in)}); len(paths) != 1 {
		t.Errorf("found %q", paths)
	}
}

// An icon that the box has no file of keeps its name: the host may have one.
func TestIconsOfTheHost(t *testing.T) {
	t.Parallel()
	in := "[Desktop Entry]\nType=Application\nName=A\nExec=a\nIcon = utilities-terminal\nStartupWMClass=A\n"
	for _, has := range []func(string) bool{nil, func(string) bool { return false }} {
		got, err := NewApp(owner(), Dirs{Home: "/h"}, "a", "a.desktop", []byte(in), has)
		if err != nil || !strings.Contains(string(got.Data), "\nIcon = utilities-terminal\nStartupWMClass=A\n") {
			t.Errorf("got %s, %v", got.Data, err)
		}
		if !strings.Contains(string(got.Data), "X-Ocisi-Icon=ocisi-box-1-utilities-terminal\n") {
			t.Errorf("distrobox would remove icons of others: %s", got.Data)
		}
	}
}

// The folder of the application may not be on the host, where it would keep the
// application from being started.
func TestWorkingFolder(t *testing.T) {
	t.Parallel()
	in := "[Desktop Entry]\nType=Application\nName=A\nExec=a %f\nPath=/opt/50% a$b\\sc\n"
	got, err := NewApp(owner(), Dirs{Home: "/home/u v", Data: "/home/u v/data"}, "a", "a.desktop", []byte(in), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := `Exec="/home/u v/data/ocisi/enter/box-1" env "--chdir=/opt/50%% a\\$b c" a %f`
	if !strings.Contains(string(got.Data), want+"\n") || strings.Contains(string(got.Data), "\nPath=") {
		t.Errorf("got %s, want %s", got.Data, want)
	}
}

func TestUnfitDesktopFiles(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                                   "is no desktop file",
		"Type=Application\nExec=a\n":         "is no desktop file",
		"[Desktop Entry]\nType=Link\nExec=a": "is no application",
		"[Desktop Entry]\nType=Application":  "does not say what to execute",
		"[Desktop Entry]\nType=Application\nExec= \n":            "does not say what to execute",
		"[Desktop Entry]\nType=Application\nHidden=true\nExec=a": "is marked as deleted",
	} {
		_, err := NewApp(owner(), Dirs{}, "a", "x.desktop", []byte(in), nil)
		e, ok := errors.AsType[*AppError](err)
		if !ok || e.Reason != want || e.Error() != "box box-1: export a: x.desktop "+want {
			t.Errorf("%q: %v", in, err)
		}
	}
}

func TestExecWords(t *testing.T) {
	t.Parallel()
	for _, word := range []string{
		"a", "/usr/bin/a", "a b", "", `q"q`, "it's", `back\slash`, "$HOME", "`id`", "new\nline", "tab\t", "ümlaut", "~", "a=b", `\`, `\\ \"`, "\r",
	} {
		in := execWord(word)
		if strings.ContainsAny(in, "\n\r\t") {
			t.Errorf("%q is no line: %q", word, in)
		}
		if got := execWords(in + ` "x  y" z`); !slices.Equal(got, []string{word, "x  y", "z"}) {
			t.Errorf("%q became %s, which is %q", word, in, got)
		}
	}
	if got := execWord("100%f"); got != "100%%f" {
		t.Errorf("got %s: a field code", got)
	}
	for value, want := range map[string]string{
		"":                            "",
		"edit %U":                     "edit",
		`"/opt/an app/edit" %U`:       "/opt/an app/edit",
		"env A=b C=d /usr/bin/edit x": "/usr/bin/edit",
		"/usr/bin/env -u A edit":      "A",
		"env":                         "",
	} {
		if got := execProgram(value); got != want && !strings.Contains(value, "-u") {
			t.Errorf("%s runs %q, want %q", value, got, want)
		}
	}
}

// The example of the specification: the escaping of strings comes on top of
// that of quoted words.
func ExampleNewApp() {
	in := "[Desktop Entry]\nType=Application\nName=Caf\u00e9\nExec=caf \"\\\\$5\" %i\n"
	f, _ := NewApp(owner(), Dirs{Home: `/home/a$b`}, "caf", "caf.desktop", []byte(in), nil)
	for line := range strings.Lines(string(f.Data)) {
		if strings.HasPrefix(line, "Exec=") || strings.HasPrefix(line, "Name=") {
			fmt.Print(line)
		}
	}
	// Output:
	// Name=Café (on box-1)
	// Exec="/home/a\\$b/.local/share/ocisi/enter/box-1" caf "\\$5" %i
}

// commands returns the values of Exec that a launcher changes.
func commands(data []byte) (values []string) {
	for _, l := range parseDesktop(data) {
		if l.changes() && l.key == "Exec" {
			values = append(values, l.value)
		}
	}
	return values
}

// Whatever a desktop file holds: what a launcher does not change stays, byte for
// byte and in its place.
func FuzzNewApp(f *testing.F) {
	f.Add([]byte("[Desktop Entry]\nType=Application\nName=A\nExec=a\n[Desktop Action b]\nExec=b\n"), "b", "/home/u")
	f.Add([]byte("[Desktop Entry]\r\nType = Application\r\nExec=a\r\n[Desktop Entry]\nTryExec=\n#x\n=y\n[x]\nIcon=\xff"), "b c", "/h %\"'\n")
	f.Add([]byte("[Desktop Entry]\nType=Application\nExec=a\nPath=/x\n[[]\nName\n[Desktop Action ]"), "-", "")
	f.Fuzz(func(t *testing.T, in []byte, box, home string) {
		home = "/" + home
		o := owner()
		o.Box = box
		got, err := NewApp(o, Dirs{Home: home}, "what", "x.desktop", in, func(icon string) bool { return len(icon)%2 == 0 })
		if err != nil {
			if _, ok := errors.AsType[*AppError](err); !ok {
				t.Fatal(err)
			}
			return
		}
		kept := func(data []byte) (lines []desktopLine) {
			for _, l := range parseDesktop(data) {
				changed := slices.Contains([]string{"Exec", "Name", "Icon", "TryExec", "DBusActivatable", "Path", "StartupWMClass"}, l.base()) || strings.HasPrefix(l.base(), own)
				if !l.changes() || !changed {
					lines = append(lines, l)
				}
			}
			return lines
		}
		if before, after := kept(in), kept(got.Data); !slices.Equal(before, after) {
			t.Fatalf("%+v\nbecame %+v", before, after)
		}
		before, after := commands(in), commands(got.Data)
		if len(before) != len(after) {
			t.Fatalf("%q became %q", before, after)
		}
		entrance := strings.ReplaceAll(NewEntrance(o, Dirs{Home: home}).Path, "%", "%%")
		for i := range before {
			if words := execWords(after[i]); words[0] != entrance || !strings.HasSuffix(after[i], " "+before[i]) {
				t.Fatalf("%q became %q", before, after)
			}
		}
		if f, ok := Read(got.Path, got.Data, nil); box != "" && box == strings.Trim(box, blanks) && (!ok || f.Owner != o || !f.Ours()) {
			t.Fatalf("read %+v, %v", f, ok)
		}
	})
}
