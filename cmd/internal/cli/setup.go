package cli
import "github.com/spf13/cobra"
func newSetup(env Env, g *globals) *cobra.Command { return &cobra.Command{Use: "setup"} }
func newDoctor(env Env, g *globals) *cobra.Command { return &cobra.Command{Use: "doctor"} }
