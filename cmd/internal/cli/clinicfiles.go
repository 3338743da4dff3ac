package cli

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/klmcwhirter/ocisi/bootstrap"
	"github.com/klmcwhirter/ocisi/bootstrap/doctor"
)

// configRight is the check of the config, which doctor knows nothing about.
func (c *clinic) configRight(context.Context, doctor.Facts) doctor.Result {
	switch {
	case is[*noConfigError](c.err):
		return found(doctor.Warn, c.err.Error(), "ocisi setup")
	case c.err != nil:
		return found(doctor.Fail, c.err.Error(), "${EDITOR:-vi} "+c.path)
	}
	return found(doctor.OK, c.path+" has "+count(len(c.graph.Images), "image", "images")+" and "+count(len(c.boxes()), "box", "boxes"))
}

// setupFiles compares what setup wrote with what it would write. What the user
// edited or deleted is as it should be.
func (c *clinic) setupFiles(context.Context, doctor.Facts) doctor.Result {
	record, err := bootstrap.ReadRecord(filepath.Join(c.env.StateDir, "files.json"))
	if err != nil {
		return found(doctor.Warn, err.Error()+": files that you did not edit count as edited", "ocisi setup --diff")
	}
	files, err := bootstrap.Compare(c.env.Defaults, c.env.ConfigDir, record)
	if err != nil {
		return found(doctor.Warn, err.Error())
	}
	n := map[bootstrap.Action]int{}
	for _, f := range files.Changes {
		n[f.Action]++
	}
	written := n[bootstrap.Keep] + n[bootstrap.Update] + n[bootstrap.Removed]
	const write = "ocisi setup --no-build"
	switch {
	case n[bootstrap.Create] == len(files.Changes):
		return found(doctor.Skip, "setup has not written its files to "+c.env.ConfigDir)
	case written == 0:
		return found(doctor.OK, "the files in "+c.env.ConfigDir+" are your own")
	case n[bootstrap.Create] > 0:
		return found(doctor.Warn, count(n[bootstrap.Create], "file", "files")+" that setup ships is not in "+c.env.ConfigDir, write)
	case n[bootstrap.Update] > 0:
		return found(doctor.Info, "this ocisi ships other versions of "+count(n[bootstrap.Update], "file", "files")+" that you did not edit", "ocisi setup")
	}
	var parts []string
	for _, part := range []struct {
		action bootstrap.Action
		word   string
	}{{bootstrap.Keep, "as shipped"}, {bootstrap.Edited, "edited by you"}, {bootstrap.Removed, "deleted by you"}} {
		if n[part.action] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n[part.action], part.word))
		}
	}
	return found(doctor.OK, "files of setup: "+strings.Join(parts, ", "))
}
