package launcher

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/klmcwhirter/ocisi/hierarchy"
)

// A world is a file system below a temporary folder, seen as its root.
type world struct {
	t    *testing.T
	root string
	Dirs
}

func newWorld(t *testing.T) *world {
	t.Helper()
	return &world{t: t, root: t.TempDir(), Dirs: Dirs{Home: "/home/u"}}
}

func (w *world) host(path ...string) Host {
	return Host{
		Files: os.DirFS(w.root), Path: path, Default: hierarchy.Podman,
		Boxes: map[hierarchy.Manager][]string{"docker": {"box-1", "both"}, "podman": {"pod", "both"}},
	}
}

func (w *world) put(files ...File) {
	w.t.Helper()
	for _, f := range files {
		at := w.root + f.Path
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			w.t.Fatal(err)
		}
		if err := os.WriteFile(at, f.Data, f.Mode); err != nil {
			w.t.Fatal(err)
		}
	}
}

func (w *world) text(path, text string, mode fs.FileMode) {
	w.put(File{Path: path, Data: []byte(text), Mode: mode})
}

func (w *world) app(o Owner) File {
	w.t.Helper()
	in := []byte("[Desktop Entry]\nType=Application\nName=Edit\nExec=edit\nIcon=edit\n")
	f, err := NewApp(o, w.Dirs, "edit", "edit.desktop", in, func(string) bool { return true })
	if err != nil {
		w.t.Fatal(err)
	}
	return f
}

func tools() hierarchy.Box {
	return hierarchy.Box{Name: "box-1", ExportedBins: []string{"/usr/bin/jq", "/usr/bin/rg"}, ExportedApps: []string{"edit"}, ExportedBinsPath: "~/bin"}
}

func states(all []Status) map[string]State {
	out := map[string]State{}
	for _, s := range all {
		out[s.Path] = s.State
		if (s.Why == "") != (s.State == OK) {
			out[s.Path] += State(": why " + s.Why)
		}
	}
	return out
}

