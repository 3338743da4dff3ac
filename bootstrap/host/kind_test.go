package host_test

import (
	"fmt"
	"testing"

	"github.com/klmcwhirter/ocisi/bootstrap/host"
)

func TestKind(t *testing.T) {
	const (
		bluefin    = "NAME=\"Bluefin\"\nID=bluefin\nID_LIKE=\"fedora\"\nVARIANT_ID=bluefin\n"
		lts        = "NAME=\"Bluefin LTS\"\nID=centos\nID_LIKE=\"rhel fedora\"\nVARIANT_ID=bluefin-lts\n"
		silverblue = "NAME=\"Fedora Linux\"\nID=fedora\nVARIANT_ID=silverblue\n"
	)
	for name, test := range map[string]struct {
		release, image string
		ostree         bool
		want           host.Kind
	}{
		"bluefin":                {bluefin, "bluefin", true, host.Bluefin},
		"bluefin, mute":          {bluefin, "", true, host.Bluefin},
		"bluefin by variant":     {"ID=fedora\nVARIANT_ID=bluefin-dx\n", "", true, host.Bluefin},
		"bluefin-dx":             {silverblue, "bluefin-dx", true, host.Bluefin},
		"LTS":                    {lts, "bluefin-lts", true, host.BluefinLTS},
		"LTS, mute":              {lts, "", true, host.BluefinLTS},
		"dx:lts of old":          {"ID=centos\n", "bluefin-dx", true, host.BluefinLTS},
		"aurora-dx":              {silverblue, "aurora-dx", true, host.Aurora},
		"bazzite-dx":             {silverblue, "bazzite-dx-nvidia", true, host.Bazzite},
		"custom":                 {silverblue, "my-image", true, host.Universal},
		"bluefinish":             {silverblue, "bluefinish", true, host.Universal},
		"Silverblue":             {silverblue, "", true, host.FedoraAtomic},
		"Workstation":            {"ID=fedora\nVARIANT_ID=workstation\n", "", false, host.Fedora},
		"CentOS":                 {"ID=centos\nID_LIKE=\"rhel fedora\"\n", "", false, host.Enterprise},
		"Debian":                 {"ID=debian\n", "", false, host.Debian},
		"Ubuntu":                 {"ID=ubuntu\nID_LIKE=debian\n", "", false, host.Ubuntu},
		"Mint":                   {"ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n", "", false, host.Ubuntu},
		"Arch":                   {"ID=arch\n", "", false, host.Unknown},
		"nothing":                {"", "", false, host.Unknown},
		"not Fedora, but ostree": {"ID=endless\n", "", true, host.Unknown},
	} {
		files := map[string]string{"etc/os-release": test.release}
		if test.image != "" {
			files["usr/share/ublue-os/image-info.json"] = fmt.Sprintf(`{"image-name": %q}`, test.image)
		}
		if test.ostree {
			files["run/ostree-booted"] = ""
		}
		if got := machine(files, nil).Kind(); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}
