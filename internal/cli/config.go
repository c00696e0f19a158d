package cli

import (
	"fmt"
	"io"
	"path/filepath"

	"github.com/spf13/cobra"

	"warroom/internal/config"
)

// newConfigCommand is warroom config: validate, schema and example.
func newConfigCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Check warroom.yaml, or print its schema or an example",
		Args:  subcommandOnly,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		&cobra.Command{
			Use:   "validate [FILE]",
			Short: "Report every mistake of a warroom.yaml with its line",
			Long: "Report every mistake of a warroom.yaml, each with file, line, what was expected and the nearest valid word.\n" +
				"Without FILE it is the one that warroom would open: that of --config or $WARROOM_CONFIG, ./warroom.yaml, or the XDG configuration file.\n" +
				"It ends with 0 when the file is valid, else with 64. Nothing is connected to.",
			Args: func(cmd *cobra.Command, args []string) error { return usage(cobra.MaximumNArgs(1)(cmd, args)) },
			RunE: func(cmd *cobra.Command, args []string) error {
				path := ""
				if named := cmd.Flags().Lookup("config"); named != nil {
					path = named.Value.String()
				}
				if len(args) == 1 {
					path = args[0]
				}
				return validateConfig(cmd.OutOrStdout(), path)
			},
		},
		&cobra.Command{
			Use:   "schema",
			Short: "Print the JSON Schema of warroom.yaml, for editors",
			Args:  noArgs,
			RunE:  func(cmd *cobra.Command, _ []string) error { return printAll(cmd.OutOrStdout(), config.Schema()) },
		},
		&cobra.Command{
			Use:   "example",
			Short: "Print a commented warroom.yaml to start from",
			Args:  noArgs,
			RunE:  func(cmd *cobra.Command, _ []string) error { return printAll(cmd.OutOrStdout(), config.Example()) },
		},
	)
	return cmd
}

func noArgs(cmd *cobra.Command, args []string) error { return usage(cobra.NoArgs(cmd, args)) }

// subcommandOnly refuses what is not the name of a subcommand.
func subcommandOnly(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if ext := filepath.Ext(args[0]); ext == ".yaml" || ext == ".yml" {
		return usage(fmt.Errorf("unknown command %q; to use it as the configuration: %s --config %s", args[0], cmd.CommandPath(), args[0]))
	}
	return usage(fmt.Errorf("unknown command %q; see %s --help", args[0], cmd.CommandPath()))
}

// validateConfig checks the file at path, or the one that Find finds when path
// is empty, and prints what it holds.
func validateConfig(out io.Writer, path string) error {
	if path == "" {
		found, err := config.Find()
		if err != nil {
			return usage(err)
		}
		path = found
	}
	c, err := config.Load(path)
	if err != nil {
		return usage(err)
	}
	t := c.Topology()
	_, err = fmt.Fprintf(out, "%s: valid: %s, %s, %s\n", path,
		count(len(t.Components), "component"), count(len(t.Secrets), "secret"), count(len(t.Flows), "flow"))
	return failed(err)
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func printAll(out io.Writer, text []byte) error {
	_, err := out.Write(text)
	return failed(err)
}