func TestStates(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o := owner()
	known := Known(o, tools(), w.Dirs)
	icon := NewIcon(o, w.Dirs, "edit", "/usr/share/icons/hicolor/48x48/apps/edit.png", []byte("png"))
	w.put(known...)
	w.put(w.app(o), icon)
	const bin = "/home/u/bin/"
	with := func(manager hierarchy.Manager, box string) Owner {
		return Owner{Manager: manager, Box: box, Image: "i:1", Config: "/c"}
	}
	put := func(name string, o Owner) { w.put(NewProgram(o, w.Dirs, "/usr/bin/"+name, bin+name)) }
	put("stale", with("docker", "none"))
	put("foreign", with("docker", "pod"))
	put("both", with("docker", "both"))
	put("unknown", with("other", "none"))
	rooted := with("podman", "rooted")
	rooted.Root = true
	put("rooted", rooted)
	dbx := func(name, calls, box string) {
		w.text(bin+name, "#!/bin/sh\n# distrobox_binary\n# name: "+box+"\n\texec \""+calls+"\"  -n "+box+"  --   '/usr/bin/x'\n", 0o755)
	}
	w.text("/usr/bin/distrobox-enter", "", 0o755)
	dbx("v1", "/usr/bin/distrobox-enter", "pod")
	dbx("v1foreign", "/usr/bin/distrobox-enter", "box-1")
	dbx("v1stale", "/usr/bin/distrobox-enter", "none")
	dbx("v1gone", "/old/distrobox-enter", "pod")
	w.text(bin+"noexec", string(NewProgram(o, w.Dirs, "/usr/bin/noexec", bin+"noexec").Data), 0o654) // the owner cannot execute it
	w.text(bin+".jq.ocisi-123", "half", 0o600)
	w.text(bin+"mine", "#!/bin/sh\n", 0o755)
	w.text("/home/u/.local/share/icons/hicolor/48x48/apps/ocisi-box-1-unused.png", "", 0o644)
	w.text("/home/u/.local/share/icons/hicolor/48x48/apps/other.png", "", 0o644)
	const oldApp = "/home/u/.local/share/applications/old.desktop"
	w.text(oldApp, "[Desktop Entry]\nX-Ocisi-Manager=docker\nX-Ocisi-Box=box-1\nX-Ocisi-Format=0\n", 0o644)
	put("dup", with("docker", "box-1"))
	w.text("/first/dup", "", 0o755)
	w.text("/first/both", "", 0o644) // not executable

	h := w.host("/first", "/home/u/bin", "/last")
	wanted := append(slices.Clone(known), NewProgram(o, w.Dirs, "/usr/bin/new", bin+"new"), icon)
	wanted[0].Data = []byte("newer")
	found := Scan(h.Files, w.Dirs, []string{"/home/u/bin", "/home/u/bin/", "/nowhere"})
	want := map[string]State{
		bin + "jq": Outdated, bin + "rg": OK, bin + "new": Missing, bin + "both": OK,
		bin + "stale": Stale, bin + "foreign": Foreign, bin + "unknown": OK, bin + "rooted": OK,
		bin + "v1": OK, bin + "v1foreign": Foreign, bin + "v1stale": Stale, bin + "v1gone": Outdated,
		bin + "noexec": Outdated, bin + ".jq.ocisi-123": Outdated, bin + "dup": Shadowed,
		known[2].Path: OK, w.app(o).Path: OK, icon.Path: OK, oldApp: Edited,
		"/home/u/.local/share/icons/hicolor/48x48/apps/ocisi-box-1-unused.png": Stale,
	}
	if got := states(h.States(found, wanted)); !maps.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	// One box has it, another one wants it.
	all := h.States(found, []File{NewProgram(with("docker", "both"), w.Dirs, "/usr/bin/rg", bin+"rg")})
	if i := slices.IndexFunc(all, func(s Status) bool { return s.Path == bin+"rg" }); all[i].State != OK || all[i].Why != "box both of docker wants it, too" {
		t.Errorf("%+v", all[i])
	}
	h.Path = []string{"/first"}
	if got := states(h.States(found, nil))[bin+"rg"]; got != Shadowed {
		t.Errorf("a folder that is not in PATH: %s", got)
	}
	h.Path, h.Boxes = []string{"/home/u/bin"}, nil
	if got := states(h.States(found, nil))[bin+"stale"]; got != OK {
		t.Errorf("nobody could be asked: %s", got)
	}
	h = w.host("/home/u/bin")
	if got := states(h.States(found, []File{{Path: bin + "v1", Owner: with("podman", "pod")}}))[bin+"v1"]; got != Outdated {
		t.Errorf("distrobox's launcher of a box of ours: %s", got)
	}
	for _, f := range found {
		if f.Kind == Icon && f.Path == icon.Path && f.Owner != o {
			t.Errorf("an icon is its application's: %+v", f)
		}
	}
}

// /home and /var/home are the same folder.
func TestShadowedThroughSymlinks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := NewProgram(owner(), w.Dirs, "/usr/bin/rg", "/var/home/u/bin/rg")
	w.put(f)
	if err := os.Symlink("var/home", w.root+"/home"); err != nil {
		t.Fatal(err)
	}
	h := w.host("/home/u/bin")
	found := Scan(h.Files, w.Dirs, []string{"/var/home/u/bin"})
	if got := states(h.States(found, []File{f})); got[f.Path] != OK || len(got) != 1 {
		t.Errorf("got %v", got)
	}
	b := hierarchy.Box{Name: "box-1", ExportedBins: []string{"/usr/bin/rg"}}
	for _, path := range []string{"/home/u/bin", "/var/home/u/bin"} {
		b.ExportedBinsPath = path
		w.put(Known(owner(), b, w.Dirs)...)
		found := Scan(h.Files, w.Dirs, []string{"/var/home/u/bin", "/home/u/bin"})
		if lacks := Lacking(found, owner(), b, w.Dirs); lacks != nil || len(found) != 1 {
			t.Errorf("%s: lacks %q, found %+v", path, lacks, found)
		}
		if paths := Obsolete(found, owner(), Known(owner(), b, w.Dirs)); paths != nil {
			t.Errorf("%s: the script itself is obsolete: %q", path, paths)
		}
	}
	if err := h.Conflicts([]File{f, NewProgram(owner(), w.Dirs, "/usr/bin/jq", "/home/u/bin/jq")}); err != nil {
		t.Error(err)
	}
}

func TestScanOfNothing(t *testing.T) {
	t.Parallel()
	if found := Scan(fstest.MapFS{}, Dirs{}, []string{""}); len(found) != 0 {
		t.Errorf("found %v", found)
	}
}

