package launcher

import (
	"bytes"
	"image"
	"image/png"
	"io/fs"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/internal/disk"
)

// unsealed returns a launcher as it was before there were checksums.
func unsealed(f File) File {
	switch f.Kind {
	case App:
		text := regexp.MustCompile(`(?m)^X-Ocisi-(Checksum|Path)=.*\n`).ReplaceAllString(string(f.Data), "")
		f.Data = []byte(strings.Replace(text, "X-Ocisi-Format="+desktopFormat, "X-Ocisi-Format="+unsealedFormat, 1))
	case Icon:
		f.Data, _ = unsealIcon(f.Data)
	case Program, Entrance, Leftover:
		s := script{owner: f.Owner, home: "/home/u", self: f.Path, what: f.What, unsealed: true}
		f.Data = s.text()
	}
	return f
}

func pixels(t *testing.T, size int) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := png.Encode(&out, image.NewGray(image.Rect(0, 0, size, size))); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// all returns launchers of every kind.
func (w *world) all(o Owner) []File {
	icons := "/usr/share/icons/hicolor/scalable/apps/"
	return append(Known(o, tools(), w.Dirs), w.app(o),
		NewIcon(o, w.Dirs, "edit", "/usr/share/icons/hicolor/48x48/apps/edit.png", pixels(w.t, 1)),
		NewIcon(o, w.Dirs, "edit", icons+"edit.svg", []byte("<svg/>\n")),
		NewIcon(o, w.Dirs, "edit", icons+"edit.xpm", []byte("/* XPM */\n")),
		NewIcon(o, w.Dirs, "edit", icons+"edit.svgz", []byte("no mark is possible in it")),
	)
}

func (w *world) scan() []Found {
	return Scan(os.DirFS(w.root), w.Dirs, []string{w.Bins(tools())})
}

// What ocisi wrote is its own, and so is what it wrote before there were checksums.
func TestOurs(t *testing.T) {
	t.Parallel()
	for _, rooted := range []bool{false, true} {
		for _, change := range []func(File) File{func(f File) File { return f }, unsealed} {
			w := newWorld(t)
			o := owner()
			o.Root = rooted
			files := w.all(o)
			var paths []string
			for _, f := range files {
				w.put(change(f))
				paths = append(paths, f.Path)
			}
			slices.Sort(paths)
			found := w.scan()
			if got := Obsolete(found, o, nil); !slices.Equal(got, paths) {
				t.Errorf("root %v: ours are %q\nwant %q", rooted, got, paths)
			}
			if write, kept := w.host().Keep(files); len(kept) != 0 || len(write) != len(files) {
				t.Errorf("root %v: kept %+v", rooted, kept)
			}
		}
	}
}

// An edited launcher, and a copy, are neither replaced nor removed, nor is what an
// older ocisi wrote and its user edited.
func TestEditedLaunchersAreKept(t *testing.T) {
	t.Parallel()
	edits := map[string]func(f File) File{
		"edited":                                 func(f File) File { return edit(f) },
		"written by an older version and edited": func(f File) File { return edit(unsealed(f)) },
	}
	for name, change := range edits {
		w := newWorld(t)
		o := owner()
		files := w.all(o)
		files = files[:len(files)-1] // without the icon that has no mark
		w.put(files...)
		for _, f := range files {
			if name == "edited" || f.Kind != Icon { // an older version's icons have nothing that proves it
				w.put(change(f))
			}
		}
		found := w.scan()
		want := map[string]State{}
		for _, f := range files {
			if name == "edited" || f.Kind != Icon {
				want[f.Path] = Edited
			} else {
				want[f.Path] = OK
			}
		}
		if got := states(w.host().States(found, Known(o, tools(), w.Dirs))); !maps.Equal(got, want) {
			t.Errorf("%s: got  %v\nwant %v", name, got, want)
		}
		for _, path := range Obsolete(found, o, nil) {
			if want[path] == Edited {
				t.Errorf("%s: %s would be removed", name, path)
			}
		}
		if err := w.host().Conflicts(files); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		write, kept := w.host().Keep(files)
		for _, f := range write {
			if want[f.Path] == Edited {
				t.Errorf("%s: %s would be replaced", name, f.Path)
			}
		}
		if len(write)+len(kept) != len(files) {
			t.Errorf("%s: %d written, %d kept of %d", name, len(write), len(kept), len(files))
		}
		if lacking := Lacking(found, o, tools(), w.Dirs); lacking != nil {
			t.Errorf("%s: each run would export %q", name, lacking)
		}
		h := w.host()
		h.Replace = true
		if write, _ := h.Keep(files); len(write) != len(files) {
			t.Errorf("%s: only %d are replaced on request", name, len(write))
		}
	}
}

// edit changes a launcher as its user would.
func edit(f File) File {
	switch f.Kind {
	case App:
		f.Data = bytes.Replace(f.Data, []byte("\nExec="), []byte("\nTryExec=edit\nExec="), 1)
	case Icon:
		if strings.HasSuffix(f.Path, ".png") {
			f.Data = bytes.Clone(f.Data)
			f.Data[len("\x89PNG\r\n\x1a\n")+11]++ // of the width
			break
		}
		f.Data = append([]byte(" "), f.Data...)
	case Program, Entrance, Leftover:
		f.Data = bytes.Replace(f.Data, []byte("exec \"$found\" enter"), []byte("exec \"$found\" enter --clean-path"), 1)
	}
	return f
}

