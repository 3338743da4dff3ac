package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/klmcwhirter/ocisi/bootstrap/doctor"
	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/engine"
	"github.com/klmcwhirter/ocisi/hierarchy/launcher"
	"github.com/klmcwhirter/ocisi/hierarchy/plan"
)

// docker has two image stores, and shows the images and containers of the one that
// it uses. A user may not read the other one, so that it contains something is
// concluded from what previous runs left on the host.

// dockerStore is docker's image store.
type dockerStore struct {
	now    string // Info.Store
	daemon string // path of daemon.json
	flag   *bool  // features.containerd-snapshotter in daemon.json; nil: not set
}

// dockerStore returns the image store of an engine.
func (env Env) dockerStore(ctx context.Context, e *engine.Engine) (dockerStore, error) {
	info, err := e.Info(ctx)
	if err != nil {
		return dockerStore{}, err
	}
	s := dockerStore{now: info.Store, daemon: "/etc/docker/daemon.json"}
	if info.Rootless {
		s.daemon = filepath.Join(env.host().ConfigHome(), "docker", "daemon.json")
	}
	var config struct {
		Features map[string]*bool `json:"features"`
	}
	const limit = 64 << 10
	if json.Unmarshal([]byte(env.host().Head(s.daemon, limit)), &config) == nil {
		s.flag = config.Features["containerd-snapshotter"]
	}
	return s, nil
}

// pending reports whether docker uses the other store when it starts again.
func (s dockerStore) pending() bool {
	return s.flag != nil && *s.flag != (s.now == engine.ContainerdStore)
}

// back is how to make docker use the other store.
func (s dockerStore) back() (setting, command string) {
	return fmt.Sprintf("set features.containerd-snapshotter to %t in %s", s.now != engine.ContainerdStore, s.daemon), "sudo systemctl restart docker"
}

// hidden returns why docker's other store probably contains images and boxes of
// ocisi; "" if that is not known. found is what the present one contains.
func (env Env) hidden(s dockerStore, found hierarchy.Store) string {
	if hasOwn(found) {
		return ""
	}
	evidence := ""
	if previous := env.loggedStore(); previous != "" && previous != s.now {
		evidence = "the last run used " + previous
	} else if boxes := env.launchedBoxes(hierarchy.Docker); len(boxes) > 0 {
		evidence = "there are launchers of " + some(boxes)
	}
	if evidence == "" {
		return ""
	}
	return fmt.Sprintf("docker's image store %s contains no image and no box of ocisi, but %s; if docker's store was switched, they still exist in the other one",
		s.now, evidence)
}

// hasOwn reports whether a store contains an image or a box of ocisi's.
func hasOwn(s hierarchy.Store) bool {
	return slices.ContainsFunc(s.Images, func(im hierarchy.StoredImage) bool { return im.Labels[hierarchy.LabelImage] != "" }) ||
		slices.ContainsFunc(s.Boxes, func(b hierarchy.StoredBox) bool { return b.Labels[hierarchy.LabelBox] != "" })
}

// launchedBoxes returns the boxes of a manager that have launchers.
func (env Env) launchedBoxes(m hierarchy.Manager) []string {
	var boxes []string
	for _, l := range launcher.Scan(env.Files, env.launcherDirs(), nil) {
		if l.By == launcher.Ocisi && l.Owner.Manager == m && !slices.Contains(boxes, l.Owner.Box) {
			boxes = append(boxes, l.Owner.Box)
		}
	}
	return boxes
}

// The line of a run log with docker's image store.
const storeLine = "image store of docker: "

var loggedStores = regexp.MustCompile(`(?m)^` + storeLine + `(\S+)$`)

// logStore writes docker's image store to the run log.
func (s *session) logStore(ctx context.Context, log *runLog) {
	if e := s.engines[hierarchy.Docker]; e != nil {
		if info, err := e.Info(ctx); err == nil {
			log.printf("%s%s", storeLine, info.Store)
		}
	}
}

// loggedStore returns docker's image store in the newest run log that has it; "" if
// none has. The line is at the beginning of a log.
func (env Env) loggedStore() string {
	dir := filepath.Join(env.StateDir, "logs")
	entries, _ := os.ReadDir(dir) // sorted by time
	for _, entry := range slices.Backward(entries) {
		if found := loggedStores.FindStringSubmatch(head(filepath.Join(dir, entry.Name()))); found != nil {
			return found[1]
		}
	}
	return ""
}

// head returns the beginning of a regular file.
func head(path string) string {
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() {
		return ""
	}
	file, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer func() { _ = file.Close() }()
	const limit = 256 << 10
	data, _ := io.ReadAll(io.LimitReader(file, limit))
	return string(data)
}

// warnHidden warns, before everything is rebuilt, that docker's store was
// probably switched.
func (s *session) warnHidden(ctx context.Context, stores plan.Stores) {
	found, ok := stores[hierarchy.Docker]
	if !ok || hasOwn(found) {
		return
	}
	store, err := s.env.dockerStore(ctx, s.engines[hierarchy.Docker])
	if err != nil {
		return // it was observed a moment ago; the next request reports the error
	}
	if text := s.env.hidden(store, found); text != "" {
		setting, command := store.back()
		fmt.Fprintf(s.env.Stderr, "ocisi: warning: %s\nhint: to go back, %s and run: %s\n", text, setting, command)
	}
}

// imageStore names docker's image store, and warns when a switch hides images and
// boxes, or will.
func (c *clinic) imageStore(ctx context.Context, _ doctor.Facts) doctor.Result {
	e, err := c.engines[hierarchy.Docker]()
	if err != nil {
		return found(doctor.Skip, "docker does not answer")
	}
	store, err := c.env.dockerStore(ctx, e)
	if err != nil {
		return found(doctor.Skip, err.Error())
	}
	boxes, err := e.Boxes(ctx)
	if err != nil {
		return found(doctor.Skip, err.Error())
	}
	observed := hierarchy.Store{Boxes: boxes}
	if c.graph != nil && len(c.graph.Of([]hierarchy.Manager{hierarchy.Docker}).Images) > 0 {
		if observed, err = e.Observe(ctx, namesOf(c.graph, hierarchy.Docker)); err != nil {
			return found(doctor.Skip, err.Error())
		}
	}
	edit := "sudoedit " + store.daemon
	if !strings.HasPrefix(store.daemon, "/etc/") {
		edit = "${EDITOR:-vi} " + c.env.short(store.daemon)
	}
	setting, restart := store.back()
	if text := c.env.hidden(store, observed); text != "" {
		return found(doctor.Warn, text+"; to go back, "+setting, edit, restart)
	}
	if store.pending() && hasOwn(observed) {
		return found(doctor.Warn, fmt.Sprintf("features.containerd-snapshotter is %t in %s: when docker starts again, the images and boxes in its store %s are hidden", *store.flag, store.daemon, store.now), edit)
	}
	return found(doctor.OK, "image store: "+store.now)
}
