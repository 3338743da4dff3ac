package box

import (
	"context"
	"fmt"
	"regexp"
	"strconv"

	"github.com/klmcwhirter/ocisi/internal/process"
)

// Version is a version of distrobox.
type Version struct {
	Major, Minor int
	Text         string // all of it: 1.8.2.5, 2.0.0-rc.4
}

func (v Version) String() string { return v.Text }

// before reports whether v is older than major.minor.
func (v Version) before(major, minor int) bool {
	return v.Major < major || v.Major == major && v.Minor < minor
}

var versionNumber = regexp.MustCompile(`\b(\d{1,4})\.(\d{1,4})(?:[.-]\w+)*`)

// Version asks distrobox for its version.
func (d *Distrobox) Version(ctx context.Context) (Version, error) {
	out, err := process.Output(ctx, d.Runner, process.Cmd{Name: d.bin(), Args: []string{"--version"}, Timeout: shortTimeout})
	if err != nil {
		return Version{}, fmt.Errorf("asking distrobox for its version: %w", err)
	}
	return parseVersion(out)
}

// parseVersion finds the version in "distrobox: 1.8.2.5" (version 1) or
// "distrobox version 2.0.0-rc.4" (version 2).
func parseVersion(out string) (Version, error) {
	m := versionNumber.FindStringSubmatch(out)
	if m == nil {
		return Version{}, fmt.Errorf("distrobox answered %q when asked for its version", out)
	}
	major, _ := strconv.Atoi(m[1]) // digits, by the expression
	minor, _ := strconv.Atoi(m[2])
	return Version{Major: major, Minor: minor, Text: m[0]}, nil
}
