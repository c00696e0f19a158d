package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"warroom/internal/config"
	"warroom/internal/drill"
	"warroom/internal/estate"
	"warroom/internal/report"
)

// newCheckCommand is warroom check.
func newCheckCommand() *cobra.Command {
	var asJSON, asCSV, plain bool
	var scenario string
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Run every check once and print what is true",
		Long: "Run every check once and print the readings.\n" +
			"It ends with 0 when all is OK, 1 when the worst is WARN, 2 when anything is FAIL, 3 when the worst is UNKNOWN, and 64 when it was used wrongly.",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var write writer = report.CheckPlain
			switch {
			case asJSON:
				write = checkJSON
			case asCSV:
				write = report.CheckCSV
			}
			if cmd.Flags().Changed("drill") {
				if err := noConfig(cmd, "--drill brings its own configuration"); err != nil {
					return err
				}
				return onDrill(scenario, func(cfg *config.Config, world *drill.World) error {
					ctx, end := context.WithCancelCause(cmd.Context())
					defer end(nil)
					if err := serving(ctx, world, end); err != nil {
						return failed(err)
					}
					return check(ctx, cfg, cmd.OutOrStdout(), cmd.ErrOrStderr(), write)
				})
			}
			cfg, err := load(cmd)
			if err != nil {
				return err
			}
			return check(cmd.Context(), cfg, cmd.OutOrStdout(), cmd.ErrOrStderr(), write)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the document "+report.CheckSchema)
	cmd.Flags().BoolVar(&asCSV, "csv", false, "print a line a fact, as CSV")
	cmd.Flags().BoolVar(&plain, "plain", false, "print plain text (the default)")
	cmd.Flags().StringVar(&scenario, "drill", "", "check the simulated estate of a drill scenario in place of a real one")
	cmd.MarkFlagsMutuallyExclusive("json", "csv", "plain")
	return cmd
}

// writer words readings.
type writer func(io.Writer, *estate.Readings) error

// checkJSON is report.CheckJSON with what a terminal obeys escaped.
func checkJSON(out io.Writer, r *estate.Readings) error {
	var text strings.Builder
	if err := report.CheckJSON(&text, r); err != nil {
		return err
	}
	return printJSON(out, text.String())
}

// check runs every check once, writes the readings and returns the verdict as an
// exit code.
func check(ctx context.Context, cfg *config.Config, out, progress io.Writer, write writer) error {
	// The process ends with its one round: collecting what that leaves behind would
	// cost more time than it frees memory.
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	var done atomic.Int64
	o := observe(cfg, nil, func() { done.Add(1) })
	defer o.set.Close()
	stop := showProgress(progress, &done, o.reads)
	o.scheduler.Once(ctx)
	stop()
	if err := ctx.Err(); err != nil {
		return failed(fmt.Errorf("check %s: interrupted after %d of %d reads: %w", cfg.Environment, done.Load(), o.reads, context.Cause(ctx)))
	}
	// The second net: no value that was read leaves, whatever text it got into.
	// The texts are scrubbed before they are encoded, and the whole after, so that
	// neither an encoding nor a write in two parts hides a value.
	readings := estate.Derive(o.board.Snapshot(), time.Now()).Texts(o.set.Net().Scrub)
	var text strings.Builder
	if err := write(&text, readings); err != nil {
		return failed(fmt.Errorf("word the readings: %w", err))
	}
	if _, err := io.WriteString(out, o.set.Net().Scrub(text.String())); err != nil {
		return failed(fmt.Errorf("write the readings: %w", err))
	}
	return verdict(readings.Summary())
}

// verdict makes a status an exit code, with nothing more to print.
func verdict(s estate.Status) error {
	switch s {
	case estate.Warn:
		return &exitError{code: 1, err: errSaid}
	case estate.Fail:
		return &exitError{code: 2, err: errSaid}
	case estate.Unknown:
		return &exitError{code: 3, err: errSaid}
	}
	return nil
}

// errSaid is an error that was told already.
var errSaid = said{}

type said struct{}

func (said) Error() string { return "" }

// showProgress counts reads on a terminal and is silent elsewhere.
func showProgress(out io.Writer, done *atomic.Int64, all int) (stop func()) {
	file, ok := out.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return func() {}
	}
	quit, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-quit:
				fmt.Fprint(file, "\r\x1b[K")
				return
			case <-tick.C:
				fmt.Fprintf(file, "\rchecking: %d of %d reads\x1b[K", done.Load(), all)
			}
		}
	}()
	return func() { close(quit); <-ended }
}
