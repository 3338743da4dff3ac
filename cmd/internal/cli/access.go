package cli

import (
	"strings"

	"github.com/spf13/cobra"
)

// access is when a command writes: the user's files, the state directory or an
// engine's store. What a command writes because its user names the file, such as
// the report of list, does not count. It also has the directories that it needs.
type access struct {
	writes bool     // without the flags
	flags  []string // with any of them it is the other way round: NAME, or NAME=VALUE
	needs  need
}

// need is what a command needs of the user's directories.
type need int

// The needs.
const (
	everything need = iota // the home, and thereby all the others
	configDir
	nothing
)

// accesses are the commands of ocisi, by their path without "ocisi", and when
// they write. A command that is missing here counts as one that writes.
func accesses() map[string]access {
	reads, static := access{}, access{needs: nothing}
	dry := access{writes: true, flags: []string{"dry-run"}}
	return map[string]access{
		"":                  static,
		"clean":             dry,
		"config":            static,
		"config edit":       {writes: true, needs: configDir},
		"config path":       {needs: configDir},
		"config schema":     static,
		"config validate":   reads,
		"copy":              dry,
		"devcontainer":      {writes: true, flags: []string{"print", "check"}},
		"devcontainer list": reads,
		"diff":              reads,
		"doctor":            {flags: []string{"fix"}},
		"exports":           reads,
		"exports repair":    dry,
		"import":            {writes: true, flags: []string{"print"}},
		"just":              static,
		"just install":      {writes: true, flags: []string{"mode=image"}},
		"just status":       reads,
		"just uninstall":    {writes: true},
		"lint":              reads,
		"list":              reads,
		"lock":              dry,
		"plan":              reads,
		"process":           dry,
		"recreate":          dry,
		"rollback":          dry,
		"setup":             {writes: true, flags: []string{"dry-run", "diff"}},
		"timer":             static,
		"timer disable":     {writes: true},
		"timer enable":      {writes: true},
		"timer status":      reads,
		"version":           static,
		"help":              static, // cobra's own, from here on
		"completion":        static,
		"completion bash":   static,
		"completion fish":   static,
		"completion zsh":    static,
		"__complete":        reads,
		"__completeNoDesc":  reads,
	}
}

// accessOf returns the access of a command.
func accessOf(cmd *cobra.Command) access {
	_, path, _ := strings.Cut(cmd.CommandPath(), " ")
	a, ok := accesses()[path]
	if !ok {
		return access{writes: true}
	}
	return a
}

// writes reports whether a command writes, with the flags that it was given.
func writes(cmd *cobra.Command) bool {
	a := accessOf(cmd)
	for _, given := range a.flags {
		name, value, _ := strings.Cut(given, "=")
		if value == "" {
			value = "true"
		}
		if f := cmd.Flags().Lookup(name); f != nil && f.Value.String() == value {
			return !a.writes
		}
	}
	return a.writes
}

// refuseRoot returns an error for a command that writes and is run by root, as by
// sudo -E: boxes would be root's, and root's files in the user's home would keep
// the user from running ocisi.
func (env Env) refuseRoot(cmd *cobra.Command) error {
	if env.UID == 0 && writes(cmd) {
		return errRoot
	}
	return nil
}
