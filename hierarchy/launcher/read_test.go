package launcher

import (
	"slices"
	"testing"
)

// What the scripts and desktop files of distrobox 1.8.2.5 and 2.0.0-rc.4 look
// like, and those that ocisi's predecessor changed.
func TestReadDistrobox(t *testing.T) {
	t.Parallel()
	script := func(call, sudo string) string {
		return "#!/bin/sh\n# distrobox_binary\n# name: tools\n" +
			"if [ -z \"${CONTAINER_ID}\" ]; then\n\t" + call + "\n" +
			"elif [ -n \"${CONTAINER_ID}\" ] && [ \"${CONTAINER_ID}\" != \"tools\" ]; then\n" +
			"\texec distrobox-host-exec '/home/u/.local/bin/jq' \"$@\"\nelse\n\texec " + sudo + " '/usr/bin/jq' \"$@\"\nfi\n"
	}
	app := func(exec string) string {
		return "[Desktop Entry]\nName=Edit (on tools)\nType=Application\nExec=" + exec + "\nStartupWMClass=edit\n"
	}
	const jq, edit = "/home/u/.local/bin/jq", "/home/u/.local/share/applications/tools-org.edit.desktop"
	for name, c := range map[string]struct {
		path, text string
		want       Found
	}{
		"1": {jq, script(`exec "/usr/bin/distrobox-enter"  -n tools  --   '/usr/bin/jq'  "$@"`, ""), Found{
			File: File{Kind: Program, What: "/usr/bin/jq", Owner: Owner{Box: "tools"}}, By: Distrobox1, Calls: "/usr/bin/distrobox-enter",
		}},
		"1 as root": {jq, script(`exec "/usr/bin/distrobox-enter" --root -n tools  -- sudo -S  '/usr/bin/jq'  "$@"`, "sudo -S"), Found{
			File: File{Kind: Program, What: "/usr/bin/jq", Owner: Owner{Box: "tools", Root: true}}, By: Distrobox1, Calls: "/usr/bin/distrobox-enter",
		}},
		"1 as root, in another order": {jq, script(`exec "/usr/bin/distrobox-enter" -n tools --root  -- sudo -S  '/usr/bin/jq'  "$@"`, "sudo -S"), Found{
			File: File{Kind: Program, What: "/usr/bin/jq", Owner: Owner{Box: "tools", Root: true}}, By: Distrobox1, Calls: "/usr/bin/distrobox-enter",
		}},
		"1 with a flag of the program": {jq, script(`exec "/usr/bin/distrobox-enter"  -n tools  --   '/usr/bin/jq' --rooted "$@"`, ""), Found{
			File: File{Kind: Program, What: "/usr/bin/jq", Owner: Owner{Box: "tools"}}, By: Distrobox1, Calls: "/usr/bin/distrobox-enter",
		}},
		"1 with a program's own --root": {jq, script(`exec "/usr/bin/distrobox-enter"  -n tools  --   '/usr/bin/jq' --root /srv "$@"`, ""), Found{
			File: File{Kind: Program, What: "/usr/bin/jq", Owner: Owner{Box: "tools"}}, By: Distrobox1, Calls: "/usr/bin/distrobox-enter",
		}},
		"1 without a path": {jq, script(`exec "distrobox-enter"  -n tools  --   '/usr/bin/jq'  "$@"`, ""), Found{
			File: File{Kind: Program, What: "/usr/bin/jq", Owner: Owner{Box: "tools"}}, By: Distrobox1, Calls: "distrobox-enter",
		}},
		"1 and the predecessor": {jq, script(`DBX_CONTAINER_MANAGER=docker exec "/brew/bin/distrobox-enter"  -n tools  --   '/usr/bin/jq'  "$@"`, ""), Found{
			File: File{Kind: Program, What: "/usr/bin/jq", Owner: Owner{Box: "tools", Manager: "docker"}}, By: Distrobox1, Calls: "/brew/bin/distrobox-enter", Gone: true,
		}},
		"2": {jq, script(`exec "/brew/bin/distrobox" enter  -n tools  --  '/usr/bin/jq'  "$@"`, ""), Found{
			File: File{Kind: Program, What: "/usr/bin/jq", Owner: Owner{Box: "tools"}}, By: Distrobox2, Calls: "/brew/bin/distrobox", Gone: true,
		}},
		"an app of 1": {edit, app(`/usr/bin/distrobox-enter  -n tools  --   edit "a b" %U `), Found{
			File: File{Kind: App, What: "org.edit", Owner: Owner{Box: "tools"}}, By: Distrobox1, Calls: "/usr/bin/distrobox-enter",
		}},
		"an app of 1 as root": {edit, app(`env SUDO_ASKPASS="/home/u/.local/bin/distrobox_sudo_askpass" DBX_SUDO_PROGRAM="sudo --askpass" /usr/bin/distrobox-enter --root -n tools  --   edit %U `), Found{
			File: File{Kind: App, What: "org.edit", Owner: Owner{Box: "tools", Root: true}}, By: Distrobox1, Calls: "/usr/bin/distrobox-enter",
		}},
		"an app of 2": {edit, app(`/usr/bin/distrobox enter -n tools -- edit %U`), Found{
			File: File{Kind: App, What: "org.edit", Owner: Owner{Box: "tools"}}, By: Distrobox2, Calls: "/usr/bin/distrobox",
		}},
		"an app that somebody mended": {edit, app(`env DBX_CONTAINER_MANAGER=podman /usr/bin/distrobox enter --name tools -- edit`), Found{
			File: File{Kind: App, What: "org.edit", Owner: Owner{Box: "tools", Manager: "podman"}}, By: Distrobox2, Calls: "/usr/bin/distrobox",
		}},
	} {
		got, ok := Read(c.path, []byte(c.text), func(path string) bool { return path == "/usr/bin/distrobox-enter" || path == "/usr/bin/distrobox" })
		if !ok || got.Kind != c.want.Kind || got.What != c.want.What || got.Owner != c.want.Owner || got.By != c.want.By || got.Calls != c.want.Calls || got.Gone != c.want.Gone {
			t.Errorf("%s: got %+v, %v\nwant %+v", name, got, ok, c.want)
		}
	}
}

