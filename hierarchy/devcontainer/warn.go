package devcontainer

import (
	"slices"
	"strconv"
	"strings"
)

// Warnings returns what in a project's file contradicts the image's label, in
// words: it is the user's, and stays.
func (p Project) Warnings(data []byte) ([]string, error) {
	f, err := parse(data)
	if err != nil {
		return nil, err
	}
	all, _ := decode(f.value).(map[string]any)
	var out []string
	for _, key := range []string{"build", "dockerFile", "dockerComposeFile"} {
		if all[key] != nil {
			out = append(out, key+" is there as well: a container is made by it, and not from the image")
		}
	}
	if features, ok := all["features"].(map[string]any); ok && len(features) > 0 {
		out = append(out, "features build one more image for this project; what several projects need belongs in a Containerfile")
	}
	out = append(out, p.warnUser(all)...)
	out = append(out, p.warnMounts(all["mounts"])...)
	return out, nil
}

func (p Project) warnUser(all map[string]any) []string {
	var out []string
	for _, key := range []string{"containerUser", "remoteUser"} {
		if user, ok := all[key].(string); ok && user != p.Image.User {
			out = append(out, key+" is "+strconv.Quote(user)+", the image's user is "+strconv.Quote(p.Image.User))
		}
	}
	if all["updateRemoteUserUID"] == true {
		out = append(out, "updateRemoteUserUID builds one more image for this project; the image has your numbers already")
	}
	args, _ := all["runArgs"].([]any)
	for _, arg := range args {
		text, _ := arg.(string)
		flag, _, _ := strings.Cut(text, "=")
		switch flag {
		case "--userns":
			out = append(out, "runArgs has --userns, which docker refuses or takes in another sense")
		case "--user", "-u":
			out = append(out, "runArgs has "+flag+", and the label says who works in the container")
		}
	}
	return out
}

// warnMounts warns of mounts over those of the label.
func (p Project) warnMounts(value any) []string {
	var targets []string
	for _, m := range p.Image.mounts(merged(p.Image.Wishes)) {
		targets = append(targets, targetOf(m))
	}
	var out []string
	mounts, _ := value.([]any)
	for _, m := range mounts {
		target := strings.NewReplacer("${localEnv:HOME}", p.Image.Home, workspace, p.Folder).Replace(targetOf(m))
		if slices.Contains(targets, target) {
			out = append(out, "a mount on "+target+" takes the place of the label's")
		}
	}
	return out
}
