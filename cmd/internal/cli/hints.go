package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/klmcwhirter/ocisi/bootstrap/ownedfile"
	"github.com/klmcwhirter/ocisi/bootstrap/timer"
	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/apply"
	"github.com/klmcwhirter/ocisi/hierarchy/box"
	"github.com/klmcwhirter/ocisi/hierarchy/engine"
	"github.com/klmcwhirter/ocisi/hierarchy/launcher"
	"github.com/klmcwhirter/ocisi/hierarchy/plan"
	"github.com/klmcwhirter/ocisi/internal/process"
)

// report shows a verb's error with what to do about it, and returns the exit
// status.
func report(ctx context.Context, env Env, config string, err error) int {
	if err == nil {
		return exitDone
	}
	if code, ok := errors.AsType[exitError](err); ok {
		return int(code)
	}
	switch {
	case wasStopped(ctx, err):
		fmt.Fprintln(env.Stderr, "ocisi: stopped; what was finished stays")
	case !errors.Is(err, errFailed):
		fmt.Fprintf(env.Stderr, "ocisi: %v\n", err)
		if h := hint(err, env.self(config)); h != "" {
			fmt.Fprintf(env.Stderr, "hint: %s\n", h)
		}
	}
	return status(err)
}

// exitError is an error that says nothing and only sets the exit status.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

func status(err error) int {
	switch {
	case is[*usageError](err), is[*hierarchy.ConfigError](err), is[*hierarchy.UnknownNameError](err), is[*noConfigError](err), is[*homeError](err), is[*unknownBaseError](err), is[*noDevImageError](err), is[*noFolderError](err), is[*noBoxError](err), is[*plan.NoGenerationError](err), is[*box.INIError](err):
		return exitUsage
	case is[*process.NotFoundError](err):
		return exitNotFound
	case is[*lockedError](err), is[*notNowError](err):
		return exitNotNow
	}
	return exitFailed
}

func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// self is how ocisi is typed for a config: with -f, unless it is the default one.
func (env Env) self(config string) string {
	cmd := process.Cmd{Name: "ocisi"}
	if !env.sameFile(config, env.configPath("")) {
		cmd.Args = []string{"-f", config}
	}
	return cmd.String()
}

// hint returns a command to type, or ""; self is how ocisi is typed.
func hint(err error, self string) string {
	if e, ok := errors.AsType[*usageError](err); ok && e.cmd != nil {
		return fmt.Sprintf("'%s --help' shows what there is", e.cmd.CommandPath())
	}
	if e, ok := errors.AsType[*engine.UnreachableError](err); ok {
		return unreachableHint(e)
	}
	if e, ok := errors.AsType[*process.NotFoundError](err); ok && e.Name != "just" {
		return fmt.Sprintf("install %s; 'ocisi doctor' shows what else is missing", e.Name)
	}
	if e, ok := errors.AsType[*engine.InUseError](err); ok && len(e.Containers) > 0 {
		return fmt.Sprintf("remove what uses it first, if you do not need it: %s rm %s", e.Manager, e.Containers[0])
	}
	if is[*changedError](err) {
		return "look at what there is now, then run it again: " + self + " clean --dry-run"
	}
	if e, ok := errors.AsType[*lockedError](err); ok {
		if e.pid == 0 {
			return "wait for it to end, or look at it: pgrep -a ocisi"
		}
		return fmt.Sprintf("wait for it to end, or look at it: ps -fp %d", e.pid)
	}
	return hintForStep(err, self)
}

func hintForStep(err error, self string) string {
	if e, ok := errors.AsType[*apply.RefusedError](err); ok {
		return refusedHint(e, self)
	}
	if e, ok := errors.AsType[*hierarchy.ContextNameError](err); ok {
		return "rename the file, or exclude it in " + filepath.Join(e.Context, ".containerignore")
	}
	if e, ok := errors.AsType[*unknownBaseError](err); ok {
		return "known bases: " + strings.Join(e.known, ", ")
	}
	if e, ok := errors.AsType[*engine.GoneError](err); ok {
		return "move the lock to what the registry has now: " + self + " lock --update " + e.Ref
	}
	if e, ok := errors.AsType[*lockFileError](err); ok {
		return "make the folder writable, or delete " + e.file + " to do without a lock"
	}
	if e, ok := errors.AsType[*hierarchy.UnknownNameError](err); ok && e.Near == "" {
		return "'" + self + " list --all' shows the names"
	}
	if e, ok := errors.AsType[*engine.MissingError](err); ok {
		return "somebody removed it meanwhile; '" + self + " process' builds it again, then " + e.Ref
	}
	if e, ok := errors.AsType[*notBuiltError](err); ok && !e.foreign {
		return "build it first: " + self + " process " + e.key.Ref
	}
	return hintForConfig(err, self)
}