func TestReadOthers(t *testing.T) {
	t.Parallel()
	for path, text := range map[string]string{
		"/b/a":         "#!/bin/sh\necho hello\n",
		"/b/b":         "",
		"/b/c":         "#!/bin/sh\n# distrobox_binary\n",
		"/b/d":         "# distrobox_binary\n# name: x\n",
		"/b/e":         "#!/bin/sh\n# name: x\n",
		"/b/f":         "\x7fELF # distrobox_binary\n",
		"/b/a.desktop": "[Desktop Entry]\nType=Application\nExec=edit -- %U\n",
		"/b/b.desktop": "[Desktop Entry]\nExec=/usr/bin/distrobox enter  tools\n", // of the box itself
		"/b/c.desktop": "",
	} {
		if f, ok := Read(path, []byte(text), nil); ok {
			t.Errorf("%s is a launcher: %+v", path, f)
		}
	}
}

// A file with ocisi's owner line or keys that ocisi did not write is edited.
func TestReadOlder(t *testing.T) {
	t.Parallel()
	f, ok := Read("/b/jq", []byte("#!/bin/sh\n# distrobox_binary\n# name: tools\n# ocisi: manager=docker image=t:1 config=/c new=1 what=/usr/bin/jq\nexec something else\n"), nil)
	if want := (Owner{Manager: "docker", Box: "tools", Image: "t:1", Config: "/c"}); !ok || f.By != Ocisi || f.Ours() || f.Kind != Program || f.Owner != want || f.What != "/usr/bin/jq" {
		t.Errorf("got %+v, %v", f, ok)
	}
	f, ok = Read("/b/x.desktop", []byte("[Desktop Entry]\nX-Ocisi-Box=tools\nX-Ocisi-Format=0\n"), nil)
	if !ok || !f.old || f.By != Ocisi || f.Ours() {
		t.Errorf("got %+v, %v", f, ok)
	}
}

