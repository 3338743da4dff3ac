package enginetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

func itoa(n int) string { return strconv.Itoa(n) }

// Podman plays the program podman.
func Podman() { asProgram("podman") }

func (p *program) podman(ctx context.Context) {
	args := p.args
	if len(args) == 0 {
		p.exit("Error: missing command 'podman COMMAND'")
	}
	if args[0] != "system" && args[0] != "version" && args[0] != "--version" {
		p.note()
	}
	switch args[0] {
	case "build", "pull", "save":
		p.podmanImage(ctx, args[0], args[1:])
	case "system":
		p.podmanService(ctx, args[1:])
	case "version", "--version":
		fmt.Fprintln(p.stdout, "podman version 5.8.6")
	case "ps":
		fmt.Fprintln(p.stdout, "[]")
	case "rmi", "image", "container", "inspect", "start", "stop", "rm", "rename", "exec":
		p.byProgram(ctx, p.getenv(envPodman), args)
	default:
		p.exit("Error: unrecognized command `podman %s`", args[0])
	}
}

// podmanImage is what the program does about images that the API does otherwise.
func (p *program) podmanImage(ctx context.Context, verb string, args []string) {
	switch verb {
	case "build":
		p.podmanBuild(ctx, args)
	case "pull":
		p.podmanPull(ctx, args)
	default:
		p.podmanSave(ctx, args)
	}
}

// Docker plays the program docker, for those who do things without ocisi.
func Docker() { asProgram("docker") }

func (p *program) docker(ctx context.Context) {
	p.note()
	p.byProgram(ctx, p.getenv(envDocker), p.args)
}

// asked is a request that a program's command stands for.
type asked struct {
	method, path string
	body         any
}

// byProgram does what the package's comment says that the programs do.
func (p *program) byProgram(ctx context.Context, socket string, args []string) {
	for _, r := range p.requestsOf(args) {
		body, err := call(ctx, socket, r.method, r.path, r.body)
		if err != nil {
			p.exit("Error: %v", err)
		}
		_ = body.Close()
	}
}

// each asks the same about several names.
func each(names []string, method, before, after string) (all []asked) {
	for _, name := range names {
		all = append(all, asked{method, before + name + after, nil})
	}
	return all
}

func (p *program) requestsOf(args []string) []asked {
	names := slices.DeleteFunc(slices.Clone(args[min(1, len(args)):]), func(arg string) bool { return strings.HasPrefix(arg, "-") })
	switch {
	case slices.Equal(args, []string{"image", "prune", "-af"}):
		return []asked{{http.MethodPost, "/enginetest/prune", nil}}
	case len(names) == 0:
	case args[0] == "rmi":
		return each(names, http.MethodDelete, "/images/", "")
	case args[0] == "container" && names[0] == "inspect":
		return each(names[1:], http.MethodGet, "/containers/", "/json")
	case args[0] == "start", args[0] == "stop":
		return each(names, http.MethodPost, "/containers/", "/"+args[0])
	case args[0] == "rm":
		return each(names, http.MethodDelete, "/containers/", "?force=1")
	case args[0] == "rename" && len(names) == 2:
		return []asked{{http.MethodPost, "/containers/" + names[0] + "/rename?name=" + names[1], nil}}
	case args[0] == "exec" && args[1] == "-d":
		return []asked{{http.MethodPost, "/enginetest/session", entering{Name: names[0]}}}
	}
	p.exit("Error: %q is not played", args)
	return nil
}

func (p *program) podmanPull(ctx context.Context, args []string) {
	ref := args[len(args)-1]
	fmt.Fprintf(p.stderr, "Trying to pull %s...\n", ref)
	body, err := call(ctx, p.getenv(envPodman), "POST", "/enginetest/pull?ref="+ref, nil)
	if err != nil {
		p.exit("Error: unable to copy from source docker://%s: %v", ref, err)
	}
	_ = body.Close()
}