// hintForConfig is for a config that is missing, or in the way.
func hintForConfig(err error, self string) string {
	if is[*thereError](err) {
		return "look at it first: ocisi import --print …; then --force keeps what is there as FILE.old, and -o FILE writes elsewhere"
	}
	if is[*homeError](err) {
		return `set it to your home directory: export HOME="$(getent passwd "$(id -u)" | cut -d: -f6)"`
	}
	if is[*noConfigError](err) {
		return "run 'ocisi setup' to write the default files, or name yours: ocisi -f FILE"
	}
	return hintForBox(err, self)
}

func hintForBox(err error, self string) string {
	if e, ok := errors.AsType[*box.SudoError](err); ok {
		return fmt.Sprintf("give your password once, then run ocisi again: %s -v", e.Program)
	}
	if e, ok := errors.AsType[*launcher.ConflictError](err); ok {
		return conflictHint(e, self)
	}
	if e, ok := errors.AsType[*box.CheckError](err); ok && e.What == "shell" {
		return "add the package of " + e.Want + " to the Containerfile of an image that the box stands on, then: " + self + " process " + e.Box
	}
	if e, ok := errors.AsType[*box.StepError](err); ok && e.Step != "create" && is[*process.TimeoutError](err) {
		return "give it more time with start_timeout: in the config, or mend what it waits for; then: " + self + " process"
	}
	if e, ok := errors.AsType[*box.UnknownError](err); ok {
		return unknownHint(e, self)
	}
	if e, ok := errors.AsType[*box.TakenError](err); ok {
		return takenHint(e)
	}
	if e, ok := errors.AsType[*box.ChangedError](err); ok {
		return "look at " + e.Name + " first, then plan again: " + self + " plan"
	}
	if is[*box.ExportError](err) {
		return "correct exported_bins or exported_apps in the config, or add what is missing to an image that the box stands on"
	}
	return hintForName(err, self)
}

// hintForName is for a name on the command line that stands for nothing.
func hintForName(err error, self string) string {
	if is[*plan.NoGenerationError](err) || is[*box.NoGenerationError](err) {
		return "what there is: " + self + " list --generations"
	}
	if is[*noBoxError](err) {
		return "the boxes: " + self + " list --assemble; what they were: " + self + " list --generations"
	}
	return hintForProject(err, self)
}

func hintForProject(err error, self string) string {
	if e, ok := errors.AsType[*noDevImageError](err); ok {
		return e.hint(self)
	}
	if e, ok := errors.AsType[*noFolderError](err); ok {
		return "name the folder of a project, or make it: mkdir -p " + e.dir
	}
	if e, ok := errors.AsType[*projectFileError](err); ok {
		return "correct that place, or move the file away and run ocisi again: " + e.file
	}
	return hintForSession(err)
}

// hintForSession is for what is beside images and boxes: timers and recipes.
func hintForSession(err error) string {
	if is[*timer.NoSessionError](err) {
		return "log in as yourself, at the screen or over ssh; not with su or sudo"
	}
	if is[*timer.TemporaryPathError](err) {
		return "install it: brew install klmcwhirter/tap/ocisi; or copy it to ~/.local/bin and type that path"
	}
	if e, ok := errors.AsType[*ownedfile.ForeignError](err); ok {
		return fmt.Sprintf("if you do not need it: mv %s %[1]s.mine", e.Path)
	}
	if e, ok := errors.AsType[*timerGroupsError](err); ok && len(e.found.Fix) > 0 {
		return "before you enable the timer, type: " + strings.Join(e.found.Fix, "; ")
	}
	return justHint(err)
}

