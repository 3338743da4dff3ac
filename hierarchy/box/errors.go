package box

import (
	"errors"
	"fmt"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/internal/process"
)

// ValueError says that a value of a box cannot be handed to distrobox.
type ValueError struct {
	Box    string
	Key    string // as the config has it
	Value  string
	Reason string
}

func (e *ValueError) Error() string {
	return fmt.Sprintf("box %s: %s: %q %s", e.Box, e.Key, e.Value, e.Reason)
}

// NoImageError says that the image of a box is not in the store. It is never
// pulled: the name may be anyone's.
type NoImageError struct {
	Manager hierarchy.Manager
	Ref     string
}

func (e *NoImageError) Error() string {
	return fmt.Sprintf("%s has no image %s", e.Manager, hierarchy.FamiliarRef(e.Ref))
}

// ExistsError says that there is a box of that name already.
type ExistsError struct {
	Name    string
	Refusal string // why it may not be changed (hierarchy.Ownership.Refusal); "" if it may
}

func (e *ExistsError) Error() string {
	if e.Refusal != "" {
		return "box " + e.Name + " exists: " + e.Refusal
	}
	return "box " + e.Name + " exists"
}

// ChangedError says that a name belongs to another container than planned, so that
// nothing was done to it.
type ChangedError struct {
	Name    string
	Planned string // the ID of the container that the name belonged to
	ID      string // of the one that has the name now; "" if there is none
}

func (e *ChangedError) Error() string {
	if e.ID == "" {
		return fmt.Sprintf("container %s (%s) is gone or was renamed", e.Name, shortID(e.Planned))
	}
	return fmt.Sprintf("container %s was replaced: planned %s, found %s", e.Name, shortID(e.Planned), shortID(e.ID))
}

// shortID returns an ID as engines print it in lists.
func shortID(id string) string { return id[:min(len(id), 12)] }

// TakenError says that another program created a container under the name of a box
// while this run was creating the box. The container is not changed.
type TakenError struct {
	Manager hierarchy.Manager
	Root    bool // the store is root's podman's
	Name    string
	ID      string // of the container that has the name
	Old     string // the name that the previous box has now; "" if there was none
}

func (e *TakenError) Error() string {
	msg := "another program created container " + e.Name + " (" + shortID(e.ID) + ") at the same time"
	if e.Old != "" {
		msg += "; the previous box is kept as " + e.Old
	}
	return msg
}

// UnknownError says that an interrupted run left two boxes, and that it could not be
// determined whether the new one works. Neither was changed.
type UnknownError struct {
	Manager hierarchy.Manager
	Root    bool // the store is root's podman's
	Name    string
	Old     string // the name that the previous box has now
	Err     error  // why the new one was not entered
}

func (e *UnknownError) Error() string {
	return fmt.Sprintf("an earlier run was interrupted while it replaced box %s, and the new box could not be checked: %v; nothing was changed, and the previous box is %s",
		e.Name, e.Err, e.Old)
}

func (e *UnknownError) Unwrap() error { return e.Err }

// InUseError says that somebody works in a box, which would end with it.
type InUseError struct {
	Box      string
	Sessions int // commands that run in it
}

func (e *InUseError) Error() string {
	if e.Sessions == 1 {
		return "box " + e.Box + " is in use: a shell or a program runs in it"
	}
	return fmt.Sprintf("box %s is in use: %d shells and programs run in it", e.Box, e.Sessions)
}

// NoGenerationError says that there is nothing to roll back to.
type NoGenerationError struct {
	Box string
	N   int // the number that was asked for; 0: whichever is the latest
}

func (e *NoGenerationError) Error() string {
	if e.N > 0 {
		return fmt.Sprintf("box %s has no generation %d", e.Box, e.N)
	}
	return "box " + e.Box + " has no former generation"
}

// NotBoxError says that a container of that name is there and is no box.
type NotBoxError struct{ Name string }

func (e *NotBoxError) Error() string { return "container " + e.Name + " is not a distrobox" }

// SudoError says that root's boxes cannot be reached without a password.
type SudoError struct {
	Box     string
	Program string
	Err     error
}

func (e *SudoError) Error() string {
	return fmt.Sprintf("box %s has root: true, and %s asks for a password", e.Box, e.Program)
}

func (e *SudoError) Unwrap() error { return e.Err }

// StepError says that a step of making a box failed.
type StepError struct {
	Box       string
	Step      string // create, start or check
	Log       string // all that the step printed
	Container string // the last lines that the container itself printed, as far as it came to that
	Err       error
}

func (e *StepError) Error() string {
	msg := fmt.Sprintf("box %s: %s: %s", e.Box, e.Step, brief(e.Err))
	if line := lastLine(e.Log); line != "" {
		msg += ": " + line
	}
	return msg
}

func (e *StepError) Unwrap() error { return e.Err }

// CheckError says in what a box is not as it must be.
type CheckError struct {
	Box  string
	What string // user, uid, home, shell or box.check
	Want string // of box.check the command
	Got  string // of box.check what it printed
	Err  error  // of box.check, how it ended
}

func (e *CheckError) Error() string {
	switch e.What {
	case "shell":
		return fmt.Sprintf("its image has no %s, which is your shell, and would not install it", e.Want)
	case "box.check":
		return fmt.Sprintf("%s: %s", e.Want, brief(e.Err))
	}
	return fmt.Sprintf("its %s is %q, not %q", e.What, e.Got, e.Want)
}

func (e *CheckError) Unwrap() error { return e.Err }

// ExportError says that a box works but a program or an application of it
// could not be exported.
type ExportError struct {
	Box  string
	What string // as the config has it
	Log  string // all that distrobox-export printed
	Err  error
}

func (e *ExportError) Error() string {
	msg := fmt.Sprintf("box %s: export %s: %s", e.Box, e.What, brief(e.Err))
	if line := lastLine(e.Log); line != "" {
		msg += ": " + line
	}
	return msg
}

func (e *ExportError) Unwrap() error { return e.Err }

// brief leaves out the command line of a program that failed: it is long, and
// the log has it.
func brief(err error) string {
	if ce, ok := errors.AsType[*CheckError](err); ok {
		return ce.Error()
	}
	if pe, ok := errors.AsType[*process.Error](err); ok {
		return pe.Err.Error()
	}
	return err.Error()
}
