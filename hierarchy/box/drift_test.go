package box

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/klmcwhirter/ocisi/hierarchy"
)

// written is a box that has been written to.
type written struct {
	bytes   int64
	changes string // "A /path" a line
	rpms    string // what rpm -qa says; "" is that there is no rpm
	manual  string // what apt-mark says; "" is that there is no apt
	asked   []string
}

func (w *written) Written(context.Context, string) (int64, error) { return w.bytes, nil }

func (w *written) Changes(_ context.Context, name string) ([]hierarchy.Change, error) {
	w.asked = append(w.asked, "changes "+name)
	var all []hierarchy.Change
	for line := range strings.Lines(w.changes) {
		kind, path, _ := strings.Cut(strings.TrimSpace(line), " ")
		all = append(all, hierarchy.Change{Path: path, Kind: kind})
	}
	return all, nil
}

func (w *written) Exec(_ context.Context, name string, argv ...string) (string, error) {
	w.asked = append(w.asked, "exec "+name+" "+strings.Join(argv, " "))
	if argv[0] == "apt-mark" && w.manual != "" {
		return w.manual, nil
	}
	if w.rpms == "" {
		return "", errors.New("rpm: exit status 127")
	}
	return w.rpms, nil
}

func TestDifferences(t *testing.T) {
	for _, c := range []struct {
		name    string
		box     hierarchy.StoredBox
		written written
		named   []string
		want    string // packages, hidden
		changes string
	}{
		{"one small file", hierarchy.StoredBox{}, written{bytes: 22_000, changes: "A /x"}, nil, "[] false", "A /x\n"},
		{"deb", hierarchy.StoredBox{}, written{bytes: 1 << 20, changes: `C /var
			C /var/lib
			C /var/lib/dpkg
			C /var/lib/dpkg/info
			A /var/lib/dpkg/info/cowsay.list
			A /var/lib/dpkg/info/cowsay.md5sums
			C /var/lib/dpkg/info/git.list
			A /var/lib/dpkg/info/libtext-perl:amd64.list
			C /var/lib/dpkg/status`}, nil, "[cowsay libtext-perl] false",
			"A /var/lib/dpkg/info/cowsay.list\nA /var/lib/dpkg/info/cowsay.md5sums\nC /var/lib/dpkg/info/git.list\nA /var/lib/dpkg/info/libtext-perl:amd64.list\nC /var/lib/dpkg/status\n"},
		{"deb, named in the config", hierarchy.StoredBox{}, written{bytes: 1 << 20, changes: "A /var/lib/dpkg/info/cowsay.list\nA /var/lib/dpkg/info/htop.list"}, []string{"jq htop"}, "[cowsay] false",
			"A /var/lib/dpkg/info/cowsay.list\nA /var/lib/dpkg/info/htop.list\n"},
		{"deb, running: dependencies are left out", hierarchy.StoredBox{Running: true},
			written{bytes: 1 << 20, changes: "A /var/lib/dpkg/info/cowsay.list\nA /var/lib/dpkg/info/libtext.list", manual: "bash\ncowsay\n"}, nil, "[cowsay] false",
			"A /var/lib/dpkg/info/cowsay.list\nA /var/lib/dpkg/info/libtext.list\n"},
		{"rpm, running: what came with a named one is left out", hierarchy.StoredBox{Running: true, Created: 1000},
			written{bytes: 1 << 20, changes: "C /usr/lib/sysimage/rpm/rpmdb.sqlite", rpms: "1001 htop 7\n1001 libnl 7\n2000 bat 8\n"}, []string{"htop"}, "[bat] false",
			"C /usr/lib/sysimage/rpm/rpmdb.sqlite\n"},
		{"pacman", hierarchy.StoredBox{}, written{bytes: 1 << 20, changes: "A /var/lib/pacman/local/python-six-1.2-1\nA /var/lib/pacman/local/python-six-1.2-1/desc\nC /var/lib/pacman/local"}, nil, "[python-six] false",
			"A /var/lib/pacman/local/python-six-1.2-1\n"},
		{"rpm, running", hierarchy.StoredBox{Running: true, Created: 1000}, written{bytes: 1 << 20, changes: "C /usr/lib/sysimage/rpm/rpmdb.sqlite", rpms: "999 bash\n1000 sed\n1001 bat\n2000 ShellCheck\n"}, nil, "[ShellCheck bat] false",
			"C /usr/lib/sysimage/rpm/rpmdb.sqlite\n"},
		{"rpm, stopped", hierarchy.StoredBox{Created: 1000}, written{bytes: 1 << 20, changes: "C /var/lib/rpm/rpmdb.sqlite", rpms: "2000 bat\n"}, nil, "[] true", "C /var/lib/rpm/rpmdb.sqlite\n"},
		{"rpm, only asked", hierarchy.StoredBox{Running: true}, written{bytes: 1 << 20, changes: "C /var/lib/rpm/rpmdb.sqlite-wal\nC /var/lib/rpm"}, nil, "[] false", ""},
		{"apk", hierarchy.StoredBox{Running: true}, written{bytes: 1 << 20, changes: "C /lib/apk/db/installed"}, nil, "[] true", "C /lib/apk/db/installed\n"},
		{"a folder is one line", hierarchy.StoredBox{}, written{bytes: 1 << 20, changes: "C /opt\nA /opt/tool\nA /opt/tool/bin\nA /opt/tool/bin/x\nD /etc/motd\nC /etc"}, nil, "[] false", "D /etc/motd\nA /opt/tool\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.box.Name = "b"
			d, changes, err := Differences(t.Context(), &c.written, c.box, c.named)
			if got := fmt.Sprint(d.Packages, d.Hidden); err != nil || got != c.want || d.Bytes != c.written.bytes {
				t.Errorf("%s, %d bytes, %v; want %s", got, d.Bytes, err, c.want)
			}
			var b strings.Builder
			for _, ch := range changes {
				fmt.Fprintln(&b, ch.Kind, ch.Path)
			}
			if b.String() != c.changes {
				t.Errorf("changes\n%s\nwant\n%s", &b, c.changes)
			}
		})
	}
}

