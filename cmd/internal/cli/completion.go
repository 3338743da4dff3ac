package cli

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/klmcwhirter/ocisi/bootstrap/doctor"
	"github.com/klmcwhirter/ocisi/hierarchy"
)

// complete says what the shell may offer behind each command and flag. Files are
// offered only where one is meant.
func complete(root *cobra.Command, env Env, g *globals) {
	root.SetOut(env.Stdout) // cobra's completion command takes it when it is made
	root.InitDefaultCompletionCmd()
	root.CompletionOptions.SetDefaultShellCompDirective(cobra.ShellCompDirectiveNoFileComp)
	images, boxes := completeNames(env, g, imagesAndBoxes), completeNames(env, g, boxesOnly)
	arguments := map[string]cobra.CompletionFunc{
		"process": images, "recreate": images, "plan": images, "copy": images,
		"rollback": boxes, "diff": onlyFirst(boxes),
		"lock": completeNames(env, g, lockedBases(env)), "import": completeFiles, "config validate": completeConfigs,
		"doctor": completeChecks(env), "devcontainer": completeFolders, "devcontainer list": completeFolders,
	}
	managers := fixed("docker", "podman")
	flags := map[string]map[string]cobra.CompletionFunc{
		"":       {"file": completeConfigs},
		"setup":  {"only": images},
		"list":   {"html": completeFiles},
		"import": {"output": completeFiles, "manager": managers},

		"copy":         {"to": managers},
		"devcontainer": {"image": images},
		"just install": {"mode": fixed("global", "shim", "sysext", "image")},
		"timer enable": {"calendar": fixed("daily", "weekly", "monthly")},
	}
	each(root, func(cmd *cobra.Command) {
		path := strings.TrimPrefix(strings.TrimPrefix(cmd.CommandPath(), root.Name()), " ")
		if f, ok := arguments[path]; ok {
			cmd.ValidArgsFunction = f
		}
		for name, f := range flags[path] {
			_ = cmd.RegisterFlagCompletionFunc(name, f) // fails for a flag that is not there, which a story would miss
		}
		if path == "completion powershell" { // distroboxes are Linux's
			cmd.Parent().RemoveCommand(cmd)
		}
		if cmd.HasSubCommands() && cmd.RunE == nil { // cobra's own, which would take a misspelt shell for a question
			cmd.Args = usage(cobra.NoArgs)
			cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
		}
	})
}

// each visits a command and all below it.
func each(cmd *cobra.Command, visit func(*cobra.Command)) {
	visit(cmd)
	for _, c := range slices.Clone(cmd.Commands()) {
		each(c, visit)
	}
}

func completeConfigs(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return []cobra.Completion{"yaml", "yml"}, cobra.ShellCompDirectiveFilterFileExt
}

func completeFiles(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveDefault
}

func completeFolders(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveFilterDirs
}

// completeChecks offers the checks of doctor, and the subjects that several are of.
func completeChecks(env Env) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		c := env.clinic(cmd.Context(), "")
		defer c.close()
		return doctor.Names(c.checks()), cobra.ShellCompDirectiveNoFileComp
	}
}

func fixed(words ...string) cobra.CompletionFunc {
	return cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)
}

// onlyFirst offers nothing once there is an argument.
func onlyFirst(f cobra.CompletionFunc) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, start string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return f(cmd, args, start)
	}
}

// completeNames offers what the config says, each name once and none that is
// typed already. The config alone is read, and no engine is asked: somebody waits
// with a finger on the key. A config that is wrong offers nothing.
func completeNames(env Env, g *globals, list func(*hierarchy.Config) []cobra.Completion) cobra.CompletionFunc {
	return func(_ *cobra.Command, args []string, start string) ([]cobra.Completion, cobra.ShellCompDirective) {
		const directive = cobra.ShellCompDirectiveNoFileComp
		path := env.configPath(g.file)
		data, err := env.readFile(path)
		if err != nil {
			return nil, directive
		}
		cfg, err := hierarchy.ParseConfig(path, data)
		if err != nil {
			return nil, directive
		}
		var out []cobra.Completion
		seen := map[string]bool{}
		for _, a := range args {
			seen[a] = true
		}
		for _, c := range list(cfg) {
			name, _, _ := strings.Cut(c, "\t")
			if !seen[name] && strings.HasPrefix(name, start) {
				out = append(out, c)
			}
			seen[name] = true
		}
		slices.Sort(out)
		return out, directive
	}
}

func imagesAndBoxes(cfg *hierarchy.Config) []cobra.Completion {
	names := boxesOnly(cfg)
	for _, e := range cfg.Entries {
		if e.Enabled {
			names = append(names, cobra.CompletionWithDesc(e.Name, "image"))
		}
	}
	return names
}

func boxesOnly(cfg *hierarchy.Config) []cobra.Completion {
	var names []cobra.Completion
	for _, e := range cfg.Entries {
		if e.Enabled && e.HasBox() {
			names = append(names, cobra.CompletionWithDesc(e.BoxName(), "box of "+e.Ref()))
		}
	}
	return names
}

// lockedBases lists what the lock file holds: what --update can move.
func lockedBases(env Env) func(*hierarchy.Config) []cobra.Completion {
	return func(cfg *hierarchy.Config) []cobra.Completion {
		lock, err := env.readLock(cfg.File)
		if err != nil || lock == nil {
			return nil
		}
		var names []cobra.Completion
		for ref := range lock.Bases {
			names = append(names, ref)
		}
		return names
	}
}
