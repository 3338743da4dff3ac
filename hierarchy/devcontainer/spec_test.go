package devcontainer_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/klmcwhirter/ocisi/hierarchy/devcontainer"
)

// All keys that we write are the specification's, with values of its types
// (containers.dev, "Dev Container metadata reference").
func TestSpecification(t *testing.T) {
	im := image
	im.Volumes = []string{"/a:/b:ro", "cache:/c"}
	im.Wishes = []devcontainer.Wish{{Extensions: []string{"a.b"}, Settings: map[string]any{"x": 1}}}
	all := keys(t, project.New())
	if err := json.Unmarshal([]byte(im.Entry()), &all); err != nil {
		t.Fatal(err)
	}
	text := func(v any) bool { _, ok := v.(string); return ok }
	texts := func(v any) bool {
		list, ok := v.([]any)
		for _, x := range list {
			ok = ok && text(x)
		}
		return ok
	}
	each := func(of func(any) bool) func(any) bool {
		return func(v any) bool {
			m, ok := v.(map[string]any)
			for _, x := range m {
				ok = ok && of(x)
			}
			return ok
		}
	}
	isMount := func(v any) bool {
		m, ok := v.(map[string]any)
		return text(v) || ok && len(m) == 3 && text(m["source"]) && text(m["target"]) && (m["type"] == "bind" || m["type"] == "volume")
	}
	form := map[string]func(any) bool{
		"name": text, "image": text, "workspaceFolder": text, "workspaceMount": text, "remoteUser": text,
		"initializeCommand":   each(func(v any) bool { return text(v) || texts(v) }),
		"updateRemoteUserUID": func(v any) bool { _, ok := v.(bool); return ok },
		"userEnvProbe":        func(v any) bool { return v == "loginShell" },
		"securityOpt":         texts,
		"containerEnv":        each(text),
		"mounts": func(v any) bool {
			list, ok := v.([]any)
			for _, m := range list {
				ok = ok && isMount(m)
			}
			return ok && len(list) == 4
		},
		"customizations": each(func(v any) bool { _, ok := v.(map[string]any); return ok }),
	}
	for key, value := range all {
		if form[key] == nil || !form[key](value) {
			t.Errorf("%s is %s", key, fmt.Sprint(value))
		}
	}
	if len(all) != len(form) {
		t.Errorf("%d keys, want %d", len(all), len(form))
	}
}
