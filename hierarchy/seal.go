package hierarchy

import (
	"slices"
	"strings"

	"github.com/klmcwhirter/ocisi/hierarchy/containerfile"
)

// SealedText returns the Containerfile's contents with the instruction that labels
// the image as ocisi's as the last one (docs/decisions/0030-ownership.md). BuildKit
// needs it: labels that are passed beside the Containerfile leave no step in the
// history of the image. Podman makes an instruction of those by itself.
func (r Recipe) SealedText() []byte {
	ref := r.Labels[LabelImage]
	if ref == "" {
		return r.Text
	}
	return containerfile.Append(r.Text, "LABEL "+LabelImage+"="+LabelValue(ref))
}

// IsSeal reports whether a step of an image's history is the one by which ocisi
// labels an image of this reference.
func IsSeal(createdBy, ref string) bool {
	labels, ok := strings.CutPrefix(strings.TrimPrefix(createdBy, "/bin/sh -c #(nop) "), "LABEL ")
	if !ok || ref == "" {
		return false
	}
	value := LabelValue(ref)
	return slices.ContainsFunc(strings.Fields(labels), func(pair string) bool {
		return pair == LabelImage+"="+value || pair == `"`+LabelImage+`"="`+value+`"`
	})
}
