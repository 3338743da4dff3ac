package host

import (
	"context"
	"io/fs"
	"path"
	"strings"

	"github.com/klmcwhirter/ocisi/internal/input"
)

// OnBattery reports whether the machine runs on its battery: a battery is being
// emptied, and nothing else that could feed it is plugged in. A machine that
// does not tell is fed. That is how systemd's ConditionACPower= sees it, too.
//
// The files are those of the kernel's power supply class,
// Documentation/ABI/testing/sysfs-class-power.
func (h Host) OnBattery() bool {
	const class = "sys/class/power_supply"
	supplies, _ := fs.ReadDir(h.Root, class) // there is none in most virtual machines
	emptied := false
	for _, s := range supplies {
		tells := func(name string) string {
			data, _ := input.ReadFile(h.Root, path.Join(class, s.Name(), name), input.MaxSize)
			return strings.TrimSpace(string(data))
		}
		switch {
		case tells("scope") == "Device": // of a mouse, say
		case tells("type") != "Battery" && tells("online") == "1":
			return false
		case tells("type") == "Battery" && tells("status") == "Discharging":
			emptied = true
		}
	}
	return emptied
}

// Metered reports whether NetworkManager takes the network for one that is paid
// for by the byte, because it was told so or because it looks like it. Known is
// false when it does not say, or is not there.
//
// The numbers are those of its D-Bus interface, NMMetered: 0 unknown, 1 yes,
// 2 no, 3 yes by a guess, 4 no by a guess.
func (h Host) Metered(ctx context.Context) (metered, known bool) {
	out, err := h.output(ctx, "busctl", "--system", "get-property", "org.freedesktop.NetworkManager",
		"/org/freedesktop/NetworkManager", "org.freedesktop.NetworkManager", "Metered")
	if err != nil {
		return false, false
	}
	switch strings.TrimSpace(out) {
	case "u 1", "u 3":
		return true, true
	case "u 2", "u 4":
		return false, true
	}
	return false, false
}
