package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"github.com/klmcwhirter/ocisi/cmd/internal/cli"
	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/engine/enginetest"
	"github.com/klmcwhirter/ocisi/hierarchy/launcher"
)

// world is a user's home with two engines. All worlds of one story begin alike:
// they are copies of one, in which only the name of the folder differs.
type world struct {
	dir    string
	server *enginetest.Server
	files  map[string]string // the home's, at the start: what they hold
	docker enginetest.State  // at the start
	podman enginetest.State
}

// worldsRoot is a folder for worlds: in memory where that can be, with a path that
// leaves room for those of sockets.
func worldsRoot(t *testing.T) string {
	t.Helper()
	root, err := os.MkdirTemp("/dev/shm", "of")
	if err != nil {
		root, err = os.MkdirTemp("", "of")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(root) })
	return root
}

// newWorld makes an empty one, or a copy.
func newWorld(t *testing.T, dir string, of *world) *world {
	t.Helper()
	w := &world{dir: dir}
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(os.MkdirAll(filepath.Join(dir, "tmp"), 0o755))
	check(os.MkdirAll(w.home(), 0o755))
	if of != nil {
		rename := strings.NewReplacer(append(devPrints(t, of.home(), w.home()), filepath.Base(of.dir), filepath.Base(dir))...)
		for path, text := range of.files {
			file := filepath.Join(w.home(), path)
			check(os.MkdirAll(filepath.Dir(file), 0o755))
			mode := fs.FileMode(0o644)
			if strings.HasPrefix(text, "#!") {
				mode = 0o755
			}
			check(os.WriteFile(file, resealed(rename.Replace(text)), mode))
		}
		for name, state := range map[string]enginetest.State{"docker": of.docker, "podman": of.podman} {
			text, err := json.Marshal(state)
			check(err)
			check(os.WriteFile(filepath.Join(dir, name+".json"), []byte(rename.Replace(string(text))), 0o644))
		}
	}
	w.open(t)
	return w
}

// devPrints returns, in pairs, what stands for the dev container settings of the
// stories' images in one home and in another. Paths are in them, hashed.
func devPrints(t *testing.T, homes ...string) []string {
	t.Helper()
	var pairs []string
	for _, in := range []string{configOf("true", ""), sources(&loopback{})["other.yaml"]} {
		cfg, err := hierarchy.ParseConfig("/c/ocisi.yaml", []byte(in))
		if err != nil {
			t.Fatal(err)
		}
		files := fstest.MapFS{}
		for name, text := range sources(&loopback{host: "localhost:1"}) {
			files["c/"+strings.TrimPrefix(name, ".config/ocisi/")] = &fstest.MapFile{Data: []byte(text)}
			files["c/"+name] = &fstest.MapFile{Data: []byte(text)}
		}
		prints := map[string][]string{}
		for _, home := range homes {
			g, err := cfg.Graph(hierarchy.Host{Files: files, Manager: hierarchy.Docker, User: "al", UID: 1000, GID: 1000, Home: home, Data: home + "/.local/share"})
			if err == nil {
				err = g.Read(files)
			}
			if err != nil {
				t.Fatal(err)
			}
			for _, im := range g.Images {
				if im.Inputs.Dev != "" {
					prints[im.Ref()] = append(prints[im.Ref()], im.Inputs.Dev)
				}
			}
		}
		for _, pair := range prints {
			pairs = append(pairs, pair...)
		}
	}
	return pairs
}

// open starts the engines with what their files hold, and takes down what there is.
func (w *world) open(t *testing.T) {
	t.Helper()
	var err error
	if w.server, err = enginetest.Start(w.dir); err != nil {
		t.Fatal(err)
	}
	w.takeDown()
}

// takeDown makes what there is now the start.
func (w *world) takeDown() {
	w.files, w.docker, w.podman = w.tree(), w.server.Docker(), w.server.Podman()
}

func (w *world) close() {
	w.server.Close()
	_ = os.RemoveAll(w.dir)
}

func (w *world) home() string { return filepath.Join(w.dir, "home") }