// The instruction that installs the same packages in an image.
func TestDriftRun(t *testing.T) {
	for _, c := range []struct{ changes, rpms, want string }{
		{"A /var/lib/dpkg/info/jq.list\nA /var/lib/dpkg/info/bat.list", "", "RUN apt-get update && apt-get install -y bat jq"},
		{"A /var/lib/pacman/local/jq-1.2-1", "", "RUN pacman -Syu --noconfirm jq"},
		{"C /usr/lib/sysimage/rpm/rpmdb.sqlite", "2000 jq 1\n", "RUN dnf install -y jq"},
		{"C /usr/lib/sysimage/rpm/rpmdb.sqlite\nA /var/cache/zypp/solv", "2000 jq 1\n", "RUN zypper --non-interactive install jq"},
		{"C /usr/lib/sysimage/rpm/rpmdb.sqlite", "", ""},
		{"C /lib/apk/db/installed", "", ""},
		{"A /opt/tool", "", ""},
	} {
		w := &written{bytes: 1 << 20, changes: c.changes, rpms: c.rpms}
		d, _, err := Differences(t.Context(), w, hierarchy.StoredBox{Name: "b", Running: true, Created: 1000}, nil)
		if got := d.Run(); err != nil || got != c.want {
			t.Errorf("%s: %q, want %q", c.changes, got, c.want)
		}
	}
}

func TestDrift(t *testing.T) {
	for bytes, want := range map[int64]string{22_000: "[] []", 1 << 20: "[cowsay] [changes b]"} {
		w := &written{bytes: bytes, changes: "A /var/lib/dpkg/info/cowsay.list"}
		d, err := Drift(t.Context(), w, hierarchy.StoredBox{Name: "b"}, nil)
		if got := fmt.Sprint(d.Packages, w.asked); err != nil || d.Bytes != bytes || got != want {
			t.Errorf("%d bytes: %s, %d, %v; want %s", bytes, got, d.Bytes, err, want)
		}
	}
}

// What distrobox does to every box is not shown: the lists of new boxes of
// docker 28.5 and podman 5.8, distrobox 1.8.2.5.
func TestNewBoxShowsNothing(t *testing.T) {
	data, err := os.ReadFile("testdata/new-boxes.txt")
	if err != nil {
		t.Fatal(err)
	}
	kinds := strings.NewReplacer("\n0 ", "\nC ", "\n1 ", "\nA ", "\n2 ", "\nD ")
	w := &written{bytes: 1 << 20, changes: kinds.Replace("\n" + string(data))[1:]}
	_, changes, err := Differences(t.Context(), w, hierarchy.StoredBox{Name: "b"}, nil)
	if err != nil || len(changes) != 0 || strings.Count(w.changes, "A /") < 40 {
		t.Errorf("%v, %v of\n%s", changes, err, w.changes)
	}
}
