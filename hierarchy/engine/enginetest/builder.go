package enginetest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// recipe is a build that was asked for.
type recipe struct {
	Ref     string // full name; "" leaves the image without one
	Image   string // what the story's files call it
	Text    string // of the Containerfile
	Context string // directory; "" when no step reads it
	Args    map[string]string
	Labels  map[string]string
	NoCache bool
	By      string // the entry of the history that a LABEL at the end leaves; "" without one
}

// event is what happens in a build: a step starts, prints, fails.
type event struct {
	Step, Steps int
	Title       string
	Cached      bool
	Log         string // lines
	Failed      string // the step's error
}

// stepSize is how many bytes every step adds.
const stepSize = 1 << 20

// build plays a build: every instruction is a step and every RUN, COPY and ADD
// a layer.
func (s *store) build(ctx context.Context, r recipe, tell func(event)) (id string, err error) {
	steps := instructions(r)
	parent, err := s.parent(steps)
	if err != nil {
		return "", err
	}
	if _, ok := s.file("build", r.Image, ".block"); ok {
		tell(event{Step: 1, Steps: len(steps), Title: steps[0]})
		<-ctx.Done()
		return "", context.Cause(ctx)
	}
	if said, ok := s.file("build", r.Image, ".err"); ok {
		last := steps[len(steps)-1]
		tell(event{Step: len(steps), Steps: len(steps), Title: last})
		failed := fmt.Sprintf("process %q did not complete successfully: exit code: 1", last)
		tell(event{Step: len(steps), Steps: len(steps), Title: last, Log: said, Failed: failed})
		return "", errors.New(failed)
	}
	return s.make(parent, steps, r, tell), nil
}

// make adds the image to the store.
func (s *store) make(parent Image, steps []string, r recipe, tell func(event)) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	im := Image{
		Layers: slices.Clone(parent.Layers), Labels: maps.Clone(parent.Labels), Config: parent.Config,
		Files: maps.Clone(parent.Files), Commands: parent.Commands, By: cmp.Or(r.By, "CMD"),
	}
	if im.Labels == nil {
		im.Labels = make(map[string]string)
	}
	maps.Copy(im.Labels, r.Labels)
	declared := make(map[string]string) // a step sees the arguments that stand before it
	for i, step := range steps {
		if m := argLine.FindStringSubmatch(step); m != nil {
			declared[m[1]] = r.Args[m[1]]
		}
		e := event{Step: i + 1, Steps: len(steps), Title: step, Cached: i == 0}
		im.Config = im.Config.with(step)
		im.touch(step)
		if layered.MatchString(step) {
			var l Layer
			l, e.Cached = s.layer(im.Layers, step, declared, r)
			im.Layers = append(im.Layers, l)
			if !e.Cached {
				e.Log = "output of " + step + "\n"
			}
		}
		tell(e)
	}
	im.ID, im.Created = imageID(im, parent.ID, strings.Join(steps, "\n"), fmt.Sprint(r.Args)), s.now()
	if r.Ref != "" {
		im.Refs = []string{r.Ref}
	}
	had := s.holding(r.Ref)
	s.put(im)
	if r.Ref != "" && s.containerd() {
		s.state.Images = slices.DeleteFunc(s.state.Images, func(other Image) bool { return had[other.ID] && len(other.Refs) == 0 })
	}
	return im.ID
}

// holding returns the IDs of the images that have a name. With docker's containerd
// store, a build that takes the last name of an image removes it.
func (s *store) holding(ref string) map[string]bool {
	ids := make(map[string]bool)
	for _, im := range s.state.Images {
		ids[im.ID] = slices.Contains(im.Refs, ref)
	}
	return ids
}

// touch adds the files that a step RUN touch FILE… makes, where images have
// files at all.
func (im *Image) touch(step string) {
	names, ok := strings.CutPrefix(step, "RUN touch ")
	if !ok || im.Files == nil {
		return
	}
	for name := range strings.FieldsSeq(names) {
		im.Files[name] = ""
	}
}

// layer returns what a step makes, and whether it was made before.
func (s *store) layer(below []Layer, step string, args map[string]string, r recipe) (l Layer, cached bool) {
	key := hash("step", fmt.Sprint(below), step, fmt.Sprint(args), filesOf(step, r.Context))
	id, cached := s.cache[key]
	switch {
	case r.NoCache:
		cached, id = false, hash(key, fmt.Sprint(s.now()))
	case !cached:
		id = key
	}
	s.cache[key] = id
	return Layer{DiffID: id, Size: stepSize, By: step}, cached
}

