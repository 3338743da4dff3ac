package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"github.com/spf13/viper"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/box"
	"github.com/klmcwhirter/ocisi/internal/input"
)

// noConfigError says that there is no config file.
type noConfigError struct{ path string }

func (e *noConfigError) Error() string { return "no config: " + e.path + " does not exist" }

// loaded is a config file with all that the environment adds.
type loaded struct {
	config *hierarchy.Config
	lock   *hierarchy.Lock // nil: there is no lock file
	jobs   int

	// all is what is enabled. A verb may want less of it.
	all *hierarchy.Graph

	startTimeout time.Duration // of a first start; 0 when nobody says

	warnings []box.Warning // of distrobox.ini, about what is lost
}

// configPath returns the absolute path of the config: -f, else OCISI_FILE, else
// the default. A bare name that is not in the working directory is looked up
// beside the default.
func (env Env) configPath(file string) string {
	file = cmp.Or(file, env.Getenv("OCISI_FILE"))
	if file == "" {
		return filepath.Join(env.ConfigDir, "ocisi.yaml")
	}
	if filepath.IsAbs(file) {
		return filepath.Clean(file)
	}
	here := filepath.Join(env.Dir, file)
	if strings.ContainsRune(file, filepath.Separator) || env.exists(here) {
		return here
	}
	if there := filepath.Join(env.ConfigDir, file); env.exists(there) {
		return there
	}
	return here
}

func (env Env) exists(path string) bool {
	_, err := fs.Stat(env.Files, strings.TrimPrefix(path, "/"))
	return err == nil
}

// mayExist reports whether a file is there, or is where one may not look.
func (env Env) mayExist(path string) bool {
	_, err := fs.Stat(env.Files, strings.TrimPrefix(path, "/"))
	return !errors.Is(err, fs.ErrNotExist)
}

// sameFile reports whether two paths are the same file: equal, or the same by
// way of symbolic links. Of a file that is missing, its directory is compared.
func (env Env) sameFile(a, b string) bool {
	a, b = filepath.Clean(a), filepath.Clean(b)
	if a == b {
		return true
	}
	one, errOne := fs.Stat(env.Files, strings.TrimPrefix(a, "/"))
	other, errOther := fs.Stat(env.Files, strings.TrimPrefix(b, "/"))
	if errOne == nil && errOther == nil {
		return os.SameFile(one, other)
	}
	return filepath.Base(a) == filepath.Base(b) && resolved(filepath.Dir(a)) == resolved(filepath.Dir(b))
}

// ownership decides what a run with a config may change and remove.
func (env Env) ownership(config string) hierarchy.Ownership {
	return hierarchy.Ownership{UID: env.UID, Config: config, Exists: env.mayExist, Same: env.sameFile}
}

// readFile reads a file of at most [input.MaxSize].
func (env Env) readFile(path string) ([]byte, error) {
	data, err := input.ReadFile(env.Files, strings.TrimPrefix(path, "/"), input.MaxSize)
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		pe.Path = path // the FS knows it without its first slash
	}
	return data, err
}

// load reads the config and the settings that flags and environment override.
// Boxes without a box: key take what distrobox.ini beside the config says.
func (env Env) load(file string, flags *pflag.FlagSet) (*loaded, error) {
	path := env.configPath(file)
	data, err := env.readFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &noConfigError{path: path}
	}
	if err != nil {
		return nil, err
	}
	cfg, err := hierarchy.ParseConfig(path, data)
	if err != nil {
		return nil, err
	}
	warnings, err := env.addBoxes(cfg)
	if err != nil {
		return nil, err
	}
	l, err := env.settle(cfg, flags)
	if err != nil {
		return nil, err
	}
	l.warnings = slices.DeleteFunc(warnings, func(w box.Warning) bool { return w.Note })
	l.lock, err = env.readLock(path)
	return l, err
}

