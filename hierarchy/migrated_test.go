package hierarchy_test

import (
	"testing"

	"github.com/klmcwhirter/ocisi/hierarchy"
)

func TestMigratedImage(t *testing.T) {
	t.Parallel()
	const ref = "localhost/go-dx:migrate-20261201"
	box := func(name, image string) hierarchy.StoredBox {
		return hierarchy.StoredBox{Name: name, ImageID: image, Labels: map[string]string{hierarchy.LabelBox: "go-dx", hierarchy.LabelImageID: "sha256:a"}}
	}
	foreign := box("go-dx", "sha256:b")
	foreign.Labels = nil
	for _, c := range []struct {
		name string
		box  hierarchy.StoredBox
		ref  string
		want string
	}{
		{"migrated", box("go-dx", "sha256:b"), ref, ref},
		{"docker's name", box("go-dx", "sha256:b"), "docker.io/library/go-dx:migrate-1", "docker.io/library/go-dx:migrate-1"},
		{"a generation", box("go-dx.ocisi-1", "sha256:b"), "localhost/go-dx.ocisi-1:migrate-1", "localhost/go-dx.ocisi-1:migrate-1"},
		{"of its own image", box("go-dx", "sha256:a"), ref, ""},
		{"committed by hand", box("go-dx", "sha256:b"), "localhost/backup:latest", ""},
		{"another box's", box("go-dx", "sha256:b"), "localhost/old-go-dx:migrate-1", ""},
		{"image is gone", box("go-dx", "sha256:c"), ref, ""},
		{"not ocisi's", foreign, ref, ""},
	} {
		images := []hierarchy.StoredImage{{ID: "sha256:a", Refs: []string{"localhost/go-dx:latest"}}, {ID: "sha256:b", Refs: []string{c.ref}}}
		if got, ok := hierarchy.MigratedImage(c.box, images); got != c.want || ok != (c.want != "") {
			t.Errorf("%s: %q, %v", c.name, got, ok)
		}
	}
}