func TestScanLimit(t *testing.T) {
	t.Parallel()
	const bin = "home/u/.local/bin/"
	text := string(NewProgram(owner(), Dirs{Home: "/home/u"}, "/usr/bin/jq", "/"+bin+"jq").Data)
	sized := func(n int) *fstest.MapFile {
		return &fstest.MapFile{Data: []byte(text + strings.Repeat("\n", n-len(text))), Mode: 0o755}
	}
	found := Scan(fstest.MapFS{bin + "jq": sized(maxScript), bin + "large": sized(maxScript + 1)}, Dirs{Home: "/home/u"}, nil)
	if len(found) != 1 || found[0].Path != "/"+bin+"jq" {
		t.Errorf("found %d files", len(found))
	}
}

func TestLacking(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o := owner()
	scan := func() []Found { return Scan(os.DirFS(w.root), w.Dirs, []string{w.Bins(tools())}) }
	entrance := "/home/u/.local/share/ocisi/enter/box-1"
	lacking := func(want ...string) {
		t.Helper()
		if got := Lacking(scan(), o, tools(), w.Dirs); !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	lacking("/home/u/bin/jq", "/home/u/bin/rg", entrance, "edit")
	w.put(Known(o, tools(), w.Dirs)...)
	lacking("edit")
	w.put(unsealed(w.app(o)))
	lacking("edit")
	w.put(w.app(o))
	lacking()
	if got := Lacking(scan(), o, hierarchy.Box{Name: "box-1"}, w.Dirs); got != nil {
		t.Errorf("a box without exports lacks %q", got)
	}
	w.text("/home/u/bin/jq", "#!/bin/sh\n# distrobox_binary\n# name: box-1\n", 0o755)
	if err := os.Chmod(w.root+"/home/u/bin/rg", 0o644); err != nil {
		t.Fatal(err)
	}
	lacking("/home/u/bin/jq", "/home/u/bin/rg")
	w.put(Known(o, tools(), w.Dirs)[0])
	o.Image = "tools-dx:2.0"
	lacking("/home/u/bin/jq", "/home/u/bin/rg", entrance, "edit")
}

func TestConflicts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o := owner()
	at := func(name string) File { return NewProgram(o, w.Dirs, "/usr/bin/"+name, "/home/u/bin/"+name) }
	other := func(name string, manager hierarchy.Manager, box string) {
		w.put(NewProgram(Owner{Manager: manager, Box: box}, w.Dirs, "/usr/bin/"+name, "/home/u/bin/"+name))
	}
	dbx := func(name, box string) {
		w.text("/home/u/bin/"+name, "#!/bin/sh\n# distrobox_binary\n# name: "+box+"\nexec \"/usr/bin/distrobox-enter\"  -n "+box+"  --   'x'\n", 0o755)
	}
	other("own", "docker", "box-1")
	other("moved", "podman", "box-1") // the box was podman's before
	other("others", "podman", "pod")
	other("dropped", "podman", "both")
	other("gone", "podman", "none")
	other("unasked", "lilipod", "none")
	dbx("dbxown", "box-1")
	dbx("dbxother", "both")
	dbx("dbxgone", "none")
	dbx("dbxforeign", "only") // distrobox looks in podman, and docker has the box
	w.text("/home/u/bin/text", "mine", 0o644)
	if err := os.MkdirAll(w.root+"/home/u/bin/folder", 0o755); err != nil {
		t.Fatal(err)
	}
	for link, to := range map[string]string{"dangling": "nowhere", "link": "own", "linked": "text"} {
		if err := os.Symlink(to, w.root+"/home/u/bin/"+link); err != nil {
			t.Fatal(err)
		}
	}
	w.text("/usr/bin/fzf", "", 0o755)
	w.text("/usr/bin/uv", "", 0o644)
	w.text("/usr/bin/jq", string(at("jq").Data), 0o755)
	w.text("/usr/bin/rg", "", 0o755)
	w.put(at("fzf"))
	icon := NewIcon(o, w.Dirs, "edit", "/usr/share/pixmaps/edit.png", []byte("new"))
	w.text(icon.Path, "old", 0o644)
	entrance := NewEntrance(o, w.Dirs)
	w.text(entrance.Path, "broken", 0o644)
	w.text(w.app(o).Path, "[Desktop Entry]\nType=Application\nExec=mine\n", 0o644)

	again := NewProgram(o, w.Dirs, "/opt/bin/new", "/home/u/bin/new")
	theme := NewIcon(o, w.Dirs, "edit", "/opt/edit.png", []byte("of another theme"))
	files := []File{icon, theme, entrance, entrance, w.app(o), at("rg"), at("rg"), again}
	for _, name := range []string{
		"new", "own", "moved", "others", "dropped", "gone", "unasked", "dbxown", "dbxother", "dbxgone", "dbxforeign", "text", "folder",
		"dangling", "link", "linked", "fzf", "uv", "jq", "node", "new",
	} {
		files = append(files, at(name))
	}
	got := map[string]string{}
	h := w.host("/usr/bin", "/home/u/bin")
	h.Boxes["docker"] = append(h.Boxes["docker"], "only")
	h.Dropped = func(o Owner) bool { return o.Box == "both" && o.Manager == hierarchy.Podman }
	all, ok := h.Conflicts(files).(interface{ Unwrap() []error })
	if !ok {
		t.Fatal("no conflicts")
	}
	for _, err := range all.Unwrap() {
		e, ok := errors.AsType[*ConflictError](err)
		if !ok || !strings.HasPrefix(e.Error(), "box box-1: export "+e.File.What+" to "+e.File.Path+": ") {
			t.Fatal(err)
		}
		got[filepath.Base(e.File.Path)] = string(e.Reason) + ": " + e.Other
	}
	want := map[string]string{
		"others": "other box: box pod of podman", "unasked": "other box: box none of lilipod", "dbxother": "other box: box both", "dbxforeign": "other box: box only",
		"text": "not ours: ", "folder": "not ours: ", "dangling": "not ours: ", "linked": "not ours: ", "link": "copy: /home/u/bin/own",
		"fzf": "problem: /usr/bin/fzf", "new": "twice: /opt/bin/new", "box-1-edit.desktop": "not ours: ",
	}
	if !maps.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	h.Path = []string{"/usr/bin"}
	if err := h.Conflicts([]File{at("fzf")}); err != nil {
		t.Errorf("a folder that is not in PATH hides nothing: %v", err)
	}
}

