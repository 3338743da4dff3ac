package host_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/klmcwhirter/ocisi/bootstrap/host"
	"github.com/klmcwhirter/ocisi/internal/process"
)

func TestSELinux(t *testing.T) {
	h := machine(nil, answers{"getenforce": "Enforcing\n", "matchpathcon -V /a": "/a has context x, should be y\n", "matchpathcon -V /b": "/b verified.\n"})
	if mode := h.SELinux(t.Context()); mode != "Enforcing" {
		t.Errorf("mode %q", mode)
	}
	if got := h.Mislabeled(t.Context(), "/a"); got != "/a has context x, should be y" {
		t.Errorf("a: %q", got)
	}
	if got := h.Mislabeled(t.Context(), "/b") + h.Mislabeled(t.Context(), "/c"); got != "" {
		t.Errorf("b and c: %q", got)
	}
	if mode := machine(nil, nil).SELinux(t.Context()); mode != "" {
		t.Errorf("without it: %q", mode)
	}
}

func TestAccount(t *testing.T) {
	got, ok := machine(nil, answers{"getent passwd 1001": "dev:x:1001:1001:Dev,,,:/home/dev:/usr/bin/zsh\n"}).Account(t.Context())
	if want := (host.Account{Home: "/home/dev", Shell: "/usr/bin/zsh"}); !ok || got != want {
		t.Errorf("got %+v, %v", got, ok)
	}
	for _, programs := range []answers{nil, {"getent passwd 1001": "exit 2"}, {"getent passwd 1001": "dev:x:1001"}} {
		if _, ok := machine(nil, programs).Account(t.Context()); ok {
			t.Errorf("%v: an account", programs)
		}
	}
}

func TestUnits(t *testing.T) {
	const ask = "systemctl --user show --property=Id,Result a.timer b.service"
	got, err := machine(nil, answers{ask: "Id=a.timer\nResult=success\n\nId=b.service\nResult=a=b\n"}).Units(t.Context(), "Id,Result", "a.timer", "b.service")
	if err != nil || len(got) != 2 || got[0]["Id"] != "a.timer" || got[1]["Result"] != "a=b" {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := machine(nil, answers{ask: "Id=a.timer"}).Units(t.Context(), "Id,Result", "a.timer", "b.service"); err == nil {
		t.Error("half an answer is no error")
	}
	_, err = machine(nil, nil).Units(t.Context(), "Id", "a")
	if _, missing := errors.AsType[*process.NotFoundError](err); !missing || !strings.HasPrefix(err.Error(), "querying the user's systemd: ") {
		t.Errorf("without systemd: %v", err)
	}
}
