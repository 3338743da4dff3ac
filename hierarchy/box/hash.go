package box

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/klmcwhirter/ocisi/hierarchy"
)

// Hash returns 16 hex digits that change when the box does. What is not set
// does not count, so a key that a later version adds changes no hash. The
// order of a list counts.
func Hash(b hierarchy.Box) string {
	var text strings.Builder
	add := func(key string, values ...string) {
		for _, v := range values {
			if v != "" {
				fmt.Fprintf(&text, "%s=%q\n", key, v)
			}
		}
	}
	flag := func(key string, on bool) {
		if on {
			add(key, "true")
		}
	}
	add("name", b.Name)
	add("home", b.Home)
	add("hostname", b.Hostname)
	flag("init", b.Init)
	flag("nvidia", b.Nvidia)
	flag("root", b.Root)
	flag("start_now", b.StartNow)
	add("volumes", b.Volumes...)
	add("exported_bins", b.ExportedBins...)
	add("exported_apps", b.ExportedApps...)
	add("exported_bins_path", b.ExportedBinsPath)
	add("additional_packages", b.AdditionalPackages...)
	add("init_hooks", b.InitHooks...)
	add("additional_flags", b.AdditionalFlags...)
	sum := sha256.Sum256([]byte(text.String()))
	return hex.EncodeToString(sum[:8])
}
