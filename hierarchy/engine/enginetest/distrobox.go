package enginetest

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
)

// Distrobox plays the program distrobox: create, enter, rm, list and --version,
// on the store of DBX_CONTAINER_MANAGER. In a box there is one program,
// distrobox-export; all others do nothing, successfully.
func Distrobox() {
	note("distrobox")
	args := os.Args[1:]
	if len(args) == 0 {
		exit("Error: a command is needed")
	}
	if data, err := os.ReadFile(filepath.Join(os.Getenv(envDir), "distrobox-"+args[0]+".err")); err == nil {
		exit("%s", strings.TrimRight(string(data), "\n"))
	}
	ctx := context.Background()
	switch args[0] {
	case "--version", "version", "-V":
		printVersion()
	case "create":
		boxCreate(ctx, args[1:])
	case "enter":
		boxEnter(ctx, args[1:])
	case "rm":
		boxRemove(ctx, args[1:])
	case "list":
		fmt.Println("ID | NAME | STATUS | IMAGE")
	default:
		exit("Error: invalid command")
	}
}

func printVersion() {
	version := "1.8.2.5"
	if data, err := os.ReadFile(filepath.Join(os.Getenv(envDir), "distrobox-version")); err == nil {
		version = strings.TrimSpace(string(data))
	}
	if strings.HasPrefix(version, "2.") {
		fmt.Println("distrobox version " + version)
		return
	}
	fmt.Println("distrobox: " + version)
}

// store returns the socket of the store that distrobox was told to use.
func socketOfManager() string {
	if os.Getenv("DBX_CONTAINER_MANAGER") == "podman" {
		return os.Getenv(envPodman)
	}
	return os.Getenv(envDocker)
}

// flags are the arguments of a distrobox command, the last value of each, and
// what follows --.
type flags struct {
	values  map[string]string
	labels  map[string]string
	rest    []string // words that are no flags
	command []string
}

func parseFlags(args []string) flags {
	f := flags{values: make(map[string]string), labels: make(map[string]string)}
	for i := 0; i < len(args); i++ {
		name, value, has := strings.Cut(args[i], "=")
		switch name {
		case "--":
			f.command = args[i+1:]
			return f
		case "--image", "-i", "--name", "-n", "--home", "-H", "--hostname", "--volume", "--additional-packages", "--init-hooks", "--additional-flags", "-a":
			if !has && i+1 < len(args) {
				i++
				value = args[i]
			}
			f.values[name] = value
			if name == "--additional-flags" {
				f.addLabel(value)
			}
		default:
			if strings.HasPrefix(name, "-") {
				f.values[name] = value
			} else {
				f.rest = append(f.rest, args[i])
			}
		}
	}
	return f
}

func (f flags) addLabel(flag string) {
	for _, prefix := range []string{"--label ", "--label="} {
		if label, ok := strings.CutPrefix(flag, prefix); ok {
			k, v, _ := strings.Cut(label, "=")
			f.labels[k] = strings.Trim(v, `'"`)
		}
	}
}

func (f flags) name() string {
	for _, flag := range []string{"--name", "-n"} {
		if name := f.values[flag]; name != "" {
			return name
		}
	}
	if len(f.rest) > 0 {
		return f.rest[0]
	}
	return ""
}

func boxCreate(ctx context.Context, args []string) {
	f := parseFlags(args)
	f.labels["manager"] = "distrobox"
	f.labels["distrobox.unshare_groups"] = "0"
	image := f.values["--image"]
	if image == "" {
		image = f.values["-i"]
	}
	fmt.Fprintf(os.Stderr, "Creating '%s' using image %s\n", f.name(), image)
	c := Container{Name: f.name(), Image: image, Labels: f.labels, State: "created"}
	body, err := call(ctx, socketOfManager(), http.MethodPost, "/enginetest/container", c)
	if err != nil {
		exit("Error: %v", err)
	}
	_ = body.Close()
	fmt.Printf("Distrobox '%s' successfully created.\n", f.name())
}

func boxEnter(ctx context.Context, args []string) {
	f := parseFlags(args)
	body, err := call(ctx, socketOfManager(), http.MethodPost, "/containers/"+f.name()+"/start", nil)
	if err != nil {
		exit("Error: %v", err)
	}
	_ = body.Close()
	if len(f.command) > 0 && f.command[0] == "distrobox-export" {
		export(f.name(), f.command[1:])
	}
}

// export writes the launcher of a program, marked as distrobox marks its own.
func export(box string, args []string) {
	var bin, dir string
	for i := 0; i+1 < len(args); i++ {
		switch args[i] {
		case "--bin", "-b":
			bin = args[i+1]
		case "--export-path", "-ep":
			dir = args[i+1]
		}
	}
	if bin == "" {
		return
	}
	text := fmt.Sprintf("#!/bin/sh\n# distrobox_binary\n# name: %s\nexec distrobox-enter -n %s -- '%s' \"$@\"\n", box, box, bin)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		exit("Error: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, filepath.Base(bin)), []byte(text), 0o755); err != nil { //nolint:gosec // a program
		exit("Error: %v", err)
	}
	fmt.Printf("%s from %s exported successfully in %s.\n", bin, box, dir)
}

func boxRemove(ctx context.Context, args []string) {
	for _, name := range parseFlags(args).rest {
		// Nothing to remove is a success to distrobox.
		if body, err := call(ctx, socketOfManager(), http.MethodDelete, "/containers/"+name+"?force=1", nil); err == nil {
			_ = body.Close()
		}
	}
}
