package hierarchy

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Spec returns what the box is to be in a few words, as the label ocisi.spec
// has it: the keys that are set, each with 8 hex digits that stand for its
// value, as in home:1a2b3c4d/name:5e6f7a8b. What is not set does not count, so
// a key that a later version adds changes nothing. The order of a list counts.
//
// The text survives distrobox: nothing in it means anything to a shell, and no
// comma, at which distrobox 2 splits.
func (b Box) Spec() string {
	values := b.values()
	var keys []string
	for _, key := range slices.Sorted(maps.Keys(values)) {
		keys = append(keys, key+":"+brief(values[key]))
	}
	return strings.Join(keys, "/")
}

// values returns the keys that are set, with a text that is another one when
// the value is.
func (b Box) values() map[string]string {
	values := map[string]string{}
	add := func(key string, list ...string) {
		for _, v := range list {
			if v != "" {
				values[key] += strconv.Quote(v)
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
	return values
}

func brief(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:4])
}

// SpecChanges returns the keys in which two specs (Box.Spec) differ, in order,
// those that only one of them has among them. It is false when the old text
// tells no keys: the box was not made by ocisi, or by one that wrote another
// form.
func SpecChanges(old, wanted string) ([]string, bool) {
	before, ok := readSpec(old)
	if !ok {
		return nil, false
	}
	after, ok := readSpec(wanted)
	if !ok {
		return nil, false
	}
	var changed []string
	for key, hash := range after {
		if before[key] != hash {
			changed = append(changed, key)
		}
	}
	for key := range before {
		if _, still := after[key]; !still {
			changed = append(changed, key)
		}
	}
	slices.Sort(changed)
	return changed, true
}

func readSpec(text string) (map[string]string, bool) {
	values := map[string]string{}
	for part := range strings.SplitSeq(text, "/") {
		key, hash, ok := strings.Cut(part, ":")
		if !ok || key == "" || hash == "" {
			return nil, false
		}
		values[key] = hash
	}
	return values, true
}
