package ocisictl_test

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/box"
	"github.com/klmcwhirter/ocisi/hierarchy/ocisictl"
)

// life writes a list and boxes from random bytes, and knows what they mean.
type life struct {
	bytes []byte
	list  strings.Builder
	ini   strings.Builder
	want  []hierarchy.Entry
}

func (l *life) next(n int) int {
	if len(l.bytes) == 0 {
		return 0
	}
	b := l.bytes[0]
	l.bytes = l.bytes[1:]
	return int(b) % n
}

func (l *life) pick(of ...string) string { return of[l.next(len(of))] }

func (l *life) entry(i int) {
	e := hierarchy.Entry{Name: fmt.Sprintf("i%d", i) + l.pick("", "-dx"), Tag: "latest", Enabled: l.next(2) == 0}
	pairs := []string{"name: " + e.Name, "path: " + l.pick("fedora", "'a/b'", `"c"`), fmt.Sprintf("enabled: %v", e.Enabled)}
	if tag := l.pick("", "3.10", "0.15", "x"); tag != "" {
		e.Tag = tag
		pairs = append(pairs, "tag: "+tag)
	}
	if m := l.pick("", "docker", "podman"); m != "" {
		e.Manager = hierarchy.Manager(m)
		pairs = append(pairs, "manager: "+m)
	}
	if l.next(2) == 0 {
		e.Distrobox = fmt.Sprintf("box%d", i)
		pairs = append(pairs, "distrobox: "+e.Distrobox)
	}
	if a := l.pick("", "true", "false"); a != "" {
		on := a == "true"
		e.Assemble = &on
		pairs = append(pairs, "assemble: "+a)
	}
	k := l.next(len(pairs))
	pairs = append(pairs[k:], pairs[:k]...)
	comment := l.pick("", " # c", " # it's {")
	switch l.next(3) {
	case 0:
		l.list.WriteString("- {" + strings.Join(pairs, ", ") + l.pick("", ",", " ") + "}" + comment + "\n")
	case 1:
		l.list.WriteString("- {" + strings.Join(pairs, ","+comment+"\n   ") + "}\n")
	default:
		l.list.WriteString(l.pick("", "# head\n", "\n") + "- " + strings.Join(pairs, comment+"\n  ") + comment + l.pick("\n", "\n  # foot\n", "\n\n\n"))
	}
	if e.HasBox() && l.next(4) > 0 {
		fmt.Fprintf(&l.ini, "%s[%s]\nimage=%s\n", l.pick("", "# s\n"), e.BoxName(), e.Ref())
		e.Box = &hierarchy.Box{Hostname: "h", Nvidia: true}
		l.ini.WriteString("hostname=h\nnvidia=true\n")
		if l.next(2) == 0 {
			e.Box.Volumes = []string{"/a:/b", "/c:/d"}
			l.ini.WriteString("volume=/a:/b /c:/d\n")
		}
		if l.next(2) == 0 {
			e.Box.InitHooks = []string{`echo "a: b" # {`, `x && 'y'`}
			l.ini.WriteString("init_hooks='echo \"a: b\" # {'\ninit_hooks=x && 'y'\n")
		}
	}
	l.want = append(l.want, e)
}

// FuzzNothingIsLost: whatever the style of the old files, the images and boxes of
// the new one are those of the old ones.
func FuzzNothingIsLost(f *testing.F) {
	for seed := range 60 {
		data := make([]byte, 80)
		state := uint32(seed)
		for i := range data {
			state = state*1664525 + 1013904223
			data[i] = byte(state >> 24)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		l := &life{bytes: data}
		for i := range 1 + l.next(5) {
			l.entry(i)
		}
		r, err := convert(l.list.String(), l.ini.String(), options())
		if err != nil {
			t.Fatalf("%v\n%s\n%s", err, &l.list, &l.ini)
		}
		for i, want := range l.want {
			got := r.Config.Entries[i]
			manager := want.Manager
			if manager == "" {
				manager = hierarchy.Podman
			}
			if got.Ref() != want.Ref() || got.Enabled != want.Enabled || got.HasBox() != want.HasBox() || got.BoxName() != want.BoxName() ||
				r.Config.ManagerOf(got, "") != manager || !maps.Equal(got.Args, want.Args) || !reflect.DeepEqual(got.Box, want.Box) {
				t.Errorf("got %+v %+v\nwant %+v %+v\n%s\n%s", got, got.Box, want, want.Box, &l.list, r.Text)
			}
		}
		for _, comment := range []string{"# c", "# it's {", "# head", "# foot"} {
			if was, is := strings.Count(l.list.String(), comment), strings.Count(string(r.Text), comment); is != was {
				t.Errorf("%q: %d before, %d after\n%s", comment, was, is, r.Text)
			}
		}
	})
}

func FuzzConvert(f *testing.F) {
	f.Add("- name: a-dx\n  path: p\n  enabled: yes\n", "[a-dx]\nhome=/home/x/y\n")
	f.Add("--- # c\n[{name: a-dx, path: 'p', enabled: true}]\n...\n", "[a-dx]\nvolume=$HOME\n")
	f.Fuzz(func(t *testing.T, list, ini string) {
		r, err := convert(list, ini, options())
		if (r == nil) != (err != nil) {
			t.Fatalf("%v, %v", r, err)
		}
		if err != nil {
			_, config := errors.AsType[*hierarchy.ConfigError](err)
			_, inBoxes := errors.AsType[*box.INIError](err)
			if !config && !inBoxes && !errors.Is(err, ocisictl.ErrMapping) && !strings.HasSuffix(err.Error(), "no images in it") {
				t.Errorf("error %v", err)
			}
			return
		}
		if again, err := hierarchy.ParseConfig("f", r.Text); err != nil || len(again.Entries) != len(r.Config.Entries) {
			t.Errorf("%s: %v", r.Text, err)
		}
		if !slices.IsSortedFunc(r.Notes, func(a, b ocisictl.Note) int { return strings.Compare(b.Pos.File, a.Pos.File) }) {
			t.Errorf("notes of the boxes before those of the list: %q", notes(r))
		}
	})
}
