package enginetest

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Container is a container of a store.
type Container struct {
	ID      string // made up from the name when empty
	Name    string
	Image   string // the name it was created from
	ImageID string
	Labels  map[string]string
	State   string // running, exited, created
	Created int64  // Unix seconds
	SizeRw  int64  // bytes it has written

	// Files are the contents of what is in the container besides the files of
	// its image, by absolute path. Text that begins with "-> " makes the file a
	// symbolic link to what follows.
	Files map[string]string
	// Commands are answers to commands, by the whole line or by the first word of
	// it. What is not here its image has, or run plays.
	Commands map[string]Answer
	Changes  []Change // in which it differs from its image
	Log      string   // what it has printed, lines

	starts int // how often it was started

	Sessions int // commands that run in it besides its own
	Ended    int // commands that have ended and that the engine still lists
	Lost     int // the same, but nothing else is known of them, as podman's when its monitor was killed

	Mounts    []string // of the host and of volumes with a name, SOURCE:TARGET
	Anonymous []string // volumes that were made for it and have no name of their own
	Home      string   // what create was told as the box's home
	Userns    string   // podman's mode of the user namespace
	Flags     []string // that create was given to hand on, but for labels
}

// Answer is what a command does.
type Answer struct {
	Out, Err string // printed
	Exit     int
}

// Change is a path in which a container differs from its image.
type Change struct {
	Path string
	Kind int // 0 changed, 1 added, 2 deleted
}

// end ends all that runs in a container.
func (c *Container) end() {
	if c.State == "running" {
		c.State = "exited"
	}
	c.Ended += c.Sessions
	c.Sessions = 0
}

func (s *store) completeContainer(c Container) Container {
	if c.ID == "" {
		c.ID = strings.TrimPrefix(hash("container", c.Name, itoa(int(s.now()))), "sha256:")
	}
	if im := s.image(c.Image); im != nil && c.ImageID == "" {
		c.ImageID = im.ID
	}
	if c.State == "" {
		c.State = "running"
	}
	if c.Created == 0 {
		c.Created = s.now()
	}
	for _, v := range c.Anonymous {
		s.addVolume(v)
	}
	for _, m := range c.Mounts {
		if source, _, _ := strings.Cut(m, ":"); !strings.HasPrefix(source, "/") {
			s.addVolume(source)
		}
	}
	return c
}

// addVolume makes a volume where there is none of that name. The store must be
// locked.
func (s *store) addVolume(name string) {
	if !slices.Contains(s.state.Volumes, name) {
		s.state.Volumes = append(s.state.Volumes, name)
	}
}

// overlay has containers take over what the story's files say of them.
func (s *store) overlay() {
	s.mu.Lock()
	defer s.mu.Unlock()
	files, _ := filepath.Glob(filepath.Join(s.dir, s.name+"-*.container"))
	for _, file := range files {
		name := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(file), s.name+"-"), ".container")
		c := s.container(name)
		if c == nil {
			continue
		}
		data, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		c.Files, c.Commands = maps.Clone(c.Files), maps.Clone(c.Commands)
		if err := json.Unmarshal(data, c); err != nil {
			s.calls.add("%s: %v", file, err) // a story's mistake must not go unseen
		}
		_ = os.Remove(file)
	}
}

// files returns what is in a container, or nil when nothing is told of that. The
// store must be locked.
func (s *store) files(c *Container) map[string]string {
	im := s.image(c.ImageID)
	if im == nil || im.Files == nil {
		return c.Files
	}
	all := maps.Clone(im.Files)
	maps.Copy(all, c.Files)
	return all
}

// answers returns how commands are answered in a container. The store must be
// locked.
func (s *store) answers(c *Container) map[string]Answer {
	all := make(map[string]Answer)
	if im := s.image(c.ImageID); im != nil {
		maps.Copy(all, im.Commands)
	}
	maps.Copy(all, c.Commands)
	return all
}

// driverStatus is what podman says of its storage.
func (s *store) driverStatus() [][2]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	fs, shifting := s.state.FileSystem, "false"
	if fs == "" {
		fs = "btrfs"
	}
	if s.state.Shifting {
		shifting = "true"
	}
	return [][2]string{
		{"Backing Filesystem", fs}, {"Native Overlay Diff", "true"}, {"Supports d_type", "true"}, {"Supports shifting", shifting},
		{"Supports volatile", "true"}, {"Using metacopy", "false"},
	}
}
