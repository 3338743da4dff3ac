package host_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/klmcwhirter/ocisi/bootstrap/host"
)

// Whatever the files of a host contain: nothing crashes, and IDs are IDs.
func FuzzHostFiles(f *testing.F) {
	f.Add("ID=fedora\nID_LIKE=\"rhel centos\"\nVARIANT_ID=bluefin-lts\n", `{"image-name": "bluefin-dx", "image-tag": "stable"}`,
		"docker:x:994:ann,dev\n", "dev:100000:65536\n1001:200000:1\n", "Gid:\t1 2 3 4\nGroups:\t10 994 \n")
	f.Add("=\nID\n#ID=x\nID='a'", "[[[", "docker:x:-1:\n", "dev:-1:5\ndev:4294967295:4294967295\n", "Groups: x\n")
	f.Fuzz(func(t *testing.T, release, image, group, subids, status string) {
		h := machine(map[string]string{
			"etc/os-release": release, "usr/share/ublue-os/image-info.json": image, "etc/group": group,
			"etc/subuid": subids, "proc/7/status": status,
		}, answers{"systemctl show -p MainPID --value user@1001.service": "7"})
		kinds := []host.Kind{
			host.Bluefin, host.BluefinLTS, host.Aurora, host.Bazzite, host.Universal, host.FedoraAtomic,
			host.Fedora, host.Enterprise, host.Ubuntu, host.Debian, host.Unknown,
		}
		if kind := h.Kind(); !slices.Contains(kinds, kind) {
			t.Fatalf("kind %q", kind)
		}
		if im, ok := h.Image(); im.DX() && !ok {
			t.Fatal("developer mode without an image")
		}
		g, there, err := h.Group(t.Context(), "docker")
		if there && (err != nil || g.Name != "docker" || g.GID < 0 || !strings.Contains(group, "docker:")) {
			t.Fatalf("%+v, %v of %q", g, err, group)
		}
		own, free := h.SubIDs("/etc/subuid")
		for _, r := range own {
			if r.Start < 0 || r.Count < 0 || r.Start+r.Count > free {
				t.Fatalf("%+v with %d free of %q", own, free, subids)
			}
		}
		gids, err := h.ManagerGroups(t.Context())
		if err != nil && !strings.Contains(status, "G") {
			t.Fatalf("%v of %q", err, status)
		}
		for _, gid := range gids {
			if gid < 0 || err != nil {
				t.Fatalf("%v, %v of %q", gids, err, status)
			}
		}
	})
}

// Files that are too large are not parsed.
func TestLimits(t *testing.T) {
	t.Parallel()
	fill := func(text string, n int) string { return text + strings.Repeat("\n", n) }
	h := machine(map[string]string{
		"etc/os-release": fill("ID=bluefin\n", 1<<20), "usr/share/ublue-os/image-info.json": fill(`{"image-name":"bluefin"}`, 1<<20),
		"etc/group": fill("docker:x:994:\n", 16<<20), "etc/subuid": fill("dev:1:1\n", 16<<20), "text": fill("x", 4<<20),
		"exact": fill("", 4<<20),
	}, nil)
	if kind := h.Kind(); kind != host.Unknown {
		t.Errorf("kind %s", kind)
	}
	if _, _, err := h.Group(t.Context(), "docker"); err == nil || !strings.Contains(err.Error(), "larger than 16 MiB") {
		t.Errorf("group: %v", err)
	}
	if own, _ := h.SubIDs("/etc/subuid"); own != nil {
		t.Errorf("ranges %v", own)
	}
	if h.Text("/text") != "" || len(h.Text("/exact")) != 4<<20 {
		t.Error("the limit of a text is another")
	}
}
