package host

import (
	"context"
	"io/fs"
	"path"
	"strings"

	"github.com/klmcwhirter/ocisi/internal/input"
)

// OnBattery reports whether the machine runs on battery power: a battery is
// discharging, and no other power supply is online. It is false if the state is
// unknown. systemd's ConditionACPower= has the same rule.
//
// The files are those of the kernel's power supply class,
// Documentation/ABI/testing/sysfs-class-power.
func (h Host) OnBattery() bool {
	const class = "sys/class/power_supply"
	supplies, _ := fs.ReadDir(h.Root, class) // there is none in most virtual machines
	discharging := false
	for _, s := range supplies {
		attribute := func(name string) string {
			data, _ := input.ReadFile(h.Root, path.Join(class, s.Name(), name), input.MaxSize)
			return strings.TrimSpace(string(data))
		}
		switch {
		case attribute("scope") == "Device": // the battery of a mouse, for example
		case attribute("type") != "Battery" && attribute("online") == "1":
			return false
		case attribute("type") == "Battery" && attribute("status") == "Discharging":
			discharging = true
		}
	}
	return discharging
}

// Metered reports whether the network is metered according to NetworkManager. Known
// is false if NetworkManager does not know or does not run.
//
// The values are those of NMMetered in its D-Bus interface: 0 unknown, 1 yes, 2 no,
// 3 guessed yes, 4 guessed no.
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
