package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/klmcwhirter/ocisi/bootstrap/block"
	"github.com/klmcwhirter/ocisi/bootstrap/ownedfile"
	"github.com/klmcwhirter/ocisi/internal/process"
)

// Where images of Universal Blue have recipes. The first is Bluefin's.
const (
	blueRecipes = "/usr/share/ublue-os/just/00-entry.just"
	blueMaster  = "/usr/share/ublue-os/justfile"
	blueCustom  = "/usr/share/ublue-os/just/60-custom.just"
	imageJust   = "/usr/share/ocisi/just/ocisi.just"
)

// errNoUjust says that there is no ujust whose recipes could be added to.
var errNoUjust = errors.New("this system has no ujust: neither " + blueRecipes + " nor " + blueMaster + " is there")

// entry returns the justfile of the system's ujust, or "".
func (env Env) entry() string {
	for _, path := range []string{blueRecipes, blueMaster} {
		if env.exists(path) {
			return path
		}
	}
	return ""
}

// shim is the ujust of the user's.
func (env Env) shim() string { return filepath.Join(env.Home, ".local", "bin", "ujust") }

// shimFiles are the recipes, a justfile with those and the system's, and the shim.
func (env Env) shimFiles() ([]ownedfile.File, error) {
	recipes, err := env.justRecipes()
	if err != nil {
		return nil, err
	}
	both, err := env.justFile("ujust.just", filepath.Join(env.justDir(), "ujust.just"), 0o644)
	if err != nil {
		return nil, err
	}
	shim, err := env.justFile("ujust", env.shim(), 0o755)
	return []ownedfile.File{recipes, both, shim}, err
}

// justShim puts a ujust in front of the system's.
func (env Env) justShim(ctx context.Context) error {
	if env.entry() == "" {
		return errNoUjust
	}
	if _, err := env.LookPath("just"); err != nil {
		return err
	}
	files, err := env.shimFiles()
	if err != nil {
		return err
	}
	undo, err := ownedfile.Write(env.Disk, files)
	if err != nil {
		return err
	}
	if _, err := env.recipesIn(ctx, files[1].Path); err != nil {
		return errors.Join(&justError{env.entry(), " together with ocisi's recipes, so nothing was written", err}, undo())
	}
	for _, f := range files {
		fmt.Fprintf(env.Stdout, "written  %s\n", env.short(f.Path))
	}
	fmt.Fprintf(env.Stdout, "%s now stands in front of /usr/bin/ujust: what it does not know goes there.\n", env.short(env.shim()))
	if found, err := env.LookPath("ujust"); err != nil || !env.sameFile(found, env.shim()) {
		fmt.Fprintf(env.Stderr, "ocisi: warning: your PATH does not find it first; put %s in front\n", env.short(filepath.Dir(env.shim())))
	}
	fmt.Fprintln(env.Stdout, "\nnext: ujust ocisi-doctor")
	return nil
}

// sysextDir is the extension that is prepared.
func (env Env) sysextDir() string { return filepath.Join(env.DataHome, "ocisi", "sysext", "ocisi") }

// extension is where root puts it, and withdrawal what takes it away.
const (
	extension  = "/var/lib/extensions/ocisi"
	withdrawal = "  sudo rm -r " + extension + "\n  sudo systemd-sysext refresh\n"
)

// sysextFiles are the files of the extension. It has no programs, so that it fits
// every system and machine: extension-release says ID=_any.
func (env Env) sysextFiles() ([]ownedfile.File, error) {
	release := ownedfile.File{
		Path: filepath.Join(env.sysextDir(), "usr/lib/extension-release.d/extension-release.ocisi"),
		Mark: justMark, Text: []byte(justMark + "\nID=_any\n"), Mode: 0o644,
	}
	recipes, err := env.justFile("ocisi.just", filepath.Join(env.sysextDir(), imageJust), 0o644)
	if err != nil {
		return nil, err
	}
	custom, err := env.justFile("60-custom.just", filepath.Join(env.sysextDir(), blueCustom), 0o644)
	return []ownedfile.File{release, recipes, custom}, err
}

// justSysext prepares a system extension and prints what root has to type.
func (env Env) justSysext(context.Context) error {
	if env.entry() == "" {
		return errNoUjust
	}
	if text, err := env.readFile(blueCustom); err == nil && !strings.Contains(string(text), justMark) {
		return errors.New("this image has a " + blueCustom + " of its own, which the extension would hide")
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	files, err := env.sysextFiles()
	if err != nil {
		return err
	}
	if _, err := ownedfile.Write(env.Disk, files); err != nil {
		return err
	}
	from := process.Cmd{Name: "sudo", Args: []string{"cp", "-rT", "--preserve=mode", env.sysextDir(), extension}}
	_, err = fmt.Fprintf(env.Stdout, `prepared  %s

To put it in place, type:

  sudo mkdir -p /var/lib/extensions
  %s
  sudo systemctl enable systemd-sysext.service
  sudo systemd-sysext refresh

To be rid of it:

%s`, env.short(env.sysextDir()), from, withdrawal)
	return err
}

// justImage prints what a Containerfile needs, as lines of one.
func (env Env) justImage(context.Context) error {
	recipes, err := fs.ReadFile(env.Recipes, "ocisi.just")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(env.Stdout, `# The recipes of ocisi, for ujust. The program comes as a package, or from Homebrew when a user types the first one.
COPY <<'OCISI' %[1]s
%[2]sOCISI
# Somebody else may have begun this file.
RUN printf '\nimport "%%s"\n' %[1]s >>%[3]s
`, imageJust, recipes, blueCustom)
	return err
}

func newJustStatus(env Env) *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Tell where the recipes are",
		Args:  usage(cobra.NoArgs),
		RunE:  func(cmd *cobra.Command, _ []string) error { return env.justStatus(cmd.Context()) },
	}
}

func (env Env) justStatus(ctx context.Context) error {
	recipes, err := env.justRecipes()
	if err != nil {
		return err
	}
	ours, current, err := recipes.State()
	if err != nil {
		return err
	}
	state := map[bool]string{true: "as this ocisi has them", false: "of another ocisi; to renew them: ocisi just install"}[current]
	if !ours {
		state = "none; to bring them in: ocisi just install"
	}
	global := "no"
	if file := env.justWith(); file != "" {
		global = "yes, by " + env.short(file)
	}
	ujust := "does not have them"
	if known := env.host().Recipes(ctx); len(known) == 0 {
		ujust = "is not there"
	} else if lacks(known, []string{"ocisi-setup"}) == nil {
		ujust = "has them"
	}
	return table(env.Stdout, [][]string{{"recipes", state}, {"just -g", global}, {"ujust", ujust}})
}

// offerRecipes mentions the recipes to those who use just, and do not have them.
func (env Env) offerRecipes(ctx context.Context) {
	_, noJust := env.LookPath("just")
	_, noUjust := env.LookPath("ujust")
	if noJust != nil && noUjust != nil || env.justWith() != "" || slices.Contains(env.host().Recipes(ctx), "ocisi-setup") {
		return
	}
	fmt.Fprintln(env.Stdout, "recipes for just: ocisi just install")
}

// justWith returns the user's justfile that has the recipes, or "".
func (env Env) justWith() string {
	there, _ := env.justfiles()
	for _, file := range there {
		if text, err := env.readFile(file); err == nil && block.Has(text) {
			return file
		}
	}
	return ""
}
