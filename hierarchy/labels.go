package hierarchy

import (
	"fmt"
	"maps"
	"net/url"
	"strings"
)

// LabelValue returns the value of an ocisi.* label as an engine is given it:
// percent-encoded, but for letters, digits and what neither a shell nor a
// Containerfile gives a meaning. On the way into the store values pass through
// podman's LABEL instruction, which replaces $NAME, or through distrobox's shell.
// Most values stay as they are.
func LabelValue(plain string) string {
	var out strings.Builder
	for _, r := range plain {
		if _, bad := Unsafe(string(r)); bad || r == '%' || r == ',' {
			out.WriteString(escape(r))
		} else {
			out.WriteRune(r)
		}
	}
	return out.String()
}

// escape percent-encodes a character whatever it is; url.PathEscape leaves
// some alone that a shell does not.
func escape(r rune) string {
	if e := url.PathEscape(string(r)); e != string(r) {
		return e
	}
	return fmt.Sprintf("%%%02X", r)
}

// PlainLabels returns the labels of an image or a container as they were before
// LabelValue. Labels that are not ocisi's are as the store has them.
func PlainLabels(stored map[string]string) map[string]string {
	labels := maps.Clone(stored)
	for key, value := range labels {
		if plain, err := url.PathUnescape(value); err == nil && IsOwnLabel(key) {
			labels[key] = plain
		}
	}
	return labels
}

// IsOwnLabel reports whether the meaning of a label is ocisi's.
func IsOwnLabel(key string) bool { return strings.HasPrefix(key, "ocisi.") }

// labelCreated and labelBuilder are set by build tools: the time of a build, as the
// OCI image specification names it (annotations.md), and the version of buildah.
const (
	labelCreated = "org.opencontainers.image.created"
	labelBuilder = "io.buildah.version"
)

// IsOriginLabel reports whether a label of an image tells where the image comes from,
// or what to do with it elsewhere, and not what is in it. A box is not replaced
// because of such a label.
func IsOriginLabel(key string) bool {
	switch key {
	case LabelBaseName, LabelBaseDigest, LabelDevContainer, labelCreated, labelBuilder:
		return true
	}
	return IsOwnLabel(key)
}