// settle applies the settings: flag, then OCISI_* in the environment, then the
// file, then the default.
func (env Env) settle(cfg *hierarchy.Config, flags *pflag.FlagSet) (*loaded, error) {
	v := viper.New()
	v.SetEnvPrefix("ocisi")
	v.AutomaticEnv()
	// A docker build waits more than it computes; on two CPUs, four at once were
	// measured to be faster than two.
	v.SetDefault("jobs", max(env.CPUs, 4))
	file := map[string]any{}
	if cfg.Jobs > 0 {
		file["jobs"] = cfg.Jobs
	}
	if cfg.StartTimeout > 0 {
		file["start_timeout"] = cfg.StartTimeout
	}
	if cfg.Manager != "" {
		file["manager"] = string(cfg.Manager)
	}
	if err := v.MergeConfigMap(file); err != nil {
		return nil, err
	}
	if f := flags.Lookup("jobs"); f != nil {
		if err := v.BindPFlag("jobs", f); err != nil {
			return nil, err
		}
	}
	jobs := v.GetInt("jobs")
	if jobs < 1 {
		return nil, &usageError{err: fmt.Errorf("jobs: %q is not a whole number from 1", v.GetString("jobs"))}
	}
	start := v.GetDuration("start_timeout")
	if v.GetString("start_timeout") != "" && start <= 0 {
		return nil, &usageError{err: fmt.Errorf("start_timeout: %q is no time; write a number with s, m or h, as in 15m", v.GetString("start_timeout"))}
	}
	m, err := env.manager(v.GetString("manager"))
	if err != nil {
		return nil, err
	}
	cfg.Manager = m
	return &loaded{config: cfg, jobs: jobs, startTimeout: start}, nil
}

// manager returns the manager of images that name none: what the settings say,
// else $DBX_CONTAINER_MANAGER, else docker where it is installed, else podman.
func (env Env) manager(setting string) (hierarchy.Manager, error) {
	if setting != "" {
		m, err := hierarchy.ParseManager(setting)
		if err != nil {
			return "", &usageError{err: fmt.Errorf("OCISI_MANAGER: %w; write docker or podman", err)}
		}
		return m, nil
	}
	switch dbx := env.Getenv("DBX_CONTAINER_MANAGER"); dbx {
	case "", "autodetect":
	case "podman-launcher":
		return hierarchy.Podman, nil
	default:
		m, err := hierarchy.ParseManager(dbx)
		if err != nil {
			return "", &usageError{err: fmt.Errorf("DBX_CONTAINER_MANAGER: %w; set it to docker or podman, or unset it", err)}
		}
		return m, nil
	}
	if _, err := env.LookPath("docker"); err == nil {
		return hierarchy.Docker, nil
	}
	return hierarchy.Podman, nil
}

// addBoxes fills boxes that have no box: key from distrobox.ini.
func (env Env) addBoxes(cfg *hierarchy.Config) ([]box.Warning, error) {
	path := filepath.Join(filepath.Dir(cfg.File), "distrobox.ini")
	data, err := env.readFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	boxes, warnings, err := box.ReadINI(strings.NewReader(string(data)), path, env.Getenv)
	if err != nil {
		return nil, err
	}
	for i, e := range cfg.Entries {
		if b, ok := boxes[e.BoxName()]; ok && e.Box == nil && e.HasBox() {
			cfg.Entries[i].Box = &b
		}
	}
	return warnings, nil
}

// readLock reads the lock file of a config; nil when there is none.
func (env Env) readLock(config string) (*hierarchy.Lock, error) {
	path := hierarchy.LockPath(config)
	data, err := env.readFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return hierarchy.ParseLock(path, data)
}

// hierarchy reads the config (load) and resolves its images (graph).
func (env Env) hierarchy(file string, flags *pflag.FlagSet) (*loaded, *hierarchy.Graph, error) {
	l, err := env.load(file, flags)
	if err != nil {
		return nil, nil, err
	}
	l.all, err = env.graph(l)
	return l, l.all, err
}

// graph resolves the enabled images, with their bases as the lock file has them.
func (env Env) graph(l *loaded) (*hierarchy.Graph, error) {
	cfg := l.config
	g, err := cfg.Graph(hierarchy.Host{
		Files: env.Files, Manager: cfg.Manager, User: env.User, UID: env.UID, GID: env.GID, Home: env.Home, Data: env.realData(),
	})
	if err == nil {
		g.Pin(l.lock)
	}
	return g, err
}

// wanted returns the images of the names, with what they are built from, ready
// to be planned: their build contexts have been read.
func (env Env) wanted(g *hierarchy.Graph, names []string) (*hierarchy.Graph, error) {
	g, err := g.Only(names)
	if err != nil {
		return nil, err
	}
	return g, g.Read(env.Files)
}
