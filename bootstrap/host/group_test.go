package host_test

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/klmcwhirter/ocisi/bootstrap/host"
)

func TestGroup(t *testing.T) {
	for _, test := range []struct {
		name     string
		files    map[string]string
		programs answers
		want     host.Group
		there    bool
	}{
		{
			"in /etc/group", map[string]string{"etc/group": "dockers:x:5:\ndocker:x:994:ann,dev\n"},
			answers{"getent group docker": "docker:x:994:ann,dev\n"},
			host.Group{Name: "docker", GID: 994, Members: []string{"ann", "dev"}, Local: true}, true,
		},
		{
			"in the image's file only", map[string]string{"etc/group": "wheel:x:10:dev\n", "usr/lib/group": "docker:x:994:\n"},
			answers{"getent group docker": "docker:x:994:"},
			host.Group{Name: "docker", GID: 994}, true,
		},
		{
			"no getent, in /etc/group", map[string]string{"etc/group": "docker:x:994:dev\n", "usr/lib/group": "docker:x:5:\n"}, nil,
			host.Group{Name: "docker", GID: 994, Members: []string{"dev"}, Local: true}, true,
		},
		{
			"no getent, in the image's file", map[string]string{"usr/lib/group": "docker:x:994:dev\n"}, nil,
			host.Group{Name: "docker", GID: 994, Members: []string{"dev"}}, true,
		},
		{"getent broken", map[string]string{"usr/lib/group": "docker:x:994:\n"}, answers{"getent group docker": "exit 1"}, host.Group{Name: "docker", GID: 994}, true},
		{"getent says no", map[string]string{"usr/lib/group": "docker:x:994:\n"}, answers{"getent group docker": "exit 2"}, host.Group{}, false},
		{"nowhere", nil, nil, host.Group{}, false},
	} {
		got, there, err := machine(test.files, test.programs).Group(t.Context(), "docker")
		if err != nil || there != test.there || got.Name != test.want.Name || got.GID != test.want.GID ||
			got.Local != test.want.Local || !slices.Equal(got.Members, test.want.Members) {
			t.Errorf("%s: %+v, %v, %v", test.name, got, there, err)
		}
	}
}

func TestGroupErrors(t *testing.T) {
	for name, programs := range map[string]answers{
		"few fields": {"getent group docker": "docker:x"},
		"no number":  {"getent group docker": "docker:x:many:"},
	} {
		if _, there, err := machine(nil, programs).Group(t.Context(), "docker"); err == nil || there {
			t.Errorf("%s: %v, %v", name, there, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := machine(map[string]string{"etc/group": "docker:x:994:\n"}, nil).Group(ctx, "docker"); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestMembership(t *testing.T) {
	docker := host.Group{Name: "docker", GID: 994}
	if h := machine(nil, nil); h.Listed(t.Context(), docker) {
		t.Error("listed by nobody")
	}
	if h := machine(nil, answers{"id -G dev": "1001 994"}); !h.Listed(t.Context(), docker) {
		t.Error("a group of another source is not seen")
	}
	if h := machine(nil, answers{"id -G dev": "1001 9945"}); h.Listed(t.Context(), docker) {
		t.Error("9945 was taken for 994")
	}
	if h := machine(nil, nil); !h.Listed(t.Context(), host.Group{GID: 994, Members: []string{"dev"}}) {
		t.Error("the member field is not seen")
	}
	h := machine(nil, nil)
	if !h.Active(docker) || h.Active(host.Group{GID: 99}) {
		t.Error("the groups of this process")
	}
}

func TestManagerGroups(t *testing.T) {
	const status = "Name:\tsystemd\nUid:\t1001\t1001\t1001\t1001\nGid:\t1001\t5\t6\t7\nFDSize:\t128\nGroups:\t994 998 \n"
	ask := "systemctl show -p MainPID --value user@1001.service"
	got, err := machine(map[string]string{"proc/77/status": status}, answers{ask: "77\n"}).ManagerGroups(t.Context())
	if err != nil || !slices.Equal(got, []int{1001, 994, 998}) {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := machine(nil, answers{ask: "0"}).ManagerGroups(t.Context()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no manager: %v", err)
	}
	if _, err := machine(nil, nil).ManagerGroups(t.Context()); err == nil {
		t.Error("no systemd: no error")
	}
	if _, err := machine(map[string]string{"proc/77/status": "Groups:\tmany"}, answers{ask: "77"}).ManagerGroups(t.Context()); err == nil {
		t.Error("broken status: no error")
	}
}

func TestSubIDs(t *testing.T) {
	for _, test := range []struct {
		text string
		own  []host.Range
		free int
	}{
		{"", nil, 100000},
		{"dev:100000:65536\n", []host.Range{{Start: 100000, Count: 65536}}, 165536},
		{"ann:100000:65536\n1001:165536:65536\n", []host.Range{{Start: 165536, Count: 65536}}, 231072},
		{"device:100000:65536\n", nil, 165536},
		{"dev:100000\ndev:x:65536\n\nnonsense\ndev:524288:10\n", []host.Range{{Start: 524288, Count: 10}}, 524298},
	} {
		own, free := machine(map[string]string{"etc/subuid": test.text}, nil).SubIDs("/etc/subuid")
		if !slices.Equal(own, test.own) || free != test.free {
			t.Errorf("%s: %v, %d", strings.ReplaceAll(test.text, "\n", " "), own, free)
		}
	}
	if own, free := machine(nil, nil).SubIDs("/etc/subuid"); own != nil || free != 100000 {
		t.Errorf("no file: %v, %d", own, free)
	}
}
