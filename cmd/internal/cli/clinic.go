package cli

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"slices"
	"sync"

	"github.com/klmcwhirter/ocisi/bootstrap/doctor"
	"github.com/klmcwhirter/ocisi/bootstrap/host"
	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/engine"
)

// clinic is what the checks of one examination share: the config, and engines
// that are opened at most once. It must be closed.
type clinic struct {
	env    Env
	path   string // of the config
	loaded *loaded
	graph  *hierarchy.Graph // nil without a config that is right
	err    error            // why there is no graph

	engines map[hierarchy.Manager]func() (*engine.Engine, error)

	mu     sync.Mutex
	opened []*engine.Engine
	closed bool
}

// clinic opens no engine yet. They are opened with a context that outlives the
// check that asks first, since others ask as well.
func (env Env) clinic(ctx context.Context, path string) *clinic {
	c := &clinic{env: env, path: path, engines: map[hierarchy.Manager]func() (*engine.Engine, error){}}
	for _, m := range []hierarchy.Manager{hierarchy.Docker, hierarchy.Podman} {
		c.engines[m] = sync.OnceValues(func() (*engine.Engine, error) { return c.open(ctx, m) })
	}
	return c
}

func (c *clinic) open(ctx context.Context, m hierarchy.Manager) (*engine.Engine, error) {
	e, err := c.env.openEngine(ctx, m, nil)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed { // the check that wanted it was given up
		return nil, errors.Join(errors.New("too late"), e.Close())
	}
	c.opened = append(c.opened, e)
	return e, nil
}

func (c *clinic) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for _, e := range c.opened {
		_ = e.Close() // what was found out has been said
	}
}

// host is the machine and its user.
func (env Env) host() host.Host {
	return host.Host{
		Root: env.Files, Runner: env.Runner, Getenv: env.Getenv,
		User:   host.User{Name: env.User, UID: env.UID, GIDs: env.Groups, Home: env.Home},
		Statfs: env.Space,
	}
}

// facts are what checks look at.
func (c *clinic) facts() doctor.Facts {
	env := c.env
	facts := doctor.Facts{
		Host:   env.host(),
		Docker: func(ctx context.Context) doctor.Engine { return c.diagnose(ctx, hierarchy.Docker) },
		Podman: func(ctx context.Context) doctor.Engine { return c.diagnose(ctx, hierarchy.Podman) },
		Config: c.path,
		Homes:  map[string]string{},
	}
	for _, im := range c.boxes() {
		if home := im.Box.Home; home != "" && home[0] == '/' {
			facts.Homes[im.Box.Name] = home
		}
	}
	return facts
}

// boxes are the images of the config that boxes are made of, once for each.
func (c *clinic) boxes() []hierarchy.Image {
	if c.graph == nil {
		return nil
	}
	return c.graph.Boxes()
}

func (c *clinic) managers() []hierarchy.Manager {
	if c.graph == nil {
		return nil
	}
	return c.graph.Managers()
}

// diagnose is what doctor is told of an engine.
func (c *clinic) diagnose(ctx context.Context, m hierarchy.Manager) doctor.Engine {
	var d doctor.Engine
	for _, wanted := range c.managers() {
		d.Wanted = d.Wanted || wanted == m
	}
	for _, im := range c.boxes() {
		if im.Manager == m {
			d.Boxes++
		}
	}
	_, err := c.env.LookPath(string(m))
	d.Installed = err == nil
	e, err := c.engines[m]()
	if err != nil {
		// docker without its program is there all the same when its socket is; only
		// then can it be out of reach for want of a permission.
		d.Installed = d.Installed || errors.Is(err, fs.ErrPermission)
		d.Err = err
		if e, ok := errors.AsType[*engine.UnreachableError](err); ok {
			d.Endpoint = e.Endpoint
		}
		return d
	}
	d.Installed = true
	info, err := e.Info(ctx)
	d.Err = err
	d.Version, d.Endpoint, d.Root, d.Rootless = info.Version, info.Endpoint, info.Root, info.Rootless
	d.FileSystem, d.Copies = info.FileSystem, info.Copies
	return d
}

// checks are all there are, area by area.
func (c *clinic) checks() []doctor.Check {
	checks := append(doctor.Checks(),
		doctor.Check{ID: "docker.store", Area: doctor.Docker, What: "docker's image store", Run: c.imageStore},
		doctor.Check{ID: "config", Area: doctor.Ocisi, What: "the config is right", Run: c.configRight},
		doctor.Check{ID: "xdg.setup", Area: doctor.Ocisi, What: "files of ocisi setup", Run: c.setupFiles},
		doctor.Check{ID: "image.base", Area: doctor.Ocisi, What: "images are there", Run: c.imagesThere},
		doctor.Check{ID: "image.entrypoint", Area: doctor.Ocisi, What: "images of boxes start nothing", Run: c.entrypoints},
		doctor.Check{ID: "boxes.waiting", Area: doctor.Ocisi, What: "no box is half replaced", Run: c.waitingBoxes},
		doctor.Check{ID: "boxes.migrated", Area: doctor.Ocisi, What: "boxes of distrobox migrate", Run: c.migratedBoxes},
		doctor.Check{ID: "boxes.helpers", Area: doctor.Ocisi, What: "boxes find distrobox", Run: c.helpers},
		doctor.Check{ID: "launchers", Area: doctor.Home, What: "launchers of boxes", Run: c.launchers},
		doctor.Check{ID: "launchers.shadow", Area: doctor.Home, What: "launchers in the way of the shell", Run: c.shadows},
	)
	slices.SortStableFunc(checks, func(a, b doctor.Check) int {
		return cmp.Compare(slices.Index(doctor.Areas(), a.Area), slices.Index(doctor.Areas(), b.Area))
	})
	return checks
}

// setupChecks are those that tell whether images can be built and boxes made.
func setupChecks() []doctor.Check {
	checks, _ := doctor.Select(doctor.Checks(), []string{"host", "podman", "docker", "distrobox", "storage", "selinux", "home.shell"})
	return checks
}