// conflictHint names the choices of a launcher whose place is taken.
func conflictHint(e *launcher.ConflictError, self string) string {
	elsewhere := "give the box's programs a folder of their own (box: exported_bins_path: ~/.local/share/ocisi/bin)"
	if e.File.Kind != launcher.Program {
		elsewhere = "give the box another name (distrobox: NAME)"
	}
	leave := ", or take " + e.File.What + " out of the exports"
	if e.Reason == launcher.OtherBox {
		elsewhere = "when nobody needs that box, remove it from its config, and with it: " + self + " clean; or " + elsewhere
	}
	if e.Reason == launcher.Copy || e.Reason == launcher.Changed {
		return "keep it under another name, or remove it: rm " + e.File.Path + leave
	}
	if e.Reason == launcher.NotOurs || e.Reason == launcher.OtherBox {
		return elsewhere + ", or remove what is there: rm " + e.File.Path + leave
	}
	return elsewhere + leave
}

// unknownHint gives the commands with which the user decides about a box.
func unknownHint(e *box.UnknownError, self string) string {
	engine, enter := string(e.Manager), "DBX_CONTAINER_MANAGER="+string(e.Manager)+" distrobox enter "+e.Name
	if e.Root {
		engine, enter = "sudo "+engine, "distrobox enter --root "+e.Name
	}
	return fmt.Sprintf("enter it (%s), then run: %s process; to restore the previous box: %s rename %s %[4]s-2 && %[3]s rename %[5]s %[4]s",
		enter, self, engine, e.Name, e.Old)
}

// takenHint gives the commands that restore the previous box, or free the name.
func takenHint(e *box.TakenError) string {
	engine := string(e.Manager)
	if e.Root {
		engine = "sudo " + engine
	}
	if e.Old == "" {
		return fmt.Sprintf("free the name, then run ocisi again: %s rename %s %[2]s-2", engine, e.Name)
	}
	return fmt.Sprintf("to restore the previous box: %s rename %s %[2]s-2 && %[1]s rename %[3]s %[2]s", engine, e.Name, e.Old)
}

func refusedHint(e *apply.RefusedError, self string) string {
	switch {
	case strings.HasPrefix(e.Reason, hierarchy.OfOtherUser):
		return "give your box another name in the config (distrobox: NAME); names of boxes are shared by all users of " + string(e.Target.Manager)
	case strings.HasPrefix(e.Reason, hierarchy.ByMigrate):
		return "to share layers again: " + self + " process --take-back " + e.Target.Name + "; what it is now stays as a generation"
	case e.Owner != "":
		return "give it another name in one of the two files, or delete " + e.Owner + " when nobody uses it any more"
	case e.Target.Kind == plan.Image:
		return keepForeign(e.Target)
	case e.Reason == plan.NoBox:
		return fmt.Sprintf("keep it by naming yours otherwise (distrobox: NAME), or remove it: %s rm %s", e.Target.Manager, e.Target.Name)
	}
	return fmt.Sprintf("keep it by naming yours otherwise (distrobox: NAME), or remove it: DBX_CONTAINER_MANAGER=%s distrobox rm %s", e.Target.Manager, e.Target.Name)
}

// keepForeign says how to get at a name without losing the image that has it.
func keepForeign(t plan.Target) string {
	name := hierarchy.FamiliarRef(t.Manager.StoreRef(t.Name))
	return fmt.Sprintf("it is not ocisi's to replace. Give yours another name or tag; or keep that one under another name: %s tag %s my-%s && %[1]s rmi %[2]s",
		t.Manager, name, name[strings.LastIndexByte(name, '/')+1:])
}

func unreachableHint(e *engine.UnreachableError) string {
	switch {
	case e.Manager == hierarchy.Docker && errors.Is(e.Err, fs.ErrPermission):
		return `you may not use docker's socket: sudo usermod -aG docker "$USER", then log out and in; 'ocisi doctor' tells which step is missing`
	case e.Manager == hierarchy.Docker && !strings.HasSuffix(e.Endpoint, "/run/docker.sock"):
		return "that is what DOCKER_HOST or docker's context says: docker context ls"
	case e.Manager == hierarchy.Docker:
		return "start it: sudo systemctl start docker.socket; or use podman: set manager: podman in the config"
	}
	return "see what podman says: podman info"
}