// podmanSave writes images out.
func (p *program) podmanSave(ctx context.Context, args []string) {
	names := url.Values{}
	for _, arg := range args {
		if strings.HasPrefix(arg, "sha256:") {
			names.Add("names", arg)
		}
	}
	body, err := call(ctx, p.getenv(envPodman), http.MethodGet, "/images/get?"+names.Encode(), nil)
	if err == nil {
		_, err = io.Copy(p.stdout, body)
	}
	if err != nil {
		p.exit("Error: %v", err)
	}
}

// podmanService serves the server's podman on a socket of the caller's choice
// until it is told to end.
func (p *program) podmanService(ctx context.Context, args []string) {
	if len(args) == 0 || args[0] != "service" {
		p.exit("Error: unrecognized command `podman system`")
	}
	socket := strings.TrimPrefix(args[len(args)-1], "unix://")
	l, err := (&net.ListenConfig{}).Listen(ctx, "unix", socket)
	if err != nil {
		p.exit("Error: %v", err)
	}
	go func() {
		<-ctx.Done()
		_ = l.Close()
	}()
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go p.forward(ctx, conn)
	}
}

func (p *program) forward(ctx context.Context, conn net.Conn) {
	defer func() { _ = conn.Close() }()
	to, err := (&net.Dialer{}).DialContext(ctx, "unix", p.getenv(envPodman))
	if err != nil {
		return
	}
	defer func() { _ = to.Close() }()
	go func() { _, _ = io.Copy(to, conn) }()
	_, _ = io.Copy(conn, to)
}

// podmanBuild prints what podman build prints.
func (p *program) podmanBuild(ctx context.Context, args []string) {
	r, iidfile := p.buildRecipe(args)
	body, err := call(ctx, p.getenv(envPodman), "POST", "/enginetest/build", r)
	if err != nil {
		p.exit("Error: %v", err)
	}
	for dec := json.NewDecoder(body); ; {
		var b built
		if err := dec.Decode(&b); err != nil {
			p.exit("Error: %v", errors.Join(context.Cause(ctx), err))
		}
		switch {
		case b.Event != nil:
			p.printEvent(*b.Event)
		case b.Error != "":
			p.exit("Error: building at STEP: %s", b.Error)
		default:
			fmt.Fprintln(p.stdout, strings.TrimPrefix(b.ID, "sha256:"))
			if err := os.WriteFile(iidfile, []byte(b.ID), 0o600); err != nil {
				p.exit("Error: %v", err)
			}
			return
		}
	}
}

func (p *program) printEvent(e event) {
	if e.Failed == "" {
		fmt.Fprintf(p.stdout, "STEP %d/%d: %s\n", e.Step, e.Steps, e.Title)
	}
	if e.Cached {
		fmt.Fprintln(p.stdout, "--> Using cache 0123456789ab")
	}
	if e.Log != "" {
		fmt.Fprintln(p.stdout, strings.TrimRight(e.Log, "\n"))
	}
}

// buildRecipe reads the arguments of podman build.
func (p *program) buildRecipe(args []string) (r recipe, iidfile string) {
	r.Args, r.Labels = make(map[string]string), make(map[string]string)
	r.Context = args[len(args)-1]
	value := func(i int) string { return args[i+1] }
	for i := 0; i < len(args)-1; i++ {
		switch args[i] {
		case "--file", "-f":
			r.Image = strings.TrimPrefix(filepath.Base(value(i)), "Containerfile.")
			data, err := os.ReadFile(value(i))
			if err != nil {
				p.exit("Error: %v", err)
			}
			r.Text = string(data)
		case "--iidfile":
			iidfile = value(i)
		case "--build-arg":
			k, v, _ := strings.Cut(value(i), "=")
			r.Args[k] = v
		case "--label":
			k, v, _ := strings.Cut(value(i), "=")
			r.Labels[k] = variable.ReplaceAllString(v, "") // podman makes a LABEL instruction of it
		case "--no-cache":
			r.NoCache = true
			continue
		default:
			continue
		}
		i++
	}
	if ref := r.Labels["ocisi.image"]; ref != "" {
		r.Image = ref
	}
	r.By = labeledBy(r.Labels)
	return r, iidfile
}