func TestObsolete(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o := owner()
	long := o
	long.Box = "box-1-edit"
	known := Known(o, tools(), w.Dirs)
	w.put(known...)
	w.put(w.app(o), NewIcon(o, w.Dirs, "edit", "/x/icons/hicolor/48x48/apps/edit.png", nil))
	w.put(w.app(long), NewIcon(long, w.Dirs, "edit", "/x/icons/hicolor/48x48/apps/edit.png", nil))
	w.put(NewProgram(Owner{Manager: "podman", Box: "box-1"}, w.Dirs, "/usr/bin/p", "/home/u/bin/p"))
	w.text("/home/u/bin/byhand", "#!/bin/sh\n# distrobox_binary\n# name: box-1\n", 0o755)
	w.text("/home/u/.local/share/icons/ocisi-box-1-old.png", "", 0o644)
	w.text("/home/u/.local/share/icons/ocisi-box-2-old.png", "", 0o644)
	w.text("/home/u/.local/share/applications/.x.desktop.ocisi-7", "", 0o644)
	found := Scan(os.DirFS(w.root), w.Dirs, []string{"/home/u/bin"})
	got := Obsolete(found, o, known[:1])
	want := []string{
		"/home/u/.local/share/applications/.x.desktop.ocisi-7",
		"/home/u/.local/share/applications/box-1-edit.desktop",
		"/home/u/.local/share/icons/hicolor/48x48/apps/ocisi-box-1-edit.png",
		"/home/u/.local/share/icons/ocisi-box-1-old.png",
		"/home/u/.local/share/ocisi/enter/box-1",
		"/home/u/bin/rg",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestBins(t *testing.T) {
	t.Parallel()
	d := Dirs{Home: "/home/u"}
	for path, want := range map[string]string{
		"": "/home/u/.local/bin", "~": "/home/u", "~/b": "/home/u/b", "$HOME/b/": "/home/u/b", "${HOME}/b": "/home/u/b", "/opt/b": "/opt/b", "$HOMER/b": "$HOMER/b",
	} {
		if got := d.Bins(hierarchy.Box{ExportedBinsPath: path}); got != want {
			t.Errorf("%s: got %s, want %s", path, got, want)
		}
	}
	d.Data = "/data"
	if got := d.Apps() + d.Icons() + d.Entrances(); got != "/data/applications/data/icons/data/ocisi/enter" {
		t.Error(got)
	}
}
