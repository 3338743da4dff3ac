package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/klmcwhirter/ocisi/internal/input"
	"github.com/klmcwhirter/ocisi/internal/process"
)

// Group is an entry of the group database.
type Group struct {
	Name    string
	GID     int
	Members []string
	Local   bool // in /etc/group, the only file that usermod edits
}

// maxDatabase is the largest supported file of the user database, in bytes. Large
// organizations have tens of thousands of entries.
const maxDatabase = 16 << 20

// getentMissing is the exit status of getent for a key that does not exist.
const getentMissing = 2

// Group returns the group of a name, or false. It runs getent, because the groups of
// an image are in /usr/lib/group, which os/user does not read without cgo, and other
// groups may come from the network. Without getent it reads the two files.
func (h Host) Group(ctx context.Context, name string) (Group, bool, error) {
	local, isLocal, err := h.groupIn("etc/group", name)
	if err != nil {
		return Group{}, false, err
	}
	out, err := h.output(ctx, "getent", "group", name)
	if err == nil {
		found, err := parseGroup(out)
		found.Local = isLocal
		return found, err == nil, err
	}
	if failed, ok := errors.AsType[*process.Error](err); ok && failed.Exit == getentMissing {
		return Group{}, false, nil
	}
	if ctx.Err() != nil {
		return Group{}, false, fmt.Errorf("looking up group %s: %w", name, err)
	}
	if isLocal {
		return local, true, nil
	}
	return h.groupIn("usr/lib/group", name)
}

func (h Host) groupIn(file, name string) (Group, bool, error) {
	data, err := input.ReadFile(h.Root, file, maxDatabase)
	if errors.Is(err, fs.ErrNotExist) {
		return Group{}, false, nil
	}
	if err != nil {
		return Group{}, false, fmt.Errorf("looking up group %s: %w", name, err)
	}
	for line := range strings.Lines(string(data)) {
		if strings.HasPrefix(line, name+":") {
			group, err := parseGroup(strings.TrimSpace(line))
			group.Local = file == "etc/group"
			return group, err == nil, err
		}
	}
	return Group{}, false, nil
}

// parseGroup parses a line name:password:gid:member,member.
func parseGroup(line string) (Group, error) {
	fields := strings.Split(line, ":")
	if len(fields) < 4 {
		return Group{}, fmt.Errorf("reading group entry %q: fewer than four fields", line)
	}
	gid, err := parseID(fields[2])
	if err != nil {
		return Group{}, fmt.Errorf("reading group entry %q: %w", line, err)
	}
	members := strings.FieldsFunc(fields[3], func(r rune) bool { return r == ',' || r == ' ' })
	return Group{Name: fields[0], GID: gid, Members: members}, nil
}

// Listed reports whether the user is a member of a group in the group database. The
// membership may be effective only after the next login; see [Host.Active].
func (h Host) Listed(ctx context.Context, group Group) bool {
	if slices.Contains(group.Members, h.User.Name) {
		return true
	}
	// The member field lists neither users with this primary group nor members from
	// other sources.
	out, err := h.output(ctx, "id", "-G", h.User.Name)
	return err == nil && slices.Contains(strings.Fields(out), strconv.Itoa(group.GID))
}

// Active reports whether this process is in a group.
func (h Host) Active(group Group) bool { return slices.Contains(h.User.GIDs, group.GID) }

// ManagerGroups returns the groups of the user's systemd instance. Timers and the
// programs of a desktop inherit them. They date from the first login since boot. The
// error wraps [fs.ErrNotExist] if there is no such instance.
func (h Host) ManagerGroups(ctx context.Context) ([]int, error) {
	unit := fmt.Sprintf("user@%d.service", h.User.UID)
	out, err := h.output(ctx, "systemctl", "show", "-p", "MainPID", "--value", unit)
	if err != nil {
		return nil, fmt.Errorf("asking for %s: %w", unit, err)
	}
	if pid, err := strconv.Atoi(out); err != nil || pid == 0 {
		return nil, fmt.Errorf("asking for %s: it is not running: %w", unit, fs.ErrNotExist)
	}
	data, err := input.ReadFile(h.Root, "proc/"+out+"/status", input.MaxSize)
	if err != nil {
		return nil, fmt.Errorf("reading the groups of %s: %w", unit, err)
	}
	gids, err := statusGroups(string(data))
	if err != nil {
		return nil, fmt.Errorf("reading the groups of %s: %w", unit, err)
	}
	return gids, nil
}

// statusGroups returns the groups in the text of a /proc/PID/status: the real GID and
// the supplementary groups.
func statusGroups(status string) ([]int, error) {
	var gids []int
	for line := range strings.Lines(status) {
		key, list, _ := strings.Cut(line, ":")
		fields := strings.Fields(list)
		switch key {
		case "Gid":
			fields = fields[:min(len(fields), 1)]
		case "Groups":
		default:
			continue
		}
		for _, field := range fields {
			gid, err := parseID(field)
			if err != nil {
				return nil, err
			}
			gids = append(gids, gid)
		}
	}
	return gids, nil
}

// parseID parses a UID, a GID or a number of IDs.
func parseID(text string) (int, error) {
	id, err := strconv.ParseUint(text, 10, 32)
	return int(id), err //nolint:gosec // 32 bits
}

// Range is a range of subordinate IDs, see subuid(5).
type Range struct{ Start, Count int }

// SubIDs returns the user's ranges in /etc/subuid or /etc/subgid, and the first ID
// above all ranges. Like newuidmap, it skips invalid lines.
func (h Host) SubIDs(file string) (ranges []Range, free int) {
	free = 100000 // where useradd begins
	data, _ := input.ReadFile(h.Root, relative(file), maxDatabase)
	for line := range strings.Lines(string(data)) {
		fields := strings.Split(strings.TrimSpace(line), ":")
		if len(fields) != 3 {
			continue
		}
		start, err := parseID(fields[1])
		count, countErr := parseID(fields[2])
		if errors.Join(err, countErr) != nil {
			continue
		}
		free = max(free, start+count)
		if fields[0] == h.User.Name || fields[0] == strconv.Itoa(h.User.UID) {
			ranges = append(ranges, Range{start, count})
		}
	}
	return ranges, free
}
