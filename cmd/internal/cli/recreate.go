package cli

import (
	"github.com/spf13/cobra"
)

func newRecreate(env Env, g *globals) *cobra.Command {
	o := &processOptions{env: env, globals: g, refresh: true}
	unattended := false
	cmd := &cobra.Command{
		Use:   "recreate [NAME…]",
		Short: "Bring images and boxes up to date with their bases and packages",
		Long: `Do what process does, and also: ask the registries whether the bases have moved,
pull those that have, and build anew what is older than its max_age (7 days, where
the config does not say), so that its packages are today's. What is built from
those follows. Boxes are replaced where the layers of their image changed.

A registry that cannot be asked is no failure: its bases stay as they are. So do
bases that the lock file holds; 'ocisi lock --update' moves them.`,
		Args: usage(cobra.ArbitraryArgs),
		RunE: func(cmd *cobra.Command, args []string) error {
			if unattended {
				return o.unattended(cmd, args)
			}
			return o.run(cmd, args)
		},
	}
	cmd.Flags().BoolVar(&unattended, "unattended", false, "for timers: not on battery or over a metered network; prints one line when all went well, and notifies you when it needs you")
	cmd.Flags().BoolVar(&o.force, "force", false, "build all images anew, whatever their age, every step of them; and replace boxes that somebody is in, too: asks, since that ends what runs in there")
	o.addFlags(cmd)
	return cmd
}
