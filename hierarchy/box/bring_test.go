package box

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klmcwhirter/ocisi/hierarchy"
)

// A box that says it is complete and lacks the user's shell is not started.
func TestShell(t *testing.T) {
	for _, test := range []struct {
		name, shell string
		files       []string
		packages    []string
		ok          bool
	}{
		{"there", "/bin/zsh", []string{"/.containersetupdone", "/usr/bin/zsh"}, nil, true},
		{"where the host has it", "/opt/bin/zsh", []string{"/.containersetupdone", "/opt/bin/zsh"}, nil, true},
		{"in /bin", "/usr/bin/zsh", []string{"/.containersetupdone", "/bin/zsh"}, nil, true},
		{"missing", "/bin/zsh", []string{"/.containersetupdone", "/usr/bin/bash"}, nil, false},
		{"missing, and installed at the start", "/bin/zsh", nil, nil, true},
		{"missing, and installed with others", "/bin/zsh", []string{"/.containersetupdone"}, []string{"git"}, true},
		{"unknown", "", []string{"/.containersetupdone"}, nil, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t).has("tool", byOcisi("tool"))
			for _, file := range test.files {
				w.files[file] = "x"
			}
			d := w.maker()
			d.Shell = test.shell
			_, err := d.Replace(t.Context(), w, spec(func(s *Spec) { s.Box.AdditionalPackages = test.packages }), nil)
			if ce, ok := errors.AsType[*CheckError](err); (err == nil) != test.ok || ok == test.ok || ok && (ce.What != "shell" || ce.Want != "zsh") {
				t.Errorf("error %v", err)
			}
			if started := strings.Contains(strings.Join(w.calls, " "), "enter"); started != test.ok {
				t.Errorf("started: %v", started)
			}
		})
	}
}

func TestLocale(t *testing.T) {
	const list = "C\nC.utf8\nPOSIX\nde_DE.utf8\nde_DE@euro\nen_US.utf8\n"
	const said = "lacks the locale"
	for lang, want := range map[string]bool{
		"": true, "C": true, "POSIX": true, "C.UTF-8": true, "de_DE.UTF-8": true, "de_DE.utf8": true, "en_US.UTF-8": true,
		"fr_FR.UTF-8": false, "de_DE": false, "de_DE.UTF-8@euro": false, "en_US.ISO-8859-1": false,
	} {
		for locales, want := range map[string]bool{list: want, "": true} {
			w := newWorld(t)
			w.locales = locales
			d := w.maker()
			d.Lang = lang
			told := false
			_, err := d.Create(t.Context(), w, spec(), func(p progress) { told = told || strings.Contains(p.Title, said) })
			if err != nil || told == want {
				t.Errorf("%q of %d: told %v, error %v", lang, len(locales), told, err)
			}
		}
	}
}

type progress = hierarchy.Progress

// A home of its own is checked as far as it is known.
func TestHomes(t *testing.T) {
	for _, test := range []struct {
		home, seen string
		ok         bool
	}{
		{"", "/var/home/dev", true},
		{"~/boxes", "/var/home/dev/boxes", true},
		{"~/boxes", "/var/home/dev", false},
		{"/var/home/dev/", "/var/home/dev", true},
		{"", "/var/home/dev/boxes", false},
	} {
		w := newWorld(t)
		w.home = test.seen
		s := spec(func(s *Spec) { s.Box.Home = test.home })
		_, err := w.maker().Create(t.Context(), w, s, nil)
		if (err == nil) != test.ok {
			t.Errorf("%q, seen %q: %v", test.home, test.seen, err)
		}
	}
	// Of a box that was made with another home than the spec has, it is not known.
	j := &job{d: &Distrobox{Home: "/h"}, spec: spec(func(s *Spec) { s.Box.Home = "/other" })}
	c := hierarchy.StoredBox{Name: "tool", Labels: map[string]string{hierarchy.LabelSpec: hierarchy.Box{Name: "tool", Home: "/one"}.Spec()}}
	if home, known := j.homeOf(c); known {
		t.Errorf("its home is %s", home)
	}
}

// The start and the check may take as long as the config says, the rest not.
func TestStartTimeout(t *testing.T) {
	w := newWorld(t)
	d := w.maker()
	d.Start = 42 * time.Second
	if _, err := d.Create(t.Context(), w, spec(func(s *Spec) { s.Box.Check = []string{"zig"} }), nil); err != nil {
		t.Fatal(err)
	}
	for _, c := range w.cmds {
		want := 42 * time.Second
		switch {
		case c.Args[0] == "create":
			want = createTimeout
		case slices.Contains(c.Args, "printenv"):
			want = shortTimeout
		}
		if c.Timeout != want {
			t.Errorf("%s: time-out %s, want %s", c, c.Timeout, want)
		}
	}
}
