package hierarchy_test

import (
	"testing"

	"github.com/klmcwhirter/ocisi/hierarchy"
)

// The texts are what docker 28.5.2 and podman 5.8.6 and 4.3.1 were measured to write.
func TestIsSeal(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"LABEL ocisi.image=a:1": true, // BuildKit
		`/bin/sh -c #(nop) LABEL "devcontainer.metadata"="[{\"a\":\"b $X\"}]" "ocisi.config"="/x" "ocisi.image"="a:1" "ocisi.inputs"="%7B%22"`: true, // podman 5
		`/bin/sh -c #(nop) LABEL "ocisi.image"="a:1"`: true, // podman 4.3
		"":                                      false,
		"/bin/sh":                               false, // podman commit
		"true":                                  false, // docker commit: the command of the container
		"LABEL ocisi.image=b:1":                 false,
		"LABEL ocisi.image=a:10":                false,
		"LABEL x=y":                             false,
		`/bin/sh -c #(nop) LABEL "x"="y"`:       false, // podman build --label, FROM ours
		"RUN echo LABEL ocisi.image=a:1":        false,
		"ENV a=b":                               false,
		"/bin/sh -c #(nop) ENV ocisi.image=a:1": false,
	} {
		if got := hierarchy.IsSeal(text, "a:1"); got != want {
			t.Errorf("%s: %t", text, got)
		}
	}
	if hierarchy.IsSeal("LABEL ocisi.image=", "") {
		t.Error("an image without a reference has a seal")
	}
}

func TestSealedText(t *testing.T) {
	t.Parallel()
	r := hierarchy.Recipe{Text: []byte("FROM a"), Labels: map[string]string{hierarchy.LabelImage: "b:1"}}
	if got := string(r.SealedText()); got != "FROM a\nLABEL ocisi.image=b:1\n" || !hierarchy.IsSeal("LABEL ocisi.image=b:1", "b:1") {
		t.Error(got)
	}
	r.Labels = nil
	if got := string(r.SealedText()); got != "FROM a" {
		t.Error(got)
	}
}
