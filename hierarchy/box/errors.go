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
type ExistsError struct{ Name string }

func (e *ExistsError) Error() string { return "box " + e.Name + " exists" }

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
	Box  string
	Step string // create, start or check
	Log  string // all that the step printed
	Err  error
}

func (e *StepError) Error() string {
	msg := fmt.Sprintf("box %s: %s: %s", e.Box, e.Step, brief(e.Err))
	if line := lastLine(e.Log); line != "" {
		msg += ": " + line
	}
	return msg
}

func (e *StepError) Unwrap() error { return e.Err }

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
	if pe, ok := errors.AsType[*process.Error](err); ok {
		return pe.Err.Error()
	}
	return err.Error()
}
