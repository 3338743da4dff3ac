package devcontainer

import (
	"slices"
	"strings"
)

// mount is a mount as an object. The container's engine gets it as an argument
// of --mount, so neither path can hold a comma.
type mount struct {
	Source string `json:"source"`
	Target string `json:"target"`
	Type   string `json:"type"`
}

// mounts returns what the container sees of the host: the home at its own path,
// the server's folder over the shared one, then what the box has and what is
// wished. Each target is there once; the last mount on it wins.
func (im Image) mounts(wish Wish) []any {
	binds := []string{im.Home + ":" + im.Home}
	if im.BoxHome != "" {
		binds = append(binds, im.BoxHome+":"+im.BoxHome)
	}
	binds = append(binds, im.Server+":"+im.serverTarget())
	targets := []string{}
	found := map[string]any{}
	for _, text := range slices.Concat(binds, im.Volumes, wish.Mounts) {
		target, value, ok := im.mount(text)
		if !ok {
			continue
		}
		if found[target] == nil {
			targets = append(targets, target)
		}
		found[target] = value
	}
	all := make([]any, 0, len(targets))
	for _, target := range targets {
		all = append(all, found[target])
	}
	return all
}

// mount reads SOURCE:TARGET[:OPTIONS]. Of the options, ro counts: the others are
// about labels of SELinux, which are off here, and about how mounts spread.
func (im Image) mount(text string) (at string, value any, ok bool) {
	parts := strings.Split(text, ":")
	for i := range parts {
		parts[i], _ = Expand(parts[i], im.Home)
	}
	if len(parts) < 2 || parts[0] == "" || !strings.HasPrefix(parts[1], "/") {
		return "", nil, false
	}
	source, target := parts[0], parts[1]
	kind := "bind"
	if !strings.HasPrefix(source, "/") {
		kind = "volume"
	}
	if len(parts) > 2 && slices.Contains(strings.Split(parts[2], ","), "ro") {
		return target, "type=" + kind + ",source=" + source + ",target=" + target + ",readonly", true
	}
	return target, mount{source, target, kind}, true
}

// targetOf returns where a mount of a devcontainer.json goes, or "".
func targetOf(value any) string {
	switch m := value.(type) {
	case mount:
		return m.Target
	case map[string]any:
		target, _ := m["target"].(string)
		return target
	case string:
		for field := range strings.SplitSeq(m, ",") {
			key, target, _ := strings.Cut(field, "=")
			if key = strings.ToLower(strings.TrimSpace(key)); key == "target" || key == "dst" || key == "destination" {
				return target
			}
		}
	}
	return ""
}