// write writes files of the home.
func (w *world) write(t *testing.T, files map[string]string) {
	t.Helper()
	for path, text := range files {
		path = filepath.Join(w.home(), path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		mode := fs.FileMode(0o644)
		if strings.HasPrefix(text, "#!") {
			mode = 0o755
		}
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
}

// tree returns the files of the home by path, without what ocisi remembers for
// itself: logs, its lock, its ID.
func (w *world) tree() map[string]string {
	files := map[string]string{}
	_ = filepath.WalkDir(w.home(), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, _ := filepath.Rel(w.home(), path)
		if strings.HasPrefix(name, ".local/state/ocisi/logs/") || name == ".local/state/ocisi/lock" || name == ".local/state/ocisi/installation" {
			return nil
		}
		data, err := os.ReadFile(path)
		files[name] = string(data)
		return err
	})
	return files
}

// resealed returns a launcher with the checksum of what it contains now. Other
// files stay as they are.
func resealed(text string) []byte {
	line := regexp.MustCompile(`(?m)^(# checksum: |X-Ocisi-Checksum=)sha256:[0-9a-f]{64}\n`)
	m := line.FindStringSubmatchIndex(text)
	if m == nil {
		return []byte(text)
	}
	before, after := text[:m[0]], text[m[1]:]
	sum := sha256.Sum256([]byte(before + after))
	return fmt.Appendf(nil, "%s%ssha256:%x\n%s", before, text[m[2]:m[3]], sum, after)
}

// anonymous takes a world's folder out of a text.
func (w *world) anonymous(text string) string {
	return strings.ReplaceAll(text, filepath.Base(w.dir), "WORLD")
}

// anonymousTree is the tree without the world's folder in it, and without the
// checksums of launchers, which depend on it. Each that is wrong is named.
func (w *world) anonymousTree() map[string]string {
	checksum := regexp.MustCompile(`sha256:[0-9a-f]{64}`)
	files := w.tree()
	for name, text := range files {
		path := filepath.Join(w.home(), name)
		if f, ok := launcher.Read(path, []byte(text), nil); ok && f.By == launcher.Ocisi {
			text = checksum.ReplaceAllString(text, fmt.Sprintf("(written by ocisi: %v)", f.Ours()))
		}
		files[name] = w.anonymous(text)
	}
	return files
}

// ran is what came of a program.
type ran struct {
	status int // -1: killed
	out    string
}

// environment is that of the user's programs.
func (w *world) environment(more ...string) []string {
	env := append(w.server.Env(),
		"PATH="+os.Getenv("PATH"), "HOME="+w.home(), "USER=al", "SHELL=/bin/bash", "TMPDIR="+filepath.Join(w.dir, "tmp"),
		"CONTAINER_HOST="+w.server.PodmanHost(), "GORACE=atexit_sleep_ms=0", "OCISI_JOBS=1",
	)
	return append(env, more...)
}

// complete fills in what depends on the world.
func (w *world) complete(f fate) fate {
	f.Short, f.Trace = w.home(), filepath.Join(w.dir, "trace")
	return f
}

// command is ocisi as a process of its own.
func (w *world) command(f fate, args ...string) *exec.Cmd {
	text, _ := json.Marshal(w.complete(f)) // plain values: cannot fail
	cmd := exec.Command("ocisi", args...)
	cmd.Dir = w.home()
	cmd.WaitDelay = 50 * time.Millisecond // for what goes on, with our pipes, when it was killed
	cmd.Env = w.environment("TEST_FATE=" + string(text))
	return cmd
}

// process runs ocisi in a process of its own, until it is killed.
func (w *world) process(f fate, args ...string) ran {
	var out bytes.Buffer
	cmd := w.command(f, args...)
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := start(cmd, f.Mishap == unread); err != nil {
		return ran{-2, err.Error()}
	}
	defer time.AfterFunc(time.Minute, func() { _ = cmd.Process.Signal(syscall.SIGQUIT) }).Stop()
	_ = cmd.Wait()
	return ran{cmd.ProcessState.ExitCode(), out.String()}
}

// start starts a command; with ownReader, its output goes into a pipe that it
// holds the other end of, as readerFD.
func start(cmd *exec.Cmd, ownReader bool) error {
	if !ownReader {
		return cmd.Start()
	}
	reader, writer, err := os.Pipe()
	if err != nil {
		return err
	}
	defer func() { _, _ = reader.Close(), writer.Close() }()
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = writer, writer, []*os.File{reader}
	return cmd.Start()
}

// user is the Env of an ocisi within this process.
func (w *world) user(out io.Writer) cli.Env {
	env := al(cli.System())
	env.Stdin, env.Stdout, env.Stderr, env.Terminal, env.Colour = nil, out, out, false, false
	env.Dir, env.Home = w.home(), w.home()
	env.ConfigDir, env.StateDir, env.DataHome = w.home()+"/.config/ocisi", w.home()+"/.local/state/ocisi", w.home()+"/.local/share"
	vars := w.environment()
	env.Runner = player{vars}
	env.Getenv = func(name string) string {
		for _, v := range vars {
			if value, ok := strings.CutPrefix(v, name+"="); ok {
				return value
			}
		}
		return ""
	}
	return env
}

// run runs ocisi within this process. With a fault, one that waits for much
// longer than its patience is told to end, as by Ctrl-C.
func (w *world) run(f fate, args ...string) ran {
	out := &output{crash: newCrash()}
	env := w.user(out)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if f.Patience != 0 {
		defer time.AfterFunc(60*time.Second, cancel).Stop()
		var c *injector
		var err error
		if env, c, err = w.complete(f).follow(env, nil); err != nil {
			return ran{-2, err.Error()}
		}
		defer c.close()
		if f.Mishap == silent {
			defer time.AfterFunc(10*f.Patience, cancel).Stop()
		}
	}
	status := cli.Main(ctx, env, args)
	for i := 0; status == 77 && i < 100; i++ {
		// A lock goes with its file: a process that another test is just starting
		// may still have it for a moment.
		time.Sleep(10 * time.Millisecond)
		out.reset()
		status = cli.Main(ctx, env, args)
	}
	return ran{status, out.String()}
}

// place is a container with its manager.
type place struct{ manager, name string }

// containers returns the containers of both engines.
func containers(docker, podman enginetest.State) map[place]enginetest.Container {
	all := map[place]enginetest.Container{}
	for _, c := range docker.Containers {
		all[place{"docker", c.Name}] = c
	}
	for _, c := range podman.Containers {
		all[place{"podman", c.Name}] = c
	}
	return all
}

func (w *world) now() map[place]enginetest.Container {
	return containers(w.server.Docker(), w.server.Podman())
}

func (w *world) start0() map[place]enginetest.Container { return containers(w.docker, w.podman) }

// own reports whether a container is one of ocisi's.
func own(c enginetest.Container) bool { return c.Labels["ocisi.box"] != "" }

// enter enters a box.
func (w *world) enter(p place) error {
	var out bytes.Buffer
	env := w.environment("DBX_CONTAINER_MANAGER="+p.manager, "DBX_NON_INTERACTIVE=1")
	if status := enginetest.Play(context.Background(), "distrobox", []string{"enter", "--name", p.name, "--no-tty", "--", "true"}, env, &out, &out); status != 0 {
		return fmt.Errorf("entering %s of %s: status %d: %s", p.name, p.manager, status, &out)
	}
	return nil
}

// untouched returns what is no longer as it was of what nobody may change:
// files of the user, images and containers that ocisi did not make.
func (w *world) untouched(users []string) (wrong []string) {
	files := w.tree()
	for _, name := range users {
		if files[name] != w.files[name] {
			wrong = append(wrong, fmt.Sprintf("file %s: %q, was %q", name, files[name], w.files[name]))
		}
	}
	now := w.now()
	for p, c := range w.start0() {
		if own(c) {
			continue
		}
		if fmt.Sprintf("%+v", now[p]) != fmt.Sprintf("%+v", c) {
			wrong = append(wrong, fmt.Sprintf("container %v: %+v, was %+v", p, now[p], c))
		}
	}
	for manager, states := range map[string][2]enginetest.State{"docker": {w.docker, w.server.Docker()}, "podman": {w.podman, w.server.Podman()}} {
		for _, im := range states[0].Images {
			if im.Labels["ocisi.image"] != "" {
				continue
			}
			i := slices.IndexFunc(states[1].Images, func(other enginetest.Image) bool { return other.ID == im.ID })
			if i < 0 {
				wrong = append(wrong, fmt.Sprintf("image %v of %s is gone", im.Refs, manager))
			}
		}
	}
	return wrong
}

// fingerprint is the same for worlds that differ only in their names, in made-up
// IDs and in the time of day.
func (w *world) fingerprint() string {
	text, err := json.Marshal([]any{w.server.Docker(), w.server.Podman(), w.tree()})
	if err != nil {
		return w.dir
	}
	plain := clock.ReplaceAllString(w.anonymous(string(text)), "TIME")
	var out strings.Builder
	names := map[string]int{}
	for from := 0; from < len(plain); {
		to := from
		for to < len(plain) && hexDigit(plain[to]) {
			to++
		}
		switch word := plain[from:to]; {
		case len(word) == 64:
			if names[word] == 0 {
				names[word] = len(names) + 1
			}
			fmt.Fprint(&out, "ID", names[word])
		case word != "":
			out.WriteString(word)
		default:
			to++
			out.WriteString(plain[from:to])
		}
		from = to
	}
	return out.String()
}

func hexDigit(c byte) bool { return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' }

var clock = regexp.MustCompile(`20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}(?::|%3A)[0-9]{2}(?::|%3A)[0-9]{2}Z`)
