package host_test

import "testing"

func TestOnBattery(t *testing.T) {
	const at = "sys/class/power_supply/"
	for name, c := range map[string]struct {
		files map[string]string
		want  bool
	}{
		"a desktop":              {nil, false},
		"unplugged":              {map[string]string{at + "AC/type": "Mains\n", at + "AC/online": "0\n", at + "BAT0/type": "Battery\n", at + "BAT0/status": "Discharging\n"}, true},
		"plugged in":             {map[string]string{at + "AC/type": "Mains\n", at + "AC/online": "1\n", at + "BAT0/type": "Battery\n", at + "BAT0/status": "Charging\n"}, false},
		"plugged in, and weak":   {map[string]string{at + "AC/type": "Mains\n", at + "AC/online": "1\n", at + "BAT0/type": "Battery\n", at + "BAT0/status": "Discharging\n"}, false},
		"fed by USB":             {map[string]string{at + "ucsi/type": "USB\n", at + "ucsi/online": "1\n", at + "BAT0/type": "Battery\n", at + "BAT0/status": "Discharging\n"}, false},
		"without a plug at all":  {map[string]string{at + "BAT0/type": "Battery\n", at + "BAT0/status": "Discharging\n"}, true},
		"two, one of them full":  {map[string]string{at + "BAT0/type": "Battery\n", at + "BAT0/status": "Full\n", at + "BAT1/type": "Battery\n", at + "BAT1/status": "Discharging\n"}, true},
		"full":                   {map[string]string{at + "BAT0/type": "Battery\n", at + "BAT0/status": "Full\n"}, false},
		"a mouse":                {map[string]string{at + "hid/type": "Battery\n", at + "hid/scope": "Device\n", at + "hid/status": "Discharging\n"}, false},
		"a mouse that is online": {map[string]string{at + "hid/type": "USB\n", at + "hid/scope": "Device\n", at + "hid/online": "1\n", at + "BAT0/type": "Battery\n", at + "BAT0/status": "Discharging\n"}, true},
		"a battery is online":    {map[string]string{at + "BAT0/type": "Battery\n", at + "BAT0/online": "1\n", at + "BAT0/status": "Discharging\n"}, true},
	} {
		if got := machine(c.files, nil).OnBattery(); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestMetered(t *testing.T) {
	const ask = "busctl --system get-property org.freedesktop.NetworkManager /org/freedesktop/NetworkManager org.freedesktop.NetworkManager Metered"
	for answer, want := range map[string][2]bool{
		"u 0": {false, false}, "u 1": {true, true}, "u 2": {false, true}, "u 3\n": {true, true}, "u 4": {false, true}, "s x": {false, false}, "exit 1": {false, false},
	} {
		if metered, known := machine(nil, answers{ask: answer}).Metered(t.Context()); [2]bool{metered, known} != want {
			t.Errorf("%q: %v, %v", answer, metered, known)
		}
	}
}
