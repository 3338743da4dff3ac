package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/klmcwhirter/ocisi/bootstrap/timer"
	"github.com/klmcwhirter/ocisi/internal/process"
)

// notNowError says that a condition of an unattended run is not met.
type notNowError struct{ why string }

func (e *notNowError) Error() string { return "not now: " + e.why }

// unattended is run for nobody who watches: it begins only when it costs nobody
// battery or money, asks nothing, prints one line when all went well, and
// notifies the user of what needs him.
func (o *processOptions) unattended(cmd *cobra.Command, names []string) error {
	for _, other := range []string{"force", "dry-run"} { // for somebody who watches
		if err := atMostOne(cmd, "unattended", other); err != nil {
			return err
		}
	}
	ctx, env := cmd.Context(), o.env
	if why := env.notNow(ctx); why != "" {
		return &notNowError{why}
	}
	o.brief = env.Stdout
	o.env.Stdout, o.env.Terminal, o.env.Colour = io.Discard, false, false
	err := o.run(cmd, names)
	env.notify(ctx, err)
	return err
}

// notNow returns what speaks against an unattended run, or "".
func (env Env) notNow(ctx context.Context) string {
	h := env.host()
	if h.OnBattery() {
		return "this machine runs on battery"
	}
	if metered, _ := h.Metered(ctx); metered { // one that nobody knows about passes
		return "the network is metered"
	}
	return ""
}

// journal returns the command that shows what the timer's runs printed. It does
// not ask for the unit: journald finds none for a process that has ended by the
// time it looks.
func (env Env) journal() string { return fmt.Sprintf("journalctl -t ocisi _UID=%d", env.UID) }

// notify shows the user one notification when a run needs him: when it failed
// for good, or skipped a box that is in use or, for the first time, one that has
// drifted. What ends by itself is in the journal only.
func (env Env) notify(ctx context.Context, err error) {
	title, body := "ocisi could not bring images and boxes up to date", "To see why: "+env.journal()+" -e\nTo try again: ocisi recreate"
	left, leftAlone := errors.AsType[*leftAloneError](err)
	switch {
	case err == nil, ctx.Err() != nil, is[*lockedError](err):
		return
	case leftAlone && len(left.boxes) > 0:
		title = "Somebody is in " + strings.Join(left.boxes, ", ")
		body = "It was left as it is. Leave it, then type: ocisi recreate"
	case leftAlone:
		drifted := env.newlyDrifted(left.drifted)
		if len(drifted) == 0 {
			return
		}
		title = "ocisi did not replace " + strings.Join(drifted, ", ")
		body = "What was installed there by hand would be lost. To see it, and what to do: ocisi diff " + drifted[0]
	case env.triesAgain(ctx):
		return
	}
	// Without a desktop there is nobody to notify, and the journal has it all.
	_ = env.Runner.Run(ctx, process.Cmd{Name: "notify-send", Args: []string{"--app-name=ocisi", title, body}, Timeout: 10 * time.Second})
}

// triesAgain reports whether this run is one of the timer's, and systemd will
// start another one should it fail.
func (env Env) triesAgain(ctx context.Context) bool {
	if env.Getenv("INVOCATION_ID") == "" { // systemd gives it to what it starts
		return false
	}
	st, err := timer.Systemd{Runner: env.Runner}.State(ctx)
	return err == nil && st.Running && st.Retry
}
