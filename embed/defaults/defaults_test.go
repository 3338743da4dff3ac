package defaults_test

import (
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/klmcwhirter/ocisi/embed/defaults"
)

type image struct {
	Name      string            `yaml:"name"`
	Path      string            `yaml:"path"`
	Tag       string            `yaml:"tag"`
	Args      map[string]string `yaml:"args"`
	Manager   string            `yaml:"manager"`
	Enabled   bool              `yaml:"enabled"`
	Distrobox string            `yaml:"distrobox"`
}

func (im image) ref() string {
	if im.Tag == "" {
		return im.Name + ":latest"
	}
	return im.Name + ":" + im.Tag
}

// parent is the name of the image that a thin layer is made from, or "".
func (im image) parent() string {
	name, thin := strings.CutSuffix(im.Name, "-dx")
	if !thin {
		return ""
	}
	return name
}

func (im image) containerfile() string {
	if im.parent() != "" {
		return path.Join(im.Path, "Containerfile.img-dx")
	}
	return path.Join(im.Path, "Containerfile."+im.Name)
}

func config(t *testing.T) fs.FS {
	t.Helper()
	files, err := fs.Sub(defaults.FS, "config")
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func read(t *testing.T, name string) string {
	t.Helper()
	data, err := fs.ReadFile(config(t), name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func images(t *testing.T) []image {
	t.Helper()
	var file struct {
		Images []image `yaml:"images"`
	}
	if err := yaml.UnmarshalWithOptions([]byte(read(t, "ocisi.yaml")), &file, yaml.Strict()); err != nil {
		t.Fatal(yaml.FormatError(err, false, true))
	}
	return file.Images
}

// containerfiles returns the contents of all by their paths.
func containerfiles(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := fs.WalkDir(config(t), ".", func(name string, entry fs.DirEntry, err error) error {
		if err == nil && strings.HasPrefix(entry.Name(), "Containerfile.") {
			found[name] = read(t, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// instructions returns a Containerfile's instructions, comments dropped and
// continued lines joined.
func instructions(text string) []string {
	var lines []string
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(strings.TrimSpace(line), "#") {
			lines = append(lines, line)
		}
	}
	joined := strings.ReplaceAll(strings.Join(lines, ""), "\\\n", " ")
	return slices.DeleteFunc(strings.Split(joined, "\n"), func(line string) bool { return line == "" })
}

func TestConfigHasItsContainerfiles(t *testing.T) {
	unused := containerfiles(t)
	refs := map[string]image{}
	for _, im := range images(t) {
		text := read(t, im.containerfile())
		delete(unused, im.containerfile())
		for arg := range im.Args {
			if !strings.Contains(text, "\nARG "+arg+"=") {
				t.Errorf("%s: %s has no ARG %s with a default", im.ref(), im.containerfile(), arg)
			}
		}
		if _, twice := refs[im.ref()]; twice {
			t.Errorf("%s is there twice", im.ref())
		}
		refs[im.ref()] = im
	}
	for name := range unused {
		t.Errorf("no image is built from %s", name)
	}
	for ref, im := range refs {
		name := im.parent()
		if name == "" {
			continue
		}
		parent, ok := refs[image{Name: name, Tag: im.Tag}.ref()]
		if !ok || parent.Manager != im.Manager || im.Enabled && !parent.Enabled {
			t.Errorf("%s: its parent is %+v", ref, parent)
		}
	}
}

func TestEnabledFromTheStart(t *testing.T) {
	want := map[string]string{ // manager by image
		"fedora-dev-base:latest": "", "fedora-python:latest": "", "fedora-python-dx:latest": "",
		"debian:bookworm": "podman", "debian-dx:bookworm": "podman",
	}
	for _, im := range images(t) {
		manager, wanted := want[im.ref()]
		if im.Enabled != wanted || wanted && im.Manager != manager {
			t.Errorf("%s: enabled %v, manager %q", im.ref(), im.Enabled, im.Manager)
		}
		delete(want, im.ref())
	}
	for ref := range want {
		t.Errorf("%s is missing", ref)
	}
}

func TestVersionsStayText(t *testing.T) {
	for _, im := range images(t) {
		if im.Name == "fedora-dotnet" && (im.Tag != "9.0" || im.Args["DOTNET_VERSION"] != "9.0") {
			t.Errorf("%+v", im)
		}
	}
}

// A FROM is a base with registry and tag, or an image of the config with its
// tag; an enabled image has enabled parents.
func TestFroms(t *testing.T) {
	bases := []string{"ghcr.io/ublue-os/fedora-toolbox:latest", "ghcr.io/ublue-os/debian-toolbox:latest"}
	files := containerfiles(t)
	all := images(t)
	for _, im := range all {
		for _, line := range instructions(files[im.containerfile()]) {
			from, ok := strings.CutPrefix(line, "FROM ")
			if !ok || slices.Contains(bases, from) || im.parent() != "" && from == "${IMG}:${TAG}" {
				continue
			}
			i := slices.IndexFunc(all, func(parent image) bool { return parent.ref() == from })
			if i < 0 || im.Enabled && !all[i].Enabled || all[i].Manager != im.Manager {
				t.Errorf("%s is FROM %s", im.ref(), from)
			}
		}
	}
}

// What one layer installs, another cannot take away.
func TestInstallsCleanUp(t *testing.T) {
	install := regexp.MustCompile(`\b(dnf|apt-get) install\b`)
	cleanup := map[string][]string{
		"dnf":     {"dnf clean all", "rm -rf /var/cache/dnf /var/cache/libdnf5"},
		"apt-get": {"apt-get clean", "rm -rf /var/lib/apt/lists/*"},
	}
	for name, text := range containerfiles(t) {
		for _, line := range instructions(text) {
			tool := install.FindStringSubmatch(line)
			if tool == nil {
				continue
			}
			_, after, _ := strings.Cut(line[strings.LastIndex(line, tool[0]):], "&&")
			for _, want := range cleanup[tool[1]] {
				if !strings.Contains(after, want) {
					t.Errorf("%s: %q does not end with %q", name, line, want)
				}
			}
		}
	}
}

// The oldest engines, docker 20.10 and podman 4.3, build these files.
func TestPlainSyntax(t *testing.T) {
	// a frontend from a registry, a comment that goes on or is indented
	odd := regexp.MustCompile(`^# syntax=|^#.*\\$|^\s+#`)
	for name, text := range containerfiles(t) {
		for i, line := range strings.Split(text, "\n") {
			if odd.MatchString(line) || len(line) > 120 {
				t.Errorf("%s:%d: %s", name, i+1, line)
			}
		}
		for _, line := range instructions(text) {
			word, _, _ := strings.Cut(line, " ")
			if !slices.Contains([]string{"ARG", "FROM", "RUN", "USER", "WORKDIR"}, word) ||
				strings.Contains(line, "<<") || strings.Contains(line, "--mount") {
				t.Errorf("%s: %s", name, line)
			}
		}
	}
}

func TestThinLayer(t *testing.T) {
	text := read(t, "fedora/Containerfile.img-dx")
	if text != read(t, "debian/Containerfile.img-dx") {
		t.Error("the two thin layers differ")
	}
	body := strings.Join(instructions(text), "\n")
	for _, want := range []string{
		"ARG IMG\n", "ARG TAG=latest\n", "ARG USER\n", "ARG UID\n", "ARG GID\n", "getent", "visudo -c", "chmod 0440",
		"touch /.containersetupdone", "--no-log-init", "\nUSER ${USER}\nWORKDIR ",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("no %q", want)
		}
	}
	for _, no := range []string{"grep", "install", "/etc/sudoers ", "ENTRYPOINT"} {
		if strings.Contains(body, no) {
			t.Errorf("a thin layer with %q", no)
		}
	}
	if n := strings.Count(body, "\nRUN "); n != 1 {
		t.Errorf("%d RUNs: each is a layer that nobody shares", n)
	}
}

func TestOnlyConfig(t *testing.T) {
	entries, err := fs.ReadDir(defaults.FS, ".")
	if err != nil || len(entries) != 1 || entries[0].Name() != "config" {
		t.Errorf("got %v, %v", entries, err)
	}
}
