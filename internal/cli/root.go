package cli

import (
	"context"
	"errors"
	"io"
	"log"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"charm.land/fang/v2"
	"github.com/spf13/cobra"

	"warroom/internal/config"
)

// Main runs the command line and returns the exit code.
func Main(version string) int {
	// Libraries log what a server sent, unscrubbed and across the screen.
	log.SetOutput(io.Discard)
	// Whatever asks us to end, what was begun is taken down again. A pipe that
	// nobody reads any more is an error of the write, and not the end of everything.
	ctx, stop := signal.NotifyContext(context.Background(), endingSignals()...)
	defer stop()
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	err := fang.Execute(ctx, newRootCommand(), fang.WithVersion(version), fang.WithErrorHandler(
		func(out io.Writer, _ fang.Styles, err error) { printError(out, err) }))
	return exitCode(err)
}

// endingSignals are the signals that end every command in order. One that we were
// started to ignore, as nohup does, stays ignored.
func endingSignals() []os.Signal {
	return slices.DeleteFunc([]os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP}, signal.Ignored)
}

// exitCode is the code with which the program ends after err.
func exitCode(err error) int {
	var exit *exitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.code
	}
	return exitUsage // what cobra itself refuses is wrong use
}

// printError prints what went wrong as it is: errors here have lines of their
// own, and what is within them nobody has looked at. A verdict has no text; its code says it. Nor has a reader who has seen
// enough, as head has.
func printError(out io.Writer, err error) {
	if errors.Is(err, syscall.EPIPE) {
		return
	}
	if text := err.Error(); text != "" {
		notice(out, "%s", text)
	}
}

// newRootCommand is warroom: without a subcommand it opens the console.
func newRootCommand() *cobra.Command {
	var look looks
	var alert string
	cmd := &cobra.Command{
		Use:   "warroom",
		Short: "The console for a secret that failed to rotate",
		Long: "warroom shows live what is true of an estate whose secrets failed to rotate: edge, service, state and control plane.\n" +
			"Without a command it opens the console on the file of --config or $WARROOM_CONFIG, ./warroom.yaml, or the XDG configuration file.\n" +
			"To see it without an estate of your own: warroom drill",
		Args: subcommandOnly,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := load(cmd)
			if err != nil {
				return err
			}
			if look.alert, err = parseAlert(alert); err != nil {
				return err
			}
			look.notices = cmd.ErrOrStderr()
			return openConsole(cmd.Context(), cfg, look, nil)
		},
	}
	cmd.PersistentFlags().String("config", "", "the warroom.yaml to use")
	look.flags(cmd)
	cmd.Flags().StringVar(&alert, "alert-time", "", "when the alert was raised, as 2026-03-21T12:00:00Z: an incident's clocks count from there")
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage(err) })
	cmd.AddCommand(newDrillCommand(), newIncidentCommand(), newChecklistCommand(), newCheckCommand(), newPlanCommand(), newActCommand(), newInitCommand(), newConfigCommand(), newRunbookCommand())
	return cmd
}

// load reads the file of --config, or the one that is found without it.
func load(cmd *cobra.Command) (*config.Config, error) {
	path, err := cmd.Flags().GetString("config")
	if err != nil {
		return nil, usage(err)
	}
	if path == "" {
		if path, err = config.Find(); err != nil {
			return nil, usage(err)
		}
	}
	cfg, err := config.Load(path)
	return cfg, usage(err)
}
