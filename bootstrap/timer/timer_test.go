package timer_test

import (
	"bytes"
	"errors"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/klmcwhirter/ocisi/bootstrap/timer"
	"github.com/klmcwhirter/ocisi/packaging/systemd"
)

// What is enabled without more is what packages install.
func TestUnitsAreTheShippedOnes(t *testing.T) {
	units, err := timer.Units(systemd.FS, timer.Run{Program: "/usr/bin/ocisi", Calendar: timer.Weekly})
	if err != nil {
		t.Fatal(err)
	}
	for i, name := range []string{timer.Service, timer.Timer} {
		shipped, err := fs.ReadFile(systemd.FS, "user/"+name)
		if err != nil || units[i].Name != name || !bytes.Equal(units[i].Text, shipped) {
			t.Errorf("%s, %v:\n%s", units[i].Name, err, units[i].Text)
		}
	}
}

func TestUnits(t *testing.T) {
	for _, c := range []struct {
		run  timer.Run
		want string
	}{
		{timer.Run{Program: "/home/linuxbrew/.linuxbrew/bin/ocisi", Calendar: "daily"}, "ExecStart=/home/linuxbrew/.linuxbrew/bin/ocisi recreate --unattended\n"},
		{timer.Run{Program: "/a b/100%/$x/ocisi"}, "ExecStart=\"/a b/100%%/$x/ocisi\" recreate --unattended\n"},
		{timer.Run{Program: "/o", Args: []string{"-f", `/it's $HOME/50%\"x".yaml`}}, "ExecStart=/o -f \"/it's $$HOME/50%%\\\\\\\"x\\\".yaml\" recreate --unattended\n"},
		{timer.Run{Program: "/o", Env: []string{"A=b", "DOCKER_HOST=unix:///x y/$z%"}}, "Environment=A=b\nEnvironment=\"DOCKER_HOST=unix:///x y/$z%%\"\nExecStart=/o recreate"},
		{timer.Run{Program: "/o", Calendar: "Sat *-*-* 10:00"}, "OnCalendar=Sat *-*-* 10:00\n"},
	} {
		units, err := timer.Units(systemd.FS, c.run)
		if err != nil {
			t.Fatal(err)
		}
		if all := string(units[0].Text) + string(units[1].Text); !strings.Contains(all, c.want) {
			t.Errorf("%+v: no %q in\n%s", c.run, c.want, all)
		}
	}
	for _, bad := range []timer.Run{
		{Program: "/a\nExecStart=/bin/sh"}, {Program: `/a"b`}, {Program: "/o'o"}, {Program: `/o\o`},
		{Program: "/o", Args: []string{"a\nb"}}, {Program: "/o", Env: []string{"A=\n"}}, {Program: "/o", Calendar: "weekly\nUnit=x"},
	} {
		if units, err := timer.Units(systemd.FS, bad); err == nil {
			t.Errorf("%+v became\n%s", bad, units)
		}
	}
	if _, err := timer.Units(fstest.MapFS{"user/" + timer.Service: {Data: []byte("[Unit]\n")}}, timer.Run{Program: "/o"}); err == nil {
		t.Error("a shipped unit without ExecStart was taken")
	}
}

// The unit says what people are promised.
func TestShippedUnits(t *testing.T) {
	for name, lines := range map[string][]string{
		timer.Service: {"ConditionACPower=true", "ConditionUser=!@system", "SuccessExitStatus=77", "Type=oneshot", "Slice=background.slice", "Restart=on-failure"},
		timer.Timer:   {"OnCalendar=weekly", "Persistent=true", "RandomizedDelaySec=1h", "WantedBy=timers.target"},
	} {
		data, err := fs.ReadFile(systemd.FS, "user/"+name)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range lines {
			if !strings.Contains(string(data), "\n"+line+"\n") {
				t.Errorf("%s lacks %s", name, line)
			}
		}
	}
}

func TestStable(t *testing.T) {
	exists := func(path string) bool { return path == "/home/linuxbrew/.linuxbrew/bin/ocisi" }
	for program, want := range map[string]string{
		"/usr/bin/ocisi":          "/usr/bin/ocisi",
		"/var/home/al/bin/ocisi":  "/var/home/al/bin/ocisi",
		"/home/al/Cellar.d/ocisi": "/home/al/Cellar.d/ocisi",
		"/home/linuxbrew/.linuxbrew/Cellar/ocisi/0.1.0/bin/ocisi": "/home/linuxbrew/.linuxbrew/bin/ocisi",
		"/opt/brew/Cellar/ocisi/0.1.0/bin/ocisi":                  "/opt/brew/Cellar/ocisi/0.1.0/bin/ocisi", // not linked
		"/tmp/ocisi":                                              "",
		"/tmpfs/ocisi":                                            "/tmpfs/ocisi",
		"/var/tmp/ocisi":                                          "",
		"/run/user/1000/ocisi":                                    "",
		"/scratch/x/ocisi":                                        "",
		"/home/al/.cache/go-build/ab/cd/ocisi":                    "",
		"/usr/bin/ocisi (deleted)":                                "",
		"ocisi":                                                   "",
		"":                                                        "",
	} {
		got, err := timer.Stable(program, exists, "/scratch/", "")
		_, passing := errors.AsType[*timer.TemporaryPathError](err)
		if got != want || passing != (want == "") {
			t.Errorf("%s: %q, %v", program, got, err)
		}
	}
}

// A unit that a package has is not the user's, too.
func TestFiles(t *testing.T) {
	units := []timer.Unit{{Name: timer.Service, Text: []byte("[Service]\n")}, {Name: timer.Timer, Text: []byte("[Timer]\n")}}
	packaged := fstest.MapFS{timer.Service: {Data: units[0].Text}, timer.Timer: {Data: []byte("other")}}
	files := timer.Files(units, "/dir", packaged)
	if files[0].Path != "/dir/"+timer.Service || files[0].Text != nil {
		t.Errorf("packaged: %q", files[0])
	}
	if text := string(files[1].Text); files[1].Path != "/dir/"+timer.Timer || !strings.HasPrefix(text, files[1].Mark+"\n") || !strings.HasSuffix(text, "\n[Timer]\n") {
		t.Errorf("another one: %q", files[1])
	}
	if files := timer.Files(units, "/dir", fstest.MapFS{}); files[0].Text == nil || files[0].Mark == files[1].Mark {
		t.Errorf("none: %q", files)
	}
}
