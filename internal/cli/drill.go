package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"warroom/internal/config"
	"warroom/internal/drill"
	"warroom/ui"
)

// defaultScenario is what warroom drill opens without a name.
const defaultScenario = "db-rotation"

// newDrillCommand is warroom drill.
func newDrillCommand() *cobra.Command {
	var look looks
	var list, serve bool
	cmd := &cobra.Command{
		Use:   "drill [SCENARIO]",
		Short: "Open the console on a simulated crisis",
		Long: "Open the console on a simulated crisis. The simulated systems listen on loopback and are reached through the real clients.\n" +
			"With --serve they run without the console and other tools can reach them; how is printed.",
		Args:      func(cmd *cobra.Command, args []string) error { return usage(cobra.MaximumNArgs(1)(cmd, args)) },
		ValidArgs: scenarioNames(),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := noConfig(cmd, "a drill brings its own configuration"); err != nil {
				return err
			}
			if list {
				return listScenarios(cmd.OutOrStdout())
			}
			name := defaultScenario
			if len(args) == 1 {
				name = args[0]
			}
			if serve {
				return serveDrill(cmd.Context(), name, cmd.OutOrStdout())
			}
			look.notices = cmd.ErrOrStderr()
			return onDrill(name, func(cfg *config.Config, world *drill.World) error {
				if look.alert.IsZero() {
					look.alert = world.Alert()
				}
				return openConsole(cmd.Context(), cfg, look, func(ctx context.Context, end func(error)) error {
					return serving(ctx, world, end)
				})
			})
		},
	}
	look.flags(cmd)
	cmd.Flags().BoolVar(&list, "list", false, "name the scenarios")
	cmd.Flags().BoolVar(&serve, "serve", false, "keep the simulated systems running without the console, and print how to reach them")
	cmd.MarkFlagsMutuallyExclusive("list", "serve")
	return cmd
}

// noConfig refuses --config where it would be passed over.
func noConfig(cmd *cobra.Command, why string) error {
	if cmd.Flags().Changed("config") {
		return usage(fmt.Errorf("--config has no effect here: %s", why))
	}
	return nil
}

func scenarioNames() []string {
	var names []string
	for _, s := range drill.Scenarios() {
		names = append(names, s.Name)
	}
	return names
}

func listScenarios(out io.Writer) error {
	width := 0
	for _, name := range scenarioNames() {
		width = max(width, len(name))
	}
	for _, s := range drill.Scenarios() {
		if _, err := fmt.Fprintf(out, "%-*s  %s\n%*s  %s\n", width, s.Name, s.Title, width, "", s.Summary); err != nil {
			return failed(err)
		}
	}
	return nil
}

// onDrill opens a scenario's world, hands it to do and takes it down again. Its
// systems answer once they are served.
func onDrill(name string, do func(*config.Config, *drill.World) error) (err error) {
	world, err := drill.Open(name, drill.Options{})
	if err != nil {
		return usage(err)
	}
	defer func() {
		if ended := world.Close(); err == nil {
			err = failed(ended)
		}
	}()
	cfg, err := config.Parse("drill "+name, world.Config())
	if err != nil {
		return failed(fmt.Errorf("the configuration of drill %s is not valid, which is a fault of warroom: %w", name, err))
	}
	return do(cfg, world)
}

// serving serves a world beside what runs on it, and returns when its systems
// answer. What ends it early is reported to end.
func serving(ctx context.Context, world *drill.World, end func(error)) error {
	ended := make(chan error, 1)
	ui.Go(ctx, "serving the drill", func() {
		err := world.Serve(ctx)
		ended <- err
		if err != nil {
			end(err)
		}
	})
	select {
	case <-world.Ready():
		return nil
	case err := <-ended:
		return err
	}
}

// serveDrill keeps a scenario's systems running until ctx ends, and prints how
// to reach them.
func serveDrill(ctx context.Context, name string, out io.Writer) error {
	return onDrill(name, func(_ *config.Config, world *drill.World) error {
		ended := make(chan error, 1)
		go func() { ended <- world.Serve(ctx) }()
		select {
		case err := <-ended:
			return failed(err)
		case <-world.Ready():
		}
		path := filepath.Join(world.Dir(), "warroom.yaml")
		if err := os.WriteFile(path, world.Config(), 0o600); err != nil {
			return failed(fmt.Errorf("write the drill's configuration: %w", err))
		}
		var text strings.Builder
		fmt.Fprintf(&text, "# Drill %s runs until this command is ended (ctrl+c). Open the console on it:\n", name)
		fmt.Fprintf(&text, "warroom --config %s\n\n# The environment for other tools:\n", path)
		for _, pair := range world.Env() {
			key, value, _ := strings.Cut(pair, "=")
			fmt.Fprintf(&text, "export %s='%s'\n", key, strings.ReplaceAll(value, "'", `'\''`))
		}
		text.WriteString("\n# To try, with it:\n")
		for _, line := range world.Examples() {
			fmt.Fprintln(&text, line)
		}
		fmt.Fprintf(&text, "\n# The configuration, %s:\n%s", path, world.Config())
		if _, err := io.WriteString(out, text.String()); err != nil {
			return failed(err)
		}
		return failed(<-ended)
	})
}