func TestApps(t *testing.T) {
	t.Parallel()
	app := func(name, exec, more string) []byte {
		return []byte("[Desktop Entry]\nType=Application\nName=" + name + "\nExec=" + exec + "\n" + more)
	}
	const dir, local, home = "/usr/share/applications/", "/usr/local/share/applications/", "/home/u/.local/share/applications/"
	launcher, err := NewApp(owner(), Dirs{Home: "/home/u"}, "edit", "edit.desktop", app("Editor", "edit", ""), nil)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{
		dir + "org.gnome.Edit.desktop": app("Text Editor", `"/usr/bin/edit" %U`, ""),
		dir + "edit-daemon.desktop":    app("Edit Daemon", "edit --daemon", "NoDisplay=true\n"),
		dir + "code.desktop":           app("Code", "/usr/share/code/code %F", ""),
		local + "code.desktop":         app("Code", "/usr/local/bin/code %F", ""),
		dir + "code-url.desktop":       app("Code - URL", "env A=b /usr/share/code/code --url %U", ""),
		dir + "README":                 app("edit", "edit", ""),
		launcher.Path:                  launcher.Data,
		home + "x-edit.desktop":        app("edit (on x)", "/usr/bin/distrobox-enter -n x -- edit", ""),
	}
	for what, want := range map[string][]string{
		"edit":                   {dir + "org.gnome.Edit.desktop"},
		"EDIT":                   {dir + "org.gnome.Edit.desktop"},
		"text editor":            {dir + "org.gnome.Edit.desktop"},
		"org.gnome.Edit":         {dir + "org.gnome.Edit.desktop"},
		"org.gnome.edit":         {dir + "org.gnome.Edit.desktop"},
		"org.gnome.Edit.desktop": {dir + "org.gnome.Edit.desktop"},
		"edit-daemon":            {dir + "edit-daemon.desktop"},
		"Edit Daemon":            nil,
		"code":                   {local + "code.desktop"},
		"Code":                   {local + "code.desktop", dir + "code-url.desktop"},
		dir + "code.desktop":     {dir + "code.desktop"},
		dir + "none.desktop":     nil,
		"Edi":                    nil,
		".*":                     nil,
		"":                       nil,
		"README":                 nil,
		"box-1-edit":             nil,
	} {
		if got := Apps(what, files); !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", what, got, want)
		}
	}
}

func TestIcons(t *testing.T) {
	t.Parallel()
	names := IconNames([]byte("[Desktop Entry]\nIcon=org.edit\nIcon[de]=org.edit.de\n[Desktop Action a]\nIcon=/opt/a/new.png\n[Desktop Action b]\nIcon=old.SVG\nIcon=\n[x]\nIcon=no\n"))
	if want := []string{"org.edit", "org.edit.de", "/opt/a/new.png", "old"}; !slices.Equal(names, want) {
		t.Errorf("got %q, want %q", names, want)
	}
	const hi = "/usr/share/icons/hicolor/"
	files := []string{
		hi + "scalable/apps/org.edit.svg", hi + "48x48/apps/org.edit.png", hi + "symbolic/apps/org.edit-symbolic.svg",
		hi + "48x48/apps/org.editor.png", hi + "48x48/apps/org.edit.txt", "/usr/share/icons/Adwaita/16x16/apps/org.edit.png",
		"/usr/share/pixmaps/org.edit.png", "/usr/share/pixmaps/old.xpm", "/opt/a/new.png", "/usr/share/icons/breeze/apps/48/kold.svg",
	}
	for name, want := range map[string][]string{
		"org.edit":       {hi + "48x48/apps/org.edit.png", hi + "scalable/apps/org.edit.svg", hi + "symbolic/apps/org.edit-symbolic.svg"},
		"old":            {"/usr/share/pixmaps/old.xpm"},
		"kold":           {"/usr/share/icons/breeze/apps/48/kold.svg"},
		"/opt/a/new.png": {"/opt/a/new.png"},
		"new":            nil,
	} {
		if got := IconFiles(name, files); !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	for in, want := range map[string]string{
		hi + "48x48/apps/org.edit.png":                    "hicolor/48x48/apps/ocisi-box-1-org.edit.png",
		hi + "64x64@2/apps/org.edit.png":                  "hicolor/64x64@2/apps/ocisi-box-1-org.edit.png",
		hi + "symbolic/apps/org.edit-symbolic.svg":        "hicolor/symbolic/apps/ocisi-box-1-org.edit-symbolic.svg",
		"/usr/share/icons/Adwaita/16x16/apps/a.PNG":       "hicolor/16x16/apps/ocisi-box-1-a.png",
		"/usr/share/icons/breeze/apps/48/kold.svg":        "ocisi-box-1-kold.svg",
		"/usr/share/icons/hicolor/../../../../etc/a.png":  "ocisi-box-1-a.png",
		"/usr/share/icons/hicolor/48x48/apps/../../a.png": "ocisi-box-1-a.png",
		"/usr/share/pixmaps/old.xpm":                      "ocisi-box-1-old.xpm",
		"/opt/a/new.png":                                  "ocisi-box-1-new.png",
	} {
		if got := NewIcon(owner(), Dirs{Home: "/h"}, "a", in, nil).Path; got != "/h/.local/share/icons/"+want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
}
