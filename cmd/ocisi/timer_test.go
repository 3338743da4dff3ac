package main

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/klmcwhirter/ocisi/cmd/internal/cli"
	"github.com/klmcwhirter/ocisi/internal/process"
)

// answers are programs: a command line and what it prints.
type answers map[string]string

func (a answers) Run(_ context.Context, c process.Cmd) error {
	if c.Stdout == nil {
		c.Stdout = io.Discard
	}
	out, ok := a[strings.Join(append([]string{c.Name}, c.Args...), " ")]
	if !ok {
		return &process.NotFoundError{Name: c.Name}
	}
	_, err := io.WriteString(c.Stdout, out)
	return err
}

// A timer has the groups that the user's systemd was started with.
func TestTimerGroups(t *testing.T) {
	for name, c := range map[string]struct {
		session []int
		systemd string
		manager string
		want    int
		stderr  string
	}{
		"systemd is older than the group": {[]int{1000, 994}, "1000 10", "docker", 1, "ocisi: a timer could not use docker: your shell has it, background jobs do not"},
		"both have it":                    {[]int{1000, 994}, "1000 994", "docker", 0, ""},
		"podman needs none":               {[]int{1000}, "1000", "podman", 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var out, errs bytes.Buffer
			env := al(cli.System())
			env.Stdout, env.Stderr = &out, &errs
			env.Home, env.ConfigDir, env.StateDir = t.TempDir(), t.TempDir()+"/ocisi", t.TempDir()
			env.Groups, env.Program = c.session, "/usr/bin/ocisi"
			env.Getenv = func(string) string { return "" }
			env.LookPath = func(string) (string, error) { return "/usr/bin/x", nil }
			env.Runner = answers{
				"systemctl --user show-environment":                            "",
				"systemctl --user daemon-reload":                               "",
				"systemctl --user enable ocisi-recreate.timer":                 "",
				"systemctl --user restart ocisi-recreate.timer":                "",
				"systemctl show -p MainPID --value user@1000.service":          "123\n",
				"getent group docker":                                          "docker:x:994:al\n",
				systemctlShow + " ocisi-recreate.timer ocisi-recreate.service": "Id=ocisi-recreate.timer\n",
			}
			env.Files = fstest.MapFS{
				"proc/123/status": {Data: []byte("Gid:\t1000\t1000\t1000\t1000\nGroups:\t" + c.systemd + " \n")},
				"etc/group":       {Data: []byte("docker:x:994:al\n")},
				strings.TrimPrefix(env.ConfigDir, "/") + "/ocisi.yaml":          {Data: []byte("- {name: x, path: img, enabled: true, manager: " + c.manager + "}\n")},
				strings.TrimPrefix(env.ConfigDir, "/") + "/img/Containerfile.x": {Data: []byte("FROM ghcr.io/x/y:1\n")},
			}
			got := cli.Main(t.Context(), env, []string{"timer", "enable"})
			if got != c.want || !strings.HasPrefix(errs.String(), c.stderr) {
				t.Errorf("exit status %d, want %d\n%s%s", got, c.want, &out, &errs)
			}
			if c.want != 0 && !strings.HasSuffix(errs.String(), "hint: before you enable the timer, type: systemctl reboot\n") {
				t.Errorf("no hint: %s", &errs)
			}
		})
	}
}

const systemctlShow = "systemctl --user show --property=Id,FragmentPath,UnitFileState,ActiveState,NextElapseUSecRealtime,Result,ExecMainStatus,ExecMainExitTimestamp,ConditionResult,ConditionTimestamp,Restart,NRestarts,StartLimitBurst"
