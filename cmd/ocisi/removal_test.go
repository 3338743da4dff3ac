package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klmcwhirter/ocisi/cmd/internal/cli"
	"github.com/klmcwhirter/ocisi/hierarchy/engine/enginetest"
)

// answer is a standard input whose user does something before he types y.
type answer struct {
	before func()
	text   io.Reader
}

func (a *answer) Read(p []byte) (int, error) {
	if a.before != nil {
		a.before()
		a.before = nil
	}
	return a.text.Read(p)
}

// What has the name of a box or an image by the time that the prompt is answered
// is not removed when the plan saw another one.
func TestRemovalOfWhatThePlanSaw(t *testing.T) {
	image := func(s *enginetest.State, ref string) *enginetest.Image {
		for i := range s.Images {
			if len(s.Images[i].Refs) > 0 && s.Images[i].Refs[0] == ref {
				return &s.Images[i]
			}
		}
		return nil
	}
	for _, c := range []struct {
		name   string
		change func(s *enginetest.State)
		want   string // of standard error
		left   bool   // the box
		code   int
	}{
		{"nothing changed", func(*enginetest.State) {}, "", false, 0},
		{"the user's own box", func(s *enginetest.State) {
			s.Containers[0].ID, s.Containers[0].Labels = strings.Repeat("5", 64), map[string]string{"manager": "distrobox"}
		}, "box go-dx changed since the plan\nhint: look at what there is now, then run it again: ", true, 1},
		{"another box of ocisi's", func(s *enginetest.State) { s.Containers[0].ID = strings.Repeat("5", 64) }, "box go-dx changed since the plan\n", true, 1},
		{"removed meanwhile", func(s *enginetest.State) { s.Containers = nil }, "", false, 0},
		{"another image", func(s *enginetest.State) {
			im := image(s, "docker.io/library/go-dx:latest")
			mine := *im
			im.Refs = nil
			mine.ID, mine.Labels = "sha256:"+strings.Repeat("6", 64), nil
			s.Images = append(s.Images, mine)
		}, "image go-dx:latest changed since the plan\n", false, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, text := range map[string]string{
				"docker.json":              `{"Registry": [{"Refs": ["ghcr.io/x/base:latest"], "Layers": [{"DiffID": "sha256:aa", "Size": 1000}]}]}`,
				"img/Containerfile.img-dx": "ARG IMG\nARG TAG\nFROM ${IMG}:${TAG}\nARG USER\nARG UID\nARG GID\nRUN useradd $USER\n",
				"ocisi.yaml":               "- {name: go-dx, path: img, enabled: true, args: {IMG: ghcr.io/x/base}}\n",
			} {
				file := filepath.Join(dir, name)
				if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			server, err := enginetest.Start(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer server.Close()
			for _, v := range append(server.Env(), "HOME="+dir, "SHELL=/bin/bash") {
				key, value, _ := strings.Cut(v, "=")
				t.Setenv(key, value)
			}
			config := filepath.Join(dir, "ocisi.yaml")
			var out, errs bytes.Buffer
			ocisi := func(stdin io.Reader, args ...string) int {
				out.Reset()
				errs.Reset()
				env := al(cli.System())
				env.Stdin, env.Stdout, env.Stderr, env.Terminal = stdin, &out, &errs, stdin != nil
				env.Home, env.ConfigDir, env.StateDir, env.DataHome = dir, filepath.Join(dir, "config"), filepath.Join(dir, "state"), filepath.Join(dir, "data")
				return cli.Main(t.Context(), env, append([]string{"-f", config}, args...))
			}
			if code := ocisi(nil, "process"); code != 0 {
				t.Fatalf("exit status %d\n%s%s", code, &out, &errs)
			}
			if err := os.WriteFile(config, []byte("images: []\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			stdin := &answer{before: func() { server.Edit("docker", c.change) }, text: strings.NewReader("y\n")}
			code := ocisi(stdin, "clean", "--skip-podman")
			if stdin.before != nil {
				t.Fatalf("no question\n%s%s", &out, &errs)
			}
			if code != c.code || !strings.Contains(errs.String(), c.want) || c.want == "" && errs.Len() > 0 || len(server.Docker().Containers) > 0 != c.left {
				t.Errorf("exit status %d, boxes %v\n%s%s", code, server.Docker().Containers, &out, &errs)
			}
			if state := server.Docker(); c.name == "another image" && image(&state, "docker.io/library/go-dx:latest") == nil {
				t.Error("the user's image was untagged")
			}
		})
	}
}
