package enginetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

func itoa(n int) string { return strconv.Itoa(n) }

// note writes the program's line to calls: what of the environment is for it,
// and its arguments.
func note(name string) {
	if os.Getenv(envDir) == "" {
		return // run without a server: there is no story to write to
	}
	var words []string
	for _, v := range os.Environ() {
		if strings.HasPrefix(v, "DBX_") {
			words = append(words, v)
		}
	}
	slices.Sort(words)
	words = append(words, name)
	words = append(words, os.Args[1:]...)
	_ = appendLine(filepath.Join(os.Getenv(envDir), "calls"), strings.Join(words, " "))
}

// Podman plays the program podman.
func Podman() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	args := os.Args[1:]
	if len(args) == 0 {
		exit("Error: missing command 'podman COMMAND'")
	}
	if args[0] != "system" && args[0] != "version" && args[0] != "--version" {
		note("podman")
	}
	switch args[0] {
	case "build":
		podmanBuild(ctx, args[1:])
	case "pull":
		podmanPull(ctx, args[1:])
	case "system":
		podmanService(ctx, args[1:])
	case "version", "--version":
		fmt.Println("podman version 5.8.6")
	case "ps":
		fmt.Println("[]")
	case "rmi", "image", "container", "inspect", "start", "stop", "rm", "rename", "exec":
		byProgram(ctx, os.Getenv(envPodman), args)
	default:
		exit("Error: unrecognized command `podman %s`", args[0])
	}
}

// Docker plays the program docker, for those who do things without ocisi.
func Docker() {
	note("docker")
	byProgram(context.Background(), os.Getenv(envDocker), os.Args[1:])
}

// asked is a request that a program's command stands for.
type asked struct {
	method, path string
	body         any
}

// byProgram does what the package's comment says that the programs do.
func byProgram(ctx context.Context, socket string, args []string) {
	for _, r := range requestsOf(args) {
		body, err := call(ctx, socket, r.method, r.path, r.body)
		if err != nil {
			exit("Error: %v", err)
		}
		_ = body.Close()
	}
}

func requestsOf(args []string) (all []asked) {
	each := func(names []string, method, before, after string) []asked {
		for _, name := range names {
			all = append(all, asked{method, before + name + after, nil})
		}
		return all
	}
	var names []string // and not flags
	for _, arg := range args[min(1, len(args)):] {
		if !strings.HasPrefix(arg, "-") {
			names = append(names, arg)
		}
	}
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
	exit("Error: %q is not played", args)
	return nil
}

func podmanPull(ctx context.Context, args []string) {
	ref := args[len(args)-1]
	fmt.Fprintf(os.Stderr, "Trying to pull %s...\n", ref)
	body, err := call(ctx, os.Getenv(envPodman), "POST", "/enginetest/pull?ref="+ref, nil)
	if err != nil {
		exit("Error: unable to copy from source docker://%s: %v", ref, err)
	}
	_ = body.Close()
}

// podmanService serves the server's podman on a socket of the caller's choice
// until it is told to end.
func podmanService(ctx context.Context, args []string) {
	if len(args) == 0 || args[0] != "service" {
		exit("Error: unrecognized command `podman system`")
	}
	socket := strings.TrimPrefix(args[len(args)-1], "unix://")
	l, err := (&net.ListenConfig{}).Listen(ctx, "unix", socket)
	if err != nil {
		exit("Error: %v", err)
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
		go forward(ctx, conn)
	}
}

func forward(ctx context.Context, conn net.Conn) {
	defer func() { _ = conn.Close() }()
	to, err := (&net.Dialer{}).DialContext(ctx, "unix", os.Getenv(envPodman))
	if err != nil {
		return
	}
	defer func() { _ = to.Close() }()
	go func() { _, _ = io.Copy(to, conn) }()
	_, _ = io.Copy(conn, to)
}

// podmanBuild prints what podman build prints.
func podmanBuild(ctx context.Context, args []string) {
	r, iidfile := buildRecipe(args)
	body, err := call(ctx, os.Getenv(envPodman), "POST", "/enginetest/build", r)
	if err != nil {
		exit("Error: %v", err)
	}
	for dec := json.NewDecoder(body); ; {
		var b built
		if err := dec.Decode(&b); err != nil {
			exit("Error: %v", errors.Join(context.Cause(ctx), err))
		}
		switch {
		case b.Event != nil:
			printEvent(*b.Event)
		case b.Error != "":
			exit("Error: building at STEP: %s", b.Error)
		default:
			fmt.Println(strings.TrimPrefix(b.ID, "sha256:"))
			if err := os.WriteFile(iidfile, []byte(b.ID), 0o600); err != nil {
				exit("Error: %v", err)
			}
			return
		}
	}
}

func printEvent(e event) {
	if e.Failed == "" {
		fmt.Printf("STEP %d/%d: %s\n", e.Step, e.Steps, e.Title)
	}
	if e.Cached {
		fmt.Println("--> Using cache 0123456789ab")
	}
	if e.Log != "" {
		fmt.Println(strings.TrimRight(e.Log, "\n"))
	}
}

// buildRecipe reads the arguments of podman build.
func buildRecipe(args []string) (r recipe, iidfile string) {
	r.Args, r.Labels = make(map[string]string), make(map[string]string)
	r.Context = args[len(args)-1]
	value := func(i int) string { return args[i+1] }
	for i := 0; i < len(args)-1; i++ {
		switch args[i] {
		case "--file", "-f":
			r.Image = strings.TrimPrefix(filepath.Base(value(i)), "Containerfile.")
			data, err := os.ReadFile(value(i))
			if err != nil {
				exit("Error: %v", err)
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
	return r, iidfile
}
