package box

import (
	"encoding/base64"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/klmcwhirter/ocisi/hierarchy"
)

// repeatInstall makes a first start install additional_packages in an image
// that says it is complete. It runs at every start, hence its own mark.
// Distrobox 1 puts it between double quotes in a shell: no quotes, no dollars.
const repeatInstall = "test -e /.ocisi-packages || rm -f /.containersetupdone; touch /.ocisi-packages"

// createArgs returns the arguments of "distrobox create".
//
// Distrobox 1 joins them to one line that it hands to eval, unquoted, so that
// blanks and wildcards are not safe either: a value must be made of plain
// characters or it is a *ValueError. Distrobox 2 hands each --additional-flags
// on as one argument, so every word of them goes by itself.
func (d *Distrobox) createArgs(s Spec) ([]string, error) {
	b := s.Box
	w := words{box: b.Name, home: d.Home}
	w.args = []string{"create", "--yes"}
	w.name(b.Name)
	w.add("--image", "image", s.shownImage())
	w.flag("--root", s.rootful())
	w.flag("--init", b.Init)
	w.flag("--nvidia", b.Nvidia)
	if home := w.expand("home", b.Home); home != "" && !sameDir(home, d.Home) {
		w.add("--home", "home", home)
	}
	if b.Hostname != "" {
		w.add("--hostname", "hostname", b.Hostname)
	}
	for _, v := range b.Volumes {
		w.volume(v)
	}
	for _, p := range b.AdditionalPackages {
		for one := range strings.FieldsSeq(p) {
			w.add("--additional-packages", "additional_packages", one)
		}
	}
	if len(b.AdditionalPackages) > 0 {
		w.args = append(w.args, "--pre-init-hooks", repeatInstall)
	}
	if hook := carried(b.InitHooks); hook != "" {
		w.args = append(w.args, "--init-hooks", hook)
	}
	for _, f := range b.AdditionalFlags {
		for one := range strings.FieldsSeq(f) {
			w.add("--additional-flags", "additional_flags", w.expand("additional_flags", one))
		}
	}
	w.labels(s, d.UID)
	return w.args, w.err
}

// words collects arguments, and the first value that is not fit to be one.
type words struct {
	box, home string
	args      []string
	err       error
}

func (w *words) flag(flag string, on bool) {
	if on {
		w.args = append(w.args, flag)
	}
}

func (w *words) add(flag, key, value string) {
	w.plain(key, value)
	w.args = append(w.args, flag, value)
}

func (w *words) refuse(key, value, reason string) {
	if w.err == nil {
		w.err = &ValueError{Box: w.box, Key: key, Value: value, Reason: reason}
	}
}

// plain refuses a value that a shell would read in another way, or that
// distrobox would take for an absent one.
func (w *words) plain(key, value string) {
	if value == "" {
		w.refuse(key, value, "is empty")
	}
	if r, bad := hierarchy.Unsafe(value); bad {
		w.refuse(key, value, fmt.Sprintf("has %q, which distrobox hands to a shell", r))
	}
}

func (w *words) name(name string) {
	w.add("--name", "distrobox", name)
	for i, r := range name {
		first := r < unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r))
		if !first && (i == 0 || !strings.ContainsRune("_.-", r)) {
			w.refuse("distrobox", name, "is no name for a container")
		}
	}
}

func (w *words) volume(value string) {
	parts := strings.Split(value, ":")
	for i := range parts {
		parts[i] = w.expand("volumes", parts[i])
	}
	w.add("--volume", "volumes", strings.Join(parts, ":"))
}

// expand replaces ~, $HOME or ${HOME} at the start of a path.
func (w *words) expand(key, value string) string {
	path, expanded := hierarchy.Expand(value, w.home)
	if expanded && w.home == "" {
		w.refuse(key, value, "needs a home, and none is known")
	}
	return path
}

// labels adds the labels of a box. A container has its image's labels too, so
// only LabelBox tells a box of ours from any other container.
func (w *words) labels(s Spec, uid int) {
	all := maps.Clone(s.Labels)
	if all == nil {
		all = map[string]string{}
	}
	all[hierarchy.LabelBox] = s.Box.Name
	all[hierarchy.LabelSpec] = s.Box.Spec()
	all[hierarchy.LabelImageID] = s.ImageID
	all[hierarchy.LabelExports] = exportsOf(s.Box)
	all[hierarchy.LabelUID] = strconv.Itoa(uid)
	if s.nonce != "" {
		all[hierarchy.LabelNonce] = s.nonce
	}
	for _, key := range slices.Sorted(maps.Keys(all)) {
		w.add("--additional-flags", "labels", "--label="+key+"="+hierarchy.LabelValue(all[key]))
	}
}

// carried wraps init hooks, which are shell by nature, in characters that
// survive being joined, split, globbed and evaluated on the way into the box:
// its own shell decodes and evaluates them. One line after the other, and a
// line that fails ends the start.
func carried(hooks []string) string {
	text := strings.Join(hooks, "\n")
	if strings.TrimSpace(text) == "" {
		return ""
	}
	return `eval "$(echo ` + base64.StdEncoding.EncodeToString([]byte(text)) + `|base64 -d)"`
}

// sameDir reports whether two paths are one directory, as /home and /var/home
// are. A home that is the user's own is no home of the box's: distrobox would
// fill it with skeleton files.
func sameDir(a, b string) bool {
	return resolved(a) == resolved(b)
}

func resolved(path string) string {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		return target
	}
	return filepath.Clean(path)
}