// cp ~/.local/bin/go ~/.local/bin/go-race, edited or not.
func TestCopiedLaunchersAreKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o := owner()
	files := w.all(o)
	w.put(files...)
	var copies []string
	for _, f := range files {
		at := regexp.MustCompile(`(\.\w+)?$`).ReplaceAllString(f.Path, "-copy$1")
		if strings.HasSuffix(at, ".svgz") {
			continue // it has no mark, and its name is one of ocisi's
		}
		copies = append(copies, at)
		w.put(File{Path: at, Data: f.Data, Mode: f.Mode})
		w.put(File{Path: at + "2", Data: unsealed(f).Data, Mode: f.Mode})
	}
	found := w.scan()
	for _, path := range Obsolete(found, o, nil) {
		if !slices.ContainsFunc(files, func(f File) bool { return f.Path == path }) {
			t.Errorf("copy %s would be removed", path)
		}
	}
	all := w.host().States(found, Known(o, tools(), w.Dirs))
	for _, at := range copies {
		i := slices.IndexFunc(all, func(s Status) bool { return s.Path == at })
		if i < 0 || all[i].State != Edited || !strings.HasPrefix(all[i].Why, "a copy of, or a link to, ") {
			t.Errorf("%s: %+v", at, all)
		}
	}
	o.Box = "none" // whose box is gone
	w.put(File{Path: "/home/u/bin/other", Data: NewProgram(o, w.Dirs, "/usr/bin/x", "/home/u/bin/x").Data, Mode: 0o755})
	all = w.host().States(w.scan(), nil)
	i := slices.IndexFunc(all, func(s Status) bool { return s.Path == "/home/u/bin/other" })
	if want := "a copy of, or a link to, /home/u/bin/x; docker has no box none"; all[i].State != Edited || all[i].Why != want {
		t.Errorf("got %s, %q", all[i].State, all[i].Why)
	}
	// Another box wants the name.
	err := w.host().Conflicts([]File{NewProgram(owner(), w.Dirs, "/opt/other", "/home/u/bin/other")})
	if err == nil || !strings.HasSuffix(err.Error(), "there is a copy of, or a link to, launcher /home/u/bin/x") {
		t.Errorf("got %v", err)
	}
	w.put(edit(NewProgram(o, w.Dirs, "/usr/bin/x", "/home/u/bin/x")))
	err = w.host().Conflicts([]File{NewProgram(owner(), w.Dirs, "/opt/x", "/home/u/bin/x")})
	if err == nil || !strings.HasSuffix(err.Error(), "there is an edited launcher of box none of docker") {
		t.Errorf("got %v", err)
	}
}

// With ~/.local/bin/vi -> vim, the launcher of vi would be written to vim.
func TestLinkToAnotherLauncher(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := hierarchy.Box{Name: "box-1", ExportedBins: []string{"/usr/bin/vi", "/usr/bin/vim"}, ExportedBinsPath: "~/bin"}
	files := Known(owner(), b, w.Dirs)
	w.put(files[1])
	if err := os.Symlink("vim", w.root+"/home/u/bin/vi"); err != nil {
		t.Fatal(err)
	}
	err := w.host().Conflicts(files)
	if err == nil || err.Error() != "box box-1: export /usr/bin/vi to /home/u/bin/vi: there is a copy of, or a link to, launcher /home/u/bin/vim" {
		t.Errorf("got %v", err)
	}
	if got := Obsolete(w.scan(), owner(), nil); !slices.Equal(got, []string{"/home/u/bin/vim"}) {
		t.Errorf("%q would be removed", got)
	}
}

// A home that moved has the same launchers, with its former name in them.
func TestMovedHome(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	before := Known(owner(), tools(), Dirs{Home: "/home/former"})
	for i, f := range Known(owner(), tools(), w.Dirs) {
		w.put(File{Path: f.Path, Data: before[i].Data, Mode: f.Mode})
	}
	files := Known(owner(), tools(), w.Dirs)
	if err := w.host().Conflicts(files); err != nil {
		t.Error(err)
	}
	if write, kept := w.host().Keep(files); len(write) != len(files) {
		t.Errorf("kept %+v", kept)
	}
}

// The mark of an icon leaves it readable, and can be taken off.
func TestSealedIcons(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	sealed := 0
	for _, f := range w.all(owner()) {
		if f.Kind != Icon {
			continue
		}
		icon, mark := unsealIcon(f.Data)
		if (mark == "") != strings.HasSuffix(f.Path, ".svgz") {
			t.Errorf("%s: mark %q", f.Path, mark)
		}
		if strings.HasSuffix(f.Path, ".png") {
			if _, err := png.Decode(bytes.NewReader(f.Data)); err != nil {
				t.Error(err)
			}
			if !bytes.Equal(icon, pixels(t, 1)) {
				t.Error("the icon is not what it was")
			}
		}
		sealed++
	}
	if sealed != 4 {
		t.Errorf("%d icons", sealed)
	}
}

// The permissions of a launcher that a switch changed come back, too.
func TestUndoRestoresPermissions(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	for name, mode := range map[string]fs.FileMode{"a": 0o644, "b": 0o640, "c": 0o755} {
		if err := os.WriteFile(root+"/"+name, []byte("old"), mode); err != nil {
			t.Fatal(err)
		}
	}
	before := snapshot(t, root)
	files := []File{{Path: root + "/a", Data: []byte("new"), Mode: 0o755}, {Path: root + "/b", Data: []byte("old"), Mode: 0o755}, {Path: root + "/c", Data: []byte("new"), Mode: 0o755}}
	undo, err := Switch(disk.Disk{}, files)
	if err != nil {
		t.Fatal(err)
	}
	if snapshot(t, root) == before {
		t.Error("nothing was written")
	}
	if err := undo(); err != nil {
		t.Error(err)
	}
	if after := snapshot(t, root); after != before {
		t.Errorf("got\n%s\nwant\n%s", after, before)
	}
}
