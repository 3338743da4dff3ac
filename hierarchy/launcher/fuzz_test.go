package launcher

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

// launchers returns what ocisi writes for one box, of every kind that is read.
func launchers(tb testing.TB) []File {
	tb.Helper()
	in := []byte("[Desktop Entry]\nType=Application\nName=Edit\nExec=edit\nIcon=edit\n")
	app, err := NewApp(owner(), Dirs{Home: "/home/u"}, "edit", "edit.desktop", in, nil)
	if err != nil {
		tb.Fatal(err)
	}
	svg := NewIcon(owner(), Dirs{Home: "/home/u"}, "edit", "/usr/share/icons/hicolor/scalable/apps/edit.svg", []byte("<svg/>"))
	return append(Known(owner(), tools(), Dirs{Home: "/home/u"}), app, svg)
}

// readAny reads a launcher of any kind.
func readAny(f File) (Found, bool) {
	if f.Kind != Icon {
		return Read(f.Path, f.Data, nil)
	}
	found := Found{By: Ocisi, File: f}
	found.verifyIcon(f.Data, true)
	return found, true
}

// Whatever is read: nothing crashes, what is a launcher names its maker, and only
// what ocisi could have written is ocisi's.
func FuzzRead(f *testing.F) {
	for _, l := range launchers(f) {
		f.Add(l.Path, l.Data)
		f.Add(l.Path, unsealed(l).Data)
	}
	f.Add("/b/x", []byte("#!/bin/sh\n# distrobox_binary\n# name: x\n\texec \"/usr/bin/distrobox-enter\" --root -n x -- '/usr/bin/y'\n"))
	f.Add("/b/x.desktop", []byte(" [Desktop Entry] \nExec=env DBX_CONTAINER_MANAGER=docker distrobox enter -n x -- \"a b\" %U\n"))
	f.Add("/i/x.png", []byte("\x89PNG\r\n\x1a\n"+pngChunk+pngEnd))
	f.Fuzz(func(t *testing.T, at string, data []byte) {
		found, ok := Read(at, data, func(string) bool { return false })
		if ok && !slices.Contains([]Maker{Ocisi, Distrobox1, Distrobox2}, found.By) {
			t.Fatalf("made by %q", found.By)
		}
		if ok && found.Ours() && !bytes.Contains(data, []byte(found.Path)) && !bytes.Contains(data, []byte("Ocisi-Format="+unsealedFormat)) {
			// The path is encoded where it is not plain.
			if _, bad := plainText(at); !bad {
				t.Fatalf("%s is not written for that path: %q", at, data)
			}
		}
		for _, name := range IconNames(data) {
			IconFiles(name, []string{"/usr/share/icons/hicolor/48x48/apps/" + name + ".png"})
		}
		Apps("x", map[string][]byte{at: data})
		icon, mark := unsealIcon(data)
		if mark == "" && !bytes.Equal(icon, data) {
			t.Fatal("an icon without a mark is changed")
		}
		if sealed, possible := sealIcon(at, data); possible {
			if again, mark := unsealIcon(sealed); mark == "" || !bytes.Equal(again, data) {
				t.Fatalf("the icon of %q is %q, with mark %q", data, again, mark)
			}
		}
	})
}

// plainText reports whether a path has characters that are written in another way.
func plainText(at string) (string, bool) {
	return at, strings.ContainsFunc(at, func(r rune) bool {
		return r != '/' && r != '.' && (r < 'a' || r > 'z')
	})
}

// A launcher with any change is not ocisi's.
func FuzzEdit(f *testing.F) {
	all := launchers(f)
	for i := range all {
		f.Add(i, 10, 1, "x")
		f.Add(i, 60, 0, "\n")
		f.Add(i, -1, 1, "")
	}
	f.Fuzz(func(t *testing.T, which, at, length int, text string) {
		l := all[uint(which)%uint(len(all))]
		if found, ok := readAny(l); !ok || !found.Ours() {
			t.Fatalf("%s is not ours: %+v", l.Path, found)
		}
		begin := int(uint(at) % uint(len(l.Data)+1))
		end := begin + int(uint(length)%uint(len(l.Data)+1-begin))
		edited := l
		edited.Data = slices.Concat(l.Data[:begin], []byte(text), l.Data[end:])
		if !bytes.Contains(edited.Data, []byte("hecksum")) {
			return // as an older version may have written it
		}
		if _, possible := sealIcon(l.Path, edited.Data); bytes.Equal(edited.Data, l.Data) || l.Kind == Icon && !possible {
			return // unchanged, or no icon
		}
		if found, ok := readAny(edited); ok && found.Ours() {
			t.Fatalf("%s with %q for %q is taken for ours", l.Path, text, l.Data[begin:end])
		}
	})
}

// A larger file is no launcher, and is not parsed.
func TestLimits(t *testing.T) {
	t.Parallel()
	l := launchers(t)[0]
	large := append(bytes.Clone(l.Data), bytes.Repeat([]byte("\n"), maxDesktop)...)
	if _, ok := Read(l.Path, large, nil); ok {
		t.Error("a script that is too large is a launcher")
	}
	app := []byte("[Desktop Entry]\nType=Application\nName=A\nExec=a\n")
	at := "/usr/share/applications/a.desktop"
	if got := Apps("a", map[string][]byte{at: append(app, bytes.Repeat([]byte("\n"), maxDesktop)...)}); got != nil {
		t.Errorf("a desktop file that is too large is application %q", got)
	}
	var icons bytes.Buffer
	icons.WriteString("[Desktop Entry]\n")
	for range 1000 {
		icons.WriteString("Icon=" + strings.Repeat("x", icons.Len()%997) + "\n")
	}
	if got := len(IconNames(icons.Bytes())); got != maxIcons {
		t.Errorf("%d icons", got)
	}
}