// with returns the config after a step.
func (c Config) with(step string) Config {
	word, rest, _ := strings.Cut(step, " ")
	switch strings.ToUpper(word) {
	case "ENV":
		c.Env = append(slices.Clone(c.Env), rest)
	case "USER":
		c.User = rest
	case "WORKDIR":
		c.WorkingDir = rest
	case "CMD":
		c.Cmd = []string{"/bin/sh", "-c", rest}
	case "ENTRYPOINT":
		c.Entrypoint = []string{"/bin/sh", "-c", rest}
	}
	return c
}

// filesOf returns a hash of the files of the context that a COPY or ADD names.
func filesOf(step, context string) string {
	words := strings.Fields(step)
	if context == "" || !copies.MatchString(step) || strings.Contains(step, " --from=") || len(words) < 3 {
		return ""
	}
	var parts []string
	for _, source := range words[1 : len(words)-1] {
		found, _ := filepath.Glob(filepath.Join(context, source))
		for _, root := range found {
			_ = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
				if err == nil && d.Type().IsRegular() {
					name, _ := filepath.Rel(context, path)
					data, _ := os.ReadFile(path)
					parts = append(parts, name, string(data))
				}
				return nil
			})
		}
	}
	return hash(parts...)
}

var (
	copies   = regexp.MustCompile(`(?im)^\s*(COPY|ADD)\b`)
	layered  = regexp.MustCompile(`(?i)^(RUN|COPY|ADD)\b`)
	fromLine = regexp.MustCompile(`(?i)^FROM\s+(?:--\S+\s+)*(\S+)(?:\s+AS\s+(\S+))?`)
	argLine  = regexp.MustCompile(`(?i)^ARG\s+(\w+)=?(.*)`)
	variable = regexp.MustCompile(`\$\{?(\w+)\}?`)
)

// instructions returns the instructions of a Containerfile's last stage, one
// line each, variables of FROM lines replaced. A stage that is FROM another one
// begins with that one's.
func instructions(r recipe) []string {
	text := regexp.MustCompile(`\\\n`).ReplaceAllString(r.Text, " ")
	args := make(map[string]string)
	stages := make(map[string][]string)
	var steps []string
	name := ""
	for line := range strings.Lines(text) {
		line = strings.Join(strings.Fields(line), " ")
		if line == "" || line[0] == '#' {
			continue
		}
		if m := argLine.FindStringSubmatch(line); m != nil && steps == nil {
			args[m[1]] = strings.Trim(m[2], `"'`)
			if v, ok := r.Args[m[1]]; ok {
				args[m[1]] = v
			}
			continue
		}
		if m := fromLine.FindStringSubmatch(line); m != nil {
			stages[name] = steps
			from := variable.ReplaceAllStringFunc(m[1], func(v string) string { return args[variable.FindStringSubmatch(v)[1]] })
			steps, name = []string{"FROM " + from}, m[2]
			if earlier, ok := stages[from]; ok && from != "" {
				steps = slices.Clone(earlier)
			}
			continue
		}
		steps = append(steps, line)
	}
	return steps
}

// parent returns the image that a build starts from. What is not in the store
// is looked for in a registry, as the engines do, and the call is noted.
func (s *store) parent(steps []string) (Image, error) {
	if len(steps) == 0 {
		return Image{}, errors.New("file with no instructions")
	}
	from := strings.TrimPrefix(steps[0], "FROM ")
	if from == "scratch" {
		return Image{}, nil
	}
	if im, ok := s.copyOf(from); ok {
		return im, nil
	}
	if err := s.fetch(from); err != nil {
		return Image{}, fmt.Errorf("%s: failed to resolve source metadata: %w", from, err)
	}
	im, _ := s.copyOf(from)
	return im, nil
}

func (s *store) copyOf(name string) (Image, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if im := s.image(name); im != nil {
		return *im, true
	}
	return Image{}, false
}

// buildForProgram is how the podman program builds: a JSON recipe comes in, a
// stream of events goes out, the last of which has the ID or the error.
func (a *api) buildForProgram(w http.ResponseWriter, r *http.Request) {
	a.serveBuild(w, r)
}
