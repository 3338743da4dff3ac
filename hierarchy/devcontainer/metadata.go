package devcontainer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/klmcwhirter/ocisi/internal/input"
)

// entry is our object of the label. What is left out is as the tools have it by
// default: overrideCommand is true for an image, so that the container stays.
type entry struct {
	RemoteUser          string            `json:"remoteUser"`
	UpdateRemoteUserUID bool              `json:"updateRemoteUserUID"` // the numbers are the user's already; true builds one more image for each project
	UserEnvProbe        string            `json:"userEnvProbe"`
	SecurityOpt         []string          `json:"securityOpt"`
	ContainerEnv        map[string]string `json:"containerEnv"`
	Mounts              []any             `json:"mounts"` // a mount, or a text where the object has no word for it
	Customizations      *customizations   `json:"customizations,omitempty"`
}

type customizations struct {
	VSCode vscode `json:"vscode"`
}

type vscode struct {
	Extensions []string       `json:"extensions,omitempty"`
	Settings   map[string]any `json:"settings,omitempty"`
}

// locale is what a box takes over of the host's languages, and so does a dev
// container: the variable, and what it is where the host has none. One without a
// default comes out empty, which counts as not set (POSIX, 8.2).
func locale() map[string]string {
	return map[string]string{
		"LANG":           "C.UTF-8",
		"LANGUAGE":       "",
		"LC_ALL":         "",
		"LC_MEASUREMENT": "",
		"LC_MONETARY":    "",
		"LC_NUMERIC":     "",
		"LC_PAPER":       "",
		"LC_TIME":        "",
	}
}

// Entry returns the image's own object of the label, in JSON. It is the same for
// the same image.
//
// All of it is printable ASCII, and a dollar is written as an escape: on the
// way into a store the text passes through podman's LABEL instruction, which
// replaces $NAME and fails at ${localEnv:NAME}.
func (im Image) Entry() string {
	wish := merged(im.Wishes)
	e := entry{
		RemoteUser: im.User,
		// The interactive files of a shell are the host's, and slow: a box reads them
		// when somebody enters it, tools need not.
		UserEnvProbe: "loginShell",
		// SELinux lets no container read a home otherwise; the alternative is to
		// relabel the home.
		SecurityOpt:  []string{"label=disable"},
		ContainerEnv: im.env(wish),
		Mounts:       im.mounts(wish),
	}
	if len(wish.Extensions)+len(wish.Settings) > 0 {
		e.Customizations = &customizations{vscode{wish.Extensions, wish.Settings}}
	}
	data, err := json.Marshal(e)
	if err != nil {
		panic(err) // texts, and settings that were read from YAML
	}
	return plain(data)
}

func (im Image) env(wish Wish) map[string]string {
	env := map[string]string{"HOME": im.home(), "USER": im.User}
	for name, otherwise := range locale() {
		env[name] = "${localEnv:" + name + "}"
		if otherwise != "" {
			env[name] = "${localEnv:" + name + ":" + otherwise + "}"
		}
	}
	if im.Box != "" {
		// What distrobox exports to the shared home asks this variable whether it is in
		// its box, and then starts the program itself.
		env["CONTAINER_ID"] = im.Box
	}
	maps.Copy(env, wish.Env)
	return env
}

// Metadata returns the label of an image: the objects of the label that its
// parent has, then its own entry, which wins. A parent's label that is no JSON is
// left out, as tools for dev containers do.
func Metadata(parent, entry string) string {
	var list []json.RawMessage
	if input.Unmarshal([]byte(parent), &list) != nil {
		var one map[string]any // tools take a single object, too
		if list = nil; input.Unmarshal([]byte(parent), &one) == nil && one != nil {
			list = []json.RawMessage{json.RawMessage(parent)}
		}
	}
	data, err := json.Marshal(append(list, json.RawMessage(entry)))
	if err != nil {
		panic(err) // all of it was read as JSON
	}
	return plain(data)
}

// plain writes JSON without a character that a LABEL instruction, a shell's
// dollar or another alphabet could change. In JSON, such characters are inside
// strings, where each has an escape.
func plain(data []byte) string {
	var compact bytes.Buffer
	if json.Compact(&compact, data) != nil {
		return string(data)
	}
	var out strings.Builder
	for _, r := range compact.String() {
		switch {
		case strings.ContainsRune("$<>&'`\x7f", r), r >= utf8.RuneSelf && r <= 0xffff:
			fmt.Fprintf(&out, `\u%04x`, r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&out, `\u%04x\u%04x`, high, low)
		default:
			out.WriteRune(r)
		}
	}
	return out.String()
}
