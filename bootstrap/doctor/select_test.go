package doctor_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/klmcwhirter/ocisi/bootstrap/doctor"
	"github.com/klmcwhirter/ocisi/bootstrap/host"
)

func TestSelect(t *testing.T) {
	var checks []doctor.Check
	for _, id := range []string{"docker.cli", "dockers", "docker.group", "docker.group.user", "timer"} {
		checks = append(checks, doctor.Check{ID: id})
	}
	for _, test := range []struct{ names, want, unknown string }{
		{"", "docker.cli dockers docker.group docker.group.user timer", ""},
		{"docker", "docker.cli docker.group docker.group.user", ""},
		{"docker.group", "docker.group docker.group.user", ""},
		{"docker.group.user", "docker.group.user", ""},
		{"timer docker.cli timer", "docker.cli timer", ""},
		{"dock timer", "timer", "dock"},
		{"docker.", "", "docker."},
	} {
		got, unknown := doctor.Select(checks, strings.Fields(test.names))
		ids := []string{}
		for _, c := range got {
			ids = append(ids, c.ID)
		}
		if strings.Join(ids, " ") != test.want || strings.Join(unknown, " ") != test.unknown {
			t.Errorf("%s: %q, unknown %q", test.names, ids, unknown)
		}
	}
	if got, want := doctor.Names(checks), []string{"docker", "docker.cli", "docker.group", "docker.group.user", "dockers", "timer"}; !slices.Equal(got, want) {
		t.Errorf("names %q", got)
	}
}

// Every name that people can give means at least one check.
func TestNamesSelect(t *testing.T) {
	for _, name := range doctor.Names(doctor.Checks()) {
		if got, unknown := doctor.Select(doctor.Checks(), []string{name}); len(got) == 0 || len(unknown) > 0 {
			t.Errorf("%s selects %d", name, len(got))
		}
	}
}

func TestHomeIsTilde(t *testing.T) {
	facts := doctor.Facts{Host: host.Host{
		User:   host.User{Home: "/var/home/dev"},
		Getenv: func(key string) string { return map[string]string{"HOME": "/home/dev"}[key] },
	}}
	for _, test := range []struct{ detail, want, fix, wantFix string }{
		{"in /var/home/dev.", "in ~.", "rm /var/home/dev/x /home/dev/y", "rm ~/x ~/y"},
		{"/home/dev/a, /home/dev/b", "~/a, ~/b", "rm '/home/dev/a b'", "rm '/home/dev/a b'"},
		{"/home/devil and /home/dev-2", "/home/devil and /home/dev-2", "PATH=/home/dev/bin ocisi", "PATH=/home/dev/bin ocisi"},
		{"/mnt/home/dev stays", "/mnt/home/dev stays", `"/home/dev"`, `"/home/dev"`},
		{"(/home/dev)", "(~)", "a:/home/dev", "a:/home/dev"},
	} {
		got := doctor.Run(t.Context(), facts, []doctor.Check{{ID: "x", Run: func(context.Context, doctor.Facts) doctor.Result {
			return doctor.Result{Detail: test.detail, Fix: []string{test.fix}}
		}}})[0]
		if got.Detail != test.want || got.Fix[0] != test.wantFix {
			t.Errorf("%q, %q became %q, %q", test.detail, test.fix, got.Detail, got.Fix[0])
		}
	}
}
