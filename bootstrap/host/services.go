package host

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/klmcwhirter/ocisi/internal/process"
)

// SELinux returns the mode of SELinux: Enforcing, Permissive or Disabled; "" without
// SELinux.
func (h Host) SELinux(ctx context.Context) string {
	out, err := h.output(ctx, "getenforce")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(out)
}

// Mislabeled returns the output of matchpathcon for a path whose label differs from
// the policy, or "".
func (h Host) Mislabeled(ctx context.Context, name string) string {
	out, _ := h.output(ctx, "matchpathcon", "-V", name) // the text is enough
	if strings.Contains(out, "has context") {
		return strings.TrimSpace(out)
	}
	return ""
}

// Account is the user's entry in the user database.
type Account struct {
	Home, Shell string
}

// Account returns the user's entry by getent, or false; see [Host.Group].
func (h Host) Account(ctx context.Context) (Account, bool) {
	out, err := h.output(ctx, "getent", "passwd", strconv.Itoa(h.User.UID))
	fields := strings.Split(out, ":")
	if err != nil || len(fields) < 7 {
		return Account{}, false
	}
	return Account{Home: fields[5], Shell: fields[6]}, true
}

// Units returns properties of units of the user's systemd, in the order of the
// arguments. A unit that does not exist has the LoadState "not-found".
func (h Host) Units(ctx context.Context, properties string, units ...string) ([]map[string]string, error) {
	out, err := h.output(ctx, "systemctl", append([]string{"--user", "show", "--property=" + properties}, units...)...)
	if err != nil {
		if failed, ok := errors.AsType[*process.Error](err); ok && failed.Stderr != "" {
			err = errors.New(failed.Stderr)
		}
		return nil, fmt.Errorf("querying the user's systemd: %w", err)
	}
	var all []map[string]string
	for block := range strings.SplitSeq(out, "\n\n") {
		values := map[string]string{}
		for line := range strings.Lines(block) {
			key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
			values[key] = value
		}
		all = append(all, values)
	}
	if len(all) != len(units) {
		return nil, fmt.Errorf("querying the user's systemd: %d answers for %d units", len(all), len(units))
	}
	return all, nil
}
